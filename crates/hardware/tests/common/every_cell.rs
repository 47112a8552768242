//! A module with every cell that a netlist may have, its inputs shared, each output bit its own.

use std::fmt::Write as _;

/// The module `every` with a clock, 18 `inputs` and as many `outputs` as its cells have.
pub(crate) fn every_cell() -> String {
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
        let pins: Vec<String> = (0..inputs).map(|k| format!(".I{k}(inputs[{k}])")).collect();
        let pins = format!(".O(outputs[@]), {}", pins.join(", "));
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
    let high = outputs - 1;
    format!(
        "module every (clk, inputs, outputs);\n  input clk;\n  input [17:0] inputs;\n  output [{high}:0] outputs;\n{body}endmodule\n"
    )
}
