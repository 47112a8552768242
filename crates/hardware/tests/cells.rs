//! The cells that netlists are simulated with are those of Yosys' own library, by proof: Yosys' SAT
//! solver finds no input and no state in which the two differ. LUTs are compared with every table of a
//! single one and with dense ones. Without Yosys on PATH these tests say so and pass.

use std::fmt::Write as _;
use std::process::Command;

use bitfront_hardware::verilog::cells;

/// A module of every cell, its inputs shared, each output bit its own.
fn every_cell() -> String {
    let mut body = String::new();
    let mut outputs = 0;
    let mut cell = |name: &str, parameters: &str, pins: &str, bits: usize| {
        let ports = pins.replace('@', &outputs.to_string());
        let ports = ports.replace('#', &(outputs + bits - 1).to_string());
        let ports = ports.replace('&', &(outputs + bits).to_string());
        let ports = ports.replace('%', &(outputs + 2 * bits - 1).to_string());
        let _ = writeln!(body, "  {name} {parameters} c{outputs} ({ports});");
        outputs += if pins.contains('%') { 2 * bits } else { bits };
    };
    for inputs in 1..=6 {
        let rows = 1_u32 << inputs;
        let pins: Vec<String> = (0..inputs).map(|k| format!(".I{k}(i[{k}])")).collect();
        let pins = format!(".O(o[@]), {}", pins.join(", "));
        let mut tables: Vec<u64> = (0..rows).map(|row| 1 << row).collect();
        let all = u64::MAX >> (64 - rows);
        tables.extend([
            all,
            0x9e37_79b9_7f4a_7c15 & all,
            0x6996_9669_9669_6996 & all,
        ]);
        for table in tables {
            let init = format!("#(.INIT({rows}'h{table:x}))");
            cell(&format!("LUT{inputs}"), &init, &pins, 1);
        }
    }
    cell("INV", "", ".O(o[@]), .I(i[0])", 1);
    for name in ["MUXF7", "MUXF8", "MUXF9"] {
        cell(name, "", ".O(o[@]), .I0(i[0]), .I1(i[1]), .S(i[2])", 1);
    }
    let carry = ".O(o[#:@]), .CO(o[%:&]), .CI(i[0])";
    let pins = format!("{carry}, .CYINIT(i[1]), .DI(i[5:2]), .S(i[9:6])");
    cell("CARRY4", "", &pins, 4);
    let pins = format!("{carry}, .CI_TOP(i[1]), .DI(i[9:2]), .S(i[17:10])");
    cell("CARRY8", "", &pins, 8);
    for (name, reset) in [("FDRE", "R"), ("FDSE", "S")] {
        let pins = format!(".Q(o[@]), .C(clk), .CE(i[0]), .D(i[1]), .{reset}(i[2])");
        for init in ["", "#(.INIT(1'b0))", "#(.INIT(1'b1))"] {
            cell(name, init, &pins, 1);
        }
    }
    let high = outputs - 1;
    format!("module every (input clk, input [17:0] i, output [{high}:0] o);\n{body}endmodule\n")
}

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
