//! What the demo found, as JSON for `--report` and as a few lines for people.

use std::path::Path;
use std::time::{Duration, Instant};

use serde::Serialize;

use crate::client::{Front, Search, Trial};
use crate::exit::{Failure, Outcome};
use crate::view::percent;

/// `--report FILE`.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    trials_completed: u64,
    wall_s: f64,
    /// From the start of `up` to the first front.
    first_front_s: Option<f64>,
    trials_per_minute: f64,
    accuracy_float: Option<f64>,
    synthesis_completed: u64,
    synthesis_failed: u64,
    workers: usize,
    data: &'static str,
    front: Vec<Member>,
    baselines: Vec<Member>,
}

/// A front member or a baseline; what synthesis measured is absent where it did not run.
#[derive(Debug, Serialize)]
struct Member {
    trial: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    label: Option<String>,
    accuracy_validation: f64,
    accuracy_test: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    bits: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    energy_pj: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ebops: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    lut_estimate: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    lut_measured: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ff_measured: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    carry_measured: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    dsp_measured: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    levels: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    vectors_checked: Option<u64>,
}

/// Times of a run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    started: Instant,
    submitted: Instant,
    first_front: Option<Instant>,
    trials_done: Option<Instant>,
}

impl Clock {
    /// A clock of a run that began at `started` and submits now.
    pub(crate) fn new(started: Instant) -> Self {
        Self {
            started,
            submitted: Instant::now(),
            first_front: None,
            trials_done: None,
        }
    }

    /// Takes a look's news.
    pub(crate) fn see(&mut self, search: &Search) {
        let now = Instant::now();
        if search.front_size > 0 {
            self.first_front.get_or_insert(now);
        }
        if search.trials_ended() >= search.budget || search.has_ended() {
            self.trials_done.get_or_insert(now);
        }
    }

    /// From the start to now.
    pub(crate) fn wall(&self) -> Duration {
        self.started.elapsed()
    }
}

impl Report {
    pub(crate) fn new(search: &Search, front: &Front, clock: &Clock, workers: usize) -> Self {
        let training = clock.trials_done.unwrap_or_else(Instant::now) - clock.submitted;
        let float = front
            .baselines
            .iter()
            .find(|trial| trial.label.as_deref() == Some("float"));
        Self {
            trials_completed: search.trials.completed,
            wall_s: clock.wall().as_secs_f64(),
            first_front_s: clock
                .first_front
                .map(|at| (at - clock.started).as_secs_f64()),
            trials_per_minute: 60.0 * search.trials.completed as f64
                / training.as_secs_f64().max(1e-3),
            accuracy_float: float
                .and_then(|trial| Some(trial.scores.as_ref()?.accuracy_validation).flatten()),
            synthesis_completed: search.synthesis.completed,
            synthesis_failed: search.synthesis.failed,
            workers,
            data: super::GENERATED,
            front: front.members.iter().filter_map(Member::of).collect(),
            baselines: front.baselines.iter().filter_map(Member::of).collect(),
        }
    }

    /// Writes it whole or not at all.
    pub(crate) fn write(&self, path: &Path) -> Outcome<()> {
        let failed = |error: &dyn std::fmt::Display| {
            Failure::general(format!(
                "failed to write --report {}: {error}",
                path.display()
            ))
        };
        let mut text = serde_json::to_string_pretty(self).map_err(|error| failed(&error))?;
        text.push('\n');
        let folder = path
            .parent()
            .filter(|folder| !folder.as_os_str().is_empty())
            .unwrap_or(Path::new("."));
        let file = tempfile::NamedTempFile::new_in(folder).map_err(|error| failed(&error))?;
        std::fs::write(file.path(), text).map_err(|error| failed(&error))?;
        file.persist(path).map_err(|error| failed(&error))?;
        Ok(())
    }

    /// The run in two lines.
    pub(crate) fn summary(&self) -> String {
        let first = self.first_front_s.map_or_else(
            || "never".to_owned(),
            |seconds| format!("after {seconds:.1} s"),
        );
        let best = self
            .front
            .iter()
            .map(|member| member.accuracy_validation)
            .fold(0.0, f64::max);
        let float = self.accuracy_float.map_or_else(|| "-".to_owned(), percent);
        format!(
            "{} trials in {:.1} s ({:.0} a minute, {} workers), first front {first}, {} circuits measured\n\
             best member {} %, float network {float} % (validation)",
            self.trials_completed,
            self.wall_s,
            self.trials_per_minute,
            self.workers,
            self.synthesis_completed,
            percent(best),
        )
    }
}

impl Member {
    fn of(trial: &Trial) -> Option<Self> {
        let scores = trial.scores.as_ref()?;
        let costs = scores.costs.as_ref();
        let measured = trial.measured();
        Some(Self {
            trial: trial.number,
            label: trial.label.clone(),
            accuracy_validation: scores.accuracy_validation?,
            accuracy_test: scores.accuracy_test,
            bits: costs.map(|costs| costs.bits),
            energy_pj: costs.map(|costs| costs.energy_pj),
            ebops: costs.map(|costs| costs.ebops),
            lut_estimate: costs.map(|costs| costs.lut_estimate),
            lut_measured: measured.map(|measured| measured.lut_measured),
            ff_measured: measured.map(|measured| measured.ff_measured),
            carry_measured: measured.map(|measured| measured.carry_measured),
            dsp_measured: measured.map(|measured| measured.dsp_measured),
            levels: measured.and_then(|measured| measured.levels),
            vectors_checked: measured.map(|measured| measured.vectors_checked),
        })
    }
}
