//! The checks of a job, each seen to fail. Without the tools on PATH the tests that need them say so
//! and pass, or fail with `BITFRONT_REQUIRE_TOOLS=1`.

use super::*;
use crate::tools::Tool;
use crate::trial::freeze;
use bitfront_hardware::circuit::{BuildOptions, Multipliers, OutputForm};
use bitfront_hardware::design::Layout;
use bitfront_network::{DenseStack, IntegerOperation, StackLayer};

#[path = "../../../crates/hardware/tests/common/skipped.rs"]
mod skipped;
use skipped::skipped;

/// A network with reproducible weights.
fn program(units: &[usize]) -> IntegerProgram {
    let q = |text: &str| text.parse().unwrap();
    let mut state = 11_u32;
    let mut noise = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        f64::from(state >> 8) as f32 / (1 << 23) as f32 - 1.0
    };
    let layers = units.windows(2).enumerate().map(|(n, pair)| StackLayer {
        name: format!("fc{}", n + 1),
        inputs: pair[0],
        units: pair[1],
        kernel: q("quantized_bits(4,0,alpha=1.0)"),
        bias: q("quantized_bits(4,0,alpha=1.0)"),
        activation: (n + 2 < units.len())
            .then(|| (format!("relu{}", n + 1), q("quantized_relu(4,1)"))),
    });
    let candidate = DenseStack {
        inputs: units[0],
        input_quantizer: q("quantized_bits(6,2,alpha=1.0)"),
        layers: layers.collect(),
        positions: Vec::new(),
    }
    .candidate();
    let weights = Weights::build(&candidate, |tensor| {
        (0..tensor.shape.iter().product())
            .map(|_| noise())
            .collect()
    });
    freeze(&candidate, &weights).unwrap()
}

fn unrolled(program: &IntegerProgram) -> Design {
    Design::build(program, &DesignOptions::default()).unwrap()
}

/// Vectors of a circuit with ranges of interval analysis.
fn proven(vectors: &Vectors) -> Evidence {
    Evidence {
        observed: None,
        vectors: vectors.clone(),
        outside: None,
    }
}

fn found_tools() -> Option<Tools> {
    let tools = Tools::find();
    if !tools.can_synthesise() {
        skipped(&tools.missing().join(", "));
        return None;
    }
    Some(tools)
}

/// Where circuits of the default options are measured.
fn workbench<'a>(
    target: &'a Target,
    tools: &'a Tools,
    folder: &'a Path,
    cache: &'a Path,
) -> Workbench<'a> {
    Workbench {
        target,
        tools,
        limits: Limits::default(),
        folder,
        cache,
        stopped: &|| false,
        log: &|_| {},
        options: DesignOptions::default(),
    }
}

fn code(ended: Ended) -> &'static str {
    match ended {
        Ended::Failed(failure) => failure.code,
        Ended::Stopped => "stopped",
    }
}

fn rows(program: &IntegerProgram) -> Vec<f32> {
    (0..50 * program.inputs())
        .map(|n| (n % 37) as f32 / 9.0 - 2.0)
        .collect()
}

#[test]
fn vectors_are_corners_test_rows_and_random_rows() {
    let program = program(&[3, 4, 2]);
    let vectors = Vectors::for_program(&program, OutputForm::Logits, &rows(&program), 10);
    assert_eq!(vectors.rows, vectors::FEWEST);
    assert_eq!(vectors.inputs.len(), vectors.rows * 3);
    assert_eq!(vectors.expected.len(), vectors.rows * 2);
    let codes: Vec<i64> = program
        .input_codes(&rows(&program)[..3])
        .into_iter()
        .map(i64::from)
        .collect();
    assert!(vectors.inputs.chunks(3).any(|row| row == codes));
    let more = Vectors::for_program(&program, OutputForm::Logits, &[], 3000);
    assert_eq!(more.rows, 3000);
    assert_eq!(
        more,
        Vectors::for_program(&program, OutputForm::Logits, &[], 3000)
    );
}

