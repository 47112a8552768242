//! Every case of `QKeras` 0.9.0's outputs: outputs, gradients, scales, ranges.
//!
//! Cases made of +, x, round and clip agree bit for bit with the quantized value, or with what the
//! original makes of it where it adds the quantization error in f32, `x + (q - x)`. Where its
//! logarithm, its reductions or its sigmoids enter, an output may move one level only where the
//! unquantized value lies within 4 ulp of a threshold; those are listed. Values may differ by 4 ulp
//! for power-of-two families, automatic scales and the logarithmic law.

use std::collections::BTreeMap;
use std::path::PathBuf;

use bitfront_quantizer::{Alpha, QuantizedPo2, QuantizedReluPo2, Quantizer, Sigmoid};
use serde_json::Value;

/// Families that the file must cover.
const COVERED: [&str; 12] = [
    "quantized_bits",
    "quantized_relu",
    "quantized_ulaw",
    "quantized_tanh",
    "quantized_sigmoid",
    "quantized_hswish",
    "binary",
    "ternary",
    "stochastic_binary",
    "stochastic_ternary",
    "quantized_po2",
    "quantized_relu_po2",
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
    // Python writes a bare NaN where the original reports no scale; 1e39 is infinite in f32.
    serde_json::from_str(&text.replace("NaN", "null").replace("Infinity", "1e39"))
        .expect("golden file is JSON")
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

/// Ulps that values may differ by, and whether an output may move one level at a threshold: neither
/// for +, x, round and clip.
fn tolerance(quantizer: &Quantizer) -> (u64, bool) {
    match quantizer {
        Quantizer::QuantizedPo2(_)
        | Quantizer::QuantizedReluPo2(_)
        | Quantizer::QuantizedUlaw(_) => (4, true),
        // These add a half or multiply in f32 before they round.
        Quantizer::QuantizedHswish(_)
        | Quantizer::QuantizedTanh(_)
        | Quantizer::QuantizedSigmoid(_) => (0, true),
        Quantizer::QuantizedRelu(q) => (0, q.use_sigmoid),
        _ if quantizer.has_automatic_scale() => (4, true),
        _ => (0, false),
    }
}

/// What the original adds its quantization error to.
fn unquantized(quantizer: &Quantizer) -> Quantizer {
    let mut other = *quantizer;
    match &mut other {
        Quantizer::QuantizedRelu(q) => q.noise.factor = 0.0,
        Quantizer::QuantizedPo2(q) => q.noise.factor = 0.0,
        Quantizer::QuantizedReluPo2(q) => q.noise.factor = 0.0,
        Quantizer::QuantizedHswish(q) => q.grid.noise.factor = 0.0,
        _ => return Quantizer::Float,
    }
    other
}

/// What gradients may differ by, relative to values above 1: the functions' own where one enters.
fn gradient_tolerance(quantizer: &Quantizer) -> f32 {
    // 1 - tanh^2 cancels: 4 ulp of tanh are 4 ulp of 1 in the gradient, twice by the square.
    let function = match quantizer {
        Quantizer::Binary(_)
        | Quantizer::StochasticBinary(_)
        | Quantizer::Ternary(_)
        | Quantizer::StochasticTernary(_) => quantizer.alpha() == Alpha::None,
        Quantizer::QuantizedTanh(_)
        | Quantizer::QuantizedSigmoid(_)
        | Quantizer::QuantizedUlaw(_)
        | Quantizer::QuantizedHswish(_) => true,
        _ => false,
    };
    if function { 8.0 * f32::EPSILON } else { 0.0 }
}

struct Case<'a> {
    text: &'a str,
    input: &'a str,
    quantizer: Quantizer,
    x: Vec<f32>,
    columns: usize,
    /// Ulps that values may differ by.
    tolerance: u64,
    /// Whether an output may move one level at a threshold.
    has_thresholds: bool,
}

