//! Netlists of every engine that leaves one.

use super::*;

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
    let run = run_in(folder.path(), &tools);
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
fn outputs_that_depend_on_a_net_that_nothing_drives_are_a_mismatch() {
    let Some(tools) = found_tools() else { return };
    let cache = tempfile::tempdir().unwrap();
    let folder = tempfile::tempdir_in(cache.path()).unwrap();
    let run = run_in(folder.path(), &tools);
    let program = program(&[3, 4, 2]);
    let options = |valid| {
        let mut options = DesignOptions::default();
        options.circuit.valid = valid;
        options
    };
    for valid in [false, true] {
        let circuit = Design::build(&program, &options(valid)).unwrap();
        let vectors = Vectors::for_program(&program, OutputForm::Logits, &rows(&program), 2000);
        std::fs::write(folder.path().join(BENCH), circuit.test_bench(MODULE)).unwrap();
        let by_verilator = |netlist: &str| {
            let subject = Subject::Netlist(Engine::Yosys);
            let _ = std::fs::remove_dir_all(folder.path().join(subject.model()));
            std::fs::write(folder.path().join(simulate::NETLIST), netlist).unwrap();
            simulate::simulate(&run, subject, &circuit, &vectors, cache.path())
        };
        let own = |netlist: &str| {
            let bytes = netlist.as_bytes();
            let checked =
                netlist::check(&run, Engine::Yosys, bytes, &circuit, &vectors, cache.path());
            checked.map(|(compared, _)| compared)
        };
        let netlist = netlist_of_yosys(&run, &circuit.verilog(MODULE));
        // Nothing reads it, as where Yosys keeps the name of a bit that it took away.
        let named = netlist.replacen("  wire ", "  wire nothing;\n  wire ", 1);
        // It carries into a sum, which is right where it happens to be zero; so is an unknown constant.
        let carried = |by: &str| named.replacen(".CI(1'h0)", &format!(".CI({by})"), 1);
        assert_ne!(carried("nothing"), named, "no carry into a sum");
        for right in [&netlist, &named, &carried("1'h0")] {
            assert_eq!(by_verilator(right), Ok(2000));
            assert_eq!(own(right), Ok(2000));
        }
        for wrong in [carried("nothing"), carried("1'hx")] {
            let refused = by_verilator(&wrong).unwrap_err();
            assert_eq!(code(refused), "netlist-mismatch");
            let Err(Ended::Failed(failure)) = own(&wrong) else {
                panic!("an undriven net passed")
            };
            assert_eq!(failure.code, "tool-failed");
            assert!(failure.message.contains("not driven"), "{failure}");
        }
    }
}