#[test]
fn a_graph_that_differs_from_integer_inference_is_named() {
    let program = program(&[3, 4, 2]);
    let mut vectors = Vectors::for_program(&program, OutputForm::Logits, &rows(&program), 2000);
    let circuit = unrolled(&program);
    check_circuit(&circuit, &program, &vectors, &|| false).unwrap();
    vectors.expected[1777] += 1;
    let failed = check_circuit(&circuit, &program, &vectors, &|| false).unwrap_err();
    assert_eq!(code(failed), "circuit-mismatch");
    // Another program's circuit is refused by its coefficients alone.
    let mut other = program.clone();
    let IntegerOperation::Linear(linear) = &mut other.layers[0].operation else {
        unreachable!("the first layer is dense")
    };
    linear.kernel[1] += 1;
    let failed = check_circuit(&circuit, &other, &vectors, &|| false).unwrap_err();
    assert_eq!(code(failed), "kernel-mismatch");
    let stopped = check_circuit(&circuit, &program, &vectors, &|| true).unwrap_err();
    assert_eq!(stopped, Ended::Stopped);
}

#[test]
fn a_single_wrong_bit_in_the_simulation_is_a_mismatch() {
    let Some(tools) = found_tools() else { return };
    let cache = tempfile::tempdir().unwrap();
    let folder = tempfile::tempdir_in(cache.path()).unwrap();
    let run = Run {
        tools: &tools,
        limits: Limits::default(),
        folder: folder.path(),
        stopped: &|| false,
    };
    let program = program(&[3, 4, 2]);
    let circuit = unrolled(&program);
    let vectors = Vectors::for_program(&program, OutputForm::Logits, &rows(&program), 2000);
    let rtl = circuit.verilog(MODULE);
    std::fs::write(folder.path().join(BENCH), circuit.test_bench(MODULE)).unwrap();
    let simulate = |rtl: &str, vectors: &Vectors| {
        let _ = std::fs::remove_dir_all(folder.path().join("model"));
        std::fs::write(folder.path().join(RTL), rtl).unwrap();
        simulate::simulate(&run, Subject::Rtl, &circuit, vectors, cache.path())
    };
    assert_eq!(simulate(&rtl, &vectors), Ok(2000));

    let mut wrong = vectors.clone();
    wrong.expected[3999] ^= 1;
    let Err(Ended::Failed(failure)) = simulate(&rtl, &wrong) else {
        panic!("a wrong bit passed")
    };
    assert_eq!((failure.code, failure.retryable), ("mismatch", false));
    assert!(
        failure
            .message
            .contains("1 of 2000 vectors, first on vector 1999"),
        "{failure}"
    );

    // A circuit with one adder turned into a subtraction.
    let mutant = rtl.replacen(" + ", " - ", 1);
    assert_ne!(mutant, rtl);
    assert_eq!(code(simulate(&mutant, &vectors).unwrap_err()), "mismatch");
}

#[test]
fn evidence_is_kept_when_a_job_fails() {
    let tools = Tools::default();
    let folder = tempfile::tempdir().unwrap();
    let program = program(&[3, 4, 2]);
    let vectors = Vectors::for_program(&program, OutputForm::Logits, &[], 2000);
    let mut artifacts = Vec::new();
    let target = Target::default();
    let bench = workbench(&target, &tools, folder.path(), folder.path());
    let failed = measure(&bench, &program, &proven(&vectors), &mut artifacts).unwrap_err();
    assert_eq!(code(failed), "internal");
    let kinds: Vec<_> = artifacts.iter().map(|a| a.kind).collect();
    assert_eq!(kinds, ["rtl", "testbench", "vectors", "constraints"]);
}

/// What synthesis for an engine makes of RTL, by Yosys alone.
fn netlist_of(run: &Run<'_>, engine: Engine, rtl: &str) -> String {
    let family = match engine {
        Engine::Yosys => return netlist_of_yosys(run, rtl),
        Engine::Ice40 => nextpnr::ICE40,
        _ => nextpnr::ECP5,
    };
    std::fs::write(run.folder.join(RTL), rtl).unwrap();
    let script = nextpnr::circuit_script(&family, MODULE);
    let yosys = run.tools.get("yosys").unwrap();
    run.tool("yosys", &yosys.path, &["-p".into(), script.into()])
        .unwrap();
    let left = |name: &str| std::fs::read_to_string(run.folder.join(name)).unwrap();
    nextpnr::count(&family, &left("stat.txt")).unwrap();
    left(simulate::NETLIST)
}

fn netlist_of_yosys(run: &Run<'_>, rtl: &str) -> String {
    std::fs::write(run.folder.join(RTL), rtl).unwrap();
    let program = program(&[3, 4, 2]);
    let subject = engine::Subject {
        program: &program,
        circuit: &unrolled(&program),
        vectors: &Vectors::for_program(&program, OutputForm::Logits, &[], 2000),
    };
    let synthesised = engine::of(Engine::Yosys).synthesise(run, &subject, "", 5_000);
    String::from_utf8(synthesised.unwrap().netlist.unwrap()).unwrap()
}

