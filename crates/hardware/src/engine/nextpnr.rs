//! Yosys and nextpnr: scripts, the module that brings a circuit to few pads, and the report.
//!
//! The architectures have four-input tables and other carry cells than `UltraScale+`, so counts only compare with each
//! other. The clock is what the router's own timing analysis says of a real placement.

use super::{Measured, ReportError};
use crate::synthesis_report::parse_cells;
use serde::Deserialize;
use std::collections::BTreeMap;

/// A family that nextpnr routes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Family {
    /// Yosys' command.
    pub synthesis: &'static str,
    /// Devices: what nextpnr calls them, and what a part's name begins with.
    pub devices: &'static [&'static str],
    /// The part where none is named: a device and its package.
    pub default_part: &'static str,
    /// Option of nextpnr that lets it choose the pads.
    free_pads: &'static str,
    /// Cells that a netlist may have: look-up tables.
    luts: &'static [&'static str],
    /// Flip-flops.
    flip_flops: &'static [&'static str],
    /// Carries.
    carries: &'static [&'static str],
    /// What joins tables to wider ones and counts as nothing.
    joins: &'static [&'static str],
    /// Look-up tables that a carry takes, beside those that are counted as such.
    tables_a_carry: u64,
    /// Four-input tables in place of 100 estimated LUTs, which have six inputs: about the median of what
    /// `calibrate` measures.
    tables_for_100_luts: u64,
}

/// iCE40; the HX8K has 7,680 cells of one table and one flip-flop.
pub const ICE40: Family = Family {
    synthesis: "synth_ice40",
    devices: &[
        "hx8k", "hx4k", "hx1k", "lp8k", "lp4k", "lp1k", "lp384", "up5k", "up3k", "u4k", "u2k",
        "u1k",
    ],
    default_part: "hx8k-ct256",
    free_pads: "--pcf-allow-unconstrained",
    luts: &["SB_LUT4"],
    flip_flops: &[
        "SB_DFF",
        "SB_DFFE",
        "SB_DFFSR",
        "SB_DFFSS",
        "SB_DFFESR",
        "SB_DFFESS",
    ],
    carries: &["SB_CARRY"],
    joins: &[],
    // Its sum is a table of its own.
    tables_a_carry: 0,
    tables_for_100_luts: 147,
};

/// ECP5, by default of 85,000 tables, products made of tables as everywhere in these counts. Untested on the real tool.
pub const ECP5: Family = Family {
    synthesis: "synth_ecp5 -nodsp",
    devices: &[
        "85k", "45k", "25k", "12k", "um-85k", "um-45k", "um-25k", "um5g-85k", "um5g-45k",
        "um5g-25k",
    ],
    default_part: "85k-CABGA756",
    free_pads: "--lpf-allow-unconstrained",
    luts: &["LUT4"],
    flip_flops: &["TRELLIS_FF"],
    carries: &["CCU2C"],
    joins: &["PFUMX", "L6MUX21"],
    // Both tables of a slice become its two sums.
    tables_a_carry: 2,
    tables_for_100_luts: 147,
};

/// Seed of placement; the same seed gives the same placement.
pub const SEED: u32 = 1;

impl Family {
    /// Whether a part is one of the family's devices with a package; whether the device comes in that package is the
    /// router's to say.
    pub fn has(&self, part: &str) -> bool {
        part.rsplit_once('-').is_some_and(|(device, package)| {
            self.devices.contains(&device)
                && !package.is_empty()
                && package.bytes().all(|byte| byte.is_ascii_alphanumeric())
        })
    }

    /// Four-input tables that so many counted tables and carries take, and how many an estimate of LUTs lets expect.
    pub fn tables(&self, lut: u64, carry: u64, lut_estimate: u64) -> (u64, u64) {
        let expected = lut_estimate * self.tables_for_100_luts / 100;
        (lut + self.tables_a_carry * carry, expected)
    }

    /// nextpnr's options for a part and a clock of `period_ps`. A clock that is missed is a figure, not a failure.
    pub fn router_options(&self, part: &str, period_ps: u32) -> Vec<String> {
        let (device, package) = part.rsplit_once('-').unwrap_or((part, ""));
        let (device, seed) = (format!("--{device}"), SEED.to_string());
        let mhz = format!("{:.3}", 1e6 / f64::from(period_ps));
        let options = [
            &device,
            "--package",
            package,
            self.free_pads,
            "--seed",
            &seed,
            "--freq",
            &mhz,
            "--timing-allow-fail",
        ];
        options.map(str::to_owned).into()
    }

