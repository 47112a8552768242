//! A level diagram: the staircase x -> q(x) with its levels, and the gradient below it, as SVG text
//! that brings its own paper, light or dark.

use std::fmt::Write as _;

use bitfront_quantizer::Quantizer;

use super::{Figure, number, parse, value};

const WIDTH: f64 = 640.0;
const HEIGHT: f64 = 396.0;
/// Edges of the staircase: left, right, top, bottom.
const PLOT: [f64; 4] = [64.0, 624.0, 34.0, 274.0];
/// Top and bottom of the gradient's strip.
const STRIP: [f64; 2] = [314.0, 354.0];
/// Points at which the functions are looked at.
const POINTS: usize = 560;
/// Least distance between two labels of levels.
const LABEL: f64 = 13.0;

const STYLE: &str = "\
.page{fill:#ffffff}.grid{stroke:#d8dee4}.axis{stroke:#8c959f}.line{stroke:#8c959f;stroke-dasharray:2 4}\
.step{stroke:#0550ae;stroke-width:2}.level{fill:#0550ae}.mean{stroke:#953800;stroke-dasharray:6 4;stroke-width:1.5}\
.slope{stroke:#116329;stroke-width:1.5}path,line{fill:none}\
text{font:12px ui-monospace,Menlo,Consolas,monospace;fill:#1f2328}.name{font-weight:600}.soft{fill:#57606a}\
@media(prefers-color-scheme:dark){.page{fill:#0d1117}.grid{stroke:#262c36}.axis,.line{stroke:#6e7681}\
.step{stroke:#79c0ff}.level{fill:#79c0ff}.mean{stroke:#ffa657}.slope{stroke:#7ee787}text{fill:#e6edf3}.soft{fill:#9da7b3}}";

/// From numbers to the paper.
struct Paper {
    x: (f64, f64),
    y: (f64, f64),
}

impl Paper {
    fn across(&self, x: f64) -> f64 {
        PLOT[0] + (x - self.x.0) / (self.x.1 - self.x.0) * (PLOT[1] - PLOT[0])
    }

    fn up(&self, y: f64) -> f64 {
        PLOT[3] - (y - self.y.0) / (self.y.1 - self.y.0) * (PLOT[3] - PLOT[2])
    }
}

/// The pieces of the staircase: where each begins, and its value.
fn staircase(quantizer: &Quantizer, (from, to): (f64, f64)) -> Vec<(f64, f64)> {
    let mut pieces = vec![(from, value(quantizer, from))];
    for i in 0..POINTS {
        let at = |i: usize| from + (to - from) * i as f64 / POINTS as f64;
        let (a, b) = (at(i), at(i + 1));
        let (before, after) = (value(quantizer, a), value(quantizer, b));
        if before == after {
            continue;
        }
        // The first number that has another value; steps closer than this are not drawn apart.
        let (mut same, mut other) = (a, b);
        for _ in 0..30 {
            let middle = f64::midpoint(same, other);
            if value(quantizer, middle) == before {
                same = middle;
            } else {
                other = middle;
            }
        }
        pieces.push((other, after));
    }
    pieces
}

/// Mean of what training draws at `x`, over all draws evenly: each has two at most.
fn mean_of_draws(quantizer: &Quantizer, x: f64) -> f64 {
    const DRAWS: u32 = 64;
    let mut sum = 0.0;
    for pair in 0..DRAWS * DRAWS {
        let mut words = [pair / DRAWS, pair % DRAWS].into_iter().cycle();
        let mut next = || (2 * words.next().unwrap_or(0) + 1) << 25;
        let mut y = [0f32];
        quantizer.quantize_training(&[x as f32], 1, &mut y, &mut next);
        sum += f64::from(y[0]);
    }
    sum / f64::from(DRAWS * DRAWS)
}

