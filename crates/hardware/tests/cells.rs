//! The cells that netlists are simulated with are those of Yosys' own library, by proof: Yosys' SAT
//! solver finds no input and no state in which the two differ. LUTs are compared with every table of a
//! single one and with dense ones. Without Yosys on PATH these tests say so and pass, or fail with `BITFRONT_REQUIRE_TOOLS=1`.

use std::process::Command;

use bitfront_hardware::engine::Engine;
use bitfront_hardware::verilog::cells;

#[path = "common/every_cell.rs"]
mod every_cell;
use every_cell::{Family, ecp5, every_cell, ice40, ultrascale};

#[path = "common/skipped.rs"]
mod skipped;
use skipped::skipped;

/// A family: the engine that maps to it, Yosys' models, a module of its cells.
type Models = (Engine, &'static str, Family);
const ULTRASCALE: Models = (Engine::Yosys, "+/xilinx/cells_sim.v", ultrascale);
const ICE40: Models = (Engine::Ice40, "+/ice40/cells_sim.v", ice40);
const ECP5: Models = (Engine::Ecp5, "+/ecp5/cells_sim.v", ecp5);

/// Whether Yosys proves the cells equal to its own; none without Yosys.
fn proved((_, models, family): Models, cells: &str) -> Option<bool> {
    if Command::new("yosys").arg("-V").output().is_err() {
        skipped("yosys");
        return None;
    }
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("own.v"), cells).unwrap();
    std::fs::write(folder.path().join("every.v"), every_cell(family)).unwrap();
    // Deferred: a module's own defaults may be a setting that it refuses.
    // `sat` takes every clock edge as a step, so edges are compared by name.
    let prepare = |library: &str, name: &str| {
        format!(
            "read_verilog -defer {library} every.v; hierarchy -check -top every; proc; flatten; opt_clean; \
             select -assert-count 6 t:$dff r:CLK_POLARITY=1'1 %i; select -assert-count 6 t:$*ff*; \
             rename every {name}; design -stash {name}; "
        )
    };
    let script = prepare(models, "gold")
        + &prepare("own.v", "gate")
        + "design -copy-from gold -as gold gold; design -copy-from gate -as gate gate; \
           miter -equiv -flatten -make_outputs gold gate miter; hierarchy -top miter; \
           sat -tempinduct -verify -prove trigger 0 miter";
    let run = Command::new("yosys")
        .current_dir(folder.path())
        .args(["-q", "-p", &script])
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&run.stderr).into_owned();
    // Anything but a failed proof is a fault of this test.
    assert!(
        run.status.success() || text.contains("proof did fail"),
        "{text}{}",
        String::from_utf8_lossy(&run.stdout)
    );
    Some(run.status.success())
}

#[test]
fn every_cell_is_the_one_of_the_synthesis_tool() {
    for family in [ULTRASCALE, ICE40, ECP5] {
        let engine = family.0;
        assert_ne!(proved(family, cells(engine)), Some(false), "{engine}");
    }
}

/// Each mutant of a family's cells is found to differ.
fn refuted(family: Models, mutations: &[(&str, &str)]) {
    for (right, wrong) in mutations {
        let own = cells(family.0);
        let mutant = own.replacen(right, wrong, 1);
        assert_ne!(mutant, own, "{right}");
        assert_ne!(proved(family, &mutant), Some(true), "{wrong}");
    }
}

#[test]
fn a_wrong_cell_is_refuted() {
    let wrong = [
        (
            "INIT[{I5, I4, I3, I2, I1, I0}]",
            "INIT[{I4, I5, I3, I2, I1, I0}]",
        ),
        (
            "(S[3] & c3) | (~S[3] & DI[3])",
            "(S[3] & c2) | (~S[3] & DI[3])",
        ),
        ("c5, c4, c3, c2, c1, CI}", "c5, c4, c3, c2, c1, 1'b0}"),
        ("Q <= S |", "Q <= ~S &"),
        ("parameter [0:0] INIT = 1", "parameter [0:0] INIT = 0"),
    ];
    refuted(ULTRASCALE, &wrong);
}

#[test]
fn a_wrong_cell_of_ice40_is_refuted() {
    let wrong = [
        ("{I3, I2, I1, I0}", "{I2, I3, I1, I0}"),
        ("| (I1 & CI)", ""),
        ("(E & ~R & D)", "(~R & D)"),
        ("(E & (S | D))", "(S | (E & D))"),
        ("initial Q = 0", "initial Q = 1"),
    ];
    refuted(ICE40, &wrong);
}

#[test]
fn a_wrong_cell_of_ecp5_is_refuted() {
    let wrong = [
        ("(C0 & ALUT) | (~C0 & BLUT)", "(C0 & BLUT) | (~C0 & ALUT)"),
        ("(SD & D1)", "D1"),
        ("INIT1[{2'b00, B1, A1}]", "INIT1[{2'b10, B1, A1}]"),
        ("p1 ^ c1", "p1 ^ CIN"),
        ("\"INV\" ? ~CE", "\"INV\" ? CE"),
        ("initial Q = start", "initial Q = 0"),
    ];
    refuted(ECP5, &wrong);
}
