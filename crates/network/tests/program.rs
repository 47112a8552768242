//! Integer programs: by hand, what is refused, and whether their intervals are tight.

#[expect(dead_code, reason = "each test binary uses its part of the generators")]
mod common;

use std::collections::BTreeMap;

use bitfront_network::{
    Candidate, FreezeError, Head, IntegerOperation, IntegerProgram, Interval, LayerWeights, Linear,
    Operation, Part, Source, Taps, Weights,
};
use common::Random;

fn candidate(json: &str) -> Candidate {
    let candidate: Candidate = serde_json::from_str(json).unwrap_or_else(|e| panic!("{e}: {json}"));
    assert_eq!(candidate.check(), Ok(()));
    candidate
}

/// Dense layers (name, units, kernel, bias) over so many inputs, with relu layers between them.
fn dense(inputs: usize, input: &str, layers: &[(usize, &str, &str)], relu: &str) -> Candidate {
    let mut all = Vec::new();
    for (index, (units, kernel, bias)) in layers.iter().enumerate() {
        if index > 0 {
            all.push(format!(
                r#"{{"name":"relu{index}","operation":{{"kind":"activation","quantizer":"{relu}"}}}}"#
            ));
        }
        all.push(format!(
            r#"{{"name":"fc{}","operation":{{"kind":"dense","units":{units},"kernel":"{kernel}",
                "bias":"{bias}","fold":null}}}}"#,
            index + 1
        ));
    }
    candidate(&format!(
        r#"{{"input_shape":[{inputs}],"input_quantizer":"{input}","layers":[{}],
            "head":{{"kind":"linear"}}}}"#,
        all.join(",")
    ))
}

fn one(layer: LayerWeights) -> Weights {
    Weights {
        layers: vec![layer],
    }
}

fn linear(program: &IntegerProgram, layer: usize) -> &Linear {
    match &program.layers[layer].operation {
        IntegerOperation::Linear(linear) => linear,
        other => panic!("layer {layer} is {other:?}"),
    }
}

#[test]
fn a_network_by_hand() {
    let mut candidate = dense(
        2,
        "quantized_bits(4,1,alpha=1.0)",
        &[
            (2, "quantized_bits(3,0,alpha=1.0)", "quantized_bits(4,0)"),
            (2, "binary(alpha=1.0)", "quantized_bits(4,1)"),
        ],
        "quantized_relu(2,0)",
    );
    candidate.head = Head::ARG_MAX;
    let mut weights = Weights {
        layers: vec![
            // Codes of a quarter: 2, -4; 1, 3. Bias codes of an eighth: 1, 0.
            LayerWeights::dense(vec![0.5, -1.0, 0.25, 0.75], vec![0.125, 0.0]),
            LayerWeights::default(),
            LayerWeights::dense(vec![1.0, -1.0, -1.0, 1.0], vec![0.25, 0.5]),
        ],
    };
    let program = IntegerProgram::freeze(&candidate, &weights).expect("freezes");
    let fc1 = linear(&program, 0);
    assert_eq!(fc1.kernel, [2, -4, 1, 3]);
    // Input codes are quarters (-8..=7), so products are sixteenths, and so is the bias.
    assert_eq!(program.input.range, [Interval { lo: -8, hi: 7 }; 2]);
    assert_eq!(fc1.bias, [2, 0]);
    assert_eq!(program.layers[0].output.fraction, [4, 4]);
    assert_eq!(
        program.layers[0].output.range[0],
        Interval {
            lo: -24 + 2,
            hi: 21 + 2
        }
    );
    assert_eq!(fc1.accumulator_range[0], Interval { lo: -24, hi: 23 });
    // x = (1.0, -0.5): codes 4, -2. Sums: 8 - 2 + 2 = 8 sixteenths, -16 - 6 = -22 sixteenths.
    let codes = program.input_codes(&[1.0, -0.5]);
    assert_eq!(codes, [4, -2]);
    // Quarters: 2 and 0. Then 0.5 + 0.25 and -0.5 + 0.5.
    assert_eq!(
        program.trace(&codes),
        [vec![8, -22], vec![2, 0], vec![3, 0]]
    );
    assert_eq!(program.logits(&codes), [3, 0]);
    assert_eq!(program.output_fraction, 2);
    assert_eq!(program.classify(&codes), Some(vec![0]));
    // A tie goes to the lowest index.
    weights.layers[2] = LayerWeights::dense(vec![1.0; 4], vec![0.25, 0.25]);
    let program = IntegerProgram::freeze(&candidate, &weights).expect("freezes");
    let codes = program.input_codes(&[1.0, -0.5, 0.0, 1.0]);
    assert_eq!(program.classify(&codes), Some(vec![0, 0]));
    assert!(program.logits(&[]).is_empty());
}

