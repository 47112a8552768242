//! Every family of quantizers as an activation: a circuit that gives the codes of the fake quantizer for every input, or a
//! fault before anything is trained. Without Yosys and Verilator on PATH the test that needs them says so and passes.

mod common;
#[path = "common/gates.rs"]
mod gates;
#[path = "common/verilator.rs"]
mod verilator;
#[path = "common/yosys.rs"]
mod yosys;

use bitfront_hardware::Inventory;
use bitfront_hardware::circuit::{BuildOptions, Circuit, Operation};
use bitfront_network::{
    ActivationRule, Candidate, Head, IntegerOperation, IntegerProgram, Layer,
    Operation as LayerOperation,
};
use bitfront_quantizer::{Quantizer, Role};
use std::collections::BTreeSet;

/// Activations of every family, and of every shape that a family has.
const ACTIVATIONS: [&str; 34] = [
    "quantized_bits(4,0,alpha=1.0)",
    "quantized_bits(4,1,alpha=2.0)",
    "quantized_bits(1,0,alpha=1.0)",
    "quantized_bits(4,0,alpha='auto')",
    "quantized_linear(4,1)",
    "quantized_linear(1,0)",
    "quantized_relu(4,1)",
    "quantized_relu(4,1,negative_slope=0.25)",
    "quantized_relu(4,1,use_sigmoid=1)",
    "quantized_relu(4,1,relu_upper_bound=1.5,is_quantized_clip=False)",
    "quantized_relu(5,1,1,0.25,sigmoid='real')",
    "quantized_ulaw(4,0)",
    "quantized_tanh(4)",
    "quantized_tanh(5,use_real_tanh=True)",
    "quantized_tanh(5,sigmoid='smooth')",
    "quantized_tanh(13,use_real_tanh=True)",
    "quantized_sigmoid(4)",
    "quantized_sigmoid(5,use_real_sigmoid=True)",
    "quantized_sigmoid(4,symmetric=True,sigmoid='smooth')",
    "quantized_hswish(5,1)",
    "quantized_hswish(6,2,1,relu_shift=2,relu_upper_bound=5)",
    "quantized_hswish(13,2)",
    "quantized_po2(4,max_value=2)",
    "quantized_relu_po2(3,max_value=4)",
    "binary()",
    "binary(use_01=True)",
    "stochastic_binary()",
    "bernoulli()",
    "ternary()",
    "stochastic_ternary()",
    "ap_fixed<4,2>",
    "ap_ufixed<3,1,AP_RND,AP_SAT>",
    "float",
    "relu",
];

/// Families by their place in the list of the page; a new one does not compile until it is here.
fn family(quantizer: &Quantizer) -> usize {
    match quantizer {
        Quantizer::Float => 0,
        Quantizer::Relu => 1,
        Quantizer::QuantizedBits(_) => 2,
        Quantizer::QuantizedLinear(_) => 3,
        Quantizer::QuantizedRelu(_) => 4,
        Quantizer::QuantizedUlaw(_) => 5,
        Quantizer::QuantizedTanh(_) => 6,
        Quantizer::QuantizedSigmoid(_) => 7,
        Quantizer::QuantizedHswish(_) => 8,
        Quantizer::QuantizedPo2(_) => 9,
        Quantizer::QuantizedReluPo2(_) => 10,
        Quantizer::Binary(_) => 11,
        Quantizer::StochasticBinary(_) => 12,
        Quantizer::Bernoulli(_) => 13,
        Quantizer::Ternary(_) => 14,
        Quantizer::StochasticTernary(_) => 15,
        Quantizer::Fixed(_) => 16,
    }
}

fn parsed(text: &str) -> Quantizer {
    text.parse().unwrap_or_else(|e| panic!("{text}: {e}"))
}

fn network(inputs: usize, input: &str, layers: Vec<Layer>) -> Candidate {
    Candidate {
        input_shape: vec![inputs],
        input_quantizer: parsed(input),
        layers,
        head: Head::Linear,
        scale_bits: 12,
    }
}

fn activation(quantizers: &[Quantizer]) -> Layer {
    let quantizers = quantizers.to_vec();
    Layer::new("act", LayerOperation::ChannelActivation { quantizers })
}

