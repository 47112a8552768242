//! Level diagrams and tables of `docs/quantizers.md`: `cargo run --example diagrams`.
//!
//! The rule this program keeps: every step, level, gradient and range is asked of the quantizer
//! itself; the page holds nothing of them that is written by hand. `tests/diagrams.rs` compares what
//! is checked in with what this gives.

#[path = "diagrams/svg.rs"]
mod svg;

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use bitfront_quantizer::{HardwareKind, Quantizer, Role};

/// A diagram.
pub struct Figure {
    /// Name of the family, and of its file.
    pub family: &'static str,
    /// Canonical string of what is drawn.
    pub quantizer: &'static str,
    /// Inputs from and to.
    window: (f64, f64),
}

const fn figure(family: &'static str, quantizer: &'static str, window: (f64, f64)) -> Figure {
    Figure {
        family,
        quantizer,
        window,
    }
}

/// One diagram a family.
pub const FIGURES: [Figure; 16] = [
    figure(
        "quantized_bits",
        "quantized_bits(4,0,alpha=1.0)",
        (-1.5, 1.5),
    ),
    figure(
        "quantized_linear",
        "quantized_linear(4,0,alpha=0.5)",
        (-1.0, 1.0),
    ),
    figure(
        "quantized_relu",
        "quantized_relu(4,1,negative_slope=0.25)",
        (-3.0, 3.0),
    ),
    figure("quantized_ulaw", "quantized_ulaw(4,0)", (-1.5, 1.5)),
    figure("quantized_tanh", "quantized_tanh(4)", (-1.5, 1.5)),
    figure("quantized_sigmoid", "quantized_sigmoid(4)", (-1.5, 1.5)),
    figure("quantized_hswish", "quantized_hswish(5,1)", (-5.0, 5.0)),
    figure("quantized_po2", "quantized_po2(4,max_value=4)", (-5.0, 5.0)),
    figure(
        "quantized_relu_po2",
        "quantized_relu_po2(3,max_value=4)",
        (-2.0, 6.0),
    ),
    figure("binary", "binary()", (-2.0, 2.0)),
    figure("stochastic_binary", "stochastic_binary()", (-2.0, 2.0)),
    figure("bernoulli", "bernoulli()", (-2.0, 2.0)),
    figure("ternary", "ternary()", (-2.0, 2.0)),
    figure("stochastic_ternary", "stochastic_ternary()", (-2.0, 2.0)),
    figure("ap_fixed", "ap_fixed<4,2>", (-5.0, 5.0)),
    figure("ap_ufixed", "ap_ufixed<3,1,AP_RND,AP_SAT>", (-1.0, 3.0)),
];

/// Quantizers of the page's tables besides those that are drawn.
const MORE: [&str; 27] = [
    "quantized_bits(4,0,symmetric=1,alpha=1.0)",
    "quantized_bits(4,0,keep_negative=0,alpha=1.0)",
    "quantized_bits(4,0,keep_negative=0,alpha='auto')",
    "quantized_linear(4,0,keep_negative=0,alpha='auto')",
    "quantized_bits(4,0,alpha=2.0)",
    "quantized_linear(4,0,alpha=2.0)",
    "quantized_bits(1,0,alpha=1.0)",
    "quantized_linear(1,0)",
    "quantized_bits(2,1,symmetric=1,alpha=1.0)",
    "quantized_relu(4,0)",
    "quantized_relu(4,0,use_sigmoid=1)",
    "quantized_relu(4,1,relu_upper_bound=1.5,is_quantized_clip=False)",
    "quantized_relu(1,1)",
    "quantized_tanh(4,symmetric=True)",
    "quantized_tanh(4,use_real_tanh=True)",
    "quantized_sigmoid(4,symmetric=True)",
    "quantized_hswish(6,1)",
    "binary(use_01=True)",
    "binary(alpha=0.5)",
    "ternary(alpha=0.25)",
    "ternary(alpha=0.25,threshold=0.125)",
    "quantized_po2(4,max_value=1)",
    "quantized_po2(4,max_value=0.5)",
    "quantized_po2(4,max_value=4,quadratic_approximation=True)",
    "quantized_po2(2,quadratic_approximation=True)",
    "ap_fixed<4,2,AP_RND_CONV,AP_SAT>",
    "ap_fixed<4,2,AP_RND,AP_SAT_ZERO>",
];

fn main() -> Result<(), Box<dyn std::error::Error>> {
    std::fs::create_dir_all(docs().join("quantizers"))?;
    let page = docs().join("quantizers.md");
    for (path, text) in documents(&std::fs::read_to_string(&page)?)? {
        std::fs::write(path, text)?;
    }
    Ok(())
}

/// The folder of the page.
pub fn docs() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs")
}

/// Every file as it should be, given the page as it stands.
///
/// # Errors
/// A text that names the quantizer that is no canonical string, or the marker the page lacks.
pub fn documents(page: &str) -> Result<Vec<(PathBuf, String)>, String> {
    let mut files = Vec::new();
    for figure in &FIGURES {
        let path = docs().join(format!("quantizers/{}.svg", figure.family));
        files.push((path, svg::draw(figure)?));
    }
    let page = with_block(page, "levels", &levels_table()?)?;
    let page = with_block(&page, "laws", &laws_table()?)?;
    files.push((docs().join("quantizers.md"), page));
    Ok(files)
}

