//! Vivado out of context: constraints, the script, and its two reports.
//!
//! Untested on the real tool: the reports below the tests were written in the format that the tool's
//! documentation and public logs show.

use super::{Measured, ReportError, number};

/// A part where the search names none: the one of most published designs.
pub const DEFAULT_PART: &str = "xcvu9p-flgb2104-2-i";

/// Options of [`script`]. Shift registers stay flip-flops: estimates count them so, and the netlist's simulators know no other.
const OPTIONS: &str = "synth_design -mode out_of_context -flatten_hierarchy full -no_srlextract; opt_design; place_design; phys_opt_design; route_design";

/// Options of [`script`] with the clock of [`constraints`], as they are stored with a result.
pub fn options(period_ps: u32) -> String {
    format!(
        "create_clock -period {:.3}; {OPTIONS}",
        f64::from(period_ps) / 1000.0
    )
}

/// Constraints: one clock on port `clk` of `period_ps`. Ports stay without delays: out of context they
/// are not pads, and inputs and outputs of a circuit are registered.
pub fn constraints(clock_port: &str, period_ps: u32) -> String {
    let period = f64::from(period_ps) / 1000.0;
    format!("create_clock -name clk -period {period:.3} [get_ports {clock_port}]\n")
}

/// The script, for `vivado -mode batch -source FILE`: reads `network.v` and `constraints.xdc`, and leaves
/// `utilization.rpt`, `timing.rpt`, `netlist.v` and `routed.dcp` beside them. The part is the first
/// argument behind `-tclargs`, `part` where there is none.
pub fn script(module_name: &str, part: &str) -> String {
    format!(
        "# Out of context: synthesis, placement and routing of {module_name}, then its reports.\n\
         set part {part}\n\
         if {{$argc > 0}} {{ set part [lindex $argv 0] }}\n\
         read_verilog network.v\n\
         read_xdc -mode out_of_context constraints.xdc\n\
         synth_design -top {module_name} -part $part -mode out_of_context -flatten_hierarchy full -no_srlextract\n\
         opt_design\n\
         place_design\n\
         phys_opt_design\n\
         route_design\n\
         report_utilization -file utilization.rpt\n\
         report_timing_summary -max_paths 1 -file timing.rpt\n\
         write_verilog -force -mode funcsim netlist.v\n\
         write_checkpoint -force routed.dcp\n"
    )
}