#[test]
fn a_netlist_of_another_network_or_with_one_wrong_table_is_a_mismatch() {
    let Some(tools) = found_tools() else { return };
    let cache = tempfile::tempdir().unwrap();
    let folder = tempfile::tempdir_in(cache.path()).unwrap();
    let run = Run {
        tools: &tools,
        limits: Limits::default(),
        folder: folder.path(),
        stopped: &|| false,
    };
    let program = program(&[3, 4, 2]);
    let circuit = unrolled(&program);
    let vectors = Vectors::for_program(&program, OutputForm::Logits, &rows(&program), 2000);
    std::fs::write(folder.path().join(BENCH), circuit.test_bench(MODULE)).unwrap();
    let own = |engine: Engine, text: &str| {
        netlist::check(
            &run,
            engine,
            text.as_bytes(),
            &circuit,
            &vectors,
            cache.path(),
        )
    };
    // Both simulators, which must say the same.
    let simulate = |engine: Engine, netlist: &str| {
        let subject = Subject::Netlist(engine);
        let _ = std::fs::remove_dir_all(folder.path().join(subject.model()));
        std::fs::write(folder.path().join(simulate::NETLIST), netlist).unwrap();
        let by_verilator = simulate::simulate(&run, subject, &circuit, &vectors, cache.path());
        let own = own(engine, netlist);
        match &own {
            Ok((_, simulator)) => assert_eq!(*simulator, netlist::OWN),
            Err(_) => assert!(by_verilator.is_err()),
        }
        assert_eq!(own.map(|checked| checked.0), by_verilator);
        by_verilator
    };
    // One bit of one weight, in a netlist of the same ports.
    let mut other = program.clone();
    let IntegerOperation::Linear(linear) = &mut other.layers[0].operation else {
        unreachable!("the first layer is dense")
    };
    linear.kernel[1] ^= 1;
    let other = unrolled(&other);
    assert_eq!(other.input_bits(), circuit.input_bits());
    // The lowest row of one table of a sum of two bits; a carry of ECP5, which has rows that never occur, adds their inverse.
    for (engine, right, wrong) in [
        (Engine::Yosys, ".INIT(4'h6)", ".INIT(4'h7)"),
        (Engine::Ice40, ".LUT_INIT(16'h6996)", ".LUT_INIT(16'h6997)"),
        (Engine::Ecp5, ".INIT0(16'h96aa)", ".INIT0(16'h69aa)"),
    ] {
        let netlist = netlist_of(&run, engine, &circuit.verilog(MODULE));
        assert_eq!(simulate(engine, &netlist), Ok(2000), "{engine}");
        let mutant = netlist.replacen(right, wrong, 1);
        assert_ne!(mutant, netlist, "{engine}: no table of that sum");
        let refused = match engine {
            Engine::Yosys => simulate(engine, &mutant).map(|_| ()),
            _ => own(engine, &mutant).map(|_| ()),
        };
        let refused = refused.unwrap_err();
        assert_eq!(code(refused), "netlist-mismatch", "{engine}");
        let netlist = netlist_of(&run, engine, &other.verilog(MODULE));
        let refused = own(engine, &netlist).unwrap_err();
        assert_eq!(code(refused), "netlist-mismatch", "{engine}");
    }

    let netlist = netlist_of(&run, Engine::Yosys, &circuit.verilog(MODULE));
    // The same as Vivado would write it.
    let vendors = netlist
        .replacen(
            "module ",
            "`timescale 1 ps / 1 ps\n(* STRUCTURAL_NETLIST = \"yes\" *)\nmodule ",
            1,
        )
        .replacen(
            "endmodule",
            "  VCC VCC\n       (.P(\\<const1> ));\nendmodule",
            1,
        )
        .replacen(
            "  LUT",
            "  wire \\<const1> ;\n  (* SOFT_HLUTNM = \"soft_lutpair0\" *) \n  LUT",
            1,
        )
        + "`ifndef GLBL\nmodule glbl ();\nendmodule\n`endif\n";
    let own = |text: &str| own(Engine::Vivado, text);
    assert_eq!(own(&vendors), Ok((2000, netlist::OWN)));
    let wrong = vendors.replacen(".INIT(4'h6)", ".INIT(4'h7)", 1);
    assert_eq!(code(own(&wrong).unwrap_err()), "netlist-mismatch");
}