impl Case<'_> {
    fn fault(&self, what: &str) -> String {
        format!("{} on {}: {what}", self.text, self.input)
    }

    /// Whether `y` is what the file has: the same, or the same after the sum in which the original
    /// hides its quantization from the gradient, `t + (q - t)` in f32.
    fn agrees(&self, y: f32, through: f32, e: f32) -> bool {
        ulps(y, e) <= self.tolerance || ulps(through + (y - through), e) <= self.tolerance
    }

    /// Whether the unquantized value of `x[i]` lies within 4 ulp of a threshold beyond which the
    /// file's value is given.
    fn is_at_threshold(&self, i: usize, through: f32, e: f32) -> bool {
        (-4..=4).any(|n| {
            let mut x = self.x.clone();
            let (quantizer, nudged) = self.nudged(x[i], n);
            x[i] = nudged;
            let mut z = vec![0.0; x.len()];
            quantizer.quantize(&x, self.columns, &mut z);
            self.agrees(z[i], through, e)
        })
    }

    /// The quantizer and input for an unquantized value `n` ulps away: for functions with values up
    /// to 1 an ulp is 2^-24 of the value, and a magnitude above `max_value` is the latter.
    fn nudged(&self, x: f32, n: i32) -> (Quantizer, f32) {
        let mut quantizer = self.quantizer;
        let mut moved = nudge(x, n);
        let wide = f64::from(x);
        let real = |p: f64| p * (1.0 - p);
        let logistic = |s: Sigmoid, x: f64| match s {
            Sigmoid::Hard => 0.5,
            Sigmoid::Smooth => 0.1875,
            Sigmoid::Real => real(1.0 / (1.0 + (-x).exp())),
        };
        let slope = match &mut quantizer {
            Quantizer::QuantizedTanh(q) if q.use_real_tanh => 1.0 - wide.tanh().powi(2),
            Quantizer::QuantizedTanh(q) => 2.0 * logistic(q.sigmoid, wide),
            Quantizer::QuantizedSigmoid(q) => logistic(q.sigmoid, wide),
            Quantizer::QuantizedUlaw(q) => logistic(q.sigmoid, wide) / 2f64.powi(q.integer),
            Quantizer::QuantizedRelu(q) if q.use_sigmoid => {
                logistic(q.sigmoid, wide) / 2f64.powi(q.integer)
            }
            Quantizer::QuantizedPo2(QuantizedPo2 { max_value, .. })
            | Quantizer::QuantizedReluPo2(QuantizedReluPo2 { max_value, .. }) => {
                *max_value = max_value.map(|v| if x.abs() >= v { nudge(v, n) } else { v });
                0.0
            }
            _ => 0.0,
        };
        if slope != 0.0 {
            moved = (wide + f64::from(n) * 2f64.powi(-24) / slope) as f32;
        }
        (quantizer, moved)
    }

    /// Compares outputs; notes the moves of one level at a threshold.
    fn check_values(
        &self,
        y: &[f32],
        expected: &[f32],
        moved: &mut Vec<String>,
    ) -> Result<(), String> {
        if y.len() != expected.len() {
            return Err(self.fault("number of outputs"));
        }
        let mut through = vec![0f32; y.len()];
        unquantized(&self.quantizer).quantize(&self.x, self.columns, &mut through);
        for (i, (&y, &e)) in y.iter().zip(expected).enumerate() {
            if self.agrees(y, through[i], e) {
                continue;
            }
            let at = self.fault(&format!(
                "x[{i}] = {:?} gives {y:?}, file has {e:?}",
                self.x[i]
            ));
            if !self.has_thresholds || !self.is_at_threshold(i, through[i], e) {
                return Err(at);
            }
            moved.push(at);
        }
        Ok(())
    }

    /// Whether the law of `quantized_ulaw` has the slope `e` within 4 ulp of a threshold.
    fn has_slope_at(&self, i: usize, e: f32, allowed: f32) -> bool {
        matches!(self.quantizer, Quantizer::QuantizedUlaw(_))
            && (-4..=4).any(|n| {
                let (quantizer, x) = self.nudged(self.x[i], n);
                let mut gradient = [1f32];
                quantizer.straight_through(&[x], 1, &mut gradient);
                (gradient[0] - e).abs() <= allowed * e.abs().max(1.0)
            })
    }

    fn check_gradient(&self, expected: &[f32]) -> Result<(), String> {
        let mut gradient = vec![1f32; self.x.len()];
        self.quantizer
            .straight_through(&self.x, self.columns, &mut gradient);
        let allowed = gradient_tolerance(&self.quantizer);
        for (i, (g, e)) in gradient.iter().zip(expected).enumerate() {
            let fits = (g - e).abs() <= allowed * e.abs().max(1.0);
            if !fits && !self.has_slope_at(i, *e, allowed) {
                return Err(self.fault(&format!(
                    "gradient at {:?} is {g:?}, file has {e:?}",
                    self.x[i]
                )));
            }
        }
        Ok(())
    }

    fn check_scale(&self, scale: &[f32], expected: &[f32]) -> Result<(), String> {
        if expected.iter().any(|s| s.is_nan()) {
            return Ok(());
        }
        if expected.len() != 1 && scale.len() != expected.len() {
            return Err(self.fault(&format!("{} scales", scale.len())));
        }
        for (s, e) in scale.iter().zip(expected.iter().cycle()) {
            if ulps(*s, *e) > self.tolerance {
                return Err(self.fault(&format!("scale {s} is not {e}")));
            }
        }
        Ok(())
    }

    fn check_range(&self, case: &Value) -> Result<(), String> {
        let (min, max) = self.quantizer.reported_range();
        let said = |name: &str| case.get(name).and_then(Value::as_f64);
        if let Some(expected) = said("min")
            && min != Some(expected)
        {
            return Err(self.fault(&format!("min is {min:?}, file has {expected}")));
        }
        if let Some(expected) = said("max")
            && max != expected
        {
            return Err(self.fault(&format!("max is {max}, file has {expected}")));
        }
        Ok(())
    }
}