    /// Both programs' options, as they are stored with a result.
    pub fn options(&self, part: &str, period_ps: u32) -> String {
        let router = self.router_options(part, period_ps).join(" ");
        format!("{}; {router}", self.synthesis)
    }
}

/// The module `<module_name>_pads` around a circuit, with four pads: rows are shifted in bit by bit, and logits
/// are loaded into a register and shifted out, so that every bit of the circuit stays needed. The flags of valid rows, where
/// the circuit has them (`valid`), are bits above those of its buses.
pub fn pads(module_name: &str, input_bits: u32, output_bits: u32, valid: bool) -> String {
    let (input_top, output_top) = (input_bits - 1, output_bits - 1);
    let (flags, row_top, shown_top) = if valid {
        let flags = format!(
            ".rst(row[{}]), .in_valid(row[{input_bits}]), .out_valid(outputs[{output_bits}]), ",
            input_bits + 1
        );
        (flags, input_top + 2, output_top + 1)
    } else {
        (String::new(), input_top, output_top)
    };
    let next = |name: &str, top: u32, first: &str| match top {
        0 => first.to_owned(),
        _ => format!("{{{name}[{}:0], {first}}}", top - 1),
    };
    let part = |name: &str, top: u32| {
        if valid {
            format!("{name}[{top}:0]")
        } else {
            name.to_owned()
        }
    };
    format!(
        "// Few pads around {module_name}: shift registers on both sides.\n\
         module {module_name}_pads (input wire clk, input wire in, input wire load, output wire out);\n  \
         reg [{row_top}:0] row;\n  reg [{shown_top}:0] shown;\n  wire [{shown_top}:0] outputs;\n  \
         {module_name} circuit (.clk(clk), {flags}.inputs({}), .outputs({}));\n  \
         always @(posedge clk) begin\n    row <= {};\n    shown <= load ? outputs : {};\n  end\n  \
         assign out = shown[{shown_top}];\nendmodule\n",
        part("row", input_top),
        part("outputs", output_top),
        next("row", row_top, "in"),
        next("shown", shown_top, "1'b0"),
    )
}

/// Yosys' script: cells of the circuit alone into `stat.txt` and its netlist into `netlist.v`, with its buses split so that
/// no simulator takes a carry chain for a loop.
pub fn circuit_script(family: &Family, module_name: &str) -> String {
    let synthesis = family.synthesis;
    format!(
        "read_verilog network.v; {synthesis} -top {module_name}; tee -o stat.txt stat; check -assert; \
         splitnets; write_verilog -noattr netlist.v"
    )
}

/// Yosys' whole script: [`circuit_script`], then the circuit behind its pads as `netlist.json` for the router.
pub fn script(family: &Family, module_name: &str) -> String {
    let synthesis = family.synthesis;
    format!(
        "{}; design -reset; read_verilog network.v pads.v; \
         {synthesis} -top {module_name}_pads -json netlist.json",
        circuit_script(family, module_name)
    )
}

/// Cells of a circuit by kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counts {
    /// Four-input tables.
    pub lut: u64,
    /// Flip-flops.
    pub ff: u64,
    /// Carry cells.
    pub carry: u64,
    /// Every cell type with its count.
    pub cells: BTreeMap<String, u64>,
}

/// Reads Yosys' statistics of the circuit alone.
///
/// # Errors
/// [`ReportError`] for any cell that the family's list does not have (latches, memory, pads, products in blocks), and
/// without tables and flip-flops.
pub fn count(family: &Family, stat: &str) -> Result<Counts, ReportError> {
    let allowed = [family.luts, family.flip_flops, family.carries, family.joins].concat();
    let cells = parse_cells(stat, &allowed)?;
    let sum = |names: &[&str]| names.iter().filter_map(|name| cells.get(*name)).sum();
    let (lut, ff) = (sum(family.luts), sum(family.flip_flops));
    if lut + ff == 0 {
        return Err(ReportError::Missing(
            "look-up table or flip-flop".to_owned(),
        ));
    }
    Ok(Counts {
        lut,
        ff,
        carry: sum(family.carries),
        cells,
    })
}