#[test]
fn counts_far_from_their_estimate_are_refused() {
    for (measured, estimate) in [(0, 0), (90, 0), (0, 30), (300, 1000), (3000, 1000)] {
        plausible("LUT", measured, estimate).unwrap();
    }
    for (measured, estimate) in [(91, 0), (0, 31), (299, 1000), (3001, 1000)] {
        let failure = plausible("LUT", measured, estimate).unwrap_err();
        assert_eq!(failure.code, "implausible");
    }
    // By engine: four-input tables are more than the LUTs that are estimated, and a carry of ECP5 takes two of them.
    let program = program(&[8, 6, 4]);
    let estimate = unrolled(&program).costs(&program);
    let refused = |engine, lut: u64, carry, ff| {
        let counts = Synthesised {
            carry,
            ..engine::tests::counted(lut, ff)
        };
        let found = check_counts(engine, &counts, &estimate);
        found.err().map(|failure| failure.message)
    };
    let (told, ff) = (estimate.lut_estimate, estimate.ff_estimate);
    assert!(told > FEW);
    let expected = |engine| match engine {
        Engine::Ice40 => nextpnr::ICE40.tables(0, 0, told).1,
        Engine::Ecp5 => nextpnr::ECP5.tables(0, 0, told).1,
        _ => told,
    };
    for engine in [Engine::Yosys, Engine::Ice40, Engine::Ecp5] {
        let expected = expected(engine);
        assert_eq!(refused(engine, 3 * expected, 0, ff), None);
        let message = refused(engine, 3 * expected + 1, 0, ff).unwrap();
        let says = format!("where {expected} are estimated");
        assert!(message.contains(&says), "{message}");
        assert!(refused(engine, expected / 4, 0, ff).is_some());
        let message = refused(engine, expected, 0, 3 * ff + 1).unwrap();
        assert!(message.contains("flip-flops"), "{message}");
    }
    assert!(expected(Engine::Ice40) > told);
    assert_eq!(
        refused(Engine::Ice40, 3 * expected(Engine::Ice40), 1, ff),
        None
    );
    assert!(refused(Engine::Ecp5, 3 * expected(Engine::Ecp5), 1, ff).is_some());
    assert_eq!(
        refused(Engine::Ecp5, 0, expected(Engine::Ecp5) / 2, ff),
        None
    );
    assert_eq!(refused(Engine::Vitis, 100 * told, 0, 0), None);
}

#[test]
fn products_in_blocks_pass_every_gate_and_are_counted_as_said() {
    let Some(tools) = found_tools() else { return };
    let cache = tempfile::tempdir().unwrap();
    let folder = tempfile::tempdir_in(cache.path()).unwrap();
    let program = program(&[6, 4, 2]);
    let vectors = Vectors::for_program(&program, OutputForm::Logits, &rows(&program), 2000);
    let target = Target::default();
    let bench = Workbench {
        options: DesignOptions {
            circuit: BuildOptions {
                multipliers: Multipliers::Dsps,
                ..BuildOptions::default()
            },
            layout: Layout::Unrolled,
        },
        ..workbench(&target, &tools, folder.path(), cache.path())
    };
    let result = measure(&bench, &program, &proven(&vectors), &mut Vec::new()).unwrap();
    let circuit = Design::build(&program, &bench.options).unwrap();
    let said = circuit.costs(&program).dsp_estimate;
    assert!(said > 0);
    assert_eq!((result.dsp_measured, result.cells["DSP48E2"]), (said, said));
    assert!(!result.options.contains("-nodsp"), "{}", result.options);
    assert_eq!(
        (result.vectors_checked, result.netlist_vectors_checked),
        (2000, 2000)
    );
    assert_eq!(result.netlist_simulator, netlist::OWN);
}

