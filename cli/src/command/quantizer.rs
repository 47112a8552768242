//! `bitfront quantizer show` and `apply`: what a quantizer is, and what it makes of numbers.

use std::fmt::Write as _;
use std::io::Read as _;
use std::path::Path;

use bitfront_quantizer::{Alpha, HardwareKind, Quantizer, Role};
use serde_json::json;

use crate::args::{Global, QuantizerAction};
use crate::exit::{Exit, Failure, Outcome};
use crate::view;

/// Most values that are printed one by one.
const MOST_SHOWN: usize = 64;

/// Significant bits of a real scale as a constant, as candidates have it by default.
const SCALE_BITS: u32 = bitfront_network::SCALE_BITS;

const ROLES: [Role; 4] = [Role::Input, Role::Kernel, Role::Bias, Role::Activation];

pub(super) fn run(global: &Global, action: &QuantizerAction) -> Outcome {
    match action {
        QuantizerAction::Show { quantizer } => {
            show(global, &parse(quantizer)?);
            Ok(Exit::Ok)
        }
        QuantizerAction::Apply {
            quantizer,
            file,
            codes,
        } => apply(global, parse(quantizer)?, file.as_deref(), *codes),
    }
}

fn parse(text: &str) -> Outcome<Quantizer> {
    text.parse().map_err(Failure::usage)
}

/// What multiplying by one of its values takes: the kind, and what that is.
fn hardware(quantizer: &Quantizer) -> (&'static str, &'static str) {
    match quantizer.hardware_kind() {
        HardwareKind::Fixed => ("multiply", ""),
        HardwareKind::PowerOfTwo => ("shift", ""),
        HardwareKind::Ternary => ("mux", " (pass, negate or zero)"),
        HardwareKind::Binary => ("mux", " (pass or negate), xor between two of its kind"),
        HardwareKind::ZeroOne => ("and", ""),
        HardwareKind::Float => ("float multiply", ""),
        HardwareKind::Table => ("table", ""),
    }
}

/// A number in few characters: as f32 where it is one, far powers of two and of ten as such.
fn number(value: f64) -> String {
    if value != 0.0 && value.is_finite() && !(1e-6..1e9).contains(&value.abs()) {
        let exponent = value.abs().log2();
        if exponent.fract() == 0.0 {
            let sign = if value < 0.0 { "-" } else { "" };
            return format!("{sign}2^{exponent}");
        }
        return format!("{value:e}");
    }
    let short = value as f32;
    if f64::from(short) == value {
        short.to_string()
    } else {
        value.to_string()
    }
}

fn show(global: &Global, quantizer: &Quantizer) {
    let levels = quantizer.levels();
    let (lo, hi) = quantizer.true_range();
    let (reported_lo, reported_hi) = quantizer.reported_range();
    let grid = quantizer.grid(Role::Activation).ok();
    let exact: Vec<(Role, Result<(), String>)> = ROLES
        .into_iter()
        .map(|role| (role, quantizer.check_frozen(role).map_err(|e| e.reason)))
        .collect();
    if global.json {
        let finite = |value: f64| value.is_finite().then_some(value);
        view::json(&json!({
            "quantizer": quantizer.to_string(),
            "bits": quantizer.bits(),
            "signed": quantizer.is_signed(),
            "hardware": hardware(quantizer).0,
            "levels": levels,
            "true_min": finite(lo),
            "true_max": finite(hi),
            "reported_min": reported_lo.and_then(finite),
            "reported_max": finite(reported_hi),
            "grid": grid.map(|grid| json!({
                "fraction": grid.fraction, "lowest_code": grid.lo, "highest_code": grid.hi,
            })),
            "automatic_scale": quantizer.has_automatic_scale(),
            "monotone": quantizer.is_monotone(),
            "stochastic_training": quantizer.is_stochastic(),
            "exact": exact.iter().map(|(role, exact)| {
                (role.name().to_owned(), json!({
                    "exact": exact.is_ok(), "reason": exact.as_ref().err(),
                }))
            }).collect::<serde_json::Map<_, _>>(),
        }));
        return;
    }
    let mut text = format!("{quantizer}\n");
    let mut line = |name: &str, value: &str| {
        let _ = writeln!(text, "  {name:<15}{value}");
    };
    let sign = if quantizer.is_signed() {
        "signed"
    } else {
        "unsigned"
    };
    line("bits", &format!("{}, {sign}", quantizer.bits()));
    let (kind, more) = hardware(quantizer);
    line("hardware", &format!("{kind}{more}"));
    let scaled = if quantizer.has_automatic_scale() {
        ", times the scale that is found for each channel"
    } else {
        ""
    };
    line(
        "true range",
        &format!("{} to {}{scaled}", number(lo), number(hi)),
    );
    let reported_lo = reported_lo.map_or("none".to_owned(), number);
    line(
        "reported",
        &format!(
            "{reported_lo} to {} (min and max as the original tells them)",
            number(reported_hi)
        ),
    );
    match grid {
        Some(grid) => line(
            "grid",
            &format!(
                "code * 2^{}, codes {} to {}",
                -grid.fraction, grid.lo, grid.hi
            ),
        ),
        None => line("grid", "none with a fixed step"),
    }
    let monotone = if quantizer.is_monotone() { "yes" } else { "no" };
    line("monotone", monotone);
    if quantizer.is_stochastic() {
        line("training", "draws at random");
    }
    for (role, exact) in &exact {
        let name = format!("as {}", role.name());
        match exact {
            Ok(()) if quantizer.alpha() == Alpha::Auto => line(
                &name,
                &format!("exact, with its scales as constants of {SCALE_BITS} bits"),
            ),
            Ok(()) => line(&name, "exact"),
            Err(reason) => line(&name, &format!("not exact: {reason}")),
        }
    }
    match levels {
        None => line("values", "too many to list, or none of a fixed set"),
        Some(levels) => line("values", &format!("{}{scaled}", listed(&levels))),
    }
    view::print(&text);
}