#[test]
fn golden_quantizers() {
    let file = golden("quantizers.json");
    let mut counts: BTreeMap<&str, [usize; 2]> = BTreeMap::new();
    let (mut values, mut gradients) = (0, 0);
    let (mut moved, mut faults) = (Vec::new(), Vec::new());
    for case in file["cases"].as_array().expect("cases") {
        let text = case["quantizer"].as_str().expect("quantizer");
        let family = text.split('(').next().unwrap_or(text);
        let count = counts.entry(family).or_default();
        count[1] += 1;
        let quantizer: Quantizer = match text.parse() {
            Ok(quantizer) => quantizer,
            Err(error) => {
                faults.push(error.to_string());
                continue;
            }
        };
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
        let (tolerance, has_thresholds) = tolerance(&quantizer);
        let case_ = Case {
            text,
            input,
            quantizer,
            x,
            columns,
            tolerance,
            has_thresholds,
        };
        let mut y = vec![0f32; case_.x.len()];
        let scale = case_.quantizer.quantize(&case_.x, columns, &mut y);
        values += y.len();
        let list = |name: &str| case.get(name).map(floats);
        gradients += list("grad").map_or(0, |g| g.len());
        let checked = case_
            .check_values(&y, &floats(&case["y"]), &mut moved)
            .and_then(|()| list("grad").map_or(Ok(()), |g| case_.check_gradient(&g)))
            .and_then(|()| list("scale").map_or(Ok(()), |s| case_.check_scale(&scale, &s)))
            .and_then(|()| case_.check_range(case));
        match checked {
            Ok(()) => count[0] += 1,
            Err(fault) => faults.push(fault),
        }
    }
    println!("{values} outputs, {gradients} gradients; cases passed by family:");
    for (family, [passed, all]) in &counts {
        println!("  {family}: {passed} of {all}");
    }
    println!(
        "outputs moved one level within 4 ulp of a threshold: {}",
        moved.len()
    );
    for line in &moved {
        println!("  {line}");
    }
    for family in COVERED {
        assert!(
            counts.contains_key(family),
            "the file has no case of {family}"
        );
    }
    assert!(
        faults.is_empty(),
        "{} cases differ:\n{}",
        faults.len(),
        faults.join("\n")
    );
}
