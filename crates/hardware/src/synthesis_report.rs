//! What Yosys says about a synthesised module: cells by type and logic levels.
//!
//! The rule this module keeps: a cell that the target does not have, or that the flow was told not to
//! use, is an error with the cell's name, never a smaller number.

use crate::circuit::Multipliers;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Cells a netlist may have.
const LUTS: [&str; 6] = ["LUT1", "LUT2", "LUT3", "LUT4", "LUT5", "LUT6"];
const CARRIES: [&str; 2] = ["CARRY4", "CARRY8"];
const FLIP_FLOPS: [&str; 2] = ["FDRE", "FDSE"];
const FREE: [&str; 4] = ["MUXF7", "MUXF8", "MUXF9", "INV"];
const DSP: &str = "DSP48E2";

/// Totals of one synthesised module.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SynthesisReport {
    /// Every cell type with its count.
    pub cells: BTreeMap<String, u64>,
    /// LUTs of one to six inputs.
    pub lut: u64,
    /// Flip-flops.
    pub ff: u64,
    /// Carry cells, as many as the tool placed: Yosys 0.23 maps this family to CARRY4, which are
    /// about two for one CARRY8.
    pub carry: u64,
    /// DSP blocks.
    pub dsp: u64,
    /// Cells on the longest path between registers; a carry cell counts like a LUT.
    pub levels: u32,
}

/// Why a synthesis report was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReportError {
    /// The statistics name no cells.
    #[error("no line `Number of cells` in the statistics")]
    NoCells,
    /// The cell lines do not add up to the stated number.
    #[error("statistics state {stated} cells and list {listed}")]
    Count {
        /// Stated.
        stated: u64,
        /// Sum of the listed.
        listed: u64,
    },
    /// A cell outside the allowed list.
    #[error("{count} cells of type {cell}: allowed are {allowed}")]
    Cell {
        /// The cell's type.
        cell: String,
        /// How many there are.
        count: u64,
        /// What the list has.
        allowed: String,
    },
    /// No path length in the path report.
    #[error("no `length=` in the path report")]
    NoLevels,
}

/// Yosys' synthesis command with the options that decide about its figures: `UltraScale+` without pads, clock buffers and
/// shift-register cells, and without DSP blocks unless they are asked for.
pub fn options(multipliers: Multipliers) -> &'static str {
    match multipliers {
        Multipliers::Luts => "synth_xilinx -family xcup -noiopad -noclkbuf -nosrl -nodsp -flatten",
        _ => "synth_xilinx -family xcup -noiopad -noclkbuf -nosrl -flatten",
    }
}

/// The Yosys commands whose reports [`parse`] reads: synthesis of a circuit's file by the command of [`options`], for what
/// its products were to be made of, with the cell statistics written to `stat` and the longest path to `ltp`.
///
/// Flip-flops are taken out of the path report by name: `ltp -noff` alone does not know mapped ones
/// and would add up the stages of the whole pipeline.
pub fn yosys_script(
    multipliers: Multipliers,
    verilog: &str,
    module_name: &str,
    stat: &str,
    ltp: &str,
) -> String {
    let synthesis = options(multipliers);
    format!(
        "read_verilog {verilog}; {synthesis} -top {module_name}; tee -o {stat} stat; tee -o {ltp} ltp -noff * t:FD* %d"
    )
}

/// Reads the outputs of Yosys' `stat` and `ltp -noff` for a flattened module (see [`yosys_script`]).
///
/// # Errors
/// [`ReportError`] for a report without cells or path, for lists that do not add up, and for any
/// cell outside the allowed list; DSP blocks are allowed with `allow_dsp` only.
pub fn parse(stat: &str, ltp: &str, allow_dsp: bool) -> Result<SynthesisReport, ReportError> {
    let mut allowed = [&LUTS[..], &CARRIES, &FREE, &FLIP_FLOPS].concat();
    if allow_dsp {
        allowed.push(DSP);
    }
    let cells = parse_cells(stat, &allowed)?;
    let levels = ltp
        .split_once("length=")
        .and_then(|(_, rest)| rest.split(|c: char| !c.is_ascii_digit()).next())
        .and_then(|digits| digits.parse().ok())
        .ok_or(ReportError::NoLevels)?;
    let sum = |names: &[&str]| names.iter().filter_map(|name| cells.get(*name)).sum();
    Ok(SynthesisReport {
        lut: sum(&LUTS),
        ff: sum(&FLIP_FLOPS),
        carry: sum(&CARRIES),
        dsp: sum(&[DSP]),
        levels,
        cells,
    })
}

/// Reads the output of Yosys' `stat` for a flattened module: every cell type with its count.
///
/// # Errors
/// [`ReportError`] for a report without cells, for a list that does not add up, and for any cell that is not `allowed`.
pub fn parse_cells(stat: &str, allowed: &[&str]) -> Result<BTreeMap<String, u64>, ReportError> {
    let mut lines = stat.lines();
    let stated: u64 = lines
        .find_map(|line| {
            line.trim()
                .strip_prefix("Number of cells:")?
                .trim()
                .parse()
                .ok()
        })
        .ok_or(ReportError::NoCells)?;
    let cells: BTreeMap<String, u64> = lines
        .map_while(|line| {
            let (cell, count) = line.trim().split_once(char::is_whitespace)?;
            Some((cell.to_owned(), count.trim().parse().ok()?))
        })
        .collect();
    let listed = cells.values().sum();
    if listed != stated {
        return Err(ReportError::Count { stated, listed });
    }
    match cells
        .iter()
        .find(|(cell, _)| !allowed.contains(&cell.as_str()))
    {
        Some((cell, &count)) => Err(ReportError::Cell {
            cell: cell.clone(),
            count,
            allowed: allowed.join(", "),
        }),
        None => Ok(cells),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STAT: &str = "\n16. Printing statistics.\n\n=== net ===\n\n   Number of wires:  12\n   \
        Number of processes:               0\n   Number of cells:                 30\n     \
        CARRY4                          4\n     FDRE                           10\n     \
        INV                             1\n     LUT2                            9\n     \
        LUT6                            6\n\n   Estimated number of LCs:         14\n\n";
    const LTP: &str = "\n17. Executing LTP pass (find longest path).\n\n\
        Longest topological path in net (length=7):\n    0: \\n1\n";

    #[test]
    fn totals_by_kind_of_cell() {
        let report = parse(STAT, LTP, false).unwrap();
        assert_eq!((report.lut, report.ff, report.carry), (15, 10, 4));
        assert_eq!((report.dsp, report.levels, report.cells["INV"]), (0, 7, 1));
    }

    #[test]
    fn unknown_cells_are_named() {
        let unknown = STAT.replace("INV ", "SRL16E ");
        let error = parse(&unknown, LTP, false).unwrap_err();
        assert!(matches!(&error, ReportError::Cell { cell, count: 1, .. } if cell == "SRL16E"));
        let dsp = STAT.replace("INV ", "DSP48E2 ");
        assert!(parse(&dsp, LTP, false).is_err());
        assert_eq!(parse(&dsp, LTP, true).unwrap().dsp, 1);
    }

    #[test]
    fn incomplete_reports_are_refused() {
        assert_eq!(parse("", LTP, false), Err(ReportError::NoCells));
        assert_eq!(parse(STAT, "", false), Err(ReportError::NoLevels));
        let short = STAT.replace("LUT6                            6", "");
        let counted = Err(ReportError::Count {
            stated: 30,
            listed: 24,
        });
        assert_eq!(parse(&short, LTP, false), counted);
    }
}
