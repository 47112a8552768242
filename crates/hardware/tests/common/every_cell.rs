//! A module with every cell that a netlist of a family may have, its inputs shared, each output bit its own.

use std::fmt::Write as _;

/// Writes an instance: type, parameters, pins, and how many outputs it has, `@` being the first.
pub(crate) type Add<'a> = dyn FnMut(&str, &str, &str, usize) + 'a;

/// Adds every cell of a family.
pub(crate) type Family = fn(&mut Add<'_>);

/// The module `every` with a clock, 18 `inputs` and as many `outputs` as the cells have that `family` adds.
pub(crate) fn every_cell(family: Family) -> String {
    let mut body = String::new();
    let mut outputs = 0;
    let mut cell = |name: &str, parameters: &str, pins: &str, bits: usize| {
        let ports = pins.replace('@', &outputs.to_string());
        let ports = ports.replace('#', &(outputs + bits - 1).to_string());
        let ports = ports.replace('&', &(outputs + bits).to_string());
        let ports = ports.replace('%', &(outputs + 2 * bits - 1).to_string());
        let _ = writeln!(body, "  {name} {parameters} c{outputs} ({ports});");
        outputs += match (pins.contains('%'), pins.contains('&')) {
            (true, _) => 2 * bits,
            (false, more) => bits + usize::from(more),
        };
    };
    family(&mut cell);
    let high = outputs - 1;
    format!(
        "module every (clk, inputs, outputs);\n  input clk;\n  input [17:0] inputs;\n  output [{high}:0] outputs;\n{body}endmodule\n"
    )
}

/// Tables of one row each, and dense ones, of so many rows.
fn tables(rows: u32) -> Vec<u64> {
    let all = u64::MAX >> (64 - rows);
    let dense = [u64::MAX, 0x9e37_79b9_7f4a_7c15, 0x6996_9669_9669_6996];
    (0..rows)
        .map(|row| 1 << row)
        .chain(dense.map(|table| table & all))
        .collect()
}

/// Cells of `UltraScale+`.
pub(crate) fn ultrascale(cell: &mut Add<'_>) {
    for inputs in 1..=6 {
        let rows = 1_u32 << inputs;
        let pins: Vec<String> = (0..inputs).map(|k| format!(".I{k}(inputs[{k}])")).collect();
        let pins = format!(".O(outputs[@]), {}", pins.join(", "));
        for table in tables(rows) {
            let init = format!("#(.INIT({rows}'h{table:x}))");
            cell(&format!("LUT{inputs}"), &init, &pins, 1);
        }
    }
    cell("INV", "", ".O(outputs[@]), .I(inputs[0])", 1);
    for name in ["MUXF7", "MUXF8", "MUXF9"] {
        cell(
            name,
            "",
            ".O(outputs[@]), .I0(inputs[0]), .I1(inputs[1]), .S(inputs[2])",
            1,
        );
    }
    let carry = ".O(outputs[#:@]), .CO(outputs[%:&]), .CI(inputs[0])";
    let pins = format!("{carry}, .CYINIT(inputs[1]), .DI(inputs[5:2]), .S(inputs[9:6])");
    cell("CARRY4", "", &pins, 4);
    let pins = format!("{carry}, .CI_TOP(inputs[1]), .DI(inputs[9:2]), .S(inputs[17:10])");
    cell("CARRY8", "", &pins, 8);
    for (name, reset) in [("FDRE", "R"), ("FDSE", "S")] {
        let pins =
            format!(".Q(outputs[@]), .C(clk), .CE(inputs[0]), .D(inputs[1]), .{reset}(inputs[2])");
        for init in ["", "#(.INIT(1'b0))", "#(.INIT(1'b1))"] {
            cell(name, init, &pins, 1);
        }
    }
}

/// Cells of iCE40.
pub(crate) fn ice40(cell: &mut Add<'_>) {
    for table in tables(16) {
        let pins = ".O(outputs[@]), .I0(inputs[0]), .I1(inputs[1]), .I2(inputs[2]), .I3(inputs[3])";
        cell("SB_LUT4", &format!("#(.LUT_INIT(16'h{table:x}))"), pins, 1);
    }
    let pins = ".CO(outputs[@]), .I0(inputs[0]), .I1(inputs[1]), .CI(inputs[2])";
    cell("SB_CARRY", "", pins, 1);
    for (name, more) in [
        ("SB_DFF", ""),
        ("SB_DFFE", ", .E(inputs[1])"),
        ("SB_DFFSR", ", .R(inputs[2])"),
        ("SB_DFFSS", ", .S(inputs[2])"),
        ("SB_DFFESR", ", .E(inputs[1]), .R(inputs[2])"),
        ("SB_DFFESS", ", .E(inputs[1]), .S(inputs[2])"),
    ] {
        let pins = format!(".Q(outputs[@]), .C(clk), .D(inputs[0]){more}");
        cell(name, "", &pins, 1);
    }
}

/// Cells of ECP5.
pub(crate) fn ecp5(cell: &mut Add<'_>) {
    for table in tables(16) {
        let pins = ".Z(outputs[@]), .A(inputs[0]), .B(inputs[1]), .C(inputs[2]), .D(inputs[3])";
        cell("LUT4", &format!("#(.INIT(16'h{table:x}))"), pins, 1);
    }
    let pins = ".Z(outputs[@]), .ALUT(inputs[0]), .BLUT(inputs[1]), .C0(inputs[2])";
    cell("PFUMX", "", pins, 1);
    let pins = ".Z(outputs[@]), .D0(inputs[0]), .D1(inputs[1]), .SD(inputs[2])";
    cell("L6MUX21", "", pins, 1);
    let pins = ".S0(outputs[@]), .S1(outputs[#]), .COUT(outputs[&]), .CIN(inputs[0]), \
        .A0(inputs[1]), .B0(inputs[2]), .C0(inputs[3]), .D0(inputs[4]), \
        .A1(inputs[5]), .B1(inputs[6]), .C1(inputs[7]), .D1(inputs[8])";
    for (first, second) in [
        (0x96aa, 0x96aa),
        (0x9e37, 0x79b9),
        (0x6996, 0xcafe),
        (0x1234, 0x8421),
    ] {
        let parameters = format!(
            "#(.INIT0(16'h{first:x}), .INIT1(16'h{second:x}), .INJECT1_0(\"NO\"), .INJECT1_1(\"NO\"))"
        );
        cell("CCU2C", &parameters, pins, 2);
    }
    for (enable, pin) in [
        ("1", ""),
        ("CE", ", .CE(inputs[1])"),
        ("INV", ", .CE(inputs[1])"),
    ] {
        for set in ["RESET", "SET"] {
            let parameters = format!(
                "#(.CEMUX(\"{enable}\"), .CLKMUX(\"CLK\"), .GSR(\"DISABLED\"), .LSRMUX(\"LSR\"), .REGSET(\"{set}\"), \
                 .SRMODE(\"LSR_OVER_CE\"))"
            );
            let pins = format!(".Q(outputs[@]), .CLK(clk), .DI(inputs[0]), .LSR(inputs[2]){pin}");
            cell("TRELLIS_FF", &parameters, &pins, 1);
        }
    }
}
