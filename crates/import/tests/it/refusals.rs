//! What cannot be imported is refused whole, with all reasons.

use bitfront_import::{ImportError, read, read_keras_h5, read_keras_json};

use crate::{file, import};

/// Names, types and reasons of what is unsupported.
fn unsupported(name: &str) -> Vec<(String, String, String)> {
    match import(name).unwrap_err() {
        ImportError::Unsupported(list) => list
            .into_iter()
            .map(|layer| (layer.name, layer.kind, layer.reason))
            .collect(),
        other => panic!("{name}: {other}"),
    }
}

/// Checks names and types, and that each reason has the given words.
#[track_caller]
fn assert_list(name: &str, wanted: &[(&str, &str, &str)]) {
    let list = unsupported(name);
    let names: Vec<(&str, &str)> = list
        .iter()
        .map(|(n, k, _)| (n.as_str(), k.as_str()))
        .collect();
    let expected: Vec<(&str, &str)> = wanted.iter().map(|(n, k, _)| (*n, *k)).collect();
    assert_eq!(names, expected, "{name}");
    for ((layer, _, reason), (_, _, words)) in list.iter().zip(wanted) {
        assert!(
            reason.contains(words),
            "{layer}: `{reason}` does not say `{words}`"
        );
    }
}

#[test]
fn every_unsupported_layer_is_named() {
    assert_list(
        "keras2_unsupported",
        &[
            ("memory", "LSTM", "no layer type"),
            ("rows", "Reshape", "[6,2]"),
            ("bent", "Dense", "`gelu`"),
            ("noise", "GaussianNoise", "no layer type"),
            ("product", "Multiply", "no layer type"),
        ],
    );
    assert_list(
        "keras3_unsupported",
        &[
            ("table", "Embedding", "no layer type"),
            ("memory", "GRU", "no layer type"),
        ],
    );
    assert_list(
        "onnx_unsupported",
        &[
            ("node_erf", "Erf", "no operator"),
            ("node_square", "Mul", "no operator"),
            ("node_strange", "LSTMish", "no operator"),
        ],
    );
    assert_list(
        "qonnx_unsupported",
        &[
            ("node_q_in", "Quant", "scale 0.03"),
            ("node_fc1.qweight", "Quant", "zero point 1"),
            ("node_q1", "Quant", "FLOOR"),
            ("node_output", "Trunc", "no operator"),
        ],
    );
}

#[test]
fn curves_between_layers_have_no_float_form() {
    assert_list(
        "keras2_curved",
        &[
            ("fc1", "Dense", "hyperbolic tangent"),
            ("leaky1", "LeakyReLU", "slope 0.25"),
            ("fc2", "Dense", "sigmoid"),
        ],
    );
    assert_list(
        "onnx_curved",
        &[
            ("node_tanh1", "Tanh", "hyperbolic tangent"),
            ("node_leaky1", "LeakyRelu", "slope 0.25"),
            ("node_sigmoid2", "Sigmoid", "sigmoid"),
        ],
    );
}

#[test]
fn the_message_counts_and_lists() {
    let message = import("keras3_unsupported").unwrap_err().to_string();
    assert_eq!(
        message,
        "the model has 2 unsupported layers: table (Embedding): is no layer type that is \
         supported; memory (GRU): is no layer type that is supported"
    );
}

/// The refusal of bytes, as text.
fn refusal(bytes: &[u8], name: Option<&str>) -> String {
    read(bytes, name).unwrap_err().to_string()
}

#[test]
fn what_is_no_model_is_said_to_be_none() {
    assert!(refusal(b"", None).contains("it is empty"));
    let json = file("keras2_json.json");
    assert!(refusal(&json, None).contains("JSON without weights"));
    assert!(refusal(&json, Some("model.json")).contains("JSON without weights"));
    let weights = file("keras2_json.weights.h5");
    assert!(refusal(&weights, Some("x.weights.h5")).contains("weights alone"));
    let onnx = file("onnx_mlp.onnx");
    let renamed = refusal(&onnx, Some("model.KERAS"));
    assert!(
        renamed.contains("not what the name `model.KERAS` says"),
        "{renamed}"
    );
    assert!(refusal(b"PK\x03\x04 and nothing", None).contains("damaged zip file"));
    assert!(refusal(b"\x89HDF\r\n\x1a\n", None).contains("damaged HDF5 file"));
    assert!(refusal(b"none of these", None).contains("damaged ONNX file"));
}

#[test]
fn sizes_are_refused_before_anything_is_read() {
    let large = vec![0; (64 << 20) + 1];
    let message = read_keras_h5(&large).unwrap_err().to_string();
    assert_eq!(
        message,
        "file has 67108865 bytes; accepted are at most 67108864"
    );
    let json = vec![b' '; (4 << 20) + 1];
    let error = read_keras_json(&json, &file("keras2_json.weights.h5")).unwrap_err();
    assert!(
        matches!(
            error,
            ImportError::TooLarge {
                most: 4_194_304,
                ..
            }
        ),
        "{error}"
    );
    // 300,000 empty nodes: 600 kB that would become 60 MB.
    let nodes = [0x0a, 0x00].repeat(300_000);
    let mut model = vec![0x3a];
    model.extend([0xc0, 0xcf, 0x24]); // 600,000 as a varint
    model.extend(nodes);
    let message = refusal(&model, None);
    assert_eq!(
        message,
        "ONNX file has 262145 fields; accepted are at most 262144"
    );
}

#[test]
fn weights_that_do_not_fit_their_model_are_refused() {
    let json = String::from_utf8(file("keras2_json.json")).unwrap();
    let other = json.replace("\"units\": 6", "\"units\": 5");
    assert_ne!(json, other);
    let error = read_keras_json(other.as_bytes(), &file("keras2_json.weights.h5"));
    assert_eq!(
        error.unwrap_err().to_string(),
        "the model has 1 unsupported layer: fc1 (Dense): has a kernel of shape [7, 6] in the \
         file; its settings need [7, 5]"
    );
}
