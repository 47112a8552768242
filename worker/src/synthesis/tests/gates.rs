//! Vectors, and the gates that need no engine.

use super::*;

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
    // A network of many inputs has no more of them.
    let wide = self::program(&[784, 2, 2]);
    let vectors = Vectors::for_program(&wide, OutputForm::Logits, &rows(&wide), 10);
    assert_eq!(vectors.rows, vectors::FEWEST);
    let test_row = wide.input_codes(&rows(&wide)[..784]);
    let test_row: Vec<i64> = test_row.into_iter().map(i64::from).collect();
    assert!(vectors.inputs.chunks(784).any(|row| row == test_row));

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
    let run = run_in(folder.path(), &tools);
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