/// What nextpnr writes with `--report`.
#[derive(Debug, Deserialize)]
struct Report {
    fmax: BTreeMap<String, Clock>,
}

#[derive(Debug, Deserialize)]
struct Clock {
    /// MHz.
    achieved: f64,
}

/// Adds the clock of nextpnr's report, of the circuit behind its pads, to the counts of the circuit alone. `period_ps` is the
/// clock that slack is told against.
///
/// # Errors
/// [`ReportError`] without exactly one clock.
pub fn parse(counts: &Counts, report: &str, period_ps: u32) -> Result<Measured, ReportError> {
    let missing = |what: &str| ReportError::Missing(what.to_owned());
    let report: Report = serde_json::from_str(report).map_err(|_| missing("object `fmax`"))?;
    let clocks: Vec<&Clock> = report.fmax.values().collect();
    let [clock] = clocks[..] else {
        return Err(ReportError::Missing(format!(
            "single clock, but {} of them,",
            clocks.len()
        )));
    };
    Ok(Measured {
        lut: counts.lut,
        ff: counts.ff,
        carry: counts.carry,
        dsp: 0,
        bram: None,
        uram: None,
        slack_ns: Some(f64::from(period_ps) / 1000.0 - 1000.0 / clock.achieved),
        fmax_mhz: Some(clock.achieved),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const STAT: &str = "=== network ===\n\n   Number of wires: 9\n   Number of cells:  12\n     \
        SB_CARRY   2\n     SB_DFF   3\n     SB_DFFSR   1\n     SB_LUT4   6\n\n";
    const REPORT: &str = r#"{"critical_paths": [], "fmax": {"clk$SB_IO_IN_$glb_clk":
        {"achieved": 80.0, "constraint": 12.0}}, "utilization": {"ICESTORM_LC": {"available": 7680, "used": 9}}}"#;

    fn parsed(family: &Family, stat: &str, report: &str) -> Result<Measured, ReportError> {
        parse(&count(family, stat)?, report, 5_000)
    }

    #[test]
    fn counts_are_of_the_circuit_and_the_clock_is_the_routers() {
        let measured = parsed(&ICE40, STAT, REPORT).unwrap();
        assert_eq!((measured.lut, measured.ff, measured.carry), (6, 4, 2));
        assert_eq!(measured.fmax_mhz, Some(80.0));
        assert_eq!(measured.slack_ns, Some(-7.5));
    }

    #[test]
    fn a_report_without_cells_or_with_other_clocks_is_refused() {
        assert!(parsed(&ICE40, "", REPORT).is_err());
        assert!(parsed(&ICE40, STAT, "{}").is_err());
        assert!(parsed(&ICE40, STAT, r#"{"fmax": {}}"#).is_err());
        let none = "   Number of cells:  0\n";
        assert!(
            count(&ICE40, none)
                .unwrap_err()
                .to_string()
                .contains("no look-up table")
        );
    }

    #[test]
    fn a_cell_that_the_list_does_not_have_is_named() {
        for (family, stat, cell) in [
            (
                &ICE40,
                STAT.replace("SB_DFF   ", "SB_DFFR  "),
                "3 cells of type SB_DFFR",
            ),
            (
                &ICE40,
                STAT.replace("SB_LUT4", "SB_MAC16"),
                "6 cells of type SB_MAC16",
            ),
            (
                &ECP5,
                STAT.to_owned(),
                "2 cells of type SB_CARRY: allowed are LUT4, TRELLIS_FF, CCU2C, PFUMX, L6MUX21",
            ),
        ] {
            let error = count(family, &stat).unwrap_err();
            assert!(matches!(error, ReportError::Cells(_)));
            assert!(error.to_string().contains(cell), "{error}");
        }
        let slices = "   Number of cells:  9\n     CCU2C  2\n     LUT4  3\n     PFUMX  1\n     TRELLIS_FF  3\n";
        let counts = count(&ECP5, slices).unwrap();
        assert_eq!((counts.lut, counts.ff, counts.carry), (3, 3, 2));
    }

    #[test]
    fn one_bit_buses_have_no_empty_ranges() {
        let text = pads("network", 1, 1, false);
        assert!(
            text.contains("row <= in;") && text.contains("outputs : 1'b0;"),
            "{text}"
        );
        assert!(pads("network", 3, 2, false).contains("row <= {row[1:0], in};"));
    }
}
