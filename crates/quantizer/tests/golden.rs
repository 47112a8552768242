//! Every case of `QKeras` 0.9.0's outputs whose family is built: outputs, gradients, scales, ranges.
//!
//! Cases made of +, x, round and clip agree bit for bit. Where the original's logarithm or its
//! reductions enter (power-of-two families, automatic scales), values may differ by 4 ulp, and an
//! output may move one level only where the unquantized value lies within 4 ulp of a threshold;
//! those are listed.

use std::collections::BTreeMap;
use std::path::PathBuf;

use bitfront_quantizer::{Alpha, Quantizer};
use serde_json::Value;

/// Families that this crate builds and the file must cover.
const BUILT: [&str; 7] = [
    "quantized_bits",
    "quantized_relu",
    "binary",
    "ternary",
    "stochastic_binary",
    "quantized_po2",
    "quantized_relu_po2",
];

/// The families the file has that come later.
const LATER: [&str; 7] = [
    "quantized_linear",
    "bernoulli",
    "stochastic_ternary",
    "quantized_ulaw",
    "quantized_tanh",
    "quantized_sigmoid",
    "quantized_hswish",
];

fn golden(name: &str) -> Value {
    let folder = std::env::var_os("BITFRONT_GOLDEN").map_or_else(
        || {
            PathBuf::from(concat!(
                env!("CARGO_MANIFEST_DIR"),
                "/../../testdata/golden"
            ))
        },
        PathBuf::from,
    );
    let path = folder.join(name);
    let text = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    // Python writes a bare NaN where the original reports no scale.
    serde_json::from_str(&text.replace("NaN", "null")).expect("golden file is JSON")
}

fn floats(value: &Value) -> Vec<f32> {
    let list = value.as_array().expect("a list of numbers");
    list.iter()
        .map(|v| v.as_f64().map_or(f32::NAN, |v| v as f32))
        .collect()
}

/// Distance in units in the last place, on the number line through zero.
fn ulps(a: f32, b: f32) -> u64 {
    let line = |v: f32| {
        let bits = i64::from(v.to_bits() & 0x7fff_ffff);
        if v.is_sign_negative() { -bits } else { bits }
    };
    line(a).abs_diff(line(b))
}

/// Steps a float `n` places up or down.
fn nudge(v: f32, n: i32) -> f32 {
    (0..n.abs()).fold(v, |v, _| if n > 0 { v.next_up() } else { v.next_down() })
}

fn alpha(q: &Quantizer) -> Alpha {
    match q {
        Quantizer::QuantizedBits(q) => q.alpha,
        Quantizer::Binary(q) | Quantizer::StochasticBinary(q) => q.alpha,
        Quantizer::Ternary(q) => q.alpha,
        _ => Alpha::Constant(1.0),
    }
}

struct Case<'a> {
    text: &'a str,
    input: &'a str,
    quantizer: Quantizer,
    x: Vec<f32>,
    columns: usize,
    /// Ulps that values may differ by.
    tolerance: u64,
}

impl Case<'_> {
    /// Compares outputs; returns the listed moves.
    fn check_values(&self, y: &[f32], expected: &[f32], moved: &mut Vec<String>) {
        assert_eq!(y.len(), expected.len(), "{}: number of outputs", self.text);
        for (i, (&y, &e)) in y.iter().zip(expected).enumerate() {
            if ulps(y, e) <= self.tolerance {
                continue;
            }
            let at = format!(
                "{} on {}: x[{i}] = {:?} gives {y:?}, file has {e:?}",
                self.text, self.input, self.x[i]
            );
            assert!(self.tolerance > 0, "{at}");
            let near = (-4..=4).any(|n| {
                let mut x = self.x.clone();
                x[i] = nudge(x[i], n);
                let mut z = vec![0.0; x.len()];
                self.quantizer.quantize(&x, self.columns, &mut z);
                ulps(z[i], e) <= self.tolerance
            });
            assert!(near, "{at}, and no threshold lies within 4 ulp");
            moved.push(at);
        }
    }

    fn check_gradient(&self, expected: &[f32]) {
        let mut gradient = vec![1f32; self.x.len()];
        self.quantizer
            .straight_through(&self.x, self.columns, &mut gradient);
        // 1 - tanh^2 cancels: 4 ulp of tanh are 4 ulp of 1 in the gradient, twice by the square.
        let through_tanh = alpha(&self.quantizer) == Alpha::None
            && !matches!(self.quantizer, Quantizer::QuantizedBits(_));
        let allowed = if through_tanh {
            8.0 * f32::EPSILON
        } else {
            0.0
        };
        for (i, (g, e)) in gradient.iter().zip(expected).enumerate() {
            assert!(
                (g - e).abs() <= allowed,
                "{} on {}: gradient at {:?} is {g:?}, file has {e:?}",
                self.text,
                self.input,
                self.x[i]
            );
        }
    }
}

