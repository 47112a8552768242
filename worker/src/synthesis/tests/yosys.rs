//! Jobs of Yosys: products in DSP blocks, flags of valid rows.

use super::*;

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
fn flags_of_valid_rows_pass_every_gate_and_are_counted() {
    let Some(tools) = found_tools() else { return };
    let cache = tempfile::tempdir().unwrap();
    let folder = tempfile::tempdir_in(cache.path()).unwrap();
    let program = program(&[3, 4, 2]);
    let mut options = DesignOptions::default();
    let plain = Design::build(&program, &options).unwrap().costs(&program);
    options.circuit.valid = true;
    let vectors = Vectors::for_program(&program, OutputForm::Logits, &rows(&program), 2000);
    let target = Target::default();
    let bench = Workbench {
        options,
        ..workbench(&target, &tools, folder.path(), cache.path())
    };
    let result = measure(&bench, &program, &proven(&vectors), &mut Vec::new()).unwrap();
    assert_eq!(
        (result.vectors_checked, result.netlist_vectors_checked),
        (2000, 2000)
    );
    assert!(
        result.options.starts_with("flags of valid rows; "),
        "{}",
        result.options
    );
    assert_eq!(
        result.ff_measured,
        plain.ff_estimate + u64::from(plain.cycles)
    );
}
