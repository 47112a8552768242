//! Progress of a search on stderr: a bar with the growing front on a terminal, plain lines elsewhere.

use std::fmt::Write as _;
use std::io::IsTerminal;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::client::{Front, Search};
use crate::view::{front_summary, grouped, percent, quality};

/// How often plain lines come at most.
const PLAIN_INTERVAL: Duration = Duration::from_secs(5);
/// Front members below the bar at most.
const MEMBERS: usize = 10;

/// Where progress goes.
pub(crate) enum Progress {
    Quiet,
    Bar(ProgressBar),
    Lines {
        last: Option<Instant>,
        shown: String,
    },
}

impl Progress {
    /// A bar on a terminal, lines elsewhere, nothing when `quiet`.
    pub(crate) fn new(quiet: bool) -> Self {
        if quiet {
            return Self::Quiet;
        }
        let terminal = std::io::stderr().is_terminal()
            && std::env::var_os("CI").is_none()
            && std::env::var("TERM").is_ok_and(|term| term != "dumb");
        if !terminal {
            return Self::Lines {
                last: None,
                shown: String::new(),
            };
        }
        let bar = ProgressBar::with_draw_target(Some(0), ProgressDrawTarget::stderr());
        let style = ProgressStyle::with_template("{bar:32} {pos}/{len} trials  {elapsed}  {msg}")
            .unwrap_or_else(|_| ProgressStyle::default_bar())
            .progress_chars("=> ");
        bar.set_style(style);
        bar.enable_steady_tick(Duration::from_millis(250));
        Self::Bar(bar)
    }

    /// Shows where a search stands.
    pub(crate) fn show(&mut self, search: &Search, front: &Front) {
        match self {
            Self::Quiet => {}
            Self::Bar(bar) => {
                bar.set_length(search.budget);
                bar.set_position(search.trials_ended());
                bar.set_message(format!("{}\n{}", status(search), members(front)));
            }
            Self::Lines { last, shown } => {
                let line = format!(
                    "{}/{} trials, {}",
                    search.trials_ended(),
                    search.budget,
                    status(search)
                );
                let due =
                    last.is_none_or(|last| last.elapsed() >= PLAIN_INTERVAL) || search.has_ended();
                if due && line != *shown {
                    eprintln!("{line}");
                    *last = Some(Instant::now());
                    *shown = line;
                }
            }
        }
    }

    /// Says something beside the progress.
    pub(crate) fn say(&self, text: &str) {
        match self {
            Self::Quiet => {}
            Self::Bar(bar) => bar.suspend(|| eprintln!("{text}")),
            Self::Lines { .. } => eprintln!("{text}"),
        }
    }

    /// Takes the bar away.
    pub(crate) fn finish(&self) {
        if let Self::Bar(bar) = self {
            bar.finish_and_clear();
        }
    }
}

fn status(search: &Search) -> String {
    let mut text = front_summary(
        search.front_size,
        search.best(),
        search.smallest_lut_estimate,
    );
    if search.points > 0 {
        let _ = write!(text, ", {} learned candidates", search.points);
    }
    let jobs = &search.synthesis;
    let all = jobs.open + jobs.completed + jobs.failed;
    if all > 0 {
        let _ = write!(text, ", synthesised {}/{all}", jobs.completed);
    }
    if search.trials.failed + jobs.failed > 0 {
        let _ = write!(text, ", {} failed", search.trials.failed + jobs.failed);
    }
    if search.state != "running" {
        let _ = write!(text, ", {}", search.state);
    }
    if let Some(worker) = &search.waits_for {
        let _ = write!(text, ", waiting for {worker}");
    }
    text
}

/// The front in a few lines, spread over it from the smallest to the most accurate.
fn members(front: &Front) -> String {
    let scored: Vec<_> = front
        .members
        .iter()
        .filter_map(|trial| Some((trial.number, trial.scores.as_ref()?)))
        .collect();
    let count = scored.len().min(MEMBERS);
    let mut text = String::new();
    for step in 0..count {
        let index = if count == 1 {
            0
        } else {
            step * (scored.len() - 1) / (count - 1)
        };
        let (number, scores) = scored[index];
        let luts = scores.costs.as_ref().map_or(0, |costs| costs.lut_estimate);
        // Of values, the share of the variance that is explained.
        let explained = scores
            .mean_squared_error_validation
            .map(|error| 1.0 - error);
        let share = scores.accuracy_validation.or(explained).unwrap_or(0.0);
        let width = (share * 40.0).round().clamp(0.0, 40.0) as usize;
        let said = match scores.accuracy_validation {
            Some(accuracy) => format!("{:>6} %", percent(accuracy)),
            None => quality(None, scores.mean_squared_error_validation).unwrap_or_default(),
        };
        let _ = writeln!(
            text,
            "  #{number:<5} {said}  {:>8} LUT est.  {}",
            grouped(luts),
            "*".repeat(width)
        );
    }
    text
}