#[test]
fn a_circuit_within_the_train_rows_passes_every_gate_on_them_and_says_so() {
    let program = program(&[6, 5, 2]);
    let train: Vec<f32> = (0..3000 * 6)
        .map(|n| (n * 7919 % 101) as f32 / 200.0)
        .collect();
    let test: Vec<f32> = train.iter().take(60).map(|x| 3.0 - 9.0 * x).collect();
    let mut options = DesignOptions::default();
    let wide = Design::build(&program, &options).unwrap().costs(&program);
    options.circuit.ranges = Ranges::Data;
    let mut evidence = Evidence::new(&program, &options, (&train, &test), 0);
    let codes = program.input_codes(&train);
    let codes: Vec<i64> = codes.into_iter().map(i64::from).collect();
    let train_rows: Vec<&[i64]> = codes.chunks(6).collect();
    assert_eq!(evidence.vectors.rows, 2000);
    let mut vectors = evidence.vectors.inputs.chunks(6);
    assert!(vectors.all(|row| train_rows.contains(&row)));
    let (rows, outside) = evidence.outside.unwrap();
    assert!(rows == 10 && outside > 0, "{outside} of {rows}");

    let Some(tools) = found_tools() else { return };
    let cache = tempfile::tempdir().unwrap();
    let folder = tempfile::tempdir_in(cache.path()).unwrap();
    let target = Target::default();
    let bench = Workbench {
        options,
        ..workbench(&target, &tools, folder.path(), cache.path())
    };
    let result = measure(&bench, &program, &evidence, &mut Vec::new()).unwrap();
    assert_eq!(
        (result.vectors_checked, result.netlist_vectors_checked),
        (2000, 2000)
    );
    assert!(result.options.contains("ranges of the train rows"));
    assert!(result.lut_estimate < wide.lut_estimate, "{result:?}");

    // Ranges of two rows are not those of the others.
    let two = program.input_codes(&train[..12]);
    evidence.observed = Some(bitfront_hardware::circuit::Observed::of(&program, &two));
    let failed = measure(&bench, &program, &evidence, &mut Vec::new()).unwrap_err();
    assert_eq!(code(failed), "circuit-mismatch");
}

#[test]
fn a_small_circuit_is_placed_and_routed_behind_few_pads() {
    let Some(tools) = found_tools() else { return };
    if !tools.engines().contains(&Engine::Ice40) {
        skipped("nextpnr-ice40");
        return;
    }
    let cache = tempfile::tempdir().unwrap();
    let folder = tempfile::tempdir_in(cache.path()).unwrap();
    let program = program(&[3, 4, 2]);
    let vectors = Vectors::for_program(&program, OutputForm::Logits, &rows(&program), 2000);
    let mut artifacts = Vec::new();
    let target = Target::new(Engine::Ice40, None, "", Devices::known()).unwrap();
    let bench = workbench(&target, &tools, folder.path(), cache.path());
    let result = measure(&bench, &program, &proven(&vectors), &mut artifacts).unwrap();
    assert_eq!(result.tool, "yosys-nextpnr-ice40");
    assert_eq!(result.stage, bitfront_hardware::engine::Stage::PostRoute);
    assert!(
        result.lut_measured > 0 && result.fmax_mhz.unwrap() > 10.0,
        "{result:?}"
    );
    // The pads' shift registers are not the circuit's.
    let circuit = unrolled(&program);
    let estimate = circuit.costs(&program).ff_estimate;
    assert!(
        result.ff_measured <= estimate + 2,
        "{} of {estimate}",
        result.ff_measured
    );
    assert_eq!(result.part.as_deref(), Some("hx8k-ct256"));
    assert!(result.options.contains("--seed 1") && result.tool_versions.len() == 2);
    assert_eq!(
        (result.vectors_checked, result.netlist_vectors_checked),
        (2000, 2000)
    );
    assert_eq!(result.netlist_simulator, netlist::OWN);
    assert_eq!(result.cells["SB_LUT4"], result.lut_measured);
    let kinds: Vec<_> = artifacts.iter().map(|a| a.kind).collect();
    let told = ["vectors", "constraints", "script", "pads"];
    let all = [&["rtl", "testbench"], &told[..], &["report", "netlist"]].concat();
    assert_eq!(kinds, all);
    for kind in told {
        let artifact = artifacts.iter().find(|a| a.kind == kind).unwrap();
        assert_eq!(result.files[kind], digest_of(&artifact.bytes), "{kind}");
    }
    // The script alone, in a folder with RTL and pads, makes the netlist again.
    let again = tempfile::tempdir().unwrap();
    for (kind, name) in [("rtl", RTL), ("pads", "pads.v"), ("script", "again.ys")] {
        let artifact = artifacts.iter().find(|a| a.kind == kind).unwrap();
        std::fs::write(again.path().join(name), &artifact.bytes).unwrap();
    }
    let yosys = std::process::Command::new(&tools.get("yosys").unwrap().path)
        .args(["-q", "again.ys"])
        .current_dir(again.path())
        .output()
        .unwrap();
    assert!(yosys.status.success());
    let netlist = std::fs::read(again.path().join(simulate::NETLIST)).unwrap();
    assert_eq!(digest_of(&netlist), result.netlist_digest);
}