/// A path through points of the paper.
fn path(class: &str, points: impl Iterator<Item = (f64, f64)>) -> String {
    let mut d = String::new();
    for (i, (x, y)) in points.enumerate() {
        let _ = write!(d, "{}{x:.1} {y:.1}", if i == 0 { "M" } else { "L" });
    }
    format!("<path class=\"{class}\" d=\"{d}\"/>\n")
}

pub(super) fn draw(figure: &Figure) -> Result<String, String> {
    let quantizer = parse(figure.quantizer)?;
    let levels = quantizer
        .levels()
        .ok_or_else(|| format!("{quantizer} lists no levels"))?;
    let (lo, hi) = quantizer.true_range();
    let margin = (hi - lo) * 0.04;
    let paper = Paper {
        x: figure.window,
        y: (lo - margin, hi + margin),
    };
    let escaped = figure.quantizer.replace('<', "&lt;").replace('>', "&gt;");
    let mut text = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" width=\"{WIDTH}\" \
         height=\"{HEIGHT}\" role=\"img\">\n\
         <title>{escaped}: its value and gradient at every input</title>\n\
         <style>{STYLE}</style>\n\
         <rect class=\"page\" width=\"{WIDTH}\" height=\"{HEIGHT}\" rx=\"6\"/>\n\
         <text class=\"name\" x=\"{}\" y=\"21\">{escaped}</text>\n\
         <text class=\"soft\" x=\"{}\" y=\"21\" text-anchor=\"end\">{} levels</text>\n",
        PLOT[0],
        PLOT[1],
        levels.len(),
    );
    text += &level_lines(&paper, &levels);
    text += &inputs(&paper);
    // The identity, within the plot.
    let (from, to) = (paper.x.0.max(paper.y.0), paper.x.1.min(paper.y.1));
    let ends = [from, to].map(|v| (paper.across(v), paper.up(v)));
    text += &path("line", ends.into_iter());
    let pieces = staircase(&quantizer, figure.window);
    let mut corners = Vec::new();
    for (i, (start, value)) in pieces.iter().enumerate() {
        let end = pieces.get(i + 1).map_or(figure.window.1, |next| next.0);
        corners.extend([*start, end].map(|x| (paper.across(x), paper.up(*value))));
    }
    text += &path("step", corners.into_iter());
    let drawn = quantizer.is_stochastic();
    if drawn {
        let (from, to) = figure.window;
        let at = |i: i32| from + (to - from) * f64::from(i) / 80.0;
        let mean = (0..=80).map(at).map(|x| {
            let y = mean_of_draws(&quantizer, x);
            (paper.across(x), paper.up(y))
        });
        text += &path("mean", mean);
    }
    text += &gradient_strip(&paper, &quantizer, figure.window);
    text += &legend(drawn);
    text += "</svg>\n";
    Ok(text)
}

/// A line, a dot and, where there is room, a number for every level.
fn level_lines(paper: &Paper, levels: &[f64]) -> String {
    let (mut text, mut dots) = (String::new(), String::new());
    let mut last = f64::INFINITY;
    let top = paper.up(levels[levels.len() - 1]);
    for (i, level) in levels.iter().enumerate() {
        let y = paper.up(*level);
        let _ = writeln!(
            text,
            "<line class=\"grid\" x1=\"{}\" y1=\"{y:.1}\" x2=\"{}\" y2=\"{y:.1}\"/>",
            PLOT[0], PLOT[1],
        );
        let _ = writeln!(
            dots,
            "<circle class=\"level\" cx=\"{}\" cy=\"{y:.1}\" r=\"2.5\"/>",
            PLOT[0],
        );
        // From the lowest up, but never where the highest needs the room.
        let room = last - y >= LABEL && (y - top >= LABEL || i + 1 == levels.len());
        if room {
            last = y;
            let _ = writeln!(
                text,
                "<text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
                PLOT[0] - 7.0,
                y + 4.0,
                short(*level),
            );
        }
    }
    text + &dots
}

/// A level as it fits beside the axis.
fn short(v: f64) -> String {
    let rounded = (v * 1e4).round() / 1e4;
    if rounded == 0.0 && v != 0.0 {
        number(v)
    } else {
        number(rounded)
    }
}