#[test]
fn freezing_names_what_it_refuses() {
    let refuse = |candidate: &Candidate, weights: &Weights| {
        IntegerProgram::freeze(candidate, weights).expect_err("refused")
    };
    let bits = "quantized_bits(24,0,alpha=1.0)";
    let narrow = dense(1, bits, &[(1, bits, "quantized_po2(5,max_value=1)")], "");
    let program = IntegerProgram::freeze(&narrow, &one(LayerWeights::dense(vec![0.9], vec![1e-4])));
    let fraction = program.expect("46 bits fit").layers[0]
        .output
        .fraction
        .clone();
    assert_eq!(fraction, [46]);

    let far = dense(1, bits, &[(1, bits, "quantized_bits(24,20,alpha=1.0)")], "");
    let error = refuse(&far, &one(LayerWeights::dense(vec![0.9], vec![1e6])));
    let FreezeError::TooWide {
        place,
        bits: needed,
    } = &error
    else {
        panic!("{error}");
    };
    assert!(place.starts_with("fc1") && *needed > 54, "{error}");

    let error = refuse(&far, &one(LayerWeights::dense(vec![0.9, 0.1], vec![1.0])));
    assert_eq!(
        error.to_string(),
        "fc1.kernel: 2 weights; its shape needs 1"
    );
    let error = refuse(&far, &one(LayerWeights::dense(vec![f32::NAN], vec![1.0])));
    assert!(
        matches!(&error, FreezeError::NotExact { place, .. } if place == "fc1.kernel"),
        "{error}"
    );

    let normalise = candidate(
        r#"{"input_shape":[1],"input_quantizer":"quantized_bits(4,0,alpha=1.0)","layers":[
            {"name":"norm1","operation":{"kind":"batch_norm","epsilon":0.001,"momentum":0.99,
             "scale_bits":1,"offset_bits":8}}],"head":{"kind":"linear"}}"#,
    );
    let bad = Weights::build(&normalise, |spec| match spec.part {
        Part::Variance => vec![-1.0],
        _ => vec![1.0],
    });
    let error = refuse(&normalise, &bad);
    assert!(
        error.to_string().contains("norm1") && error.to_string().contains("variance -1"),
        "{error}"
    );

    // What may be trained and not scored.
    for (quantizer, reason) in [
        ("bernoulli()", "draws at random"),
        ("float", "float reference"),
        ("quantized_ulaw(4,0)", "no uniform grid"),
        ("quantized_bits(4,0,alpha=0.3)", "not a power of two"),
        (
            "quantized_bits(4,0,alpha=1.0,qnoise_factor=0.5)",
            "qnoise_factor",
        ),
    ] {
        let mut trained = narrow.clone();
        let Operation::Dense { kernel, .. } = &mut trained.layers[0].operation else {
            panic!("a dense layer");
        };
        *kernel = quantizer.parse().expect("accepted");
        let error = refuse(&trained, &one(LayerWeights::dense(vec![0.9], vec![0.5])));
        let text = error.to_string();
        assert!(
            text.starts_with("fc1.kernel") && text.contains(reason),
            "{text}"
        );
    }
}

/// Every input of a small network, as codes: `levels ^ inputs` rows.
fn all_inputs(program: &IntegerProgram) -> Vec<i32> {
    let ranges: Vec<Interval> = (0..program.inputs())
        .map(|i| program.input.range[i % program.input.range.len()])
        .collect();
    let mut rows: Vec<Vec<i32>> = vec![Vec::new()];
    for Interval { lo, hi } in ranges {
        let longer = |row: &Vec<i32>, code: i64| [row.as_slice(), &[code as i32]].concat();
        rows = rows
            .iter()
            .flat_map(|row| (lo..=hi).map(move |code| longer(row, code)))
            .collect();
    }
    rows.concat()
}

/// Whether a layer's stated ranges must occur: no border (its zeros come in combinations of their
/// own), and no second step whose inputs depend on one another.
fn is_tight(operation: &IntegerOperation) -> bool {
    match operation {
        IntegerOperation::Linear(linear) => match linear.taps {
            Taps::Dense => true,
            Taps::Window(geometry) | Taps::Depthwise(geometry) => !geometry.reads_border(),
        },
        IntegerOperation::Separable { .. } => false,
        _ => true,
    }
}

