//! Candidates: JSON into a layer graph that is refused with its faults, or whose shapes are sound.

use bitfront_network::Candidate;

use crate::Target;

/// JSON of a candidate.
pub const TARGET: Target = Target {
    name: "candidate",
    run,
    seeds,
};

fn run(bytes: &[u8]) -> bool {
    let Ok(candidate) = serde_json::from_slice::<Candidate>(bytes) else {
        return false;
    };
    let json = serde_json::to_string(&candidate).expect("a candidate has only string keys");
    let again = serde_json::from_str(&json);
    assert_eq!(again.ok().as_ref(), Some(&candidate), "{json}");
    if let Err(faults) = candidate.check() {
        assert!(!faults.is_empty());
        return false;
    }
    assert_eq!(candidate.check_shapes(), Ok(()));
    let summary = candidate.summary();
    assert_eq!(summary.len(), candidate.layers.len());
    let parameters: u64 = summary.iter().map(|layer| layer.parameters).sum();
    let size = |shape: &[usize]| shape.iter().product::<usize>() as u64;
    let tensors = candidate.tensors();
    assert_eq!(
        tensors.iter().map(|spec| size(&spec.shape)).sum::<u64>(),
        parameters
    );
    let outputs = candidate.shapes().pop().unwrap_or_default();
    assert_eq!(size(&outputs), candidate.outputs() as u64);
    true
}

/// A dense chain, a network on images with most kinds of layers, and one on sequences with branches.
pub(crate) const EXAMPLES: [&str; 3] = [
    r#"{"input_shape": [2], "input_quantizer": "quantized_bits(4,1,alpha=1.0)", "layers": [
{"name": "fc1", "operation": {"kind": "dense", "units": 3, "kernel": "ternary(alpha=1.0)",
  "bias": "quantized_bits(4,0,alpha=1.0)", "fold": null}},
{"name": "relu1", "operation": {"kind": "activation", "quantizer": "quantized_relu(5,1)"}},
{"name": "drop", "operation": {"kind": "dropout", "rate": 0.5}},
{"name": "out", "operation": {"kind": "dense", "units": 2, "kernel": "quantized_bits(6,0,alpha=1.0)",
  "bias": null, "fold": null}}],
"head": {"kind": "softmax"}}"#,
    r#"{"input_shape": [6, 6, 1], "input_quantizer": "quantized_bits(8,0,alpha=1.0)", "layers": [
{"name": "pad", "operation": {"kind": "zero_padding", "border": [[1, 1], [0, 1]]}},
{"name": "c1", "operation": {"kind": "conv", "filters": 2, "window": {"size": [3, 3], "strides": [1, 1],
  "dilation": [1, 1], "padding": "same"}, "kernel": "quantized_bits(4,0,alpha=1.0)",
  "bias": "quantized_bits(4,0,alpha=1.0)", "fold": {"epsilon": 0.001, "momentum": 0.99}}},
{"name": "r1", "operation": {"kind": "activation", "quantizer": "quantized_relu(4,1)"}},
{"name": "m1", "operation": {"kind": "max_pool", "window": {"size": [2, 2], "strides": [2, 2],
  "dilation": [1, 1], "padding": "valid"}}},
{"name": "d1", "operation": {"kind": "depthwise_conv", "multiplier": 2, "window": {"size": [2, 2],
  "strides": [1, 1], "dilation": [1, 1], "padding": "valid"}, "kernel": "binary(alpha=1.0)",
  "bias": null, "fold": null}},
{"name": "b1", "operation": {"kind": "batch_norm", "epsilon": 0.001, "momentum": 0.99,
  "scale_bits": 1, "offset_bits": 8}},
{"name": "r2", "operation": {"kind": "activation", "quantizer": "quantized_bits(6,2,alpha=1.0)"}},
{"name": "s1", "operation": {"kind": "separable_conv", "filters": 3, "multiplier": 1, "window": {"size": [2, 2],
  "strides": [1, 1], "dilation": [1, 1], "padding": "same"}, "depthwise_kernel": "quantized_bits(4,0,alpha=1.0)",
  "pointwise_kernel": "ternary(alpha=1.0)", "bias": "quantized_bits(4,0,alpha=1.0)"}},
{"name": "g", "operation": {"kind": "global_average_pool", "reciprocal_bits": 12}}],
"head": {"kind": "sigmoid"}, "scale_bits": 12}"#,
    r#"{"input_shape": [4, 3], "input_quantizer": "quantized_bits(6,2,alpha=1.0)", "layers": [
{"name": "a", "inputs": ["input"], "operation": {"kind": "activation", "quantizer": "quantized_bits(4,1,alpha=1.0)"}},
{"name": "b", "inputs": ["input"], "operation": {"kind": "activation", "quantizer": "quantized_relu(4,1)"}},
{"name": "sum", "inputs": ["a", "b"], "operation": {"kind": "add"}},
{"name": "both", "inputs": ["sum", "a"], "operation": {"kind": "concatenate"}},
{"name": "mean", "operation": {"kind": "average_pool", "window": {"size": [2], "strides": [2],
  "dilation": [1], "padding": "same"}, "reciprocal_bits": 12}},
{"name": "flat", "operation": {"kind": "flatten"}}],
"head": {"kind": "linear"}}"#,
];

fn seeds() -> Vec<Vec<u8>> {
    EXAMPLES
        .iter()
        .map(|json| json.as_bytes().to_vec())
        .collect()
}