fn dense(name: &str, units: usize) -> Layer {
    let operation = LayerOperation::Dense {
        units,
        kernel: parsed("quantized_bits(5,1,alpha=1.0)"),
        bias: Some(parsed("quantized_bits(6,2,alpha=1.0)")),
        fold: None,
    };
    Layer::new(name, operation)
}

fn frozen(candidate: &Candidate) -> IntegerProgram {
    candidate.check().unwrap();
    let weights = common::graphs::weights(candidate, 5);
    IntegerProgram::freeze(candidate, &weights).unwrap()
}

fn tables(circuit: &Circuit) -> usize {
    let nodes = circuit.nodes().iter();
    let is_table = |operation: &Operation| matches!(operation, Operation::Table { .. });
    nodes.filter(|node| is_table(&node.operation)).count()
}

/// The circuit of a program, proven; and that it and integer inference give what is expected of each row.
fn check(program: &IntegerProgram, rows: &[i64], expected: Option<&[i64]>, place: &str) -> Circuit {
    let circuit = Circuit::build(program).unwrap();
    circuit.check_against(program).unwrap();
    let codes: Vec<i32> = rows.iter().map(|&code| code as i32).collect();
    let logits = program.logits(&codes);
    if let Some(expected) = expected {
        assert_eq!(logits, expected, "{place}");
    }
    let evaluated = rows
        .chunks(program.inputs())
        .flat_map(|row| circuit.evaluate(row));
    assert_eq!(evaluated.collect::<Vec<_>>(), logits, "{place}");
    circuit
}

#[test]
fn every_family_has_a_circuit_of_its_codes_or_is_refused_before_training() {
    let mut families = BTreeSet::new();
    let (mut refused, mut by_kind) = (Vec::new(), [0; 3]);
    for text in ACTIVATIONS {
        let quantizer = parsed(text);
        families.insert(family(&quantizer));
        // The accumulator of a kernel, wider than any table.
        let act = activation(&[quantizer; 3]);
        let layers = vec![dense("fc1", 3), act, dense("fc2", 2)];
        let behind_sums = network(6, "quantized_bits(8,2,alpha=1.0)", layers);
        if behind_sums.is_float() {
            // A reference: trained and measured, never a circuit.
            refused.push(text);
            continue;
        }
        if let Err(faults) = behind_sums.check() {
            let fault = faults[0].to_string();
            assert!(
                fault.contains("act") && fault.contains("exact integer form"),
                "{fault}"
            );
            refused.push(text);
            continue;
        }
        let program = frozen(&behind_sums);
        check(&program, &common::rows(&program, 400, 3), None, text);
        for input in [
            "quantized_bits(5,2,alpha=1.0)",
            "quantized_bits(12,3,alpha=1.0)",
        ] {
            let candidate = network(1, input, vec![activation(&[quantizer])]);
            let program = frozen(&candidate);
            let range = program.input.range[0];
            let rows: Vec<i64> = (range.lo..=range.hi).collect();
            let grid = quantizer.grid(Role::Activation).unwrap();
            let codes = rows.iter().map(|&x| {
                let real = x as f32 * 2f32.powi(-program.input.fraction[0]);
                let mut value = [0.0];
                quantizer.quantize(&[real], 1, &mut value);
                let code = f64::from(value[0]) * 2f64.powi(grid.fraction);
                (code as i64) << (program.output_fraction - grid.fraction)
            });
            let expected: Vec<i64> = codes.collect();
            let circuit = check(&program, &rows, Some(&expected), text);
            // As the page says: a requantizer, or comparators or a table.
            for node in circuit.nodes() {
                let kind = match node.operation {
                    Operation::Requantize { .. } => 0,
                    Operation::Steps { .. } => 1,
                    Operation::Table { .. } => 2,
                    _ => continue,
                };
                assert_eq!(quantizer.modes().is_some(), kind == 0, "{text}");
                by_kind[kind] += 1;
            }
        }
    }
    assert_eq!(
        families.into_iter().collect::<Vec<_>>(),
        (0..17).collect::<Vec<_>>()
    );
    assert_eq!(
        refused,
        [
            "quantized_bits(4,0,alpha='auto')",
            "quantized_ulaw(4,0)",
            "quantized_tanh(13,use_real_tanh=True)",
            "quantized_hswish(13,2)",
            "bernoulli()",
            "float",
            "relu",
        ]
    );
    assert!(by_kind.iter().all(|&count| count > 3), "{by_kind:?}");
}

