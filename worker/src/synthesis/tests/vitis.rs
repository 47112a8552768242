//! Jobs of a vendor's tool that makes a circuit of its own, with stand-ins for its programs.

use super::*;

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
