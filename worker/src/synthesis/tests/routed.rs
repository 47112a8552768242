//! Jobs that place and route.

use super::*;

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
