//! The integer program as JSON: the source of truth for whoever writes a reader.
//!
//! The rule this module keeps: every number that integer inference uses is written out, so that a
//! reader needs no quantizer: activations without a rule of their own carry their quantizer's text
//! besides, and `docs/export.md` says what each field means.

use bitfront_network::{
    ActivationRule, Axis, Geometry, Head, IntegerOperation, IntegerProgram, Interval, Linear,
    SoftmaxProgram, Source, Taps, TensorFormat,
};
use bitfront_quantizer::Modes;
use serde_json::{Value, json};

/// Name and version of the layout.
pub const SCHEMA: &str = "bitfront-integer-network/1";

pub(crate) fn text(program: &IntegerProgram) -> String {
    // A value with string keys always has a text.
    let mut text = serde_json::to_string_pretty(&value(program)).unwrap_or_default();
    text.push('\n');
    text
}

fn value(program: &IntegerProgram) -> Value {
    let layers = program.layers.iter().map(|layer| {
        let sources = layer.sources.iter().map(|source| match source {
            Source::Input => "input",
            Source::Layer(at) => program.layers[*at].name.as_str(),
        });
        json!({
            "name": layer.name,
            "inputs": sources.collect::<Vec<_>>(),
            "operation": operation(&layer.operation),
            "output": tensor(&layer.output),
        })
    });
    json!({
        "schema": SCHEMA,
        "candidate_digest": program.candidate.digest(),
        "input_quantizer": program.candidate.input_quantizer,
        "input": tensor(&program.input),
        "layers": layers.collect::<Vec<_>>(),
        "output_fraction": program.output_fraction,
        "head": head(program.candidate.head, program.softmax().as_ref()),
    })
}

fn head(head: Head, softmax: Option<&SoftmaxProgram>) -> Value {
    match (head, softmax) {
        (Head::Softmax { .. }, None) => json!({ "kind": "softmax" }),
        (Head::Softmax { .. }, Some(softmax)) => json!({
            "kind": "softmax",
            "tables": {
                "address_bits": softmax.tables.address_bits,
                "address_fraction": softmax.tables.address_fraction,
                "exp_fraction": softmax.tables.exp_fraction,
                "inverse_fraction": softmax.tables.inverse_fraction,
                "output_fraction": softmax.tables.output_fraction,
                "inverse_shift": softmax.inverse_shift,
                "exp": softmax.exp,
                "inverse": softmax.inverse,
            },
        }),
        (Head::Sigmoid, _) => json!({ "kind": "sigmoid" }),
        (Head::Linear, _) => json!({ "kind": "linear" }),
    }
}

fn tensor(format: &TensorFormat) -> Value {
    json!({
        "shape": format.shape,
        "fraction": format.fraction,
        "range": format.range.iter().map(interval).collect::<Vec<_>>(),
    })
}

fn interval(range: &Interval) -> [i64; 2] {
    [range.lo, range.hi]
}

fn geometry(geometry: &Geometry) -> Value {
    let axis = |axis: &Axis| {
        json!({
            "input": axis.input,
            "output": axis.output,
            "size": axis.size,
            "stride": axis.stride,
            "dilation": axis.dilation,
            "before": axis.before,
        })
    };
    json!({ "rows": axis(&geometry.rows), "columns": axis(&geometry.columns) })
}

fn linear(linear: &Linear) -> Value {
    let (taps, window) = match &linear.taps {
        Taps::Dense => ("dense", Value::Null),
        Taps::Window(window) => ("window", geometry(window)),
        Taps::Depthwise(window) => ("depthwise", geometry(window)),
    };
    let ranges = linear.accumulator_range.iter().map(interval);
    json!({
        "kind": "linear",
        "taps": taps,
        "window": window,
        "inputs": linear.inputs,
        "outputs": linear.outputs,
        "input_shift": linear.input_shift,
        "kernel": linear.kernel,
        "multiplier": linear.multiplier,
        "product_shift": linear.product_shift,
        "bias": linear.bias,
        "accumulator_range": ranges.collect::<Vec<_>>(),
    })
}

fn operation(operation: &IntegerOperation) -> Value {
    match operation {
        IntegerOperation::Linear(sums) => linear(sums),
        IntegerOperation::Separable {
            depthwise,
            between,
            pointwise,
        } => json!({
            "kind": "separable",
            "depthwise": linear(depthwise),
            "between": tensor(between),
            "pointwise": linear(pointwise),
        }),
        IntegerOperation::MaxPool(window) => {
            json!({ "kind": "max_pool", "window": geometry(window) })
        }
        IntegerOperation::Mean {
            geometry: window,
            reciprocal,
        } => json!({ "kind": "mean", "window": geometry(window), "reciprocal": reciprocal }),
        IntegerOperation::Reshape => json!({ "kind": "reshape" }),
        IntegerOperation::ZeroPadding { border } => {
            json!({ "kind": "zero_padding", "border": border })
        }
        IntegerOperation::Affine {
            multiplier,
            product_shift,
            offset,
        } => json!({
            "kind": "affine",
            "multiplier": multiplier,
            "product_shift": product_shift,
            "offset": offset,
        }),
        IntegerOperation::Add { shift } => json!({ "kind": "add", "shift": shift }),
        IntegerOperation::Concatenate => json!({ "kind": "concatenate" }),
        IntegerOperation::Activation(rule) => activation(rule),
    }
}

fn activation(rule: &ActivationRule) -> Value {
    match rule {
        ActivationRule::Uniform {
            fraction,
            range,
            modes,
        } => {
            let mut rule = json!({
                "kind": "activation",
                "rule": "uniform",
                "fraction": fraction,
                "range": interval(range),
            });
            if *modes != Modes::NEAREST_EVEN {
                rule["rounding"] = modes.rounding.name().into();
                rule["overflow"] = modes.overflow.name().into();
                rule["saturated_bits"] = modes.saturated_bits.into();
            }
            rule
        }
        ActivationRule::Steps { thresholds, codes } => json!({
            "kind": "activation",
            "rule": "steps",
            "thresholds": thresholds,
            "codes": codes,
        }),
        ActivationRule::Function(quantizer) => json!({
            "kind": "activation",
            "rule": "function",
            "quantizer": quantizer,
        }),
        ActivationRule::Channels(rules) => json!({
            "kind": "activation",
            "rule": "channels",
            "rules": rules.iter().map(activation).collect::<Vec<_>>(),
        }),
    }
}