/// All values, or their number with the first and the last of them.
fn listed(levels: &[f64]) -> String {
    let join = |levels: &[f64]| -> String {
        let words: Vec<String> = levels.iter().map(|level| number(*level)).collect();
        words.join(" ")
    };
    if levels.len() <= MOST_SHOWN {
        return format!("{}: {}", levels.len(), join(levels));
    }
    let (first, last) = (&levels[..4], &levels[levels.len() - 4..]);
    format!("{}: {} ... {}", levels.len(), join(first), join(last))
}

/// Numbers of a file, row by row.
struct Numbers {
    values: Vec<f32>,
    columns: usize,
}

fn apply(global: &Global, quantizer: Quantizer, file: Option<&Path>, codes: bool) -> Outcome {
    let (name, text) = source(file)?;
    let Numbers { values, columns } = numbers(&name, &text)?;
    // A single column is one channel; QKeras takes a vector as one row of channels of its own.
    let mut mapped = vec![0f32; values.len()];
    let scales = quantizer.quantize(&values, columns, &mut mapped);
    if let Some(at) = mapped.iter().position(|value| !value.is_finite()) {
        return Err(Failure::usage(format!(
            "{name}: a value of column {} came out as {}, because its scale leaves f32; accepted are \
             smaller numbers",
            at % columns + 1,
            mapped[at]
        )));
    }
    let frozen = || quantizer.codes_frozen(Role::Kernel, &values, columns, SCALE_BITS);
    if global.json {
        let rows: Vec<&[f32]> = mapped.chunks(columns).collect();
        let frozen = frozen();
        if let Err(reason) = &frozen
            && codes
        {
            return Err(Failure::usage(reason));
        }
        let codes = frozen.as_ref().ok().map(|frozen| {
            json!({
                "codes": frozen.codes.chunks(columns).collect::<Vec<_>>(),
                "fraction": frozen.fraction,
                "multiplier": frozen.multiplier,
            })
        });
        view::json(&json!({
            "quantizer": quantizer.to_string(),
            "values": rows,
            "scale": scales,
            "integer": codes,
            "not_exact": frozen.err().map(|e| e.reason),
        }));
        return Ok(Exit::Ok);
    }
    if codes {
        let frozen = frozen().map_err(Failure::usage)?;
        let fractions: Vec<String> = frozen.fraction.iter().map(i32::to_string).collect();
        let mut text = format!("# fraction {}\n", fractions.join(","));
        if frozen.multiplier.iter().any(|m| *m != 1) {
            let multipliers: Vec<String> = frozen.multiplier.iter().map(i64::to_string).collect();
            let _ = writeln!(text, "# multiplier {}", multipliers.join(","));
        }
        view::print(&(text + &rows(&frozen.codes, columns)));
    } else {
        view::print(&rows(&mapped, columns));
    }
    Ok(Exit::Ok)
}

fn rows<T: ToString>(values: &[T], columns: usize) -> String {
    values.chunks(columns).fold(String::new(), |text, row| {
        let words: Vec<String> = row.iter().map(T::to_string).collect();
        text + &words.join(",") + "\n"
    })
}

fn source(file: Option<&Path>) -> Outcome<(String, String)> {
    let mut text = String::new();
    match file.filter(|file| *file != Path::new("-")) {
        None => {
            let read = std::io::stdin().read_to_string(&mut text);
            read.map_err(|e| Failure::usage(format!("failed to read stdin: {e}")))?;
            Ok(("stdin".to_owned(), text))
        }
        Some(path) => {
            let text = std::fs::read_to_string(path)
                .map_err(|e| Failure::usage(format!("failed to read {}: {e}", path.display())))?;
            Ok((path.display().to_string(), text))
        }
    }
}

/// Reads lines of numbers; empty lines and what follows `#` are skipped.
fn numbers(name: &str, text: &str) -> Outcome<Numbers> {
    let mut found = Numbers {
        values: Vec::new(),
        columns: 0,
    };
    for (number, line) in (1..).zip(text.lines()) {
        let line = line.split('#').next().unwrap_or_default().trim();
        if line.is_empty() {
            continue;
        }
        let before = found.values.len();
        for (column, word) in (1..).zip(line.split(',')) {
            let word = word.trim();
            let value = word.parse::<f32>().ok().filter(|value| value.is_finite());
            let value = value.ok_or_else(|| {
                Failure::usage(format!(
                    "{name}, line {number}, column {column}: `{word}` is not a number within f32; \
                     accepted are finite numbers, several a line separated by commas"
                ))
            })?;
            found.values.push(value);
        }
        let columns = found.values.len() - before;
        if found.columns != 0 && found.columns != columns {
            return Err(Failure::usage(format!(
                "{name}, line {number}: columns are {columns}, but {} in the lines before it; every \
                 line has as many numbers as the first",
                found.columns
            )));
        }
        found.columns = columns;
    }
    if found.columns == 0 {
        return Err(Failure::usage(format!("{name} holds no numbers")));
    }
    Ok(found)
}