/// Functions of inputs of `bits` bits, and another layer that reads the codes.
fn behind_inputs(bits: u32) -> IntegerProgram {
    let quantizers = [
        "quantized_hswish(5,1)",
        "quantized_tanh(5,use_real_tanh=True)",
        "quantized_sigmoid(4,use_real_sigmoid=True)",
        "quantized_relu(5,1,negative_slope=0.25)",
        "quantized_po2(3,max_value=2)",
        "ternary()",
    ];
    let input = format!("quantized_bits({bits},2,alpha=1.0)");
    let layers = vec![activation(&quantizers.map(parsed)), dense("fc", 3)];
    frozen(&network(quantizers.len(), &input, layers))
}

#[test]
fn a_table_is_chosen_where_it_takes_fewer_luts() {
    let chosen =
        [4, 6, 8, 10, 12].map(|bits| tables(&Circuit::build(&behind_inputs(bits)).unwrap()));
    assert!(chosen.is_sorted_by(|a, b| a >= b), "{chosen:?}");
    assert!(chosen[0] >= 5 && chosen[4] < chosen[0], "{chosen:?}");
    // Six bits are a LUT for each bit of a code.
    let circuit = Circuit::build(&behind_inputs(6)).unwrap();
    let logic = Inventory::of(&circuit);
    assert_eq!(
        (logic.tables, logic.table_selections),
        (chosen[1] as u64, 0)
    );
}

#[test]
fn no_changed_table_is_proven() {
    let program = behind_inputs(6);
    let circuit = Circuit::build(&program).unwrap();
    circuit.check_against(&program).unwrap();
    assert!(tables(&circuit) > 3);
    let IntegerOperation::Activation(ActivationRule::Channels(rules)) =
        &program.layers[0].operation
    else {
        panic!("an activation a channel");
    };
    for channel in 0..rules.len() {
        let ActivationRule::Steps { codes, .. } = &rules[channel] else {
            panic!("a step function");
        };
        for level in 0..codes[0].len() {
            let mut mutant = program.clone();
            let operation = &mut mutant.layers[0].operation;
            let IntegerOperation::Activation(ActivationRule::Channels(rules)) = operation else {
                continue;
            };
            if let ActivationRule::Steps { codes, .. } = &mut rules[channel] {
                codes[0][level] ^= 1;
            }
            assert!(
                circuit.check_against(&mutant).is_err(),
                "channel {channel}, level {level}"
            );
        }
    }
}

#[test]
fn a_function_without_steps_is_a_table_of_a_narrow_source_and_nothing_of_a_wide_one() {
    let quantizer = parsed("quantized_hswish(5,1)");
    let program = |bits: u32| {
        let input = format!("quantized_bits({bits},2,alpha=1.0)");
        let mut program = frozen(&network(1, &input, vec![activation(&[quantizer])]));
        let rule = ActivationRule::Function(quantizer);
        program.layers[0].operation = IntegerOperation::Activation(rule);
        program
    };
    let narrow = program(12);
    let range = narrow.input.range[0];
    let rows: Vec<i64> = (range.lo..=range.hi).collect();
    assert_eq!(tables(&check(&narrow, &rows, None, "narrow")), 1);
    assert_eq!(
        Circuit::build(&program(13)).unwrap_err().to_string(),
        format!(
            "layer act has no circuit: {quantizer} is no step function of its accumulator, of 13 bits; accepted are \
             uniform quantizers, step functions of at most 8192 steps, and others behind at most 12 bits"
        )
    );
}

#[test]
fn tables_pass_every_gate_and_are_priced_as_synthesis_counts_them() {
    if gates::missing_tools() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let root = verilator::build_runtime(folder.path());
    let program = behind_inputs(7);
    let name = "tables";
    let options = BuildOptions::default();
    let passed = gates::pass(folder.path(), &root, name, &program, &options);
    let (costs, counted) = (passed.costs, passed.counted);
    let said = format!(
        "{name}: LUT {} / {}, FF {} / {}, levels {:?} / {}",
        costs.lut_estimate,
        counted.lut,
        costs.ff_estimate,
        counted.ff,
        costs.levels_estimate,
        counted.levels
    );
    println!("{said}");
    assert!(
        100 * costs.lut_estimate.abs_diff(counted.lut) <= 10 * counted.lut,
        "{said}"
    );
    assert_eq!(costs.ff_estimate, counted.ff, "{said}");
}
