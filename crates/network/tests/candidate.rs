//! What a candidate's check, digest, weights file and freeze say.

#[expect(dead_code, reason = "each test binary uses its part of the generators")]
mod common;

use bitfront_network::{
    Candidate, ForwardPrecision, FreezeError, IntegerProgram, Interval, LayerWeights, Weights,
    WeightsError, forward, forward_precision,
};
use common::Random;

fn candidate(json: &str) -> Candidate {
    serde_json::from_str(json).unwrap_or_else(|e| panic!("{e}: {json}"))
}

/// 3-4-2 with a bias and an activation of its own.
fn small() -> Candidate {
    candidate(
        r#"{"inputs":3,"input_quantizer":"quantized_bits(8,3,alpha=1.0)","layers":[
        {"name":"fc1","units":4,"kernel":"quantized_bits(6,0,alpha=1.0)","bias":"quantized_bits(6,0)",
         "activation":{"name":"relu1","quantizer":"quantized_relu(6,0)"}},
        {"name":"fc2","units":2,"kernel":"ternary(alpha=1.0)","bias":"quantized_bits(8,3,alpha=1.0)"}]}"#,
    )
}

fn weights_of(candidate: &Candidate) -> Weights {
    common::weights(&mut Random(7), candidate)
}

#[test]
fn check_finds_every_fault_in_order() {
    let bad = candidate(
        r#"{"inputs":0,"input_quantizer":"quantized_bits(8,3,alpha='auto_po2')","layers":[
        {"name":"fc1","units":4,"kernel":"quantized_bits(6,0,alpha='auto')","bias":"quantized_bits(6,0)"},
        {"name":"fc1","units":0,"kernel":"binary()","bias":"quantized_bits(6,0,alpha=0.3)",
         "activation":{"name":"the last","quantizer":"quantized_relu(13,0,use_sigmoid=1)"}}]}"#,
    );
    let faults: Vec<String> = bad
        .check()
        .expect_err("faults")
        .iter()
        .map(ToString::to_string)
        .collect();
    let expected = [
        "network: has 0 inputs",
        "input: quantized_bits(8,3,alpha='auto_po2') has no exact",
        "fc1.kernel: quantized_bits(6,0,alpha='auto') has no exact",
        "fc1: has no activation",
        "fc1: the name `fc1` is used twice",
        "fc1: has 0 units",
        "fc1.bias: quantized_bits(6,0,alpha=0.3) has no exact",
        "the last: the name `the last` is not accepted",
        "the last: quantized_relu(13,0,use_sigmoid=1) has no exact",
        "fc1: is the last layer and has the activation `the last`",
    ];
    assert_eq!(faults.len(), expected.len(), "{faults:#?}");
    for (fault, expected) in faults.iter().zip(expected) {
        assert!(
            fault.starts_with(expected),
            "`{fault}` should start with `{expected}`"
        );
    }
    let none = candidate(r#"{"inputs":1,"input_quantizer":"binary()","layers":[]}"#);
    assert!(
        none.check().expect_err("faults")[0]
            .to_string()
            .contains("no layers")
    );
}

#[test]
fn a_float_reference_passes_the_check_and_has_no_program() {
    let float = candidate(
        r#"{"inputs":2,"input_quantizer":"float","layers":[
        {"name":"fc1","units":2,"kernel":"float","bias":"float","activation":{"name":"a","quantizer":"relu"}},
        {"name":"fc2","units":2,"kernel":"float","bias":"float"}]}"#,
    );
    assert!(float.is_float() && !small().is_float());
    assert_eq!(float.check(), Ok(()));
    let layer = LayerWeights {
        kernel: vec![0.5, -1.0, 0.25, 2.0],
        bias: vec![0.1, 0.2],
    };
    let weights = Weights {
        layers: vec![layer.clone(), layer],
    };
    let error = IntegerProgram::freeze(&float, &weights).expect_err("no program");
    assert!(
        error
            .to_string()
            .starts_with("input has no exact integer form"),
        "{error}"
    );
    assert_eq!(forward_precision(&float, &weights), ForwardPrecision::F32);
    let logits = forward(&float, &weights, &[1.0, 2.0], ForwardPrecision::F64);
    // Hidden: relu(0.5 + 0.5 + 0.1), relu(-1 + 4 + 0.2).
    let (a, b, c, d) = (
        1.0 + f64::from(0.1f32),
        3.0 + f64::from(0.2f32),
        0.1f32,
        0.2f32,
    );
    let expected = [
        0.5 * a + 0.25 * b + f64::from(c),
        -a + 2.0 * b + f64::from(d),
    ];
    for (logit, expected) in logits.iter().zip(expected) {
        assert!((logit - expected).abs() < 1e-12, "{logits:?}");
    }
}