/// Reads `report_utilization` and `report_timing_summary` of a routed design with a clock of `period_ps`.
/// Fmax is `1 / (period - slack)`.
///
/// # Errors
/// [`ReportError`] where a row or the slack is missing or no number, as for a design without paths.
pub fn parse(utilization: &str, timing: &str, period_ps: u32) -> Result<Measured, ReportError> {
    let cell = |names: &[&str]| -> Option<(&str, &str)> {
        for line in utilization.lines() {
            let mut cells = line.split('|').map(str::trim).skip(1);
            let (Some(name), Some(used)) = (cells.next(), cells.next()) else {
                continue;
            };
            // Before placement the tool marks the row of LUTs with an asterisk.
            if names.contains(&name.trim_end_matches('*')) {
                return Some((name, used));
            }
        }
        None
    };
    let used = |names: &[&str]| -> Result<Option<u64>, ReportError> {
        let found = cell(names).map(|(name, used)| number(name, used));
        found.transpose()
    };
    // A tile of which one half is used counts 0.5.
    let tiles = cell(&["Block RAM Tile"]).map(|(name, used)| number::<f64>(name, used));
    let bram = tiles.transpose()?.map(|tiles| tiles.ceil() as u64);
    let needed = |names: &[&str]| {
        used(names)?.ok_or_else(|| ReportError::Missing(format!("row `{}`", names[0])))
    };
    let mut lines = timing.lines();
    lines
        .find(|line| line.trim_start().starts_with("WNS(ns)"))
        .ok_or_else(|| ReportError::Missing("`WNS(ns)`".to_owned()))?;
    let slack = lines
        .nth(1)
        .and_then(|line| line.split_whitespace().next())
        .unwrap_or_default();
    let slack_ns: f64 = number("WNS(ns)", slack)?;
    let delay_ns = f64::from(period_ps) / 1000.0 - slack_ns;
    Ok(Measured {
        lut: needed(&["CLB LUTs", "Slice LUTs"])?,
        ff: needed(&["CLB Registers", "Slice Registers"])?,
        // A design without adders has no such row.
        carry: used(&["CARRY8", "CARRY4"])?.unwrap_or(0),
        dsp: needed(&["DSPs"])?,
        bram,
        uram: used(&["URAM"])?,
        slack_ns: Some(slack_ns),
        fmax_mhz: (delay_ns > 0.0).then(|| 1000.0 / delay_ns),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const UTILIZATION: &str = "\
| Design       : network
| Device       : xcvu9p-flgb2104-2-i
| Design State : Routed

1. CLB Logic
------------
+----------------------------+------+-------+------------+-----------+-------+
|          Site Type         | Used | Fixed | Prohibited | Available | Util% |
+----------------------------+------+-------+------------+-----------+-------+
| CLB LUTs                   | 4866 |     0 |          0 |   1182240 |  0.41 |
|   LUT as Logic             | 4866 |     0 |          0 |   1182240 |  0.41 |
|   LUT as Memory            |    0 |     0 |          0 |    591840 |  0.00 |
| CLB Registers              | 1502 |     0 |          0 |   2364480 |  0.06 |
|   Register as Flip Flop    | 1502 |     0 |          0 |   2364480 |  0.06 |
| CARRY8                     |  693 |     0 |          0 |    147780 |  0.47 |
| F7 Muxes                   |    0 |     0 |          0 |    591120 |  0.00 |
+----------------------------+------+-------+------------+-----------+-------+

3. BLOCKRAM
-----------
+-------------------+------+-------+------------+-----------+-------+
|     Site Type     | Used | Fixed | Prohibited | Available | Util% |
+-------------------+------+-------+------------+-----------+-------+
| Block RAM Tile    |  1.5 |     0 |          0 |      2160 |  0.07 |
|   RAMB36/FIFO*    |    1 |     0 |          0 |      2160 |  0.05 |
|   RAMB18          |    1 |     0 |          0 |      4320 |  0.02 |
| URAM              |    0 |     0 |          0 |       960 |  0.00 |
+-------------------+------+-------+------------+-----------+-------+

4. ARITHMETIC
-------------
+-----------+------+-------+------------+-----------+-------+
| Site Type | Used | Fixed | Prohibited | Available | Util% |
+-----------+------+-------+------------+-----------+-------+
| DSPs      |    3 |     0 |          0 |      6840 |  0.04 |
+-----------+------+-------+------------+-----------+-------+
";
    const TIMING: &str = "\
------------------------------------------------------------------------------------------------
| Design Timing Summary
| ---------------------
------------------------------------------------------------------------------------------------

    WNS(ns)      TNS(ns)  TNS Failing Endpoints  TNS Total Endpoints      WHS(ns)
    -------      -------  ---------------------  -------------------      -------
      0.283        0.000                      0                 1502        0.012
";

    #[test]
    fn reports_of_a_routed_design_are_read() {
        let measured = parse(UTILIZATION, TIMING, 5_000).unwrap();
        assert_eq!((measured.lut, measured.ff), (4866, 1502));
        assert_eq!((measured.carry, measured.dsp), (693, 3));
        assert_eq!((measured.bram, measured.uram), (Some(2), Some(0)));
        let without = UTILIZATION.replace("| Block RAM Tile", "| Another");
        let measured_without = parse(&without, TIMING, 5_000).unwrap();
        assert_eq!(measured_without.bram, None);
        assert_eq!(measured.slack_ns, Some(0.283));
        assert!((measured.fmax_mhz.unwrap() - 1000.0 / 4.717).abs() < 1e-9);
        // A clock that was missed, and the rows of an older family.
        let late = TIMING.replace("  0.283", " -1.250");
        let older = UTILIZATION
            .replace("CLB LUTs ", "Slice LUTs*")
            .replace("CLB Registers", "Slice Registers");
        let measured = parse(&older, &late, 5_000).unwrap();
        assert_eq!((measured.lut, measured.fmax_mhz), (4866, Some(160.0)));
    }

    #[test]
    fn incomplete_reports_are_refused() {
        let error = |utilization: &str, timing: &str| {
            parse(utilization, timing, 5_000).unwrap_err().to_string()
        };
        let short = UTILIZATION.replace("CLB Registers ", "Something else");
        assert!(error(&short, TIMING).contains("CLB Registers"));
        assert!(error(UTILIZATION, "").contains("WNS(ns)"));
        let unconstrained = TIMING.replace("0.283", "   NA");
        assert!(error(UTILIZATION, &unconstrained).contains("\"NA\""));
        let dots = UTILIZATION.replace("| DSPs      |    3", "| DSPs      |    ?");
        assert!(error(&dots, TIMING).contains("DSPs is \"?\""));
    }

    #[test]
    fn the_script_routes_before_it_reports() {
        let text = script("network", DEFAULT_PART);
        // What is stored is what was run.
        for command in OPTIONS.split("; ") {
            let asked: Vec<&str> = command.split(' ').collect();
            let line = text.lines().find(|line| line.starts_with(asked[0]));
            let words: Vec<&str> = line.unwrap_or_default().split(' ').collect();
            assert!(
                asked.iter().all(|word| words.contains(word)),
                "{command}: {words:?}"
            );
        }
        assert!(OPTIONS.contains(" -no_srlextract"));
        let at = |word: &str| text.find(word).unwrap_or_else(|| panic!("no {word}"));
        for (first, then) in [
            ("read_xdc", "synth_design"),
            ("synth_design", "opt_design"),
            ("opt_design", "place_design"),
            ("place_design", "phys_opt_design"),
            ("phys_opt_design", "route_design"),
            ("route_design", "report_utilization"),
        ] {
            assert!(at(first) < at(then), "{first} {then}");
        }
        let clock = "create_clock -name clk -period 5.000 [get_ports clk]\n";
        assert_eq!(constraints("clk", 5_000), clock);
        assert!(constraints("aclk", 1_250).contains("-period 1.250 [get_ports aclk]"));
    }
}
