//! Jobs of streamed circuits.

use super::*;

/// A small network on images with reproducible weights of so many bits.
fn images(bits: u32) -> IntegerProgram {
    let q = format!("quantized_bits({bits},0,alpha=1.0)");
    let relu_bits = format!("quantized_relu({bits},1)");
    let window = serde_json::json!({"size": [3, 3], "strides": [1, 1], "dilation": [1, 1], "padding": "same"});
    let dense = |name: &str, units: usize| {
        serde_json::json!({"name": name, "operation":
            {"kind": "dense", "units": units, "kernel": q, "bias": q, "fold": null}})
    };
    let relu = |name: &str| serde_json::json!({"name": name, "operation": {"kind": "activation", "quantizer": relu_bits}});
    let candidate = serde_json::json!({
        "input_shape": [4, 4, 1], "input_quantizer": "quantized_bits(4,1,alpha=1.0)", "head": {"kind": "linear"},
        "layers": [
            {"name": "conv", "operation": {"kind": "conv", "filters": 2, "window": window, "kernel": q, "bias": q, "fold": null}},
            relu("relu1"),
            {"name": "flat", "operation": {"kind": "flatten"}},
            dense("fc", 4),
            relu("relu2"),
            dense("output", 2),
        ],
    });
    let candidate: Candidate = serde_json::from_value(candidate).unwrap();
    let mut state = 11_u32;
    let weights = Weights::build(&candidate, |tensor| {
        let count = tensor.shape.iter().product();
        let mut noise = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            f64::from(state >> 8) as f32 / (1 << 23) as f32 - 1.0
        };
        (0..count).map(|_: usize| noise()).collect()
    });
    freeze(&candidate, &weights).unwrap()
}

#[test]
fn a_streamed_circuit_passes_every_gate_and_a_mutant_does_not() {
    let Some(tools) = found_tools() else { return };
    let cache = tempfile::tempdir().unwrap();
    let folder = tempfile::tempdir_in(cache.path()).unwrap();
    let program = images(4);
    let vectors = Vectors::for_program(&program, OutputForm::Logits, &rows(&program), 2000);
    let target = Target::default();
    let bench = Workbench {
        options: DesignOptions {
            layout: Layout::Streamed { reuse: 2 },
            ..DesignOptions::default()
        },
        ..workbench(&target, &tools, folder.path(), cache.path())
    };
    let result = measure(&bench, &program, &proven(&vectors), &mut Vec::new()).unwrap();
    let circuit = Design::build(&program, &bench.options).unwrap();
    let said = circuit.costs(&program);
    assert!(said.initiation_interval > 16, "{said:?}");
    assert_eq!(
        (result.cycles, result.initiation_interval),
        (said.cycles, said.initiation_interval)
    );
    assert_eq!(
        (result.vectors_checked, result.netlist_vectors_checked),
        (2000, 2000)
    );
    assert_eq!(result.netlist_simulator, netlist::CYCLES);
    assert!(
        result.options.starts_with("streamed circuit; "),
        "{}",
        result.options
    );
    assert_eq!(result.rtl_digest, rtl_digest(&circuit));
    // One bit of one weight of the netlist's network.
    let mut other = program.clone();
    let weights = other
        .layers
        .iter_mut()
        .filter_map(|layer| match &mut layer.operation {
            IntegerOperation::Linear(linear) => Some(&mut linear.kernel),
            _ => None,
        });
    weights.last().unwrap()[1] ^= 1;
    let wrong = Vectors::for_program(&other, OutputForm::Logits, &rows(&program), 2000);
    let run = run_in(folder.path(), &tools);
    let netlist = std::fs::read(folder.path().join(simulate::NETLIST)).unwrap();
    let failed = netlist::check(
        &run,
        Engine::Yosys,
        &netlist,
        &circuit,
        &wrong,
        cache.path(),
    )
    .unwrap_err();
    assert_eq!(code(failed), "netlist-mismatch");
    // The RTL's bench compares the same, and the cycles that are said.
    let simulated = simulate::simulate(&run, Subject::Rtl, &circuit, &wrong, cache.path());
    assert_eq!(code(simulated.unwrap_err()), "mismatch");
}

#[test]
fn a_streamed_circuit_with_blocks_passes_every_gate() {
    let Some(tools) = found_tools() else { return };
    let cache = tempfile::tempdir().unwrap();
    let folder = tempfile::tempdir_in(cache.path()).unwrap();
    let program = images(5);
    let vectors = Vectors::for_program(&program, OutputForm::Logits, &rows(&program), 2000);
    let target = Target::default();
    let bench = Workbench {
        options: DesignOptions {
            layout: Layout::Streamed { reuse: 2 },
            circuit: BuildOptions {
                multipliers: Multipliers::Auto { luts_per_dsp: 40 },
                ..BuildOptions::default()
            },
        },
        ..workbench(&target, &tools, folder.path(), cache.path())
    };
    let result = measure(&bench, &program, &proven(&vectors), &mut Vec::new()).unwrap();
    let said = Design::build(&program, &bench.options).unwrap();
    let said = said.costs(&program);
    assert!(said.dsp_estimate > 2, "{said:?}");
    assert_eq!(result.dsp_measured, said.dsp_estimate);
    assert_eq!(
        (result.vectors_checked, result.netlist_vectors_checked),
        (2000, 2000)
    );
    assert_eq!(result.netlist_simulator, netlist::CYCLES);
    assert!(!result.options.contains("-nodsp"), "{}", result.options);
}
