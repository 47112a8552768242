//! Counts that no factor to an estimate tells: none at all, and DSP blocks.

use bitfront_hardware::Costs;
use bitfront_hardware::engine::Engine;
use serde_json::json;

use super::engine::tests::counted;
use super::{FEW, Synthesised, check_blocks, check_counts};

fn estimated(lut: u64, ff: u64) -> Costs {
    let costs = json!({
        "bits_parameters": 1, "bits_activations": 1, "bits": 2, "energy_pj": 0.0, "energy_qtools_0_8_pj": 0.0,
        "energy_qtools_0_9_pj": 0.0, "ebops": 0.0, "lut_estimate": lut, "ff_estimate": ff, "dsp_estimate": 0,
        "cycles": 1, "latency_ns": 5.0, "lut_equivalent": lut,
    });
    serde_json::from_value(costs).unwrap()
}

#[test]
fn a_circuit_that_computes_has_tables() {
    for engine in [Engine::Yosys, Engine::Ice40, Engine::Ecp5, Engine::Vivado] {
        // Too few for a factor, but not for none at all.
        for estimate in [1, FEW] {
            let failure =
                check_counts(engine, &counted(0, 4), &estimated(estimate, 4)).unwrap_err();
            assert_eq!(failure.code, "implausible");
            assert!(failure.message.contains("no LUT"), "{failure}");
            check_counts(engine, &counted(2 * estimate, 4), &estimated(estimate, 4)).unwrap();
        }
        // Wires and constants.
        check_counts(engine, &counted(0, 4), &estimated(0, 4)).unwrap();
    }
}

#[test]
fn yosys_takes_a_block_for_each_product_that_is_to_have_one() {
    check_blocks(0, 0).unwrap();
    check_blocks(7, 7).unwrap();
    for (measured, estimate) in [(0, 7), (6, 7), (8, 7), (1, 0)] {
        let failure = check_blocks(measured, estimate).unwrap_err();
        assert_eq!((failure.code, failure.retryable), ("implausible", false));
        let says = format!("counts {measured} DSP blocks where {estimate}");
        assert!(failure.message.contains(&says), "{failure}");
    }
    // Of every circuit, in whatever layout: nobody asks for that here.
    let block = || Synthesised {
        dsp: 1,
        ..counted(40, 40)
    };
    let failure = check_counts(Engine::Yosys, &block(), &estimated(40, 40)).unwrap_err();
    assert!(failure.message.contains("DSP blocks"), "{failure}");
    check_counts(Engine::Vivado, &block(), &estimated(40, 40)).unwrap();
}