#[test]
fn the_digest_is_of_the_canonical_candidate() {
    let other = candidate(
        r#"{"layers":[
        {"units":4,"name":"fc1","kernel":"quantized_bits(bits=6,alpha=1)","bias":"quantized_bits(6)",
         "activation":{"quantizer":"quantized_relu(6)","name":"relu1"}},
        {"name":"fc2","units":2,"kernel":"ternary(1)","bias":"quantized_bits(8,3,alpha=1.0)","activation":null}],
        "input_quantizer":"quantized_bits(8, 3, alpha=1.0)","inputs":3}"#,
    );
    assert_eq!(small(), other);
    assert_eq!(small().digest(), other.digest());
    assert_eq!(small().digest().len(), 64);
    let mut wider = small();
    wider.layers[0].units = 5;
    assert_ne!(small().digest(), wider.digest());
    let unknown = r#"{"inputs":3,"input_quantizer":"binary()","layers":[],"units":3}"#;
    assert!(serde_json::from_str::<Candidate>(unknown).is_err());
}

#[test]
fn the_weights_file_comes_back_and_faults_are_named() {
    let candidate = small();
    let weights = weights_of(&candidate);
    let bytes = weights.to_bytes(&candidate);
    assert_eq!(
        Weights::from_bytes(&candidate, &bytes).expect("reads"),
        weights
    );
    assert_eq!(
        weights.to_bytes(&candidate),
        bytes,
        "the same bytes every time"
    );

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
    let padded = vec![0u8; (1 << 20) + 1000];
    let error = Weights::from_bytes(&candidate, &padded)
        .expect_err("too large")
        .to_string();
    assert!(error.contains("more than the"), "{error}");

    let mut other = candidate.clone();
    other.layers[1].bias = "quantized_bits(8,2,alpha=1.0)".parse().expect("accepted");
    let error = Weights::from_bytes(&other, &bytes)
        .expect_err("another candidate")
        .to_string();
    assert!(
        error.contains(&candidate.digest()) && error.contains(&other.digest()),
        "{error}"
    );

    let mut broken = weights;
    broken.layers[1].bias[1] = f32::NAN;
    let bytes = broken.to_bytes(&candidate);
    let error = Weights::from_bytes(&candidate, &bytes)
        .expect_err("not a number")
        .to_string();
    assert!(
        error.contains("fc2.bias") && error.contains("element 1"),
        "{error}"
    );
}

#[test]
fn every_flipped_byte_is_an_error_or_other_weights() {
    let candidate = small();
    let bytes = weights_of(&candidate).to_bytes(&candidate);
    for at in 0..bytes.len() {
        for flip in [1, 0x80] {
            let mut bytes = bytes.clone();
            bytes[at] ^= flip;
            // No panic, and never weights of another shape.
            if let Ok(read) = Weights::from_bytes(&candidate, &bytes) {
                assert_eq!(read.layers.len(), 2, "byte {at}");
                assert_eq!(read.layers[0].kernel.len(), 12, "byte {at}");
            }
        }
    }
}

#[test]
fn freeze_names_shapes_and_widths() {
    let candidate = small();
    let mut weights = weights_of(&candidate);
    weights.layers[0].kernel.pop();
    let error = IntegerProgram::freeze(&candidate, &weights).expect_err("another shape");
    assert_eq!(
        error.to_string(),
        "fc1.kernel: 11 weights; its shape needs 12"
    );

    let wide = self::candidate(
        r#"{"inputs":1,"input_quantizer":"quantized_bits(24,0,alpha=1.0)","layers":[
        {"name":"fc1","units":1,"kernel":"quantized_bits(24,0,alpha=1.0)","bias":"quantized_po2(5,max_value=1)"}]}"#,
    );
    let kernel = LayerWeights {
        kernel: vec![0.9],
        bias: vec![1e-4],
    };
    let program = IntegerProgram::freeze(
        &wide,
        &Weights {
            layers: vec![kernel],
        },
    );
    assert_eq!(
        program.expect("46 bits fit").layers[0].accumulator_fraction,
        [46]
    );
    let far = self::candidate(
        r#"{"inputs":1,"input_quantizer":"quantized_bits(24,0,alpha=1.0)","layers":[
        {"name":"fc1","units":1,"kernel":"quantized_bits(24,0,alpha=1.0)","bias":"quantized_bits(24,20,alpha=1.0)"}]}"#,
    );
    let heavy = LayerWeights {
        kernel: vec![0.9],
        bias: vec![1e6],
    };
    let error = IntegerProgram::freeze(
        &far,
        &Weights {
            layers: vec![heavy],
        },
    )
    .expect_err("wide");
    assert!(
        matches!(&error, FreezeError::TooWide { place, bits } if place == "fc1 output 0" && *bits > 54)
    );
}

