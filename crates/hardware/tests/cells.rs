//! The cells that netlists are simulated with are those of Yosys' own library, by proof: Yosys' SAT
//! solver finds no input and no state in which the two differ. LUTs are compared with every table of a
//! single one and with dense ones. Without Yosys on PATH these tests say so and pass.

use std::process::Command;

use bitfront_hardware::verilog::cells;

#[path = "common/every_cell.rs"]
mod every_cell;
use every_cell::every_cell;

/// Whether Yosys proves the cells equal to its own; none without Yosys.
fn proved(cells: &str) -> Option<bool> {
    if Command::new("yosys").arg("-V").output().is_err() {
        eprintln!("skipped: yosys not on PATH");
        return None;
    }
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("own.v"), cells).unwrap();
    std::fs::write(folder.path().join("every.v"), every_cell()).unwrap();
    // `sat` takes every clock edge as a step, so edges are compared by name.
    let prepare = |library: &str, name: &str| {
        format!(
            "read_verilog {library} every.v; hierarchy -check -top every; proc; flatten; opt_clean; \
             select -assert-count 6 t:$dff r:CLK_POLARITY=1'1 %i; select -assert-count 6 t:$*ff*; \
             rename every {name}; design -stash {name}; "
        )
    };
    let script = prepare("+/xilinx/cells_sim.v", "gold")
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
    assert_ne!(proved(cells()), Some(false));
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
    for (right, wrong) in wrong {
        let mutant = cells().replacen(right, wrong, 1);
        assert_ne!(mutant, cells(), "{right}");
        assert_ne!(proved(&mutant), Some(true), "{wrong}");
    }
}