/// Over all inputs of networks of one layer, the stated ranges hold, and are those that occur.
#[test]
fn ranges_of_one_layer_are_what_all_inputs_give() {
    let mut tight = BTreeMap::<&str, usize>::new();
    for seed in 0..6000 {
        let mut random = Random(seed);
        let mut candidate = common::graph::candidate(&mut random);
        candidate.layers.truncate(1);
        candidate.head = Head::Linear;
        let input = random.pick(&[
            "quantized_bits(2,0,alpha=1.0)",
            "quantized_relu(2,1)",
            "ternary()",
        ]);
        candidate.input_quantizer = input.parse().expect("accepted");
        if candidate.check().is_err() || candidate.inputs() > 5 {
            continue;
        }
        let weights = common::weights(&mut random, &candidate);
        let Ok(program) = IntegerProgram::freeze(&candidate, &weights) else {
            continue;
        };
        let layer = &program.layers[0];
        let stated = &layer.output.range;
        let mut seen: Vec<Option<Interval>> = vec![None; stated.len()];
        for row in all_inputs(&program).chunks_exact(program.inputs()) {
            for (j, code) in program.trace(row)[0].iter().enumerate() {
                let seen = &mut seen[j % stated.len()];
                let point = Interval::point(*code);
                *seen = Some(seen.map_or(point, |seen| seen.hull(point)));
            }
        }
        for (channel, (stated, seen)) in stated.iter().zip(seen).enumerate() {
            let seen = seen.expect("every channel has values");
            let place =
                format!("seed {seed} channel {channel}: {stated:?} {seen:?}\n{candidate:?}");
            assert!(stated.lo <= seen.lo && seen.hi <= stated.hi, "{place}");
            if is_tight(&layer.operation) {
                assert_eq!(*stated, seen, "{place}");
            }
        }
        if is_tight(&layer.operation) {
            *tight
                .entry(candidate.layers[0].operation.kind())
                .or_default() += 1;
        }
    }
    println!("networks whose ranges all occur: {tight:?}");
    assert!(
        tight.len() >= 11 && tight.values().all(|count| *count >= 3),
        "{tight:?}"
    );
}

/// Corners: each input at the end that drives an accumulator up, then down, the bias first and last.
/// Every partial sum stays in its interval, and both ends of the finished sum are reached.
#[test]
fn intervals_hold_every_partial_sum_and_are_tight() {
    let mut corners = 0;
    for seed in 0..1500 {
        let mut random = Random(1_000_000 + seed);
        let candidate = common::graph::candidate(&mut random);
        let weights = common::weights(&mut random, &candidate);
        let Ok(program) = IntegerProgram::freeze(&candidate, &weights) else {
            continue;
        };
        for layer in &program.layers {
            let IntegerOperation::Linear(linear) = &layer.operation else {
                continue;
            };
            let input = match layer.sources[0] {
                Source::Input => &program.input,
                Source::Layer(at) => &program.layers[at].output,
            };
            let (border, depthwise) = match linear.taps {
                Taps::Dense => (false, false),
                Taps::Window(geometry) => (geometry.reads_border(), false),
                Taps::Depthwise(geometry) => (geometry.reads_border(), true),
            };
            for j in 0..linear.outputs {
                // Codes of the kernel that belong to this output, with their input channels.
                let inputs = linear.inputs;
                let at = linear
                    .kernel
                    .iter()
                    .enumerate()
                    .filter(|(at, _)| at % linear.outputs == j);
                let products: Vec<(i64, Interval, u32)> = at
                    .map(|(at, k)| {
                        let i = if depthwise {
                            j * inputs / linear.outputs
                        } else {
                            at / linear.outputs % inputs
                        };
                        (*k, input.range[i], linear.input_shift[i])
                    })
                    .collect();
                for (bias_first, up) in [(false, false), (false, true), (true, false), (true, true)]
                {
                    let ends = corner(linear, j, &products, bias_first, up);
                    let Interval { lo, hi } = layer.output.range[j];
                    assert!(
                        (lo..=hi).contains(&ends),
                        "seed {seed} {} output {j}",
                        layer.name
                    );
                    if !border {
                        assert_eq!(
                            ends,
                            if up { hi } else { lo },
                            "seed {seed} {} output {j}: not tight",
                            layer.name
                        );
                        corners += 1;
                    }
                }
            }
        }
    }
    println!("{corners} corners reached");
    assert!(corners > 10_000);
}

/// The finished sum of one corner.
fn corner(
    linear: &Linear,
    j: usize,
    products: &[(i64, Interval, u32)],
    bias_first: bool,
    up: bool,
) -> i64 {
    let Interval { lo, hi } = linear.accumulator_range[j];
    let held = |sum: i64| assert!((lo..=hi).contains(&sum), "{sum} is not in {lo}..={hi}");
    let mut sum = if bias_first { linear.bias[j] } else { 0 };
    for (k, range, shift) in products {
        let factor = k * linear.multiplier[j];
        let x = if (factor > 0) == up {
            range.hi
        } else {
            range.lo
        };
        sum += ((x << shift) * factor) << linear.product_shift[j];
        held(sum);
    }
    if !bias_first {
        sum += linear.bias[j];
        held(sum);
    }
    sum
}