#[test]
fn a_network_by_hand() {
    let candidate = candidate(
        r#"{"inputs":2,"input_quantizer":"quantized_bits(4,1,alpha=1.0)","layers":[
        {"name":"fc1","units":2,"kernel":"quantized_bits(3,0,alpha=1.0)","bias":"quantized_bits(4,0)",
         "activation":{"name":"relu1","quantizer":"quantized_relu(2,0)"}},
        {"name":"fc2","units":2,"kernel":"binary(alpha=1.0)","bias":"quantized_bits(4,1)"}]}"#,
    );
    let weights = Weights {
        layers: vec![
            // Codes of a quarter: 2, -4; 1, 3. Bias codes of an eighth: 1, 0.
            LayerWeights {
                kernel: vec![0.5, -1.0, 0.25, 0.75],
                bias: vec![0.125, 0.0],
            },
            LayerWeights {
                kernel: vec![1.0, -1.0, -1.0, 1.0],
                bias: vec![0.25, 0.5],
            },
        ],
    };
    let program = IntegerProgram::freeze(&candidate, &weights).expect("freezes");
    let fc1 = &program.layers[0];
    assert_eq!(fc1.kernel, [2, -4, 1, 3]);
    assert_eq!(fc1.bias, [1, 0]);
    // Input codes are quarters (-8..=7), so products are sixteenths.
    assert_eq!(program.input.range, Interval { lo: -8, hi: 7 });
    assert_eq!(fc1.accumulator_fraction, [4, 4]);
    assert_eq!((fc1.bias_shift[0], fc1.product_shift[0]), (1, 0));
    assert_eq!(
        fc1.result_range[0],
        Interval {
            lo: -24 + 2,
            hi: 21 + 2
        }
    );
    assert_eq!(fc1.accumulator_range[0], Interval { lo: -24, hi: 23 });
    // x = (1.0, -0.5): codes 4, -2. Sums: 8 - 2 + 2 = 8 sixteenths, -16 - 6 = -22 sixteenths.
    let codes = program.input_codes(&[1.0, -0.5]);
    assert_eq!(codes, [4, -2]);
    assert_eq!(fc1.accumulators(&[4, -2]), [8, -22]);
    // Quarters: 2 and 0. Then 0.5 + 0.25 and -0.5 + 0.5.
    assert_eq!(program.trace(&codes), [vec![2, 0], vec![3, 0]]);
    assert_eq!(program.logits(&codes), [3, 0]);
    assert_eq!(program.classify(&codes), [0]);
    // A tie goes to the lowest index.
    let tie = Weights {
        layers: vec![
            weights.layers[0].clone(),
            LayerWeights {
                kernel: vec![1.0; 4],
                bias: vec![0.25, 0.25],
            },
        ],
    };
    let program = IntegerProgram::freeze(&candidate, &tie).expect("freezes");
    assert_eq!(
        program.classify(&program.input_codes(&[1.0, -0.5, 0.0, 1.0])),
        [0, 0]
    );
}

#[test]
fn blocks_and_single_rows_agree_for_wide_and_narrow_layers() {
    let json = |bits: u32| {
        format!(
            r#"{{"inputs":5,"input_quantizer":"quantized_bits({bits},2,alpha=1.0)","layers":[
            {{"name":"fc1","units":7,"kernel":"quantized_bits({bits},0,alpha=1.0)","bias":"quantized_bits({bits},0)",
             "activation":{{"name":"a1","quantizer":"quantized_relu({bits},1)"}}}},
            {{"name":"fc2","units":3,"kernel":"quantized_bits({bits},0,alpha=1.0)","bias":"quantized_bits({bits},0)"}}]}}"#
        )
    };
    for bits in [4, 8, 14, 18, 20] {
        let candidate = candidate(&json(bits));
        let mut random = Random(u64::from(bits));
        let weights = common::weights(&mut random, &candidate);
        let program = IntegerProgram::freeze(&candidate, &weights).expect("freezes");
        let rows = common::rows(&mut random, &candidate, 101);
        let codes = program.input_codes(&rows);
        let single: Vec<i64> = codes
            .chunks_exact(5)
            .flat_map(|r| program.trace(r).pop().expect("layers"))
            .collect();
        assert_eq!(program.logits(&codes), single, "{bits} bits");
    }
    let program = IntegerProgram::freeze(&small(), &weights_of(&small())).expect("freezes");
    assert!(program.logits(&[]).is_empty());
}