/// Whole numbers of inputs (halves, where the window is narrow) below the staircase and the strip.
fn inputs(paper: &Paper) -> String {
    let step = if paper.x.1 - paper.x.0 > 4.0 {
        1.0
    } else {
        0.5
    };
    let mut text = String::new();
    let mut x = (paper.x.0 / step).ceil() * step;
    while x <= paper.x.1 {
        let at = paper.across(x);
        let class = if x == 0.0 { "axis" } else { "grid" };
        let _ = writeln!(
            text,
            "<line class=\"{class}\" x1=\"{at:.1}\" y1=\"{}\" x2=\"{at:.1}\" y2=\"{}\"/>\
             <line class=\"{class}\" x1=\"{at:.1}\" y1=\"{}\" x2=\"{at:.1}\" y2=\"{}\"/>\
             <text class=\"soft\" x=\"{at:.1}\" y=\"{}\" text-anchor=\"middle\">{}</text>",
            PLOT[2],
            PLOT[3],
            STRIP[0],
            STRIP[1],
            PLOT[3] + 17.0,
            number(x),
        );
        x += step;
    }
    text
}

/// dq/dx below the staircase, from 0 to the greatest.
fn gradient_strip(paper: &Paper, quantizer: &Quantizer, (from, to): (f64, f64)) -> String {
    let x: Vec<f32> = (0..=POINTS)
        .map(|i| (from + (to - from) * (i as f64 + 0.5) / (POINTS + 1) as f64) as f32)
        .collect();
    let mut slopes = vec![1f32; x.len()];
    quantizer.straight_through(&x, 1, &mut slopes);
    let fold = |start: f32, pick: fn(f32, f32) -> f32| slopes.iter().copied().fold(start, pick);
    let (lowest, highest) = (
        f64::from(fold(0.0, f32::min)),
        f64::from(fold(1.0, f32::max)),
    );
    let up = |slope: f64| STRIP[1] - (slope - lowest) / (highest - lowest) * (STRIP[1] - STRIP[0]);
    let mut text = String::new();
    for mark in [0.0, 1.0] {
        let y = up(mark);
        let _ = writeln!(
            text,
            "<line class=\"grid\" x1=\"{}\" y1=\"{y:.1}\" x2=\"{}\" y2=\"{y:.1}\"/>\
             <text class=\"soft\" x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{mark}</text>",
            PLOT[0],
            PLOT[1],
            PLOT[0] - 7.0,
            y + 4.0,
        );
    }
    // Only where it bends: a straight piece is its ends.
    let points: Vec<(f64, f64)> = x
        .iter()
        .zip(&slopes)
        .map(|(x, slope)| (paper.across(f64::from(*x)), up(f64::from(*slope))))
        .collect();
    let flat = |i: usize| {
        i > 0
            && i + 1 < points.len()
            && points[i - 1].1 == points[i].1
            && points[i].1 == points[i + 1].1
    };
    let kept = (0..points.len()).filter(|i| !flat(*i)).map(|i| points[i]);
    text += &path("slope", kept);
    text
}

fn legend(drawn: bool) -> String {
    let mut entries = vec![("step", "q(x)"), ("line", "x"), ("slope", "gradient")];
    if drawn {
        entries[0].1 = "q(x) at inference";
        entries.insert(1, ("mean", "mean in training"));
    }
    let mut text = String::new();
    let mut at = PLOT[0];
    for (class, label) in entries {
        let y = HEIGHT - 17.0;
        let _ = writeln!(
            text,
            "<line class=\"{class}\" x1=\"{at}\" y1=\"{y}\" x2=\"{}\" y2=\"{y}\"/>\
             <text class=\"soft\" x=\"{}\" y=\"{}\">{label}</text>",
            at + 22.0,
            at + 28.0,
            y + 4.0,
        );
        at += 28.0 + 7.3 * label.len() as f64 + 18.0;
    }
    text
}