#[test]
fn golden_quantizers() {
    let file = golden("quantizers.json");
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    let mut skipped: BTreeMap<&str, usize> = BTreeMap::new();
    let (mut values, mut gradients, mut moved) = (0, 0, Vec::new());
    for case in file["cases"].as_array().expect("cases") {
        let text = case["quantizer"].as_str().expect("quantizer");
        let family = text.split('(').next().unwrap_or(text);
        if LATER.contains(&family) {
            let error = text
                .parse::<Quantizer>()
                .expect_err("comes later")
                .to_string();
            assert!(
                error.contains(family) && error.contains("not available yet"),
                "{error}"
            );
            *skipped.entry(family).or_default() += 1;
            continue;
        }
        let quantizer: Quantizer = text.parse().unwrap_or_else(|e| panic!("{e}"));
        let input = case["input"].as_str().expect("input");
        let tensor = &file["inputs"][input];
        let (x, columns) = if tensor.is_array() {
            // A vector is one row: each element is its own channel where scales are found.
            let x = floats(tensor);
            let columns = x.len();
            (x, columns)
        } else {
            (
                floats(&tensor["values"]),
                tensor["shape"][1].as_u64().expect("columns") as usize,
            )
        };
        let tolerance = match (alpha(&quantizer), &quantizer) {
            (Alpha::Auto | Alpha::AutoPo2, _)
            | (_, Quantizer::QuantizedPo2(_) | Quantizer::QuantizedReluPo2(_)) => 4,
            _ => 0,
        };
        let case_ = Case {
            text,
            input,
            quantizer,
            x,
            columns,
            tolerance,
        };
        let mut y = vec![0f32; case_.x.len()];
        let scale = case_.quantizer.quantize(&case_.x, columns, &mut y);
        case_.check_values(&y, &floats(&case["y"]), &mut moved);
        values += y.len();
        if let Some(expected) = case.get("grad") {
            case_.check_gradient(&floats(expected));
            gradients += y.len();
        }
        if let Some(expected) = case.get("scale") {
            let expected = floats(expected);
            if !expected.iter().any(|s| s.is_nan()) {
                let fits = expected.len() == 1 || scale.len() == expected.len();
                assert!(fits, "{text} on {input}: {} scales", scale.len());
                for (s, e) in scale.iter().zip(expected.iter().cycle()) {
                    assert!(
                        ulps(*s, *e) <= tolerance,
                        "{text} on {input}: scale {s} is not {e}"
                    );
                }
            }
        }
        let (min, max) = quantizer.reported_range();
        if let Some(expected) = case.get("min").and_then(Value::as_f64) {
            assert_eq!(min, Some(expected), "{text}: min");
        }
        if let Some(expected) = case.get("max").and_then(Value::as_f64) {
            assert_eq!(max, expected, "{text}: max");
        }
        *counts.entry(family).or_default() += 1;
    }
    println!("cases by family: {counts:?}; {values} outputs, {gradients} gradients");
    println!("families that come later: {skipped:?}");
    println!(
        "outputs moved one level within 4 ulp of a threshold: {}",
        moved.len()
    );
    for line in &moved {
        println!("  {line}");
    }
    for family in BUILT {
        assert!(
            counts.contains_key(family),
            "the file has no case of {family}"
        );
    }
}
