//! Imported networks have the layers of the model, with its names, shapes and quantizers.

use bitfront_network::{Head, Operation, Part};

use crate::import;

/// One line a layer: name, kind, what it reads if not the layer before, shape, quantizers.
fn layers(name: &str) -> Vec<String> {
    let imported = import(name).unwrap_or_else(|e| panic!("{name}: {e}"));
    let candidate = &imported.candidate;
    let shapes = candidate.shapes();
    let line = |(layer, shape): (&bitfront_network::Layer, &Vec<usize>)| {
        let mut words = vec![layer.name.clone(), layer.operation.kind().into()];
        if !layer.inputs.is_empty() {
            words.push(format!("of {}", layer.inputs.join(", ")));
        }
        words.push(format!("{shape:?}"));
        let quantizers = layer.operation.quantizers();
        words.extend(
            quantizers
                .iter()
                .map(|(_, quantizer)| quantizer.to_string()),
        );
        words.join(" ")
    };
    let mut lines = vec![format!(
        "input {:?} {}",
        candidate.input_shape, candidate.input_quantizer
    )];
    lines.extend(candidate.layers.iter().zip(&shapes).map(line));
    lines.push(format!("{:?}", candidate.head));
    lines
}

#[test]
fn sums_and_concatenations_read_what_they_read() {
    assert_eq!(
        layers("keras2_residual"),
        [
            "input [8, 8, 2] float",
            "pad zero_padding [9, 11, 2]",
            "conv1 conv [7, 9, 4] float float",
            "conv1_activation activation [7, 9, 4] relu",
            "conv2 conv [7, 9, 4] float",
            "bn2 batch_norm [7, 9, 4]",
            "add add of conv1_activation, bn2 [7, 9, 4]",
            "relu activation [7, 9, 4] relu",
            "max max_pool [3, 4, 4]",
            "average average_pool of relu [3, 4, 4]",
            "both concatenate of max, average [3, 4, 8]",
            "flat flatten [96]",
            "head dense [3] float float",
            "Softmax { tables: None }",
        ]
    );
}

#[test]
fn every_layer_in_one_dimension() {
    assert_eq!(
        layers("keras2_variants_1d"),
        [
            "input [16, 3] float",
            "pad zero_padding [19, 3]",
            "conv conv [9, 4] float float",
            "conv_activation activation [9, 4] relu",
            "separable separable_conv [9, 6] float float float",
            "relu activation [9, 6] relu",
            "max max_pool [9, 6]",
            "causal_padding zero_padding [11, 6]",
            "causal conv [9, 5] float float",
            "average average_pool [5, 5]",
            "global global_average_pool [5]",
            "head dense [2] float float",
            "Sigmoid",
        ]
    );
}

#[test]
fn quantizers_come_along() {
    assert_eq!(
        layers("qkeras_mlp"),
        [
            "input [16] quantized_bits(8,2)",
            "fc1 dense [8] quantized_bits(6,0,alpha=1.0) quantized_bits(6,0,alpha=1.0)",
            "relu1 activation [8] quantized_relu(6,2)",
            "fc2 dense [8] ternary(alpha=1.0) quantized_po2(4)",
            "relu2 activation [8] quantized_relu(4,2)",
            "fc3 dense [8] quantized_bits(4,0,symmetric=1,alpha='auto_po2')",
            "q3 activation [8] quantized_bits(5,1)",
            "output dense [5] binary(alpha=1.0) quantized_bits(8,3,alpha=1.0)",
            "Softmax { tables: None }",
        ]
    );
    let imported = import("qkeras_mlp").unwrap();
    assert_eq!(imported.source, "Keras 2.15.0 with QKeras .h5");
    assert_eq!(imported.notes, [""; 0]);
    imported.candidate.check().unwrap();
}

#[test]
fn quantizer_nodes_become_quantizers() {
    assert_eq!(
        layers("qonnx_mlp"),
        [
            "input [16] quantized_bits(8,2,alpha=1.0)",
            "node_fc1_product dense [8] quantized_bits(6,0,symmetric=1,alpha=1.0) quantized_bits(6,0,alpha=1.0)",
            "node_relu1 activation [8] quantized_relu(6,2)",
            "node_fc2 dense [8] binary(alpha=1.0)",
            "node_q2 activation [8] quantized_bits(5,2,alpha=1.0)",
            "node_output dense [5] quantized_bits(4,0,symmetric=1,alpha=1.0)",
            "Linear",
        ]
    );
    import("qonnx_mlp").unwrap().candidate.check().unwrap();
}

#[test]
fn channels_move_behind_positions() {
    assert_eq!(
        layers("onnx_conv"),
        [
            "input [6, 5, 2] float",
            "node_pad zero_padding [7, 6, 2]",
            "node_conv1 conv [7, 6, 4] float float",
            "node_bn1 batch_norm [7, 6, 4]",
            "node_relu1 activation [7, 6, 4] relu",
            "node_conv2 conv [7, 6, 4] float",
            "node_add add of node_relu1, node_conv2 [7, 6, 4]",
            "node_max max_pool [3, 3, 4]",
            "node_average average_pool of node_add [3, 3, 4]",
            "node_both concatenate of node_max, node_average [3, 3, 8]",
            "node_flat flatten [72]",
            "node_output dense [3] float float",
            "Linear",
        ]
    );
}

#[test]
fn models_in_models_are_laid_out_flat() {
    let wanted = [
        "input [5] float",
        "a dense [6] float float",
        "a_activation activation [6] relu",
        "b dense [5] float float",
        "sum add of b, input [5]",
        "head dense [2] float float",
        "Linear",
    ];
    assert_eq!(layers("keras2_nested"), wanted);
    assert_eq!(layers("keras2_nested_v3"), wanted);
}

#[test]
fn a_folded_batch_normalisation_stays_folded() {
    let imported = import("qkeras_fold").unwrap();
    let Operation::Conv { fold, .. } = &imported.candidate.layers[0].operation else {
        panic!("a convolution, not {:?}", imported.candidate.layers[0]);
    };
    assert_eq!(
        fold.map(|fold| (fold.epsilon, fold.momentum)),
        Some((0.001, 0.99))
    );
    let parts: Vec<Part> = imported.weights.layers[0].parts.keys().copied().collect();
    let wanted = [
        Part::Kernel,
        Part::Bias,
        Part::Gamma,
        Part::Beta,
        Part::Mean,
        Part::Variance,
    ];
    assert_eq!(parts, wanted);
}

#[test]
fn chunks_and_strings_of_another_form_change_nothing() {
    assert_eq!(
        import("keras2_mlp").unwrap(),
        import("keras2_mlp_chunked").unwrap()
    );
    let head = import("keras2_mlp").unwrap().candidate.head;
    assert_eq!(head, Head::ARG_MAX);
}

#[test]
fn weights_survive_their_own_file() {
    for name in ["keras2_residual", "qkeras_fold", "onnx_depthwise"] {
        let imported = import(name).unwrap();
        let bytes = imported.weights.to_bytes(&imported.candidate);
        let read = bitfront_network::Weights::from_bytes(&imported.candidate, &bytes).unwrap();
        assert_eq!(read, imported.weights, "{name}");
    }
}
