//! Rules of thumb that other projects publish, held against our own estimates in wide bands: they catch an estimate that is
//! wrong by a factor, and say nothing of how well one fits.

mod common;

use bitfront_hardware::circuit::{BuildOptions, Circuit, Multipliers, signed_digits};
use bitfront_hardware::{Costs, Inventory, LUTS_PER_DSP, circuit_costs};
use bitfront_network::{IntegerOperation, IntegerProgram};
use common::{Spec, program};
use std::ops::Range;

/// Jet taggers of some widths, dense and with most weights pruned.
fn taggers() -> Vec<(String, IntegerProgram)> {
    let mut taggers = Vec::new();
    for (weight_bits, zeros, seed) in [(4, 0, 1), (6, 0, 2), (6, 75, 3), (8, 50, 4)] {
        let spec = Spec {
            widths: vec![16, 24, 16, 5],
            input_bits: 8,
            weight_bits,
            activation_bits: 6,
            zeros,
            seed,
            ..Spec::default()
        };
        taggers.push((format!("w{weight_bits}, {zeros} % zeros"), program(&spec)));
    }
    taggers
}

fn costs(program: &IntegerProgram, multipliers: Multipliers) -> (Circuit, Costs) {
    let options = BuildOptions {
        multipliers,
        ..BuildOptions::default()
    };
    let circuit = Circuit::build_with(program, &options).unwrap();
    let costs = circuit_costs(program, &circuit);
    (circuit, costs)
}

#[track_caller]
fn within(what: &str, ratio: f64, band: Range<f64>) {
    println!("{what}: {ratio:.2}");
    assert!(band.contains(&ratio), "{what}: {ratio} is not in {band:?}");
}

/// HGQ's documentation: made by distributed arithmetic, a network takes fewer LUTs than it has EBOPs. Its eight published jet
/// taggers have adders of 0.70 to 0.79 times as many bits.
#[test]
fn ebops_are_above_the_bits_of_adder_graphs_and_of_their_order() {
    for (name, program) in taggers() {
        let (circuit, costs) = costs(&program, Multipliers::Luts);
        let bits = Inventory::of(&circuit).adder_bits as f64;
        within(&name, bits / costs.ebops, 0.35..1.0);
    }
}

/// HGQ (Sun et al., arXiv 2405.00645): EBOPs are about LUT + 55 DSP behind placement and routing.
#[test]
fn luts_and_55_for_each_block_are_about_the_ebops() {
    for (name, program) in taggers() {
        let price = Multipliers::Auto {
            luts_per_dsp: LUTS_PER_DSP,
        };
        for multipliers in [Multipliers::Luts, price] {
            let (_, costs) = costs(&program, multipliers);
            let said = costs.lut_estimate + 55 * costs.dsp_estimate;
            assert_eq!(costs.lut_equivalent, said);
            within(&name, said as f64 / costs.ebops, 0.4..2.0);
        }
    }
}

/// One layer of a product each, of variables of so many bits.
fn constants(input_bits: u32, factors: &[i64]) -> IntegerProgram {
    let count = factors.len();
    let mut program = program(&Spec {
        widths: vec![count, count],
        input_bits,
        ..Spec::default()
    });
    let IntegerOperation::Linear(linear) = &mut program.layers[0].operation else {
        unreachable!("a dense layer")
    };
    linear.bias.fill(0);
    linear.kernel.fill(0);
    for (at, factor) in factors.iter().enumerate() {
        linear.kernel[at * count + at] = *factor;
    }
    program
}

/// hls4ml's kinds of products: a power of two is a shift, and a weight of -1, 0 or 1 passes, drops or negates.
#[test]
fn powers_of_two_multiply_for_nothing() {
    let (circuit, costs) = costs(&constants(8, &[1, 2, 64, 0, 1024]), Multipliers::Dsps);
    assert_eq!(
        (Inventory::of(&circuit).adder_bits, costs.dsp_estimate),
        (0, 0)
    );
    assert_eq!(costs.lut_estimate, 0);
    let (circuit, costs) = self::costs(&constants(8, &[-1, -4]), Multipliers::Dsps);
    assert_eq!(costs.dsp_estimate, 0);
    // A negation is one adder at most.
    assert!(Inventory::of(&circuit).adder_bits <= 2 * 11);
}

/// Builds of hls4ml: constants of at most two signed digits stay shifts and adders, wide ones of many digits take a DSP block.
#[test]
fn constants_of_many_digits_take_blocks_and_those_of_two_do_not() {
    let few = [3, 5, 96, 257, 4095, -1023];
    let many = [
        0b1010_1010_1010_1011,
        -0b101_0101_0101_0101,
        0b1_0010_1010_1010_1001,
    ];
    assert!(few.iter().all(|factor| signed_digits(*factor).len() <= 2));
    assert!(many.iter().all(|factor| signed_digits(*factor).len() >= 6));
    let price = Multipliers::Auto {
        luts_per_dsp: LUTS_PER_DSP,
    };
    let blocks = |factors: &[i64]| costs(&constants(16, factors), price).1.dsp_estimate;
    assert_eq!(blocks(&few), 0);
    assert_eq!(blocks(&many), many.len() as u64);
}