/// A program that a test stands in for.
fn stand_in(folder: &Path, name: &str, script: &str) -> Tool {
    use std::os::unix::fs::PermissionsExt as _;
    let path = folder.join(name);
    std::fs::write(&path, format!("#!/bin/sh\nset -e\n{script}\n")).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    let version = "1".to_owned();
    Tool { path, version }
}

#[test]
fn a_vendors_own_circuit_is_emulated_before_it_is_estimated() {
    let Some(mut tools) = found_tools() else {
        return;
    };
    let programs = tempfile::tempdir().unwrap();
    let (here, program) = (programs.path(), program(&[3, 4, 2]));
    let vectors = Vectors::for_program(&program, OutputForm::Logits, &rows(&program), 2000);
    let step = 2f64.powi(-program.output_fraction);
    let answers = |codes: &[i64]| -> Vec<u8> {
        let values = codes.iter().map(|code| (*code as f64 * step) as f32);
        values.flat_map(f32::to_le_bytes).collect()
    };
    // In place of the two environments: a Python that makes a project and answers, C synthesis that reports.
    let answered = here.join("answers");
    let python = format!("mkdir project; cp {} outputs.f32", answered.display());
    stand_in(here, "python3", &python);
    let hls4ml = stand_in(here, "hls4ml", "exit 1");
    let report = "<profile><PerformanceEstimates>\
        <SummaryOfTimingAnalysis><EstimatedClockPeriod>4.0</EstimatedClockPeriod></SummaryOfTimingAnalysis>\
        <SummaryOfOverallLatency><Worst-caseLatency>7</Worst-caseLatency></SummaryOfOverallLatency>\
        </PerformanceEstimates><AreaEstimates><Resources><DSP>2</DSP><FF>3802</FF><LUT>51234</LUT></Resources>\
        </AreaEstimates></profile>";
    let to = bitfront_hardware::engine::vitis::REPORT;
    let synthesis = format!(
        "grep -q 'csim *0' build_opt.tcl; mkdir -p $(dirname {to}); echo '{report}' > {to}"
    );
    let vitis = stand_in(here, "vitis-run", &synthesis);
    tools.put("hls4ml", hls4ml);
    tools.put("vitis-run", vitis);
    assert!(tools.engines().contains(&Engine::Vitis));
    let target = Target::new(Engine::Vitis, None, "xcvu9p", Devices::known()).unwrap();
    let run = |answers: Vec<u8>| {
        std::fs::write(&answered, answers).unwrap();
        let cache = tempfile::tempdir().unwrap();
        let folder = tempfile::tempdir_in(cache.path()).unwrap();
        let bench = workbench(&target, &tools, folder.path(), cache.path());
        measure(&bench, &program, &proven(&vectors), &mut Vec::new())
    };
    let result = run(answers(&vectors.expected)).unwrap();
    assert_eq!((result.lut_measured, result.ff_measured), (51_234, 3_802));
    assert_eq!((result.dsp_measured, result.cycles), (2, 7));
    assert_eq!(result.stage, bitfront_hardware::engine::Stage::Estimate);
    assert_eq!(result.fmax_mhz, Some(250.0));
    assert!(result.untested_on_the_tool && result.netlist_vectors_checked == 0);

    let mut wrong = vectors.expected.clone();
    wrong[2 * 1234] += 1;
    for (answers, says) in [
        (
            answers(&wrong),
            "in 1 of 4000 outputs of 2000 vectors, first on vector 1234",
        ),
        (answers(&wrong[2..]), "3998 outputs of 4000"),
    ] {
        let Err(Ended::Failed(failure)) = run(answers) else {
            panic!("passed without: {says}")
        };
        assert_eq!(
            (failure.code, failure.retryable),
            ("emulation-mismatch", false)
        );
        assert!(failure.message.contains(says), "{failure}");
    }
}

/// A small network on images with reproducible weights.
fn images() -> IntegerProgram {
    let q = "quantized_bits(4,0,alpha=1.0)";
    let window = serde_json::json!({"size": [3, 3], "strides": [1, 1], "dilation": [1, 1], "padding": "same"});
    let dense = |name: &str, units: usize| {
        serde_json::json!({"name": name, "operation":
            {"kind": "dense", "units": units, "kernel": q, "bias": q, "fold": null}})
    };
    let relu = |name: &str| serde_json::json!({"name": name, "operation": {"kind": "activation", "quantizer": "quantized_relu(4,1)"}});
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
    let program = images();
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
    let run = Run {
        tools: &tools,
        limits: Limits::default(),
        folder: folder.path(),
        stopped: &|| false,
    };
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