/// `page` with what stands between the markers of `name` replaced.
fn with_block(page: &str, name: &str, text: &str) -> Result<String, String> {
    let (open, close) = (
        format!("<!-- generated: {name} -->\n"),
        format!("<!-- end: {name} -->"),
    );
    let missing = |marker: &str| format!("docs/quantizers.md has no marker `{}`", marker.trim());
    let (before, rest) = page.split_once(&open).ok_or_else(|| missing(&open))?;
    let (_, after) = rest.split_once(&close).ok_or_else(|| missing(&close))?;
    Ok(format!("{before}{open}\n{text}\n{close}{after}"))
}

fn parse(text: &str) -> Result<Quantizer, String> {
    let quantizer: Quantizer = text.parse().map_err(|e| format!("{e}"))?;
    let canonical = quantizer.to_string();
    if canonical == text {
        Ok(quantizer)
    } else {
        Err(format!("`{text}` is `{canonical}` in its canonical form"))
    }
}

fn value(quantizer: &Quantizer, x: f64) -> f64 {
    let mut y = [0f32];
    quantizer.quantize(&[x as f32], 1, &mut y);
    f64::from(y[0])
}

fn every_quantizer() -> Result<Vec<Quantizer>, String> {
    let drawn = FIGURES.iter().map(|figure| figure.quantizer);
    drawn.chain(MORE).map(parse).collect()
}

/// A number of f32 in its shortest form; far from one as a power of two or of ten.
fn number(v: f64) -> String {
    let far = v != 0.0 && v.is_finite() && !(1e-4..1e6).contains(&v.abs());
    if far && v.abs().log2().fract() == 0.0 {
        let sign = if v < 0.0 { "-" } else { "" };
        return format!("{sign}2^{}", v.abs().log2());
    }
    let short = v as f32;
    if far {
        format!("{short:e}")
    } else {
        short.to_string()
    }
}

fn range(lo: Option<f64>, hi: f64) -> String {
    format!("{} to {}", lo.map_or("none".into(), number), number(hi))
}

fn listed(levels: &[f64]) -> String {
    let join = |levels: &[f64]| -> String {
        let words: Vec<String> = levels.iter().map(|v| number(*v)).collect();
        words.join(" ")
    };
    if levels.len() <= 7 {
        return join(levels);
    }
    let (first, last) = (&levels[..3], &levels[levels.len() - 3..]);
    format!("{} ... {}", join(first), join(last))
}

fn kind(quantizer: &Quantizer) -> &'static str {
    match quantizer.hardware_kind() {
        HardwareKind::Fixed => "multiply",
        HardwareKind::PowerOfTwo => "shift",
        HardwareKind::Ternary | HardwareKind::Binary => "mux",
        HardwareKind::ZeroOne => "and",
        HardwareKind::Float => "float multiply",
        HardwareKind::Table => "table",
    }
}

/// What an activation is in a circuit.
fn circuit(quantizer: &Quantizer) -> &'static str {
    match quantizer.modes() {
        _ if quantizer.check_exact(Role::Activation).is_err() => "none",
        Some(_) => "requantizer",
        None => "steps or table",
    }
}

fn levels_table() -> Result<String, String> {
    let mut text = String::from(
        "| quantizer | bits | kind | levels | | true range | reported range |\n\
         |---|---|---|---|---|---|---|\n",
    );
    for q in every_quantizer()? {
        let levels = q.levels().ok_or_else(|| format!("{q} lists no levels"))?;
        let (lo, hi) = q.true_range();
        let (reported_lo, reported_hi) = q.reported_range();
        let _ = writeln!(
            text,
            "| `{q}` | {} | {} | {} | {} | {} | {} |",
            q.bits(),
            kind(&q),
            levels.len(),
            listed(&levels),
            range(Some(lo), hi),
            range(reported_lo, reported_hi),
        );
    }
    Ok(text)
}

/// Where the laws are tried, ascending: multiples of 1/32 from -6 to 6, and around the epsilon of the
/// power-of-two families.
fn probes() -> Vec<f64> {
    let even = (-192..=192).map(|i| f64::from(i) / 32.0);
    let mut probes: Vec<f64> = even.chain([-1e-6, -1e-8, 1e-8, 1e-6]).collect();
    probes.sort_by(f64::total_cmp);
    probes
}

fn laws_table() -> Result<String, String> {
    let mut text = String::from(
        "| quantizer | monotone | idempotent | exact as kernel | exact as activation | circuit |\n\
         |---|---|---|---|---|---|\n",
    );
    let probes = probes();
    for q in every_quantizer()? {
        if q.has_automatic_scale() {
            continue;
        }
        let falls = probes
            .windows(2)
            .map(|pair| (pair[0], pair[1], value(&q, pair[0]), value(&q, pair[1])));
        let monotone = falls.into_iter().find(|(_, _, a, b)| a > b).map_or(
            "yes".to_owned(),
            |(a, b, at_a, at_b)| {
                let [a, b, at_a, at_b] = [a, b, at_a, at_b].map(number);
                format!("no: {a} gives {at_a}, {b} gives {at_b}")
            },
        );
        let twice = probes
            .iter()
            .map(|x| (*x, value(&q, *x), value(&q, value(&q, *x))));
        let idempotent = twice
            .into_iter()
            .find(|(_, once, twice)| once != twice)
            .map_or("yes".to_owned(), |(x, once, twice)| {
                let [x, once, twice] = [x, once, twice].map(number);
                format!("no: {x} gives {once}, that gives {twice}")
            });
        let exact = |role| {
            if q.check_exact(role).is_ok() {
                "yes"
            } else {
                "no"
            }
        };
        let _ = writeln!(
            text,
            "| `{q}` | {monotone} | {idempotent} | {} | {} | {} |",
            exact(Role::Kernel),
            exact(Role::Activation),
            circuit(&q),
        );
    }
    Ok(text)
}
