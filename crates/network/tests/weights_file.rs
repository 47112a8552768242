//! The weights file: comes back the same, names what is wrong, and never panics.

#[expect(dead_code, reason = "each test binary uses its part of the generators")]
mod common;

use bitfront_network::{Candidate, Part, Weights, WeightsError};
use common::Random;

/// A network with all kinds of tensors.
fn small() -> Candidate {
    serde_json::from_str(
        r#"{"input_shape":[3,2],"input_quantizer":"quantized_bits(8,3,alpha=1.0)","layers":[
        {"name":"conv1","operation":{"kind":"separable_conv","filters":3,"multiplier":2,
         "window":{"size":[2],"strides":[1],"dilation":[1],"padding":"same"},
         "depthwise_kernel":"quantized_bits(6,0,alpha=1.0)","pointwise_kernel":"ternary(alpha=1.0)",
         "bias":"quantized_bits(6,0,alpha=1.0)"}},
        {"name":"norm1","operation":{"kind":"batch_norm","epsilon":0.001,"momentum":0.99,
         "scale_bits":1,"offset_bits":8}},
        {"name":"relu1","operation":{"kind":"activation","quantizer":"quantized_relu(6,0)"}},
        {"name":"flat1","operation":{"kind":"flatten"}},
        {"name":"fc2","operation":{"kind":"dense","units":2,"kernel":"ternary(alpha=1.0)",
         "bias":"quantized_bits(8,3,alpha=1.0)","fold":{"epsilon":0.001,"momentum":0.99}}}],
        "head":{"kind":"softmax"}}"#,
    )
    .expect("reads")
}

fn weights_of(candidate: &Candidate) -> Weights {
    common::weights(&mut Random(7), candidate)
}

#[test]
fn random_networks_come_back() {
    for seed in 0..300 {
        let mut random = Random(seed);
        let candidate = common::graph::candidate(&mut random);
        let weights = common::weights(&mut random, &candidate);
        assert_eq!(weights.shape_fault(&candidate), None);
        let bytes = weights.to_bytes(&candidate);
        let read = Weights::from_bytes(&candidate, &bytes).expect("reads");
        assert_eq!(read, weights, "seed {seed}");
        assert_eq!(
            read.to_bytes(&candidate),
            bytes,
            "seed {seed}: the same bytes"
        );
    }
}

#[test]
fn faults_are_named() {
    let candidate = small();
    assert_eq!(candidate.check(), Ok(()));
    let weights = weights_of(&candidate);
    let bytes = weights.to_bytes(&candidate);
    for cut in [0, 7, 8, 40, bytes.len() - 1] {
        let error = Weights::from_bytes(&candidate, &bytes[..cut]).expect_err("cut short");
        assert!(matches!(error, WeightsError::Format(_)), "{cut}: {error}");
    }
    // A header that claims to be huge.
    let mut liar = bytes.clone();
    liar[..8].copy_from_slice(&u64::MAX.to_le_bytes());
    assert!(matches!(
        Weights::from_bytes(&candidate, &liar),
        Err(WeightsError::Format(_))
    ));
    let padded = vec![0u8; (1 << 20) + 2000];
    let error = Weights::from_bytes(&candidate, &padded).expect_err("too large");
    assert!(error.to_string().contains("more than the"), "{error}");

    let mut other = candidate.clone();
    other.scale_bits = 11;
    let error = Weights::from_bytes(&other, &bytes).expect_err("another candidate");
    let error = error.to_string();
    assert!(
        error.contains(&candidate.digest()) && error.contains(&other.digest()),
        "{error}"
    );

    let mut broken = weights.clone();
    broken.layers[4]
        .parts
        .get_mut(&Part::Bias)
        .expect("it has one")[1] = f32::NAN;
    let bytes = broken.to_bytes(&candidate);
    let error = Weights::from_bytes(&candidate, &bytes).expect_err("not a number");
    let error = error.to_string();
    assert!(
        error.contains("fc2.bias") && error.contains("element 1"),
        "{error}"
    );
    let mut negative = weights;
    negative.layers[1]
        .parts
        .get_mut(&Part::Variance)
        .expect("it has one")[2] = -0.5;
    let bytes = negative.to_bytes(&candidate);
    let error = Weights::from_bytes(&candidate, &bytes).expect_err("no variance");
    assert_eq!(
        error.to_string(),
        "tensor norm1.variance: element 2 is -0.5; accepted is at least 0"
    );
}

#[test]
fn weights_of_another_shape_are_named() {
    let candidate = small();
    let fault = |change: fn(&mut Weights)| {
        let mut weights = weights_of(&candidate);
        change(&mut weights);
        let fault = weights.shape_fault(&candidate);
        fault.map_or(String::new(), |(place, problem)| {
            format!("{place}: {problem}")
        })
    };
    assert_eq!(fault(|_| ()), "");
    assert_eq!(
        fault(|weights| weights.layers.truncate(4)),
        "network: 4 layers of weights for 5 layers"
    );
    let short = fault(|weights| {
        let kernel = weights.layers[4].parts.get_mut(&Part::Kernel);
        kernel.expect("it has one").truncate(17);
    });
    assert_eq!(short, "fc2.kernel: 17 weights; its shape needs 18");
    let missing = fault(|weights| {
        weights.layers[1].parts.remove(&Part::Mean);
    });
    assert_eq!(missing, "norm1.mean: 0 weights; its shape needs 3");
    let unknown = fault(|weights| {
        weights.layers[2].parts.insert(Part::Bias, vec![0.0]);
    });
    assert_eq!(unknown, "relu1.bias: the layer has no such tensor");
}

#[test]
fn every_flipped_byte_is_an_error_or_other_weights() {
    let candidate = small();
    let bytes = weights_of(&candidate).to_bytes(&candidate);
    let mut read_anyway = 0;
    for at in 0..bytes.len() {
        for flip in [1, 0x80] {
            let mut bytes = bytes.clone();
            bytes[at] ^= flip;
            // No panic, and never weights of another shape.
            if let Ok(read) = Weights::from_bytes(&candidate, &bytes) {
                assert_eq!(read.shape_fault(&candidate), None, "byte {at}");
                read_anyway += 1;
            }
        }
    }
    println!(
        "{read_anyway} of {} flips gave other weights",
        2 * bytes.len()
    );
    assert!(read_anyway > 0);
}
