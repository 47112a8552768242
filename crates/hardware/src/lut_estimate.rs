//! LUT estimate of a circuit (tier 1): its logic bits times factors fitted on Yosys runs.
//!
//! `LUT = ADDER * adder cells + REQUANTIZER * requantizer bits + COMPARATOR * comparator bits`
//! `+ MAXIMUM * maximum bits + mode cells + table cells + TABLE_LEAF * leaves + TABLE_GATE * gates`
//! `+ TABLE_SELECTION * selections + digit cells`
//!
//! * An adder takes one LUT in front of the carry chain for each pair of bits that it adds. Bits that
//!   meet a constant go into the chain as they are, low bits below a shifted operand pass by, the
//!   copies of two sign bits share one LUT, and equal pairs are counted once in a circuit. (The form of
//!   da4ml's cost, `docs/cmvm.md` of that project, is the width of the result; it counts 20 to 30 %
//!   more for the same adders.)
//! * A requantizer has the bits of its result plus those of the source above it: an incrementer, a
//!   reduction of the bits dropped on either side and a multiplexer.
//! * A requantizer of another mode has the LUTs of its parts: what decides whether to round up, the lowest bit of the
//!   sum (the others are in the carry chain), reductions of the bits above the result, and a selection of each bit; no
//!   factor is fitted. Truncation that wraps has none.
//! * A step function has the source's bits above each threshold's trailing zeros, and the thresholds
//!   that toggle each code bit.
//! * A bit of a table's code is one LUT if it reads at most six address bits, which is exact. Others have the different
//!   functions of the six lowest address bits and selections between them by the bits above, cheaper ones where one side is a
//!   constant or the complement of the other; each has a factor
//!   (`cargo run --release -p bitfront-hardware --example tables`). A table has no more than each bit of its code by itself,
//!   twice as many LUTs for each address bit beyond six.
//! * A choice among the multiples of a number has a LUT a bit, but where an adder's LUT, which has a sixth input to spare,
//!   takes it in.
//! * A maximum has the bits that it compares and selects; a comparison alone has a LUT a bit, and a selection what is left
//!   of a maximum's.
//!
//! The factors are a least-squares fit of relative errors; the table in the crate's documentation
//! has the runs.

use crate::circuit::{Circuit, Node, Operand, Operation, Requantizer, Table, TableCells};
use bitfront_quantizer::{Modes, Overflow};
use serde::{Deserialize, Serialize};

/// LUTs a pair of added bits takes.
const ADDER: f64 = 1.044;
/// LUTs a requantizer bit takes.
pub(crate) const REQUANTIZER: f64 = 0.723;
/// LUTs a comparator bit takes.
pub(crate) const COMPARATOR: f64 = 0.169;

/// LUTs a function of six address bits takes in a table of more.
const TABLE_LEAF: f64 = 0.8;
/// LUTs a selection between a function and a constant or its own complement takes.
const TABLE_GATE: f64 = 0.2;
/// LUTs another selection takes.
const TABLE_SELECTION: f64 = 0.85;

/// LUTs a bit of a maximum takes.
pub(crate) const MAXIMUM: f64 = 1.575;

/// The logic of a circuit, counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Inventory {
    /// Adders and subtractors.
    pub adders: u64,
    /// Their bits, without the low ones that pass through.
    pub adder_bits: u64,
    /// Their LUTs in front of carry chains, equal ones counted once, and those of products too small for a DSP block.
    pub adder_cells: u64,
    /// Products in DSP blocks.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub dsp_blocks: u64,
    /// Requantizers.
    pub requantizers: u64,
    /// Bits of their results and of the source bits above them, of those that round half to even and
    /// saturate.
    pub requantizer_bits: u64,
    /// LUTs of those of other modes.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub mode_cells: u64,
    /// Threshold comparisons of step functions.
    pub comparators: u64,
    /// Their compared bits, and one for each code bit a threshold toggles.
    pub comparator_bits: u64,
    /// Tables of narrow sources.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub tables: u64,
    /// LUTs of the bits of their codes that read at most six address bits, and of those that are made bit by bit.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub table_cells: u64,
    /// Different functions of six address bits of the others.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub table_leaves: u64,
    /// Their selections, by the address bits above, of a constant or of a function and its complement.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub table_gates: u64,
    /// Their other selections.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub table_selections: u64,
    /// Maxima of two.
    pub maxima: u64,
    /// The bits they compare.
    pub maximum_bits: u64,
    /// Bits of comparisons of two wires.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub compared_bits: u64,
    /// LUTs of choices among the multiples of a number, those that go into an adder's apart.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub digit_cells: u64,
    /// Bits of selections of one of two wires.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub selected_bits: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
fn is_zero(count: &u64) -> bool {
    *count == 0
}

impl Inventory {
    /// Counts a circuit's logic.
    pub fn of(circuit: &Circuit) -> Self {
        let mut inventory = Self {
            adder_bits: circuit.adder_bits(),
            adder_cells: circuit.adder_cells() + circuit.soft_multiplier_cells(),
            dsp_blocks: circuit.dsp_blocks(),
            digit_cells: circuit.digit_cells(),
            ..Self::default()
        };
        for node in circuit.nodes() {
            inventory.count(circuit, node);
        }
        inventory
    }

    fn count(&mut self, circuit: &Circuit, node: &Node) {
        match &node.operation {
            Operation::Add { .. } => self.adders += 1,
            Operation::Requantize {
                source,
                right_shift,
                range,
                modes,
            } => {
                self.requantizers += 1;
                if *modes != Modes::NEAREST_EVEN {
                    let from = circuit.node(*source).range;
                    let rule = Requantizer::new(from, *right_shift, *range, *modes);
                    self.mode_cells += mode_cells(&rule, node.width());
                    return;
                }
                let above = i64::from(circuit.node(*source).width()) - i64::from(*right_shift);
                self.requantizer_bits += above.max(i64::from(node.width())) as u64;
            }
            Operation::Steps {
                source,
                thresholds,
                codes,
            } => {
                let width = circuit.node(*source).width();
                self.comparators += thresholds.len() as u64;
                self.comparator_bits += comparator_bits(width, thresholds, codes, node.width());
            }
            operation @ Operation::Table { .. } => {
                self.tables += 1;
                if let Some((.., table)) = Table::of(circuit.nodes(), operation) {
                    let cells = table.cells(node.width());
                    if by_parts(cells) < cells.by_bit as f64 {
                        self.table_cells += cells.narrow;
                        self.table_leaves += cells.leaves;
                        self.table_gates += cells.gates;
                        self.table_selections += cells.selections;
                    } else {
                        self.table_cells += cells.by_bit;
                    }
                }
            }
            Operation::Max { left, right } => {
                self.maxima += 1;
                let width = |operand: &Operand| circuit.node(operand.wire).width() + operand.shift;
                self.maximum_bits += u64::from(width(left).max(width(right)));
            }
            Operation::AtLeast { left, right } => {
                let width = |operand: &Operand| circuit.node(operand.wire).width() + operand.shift;
                self.compared_bits += u64::from(width(left).max(width(right)));
            }
            Operation::Select { .. } => self.selected_bits += u64::from(node.width()),
            Operation::Input { .. }
            | Operation::Constant { .. }
            | Operation::Multiply { .. }
            | Operation::Digit { .. }
            | Operation::Register { .. } => {}
        }
    }

    /// The LUT estimate.
    pub fn lut_estimate(&self) -> u64 {
        let lut = ADDER * self.adder_cells as f64
            + REQUANTIZER * self.requantizer_bits as f64
            + self.mode_cells as f64
            + COMPARATOR * self.comparator_bits as f64
            + by_parts(TableCells {
                by_bit: 0,
                narrow: self.table_cells,
                leaves: self.table_leaves,
                gates: self.table_gates,
                selections: self.table_selections,
            })
            + MAXIMUM * self.maximum_bits as f64
            + self.compared_bits as f64
            + self.digit_cells as f64
            + (MAXIMUM - 1.0) * self.selected_bits as f64;
        lut.round() as u64
    }
}

/// Compared bits of a step function behind a source of `width` bits, and one for each of the `code_bits` bits of a code
/// that a threshold toggles.
pub(crate) fn comparator_bits(
    width: u32,
    thresholds: &[i64],
    codes: &[i64],
    code_bits: u32,
) -> u64 {
    let pairs = thresholds.iter().zip(codes.windows(2));
    let bits = pairs.map(|(threshold, pair)| {
        let compared = width.saturating_sub(threshold.trailing_zeros()).max(1);
        let toggled = (pair[0] ^ pair[1]).count_ones().min(code_bits);
        u64::from(compared + toggled)
    });
    bits.sum()
}

/// Whether a table takes fewer LUTs than comparators of so many bits.
pub(crate) fn table_is_cheaper(cells: TableCells, comparator_bits: u64) -> bool {
    table_luts(cells) < COMPARATOR * comparator_bits as f64
}

/// LUTs of a table.
fn table_luts(cells: TableCells) -> f64 {
    by_parts(cells).min(cells.by_bit as f64)
}

/// LUTs of a table whose bits share what they are made of.
fn by_parts(cells: TableCells) -> f64 {
    cells.narrow as f64
        + TABLE_LEAF * cells.leaves as f64
        + TABLE_GATE * cells.gates as f64
        + TABLE_SELECTION * cells.selections as f64
}

/// LUTs of a requantizer to codes of `width` bits, part by part.
pub(crate) fn mode_cells(rule: &Requantizer, width: u32) -> u64 {
    let up = if rule.rounded == rule.floor {
        0
    } else {
        reduction(rule.deciding_bits()) + 1
    };
    let (above, below) = (rule.compares_above(), rule.compares_below());
    if !above && !below {
        return up;
    }
    let compared = if rule.saturates() {
        rule.floor
    } else {
        rule.rounded
    };
    let beyond = (compared.width() + 1).saturating_sub(rule.range.width());
    let selected = match rule.modes.overflow {
        // The register behind it is reset, and bits that only a sign or a flag changes are selected there.
        Overflow::SatZero => 0,
        Overflow::Wrap => rule.modes.saturated_bits.saturating_sub(1).min(width),
        Overflow::WrapSm => width / 2,
        Overflow::Sat | Overflow::SatSym => width,
    };
    let reduced = reduction(beyond) * (u64::from(above) + u64::from(below));
    up + reduced + u64::from(selected)
}

/// LUTs that reduce so many bits to one; none where there is one.
fn reduction(bits: u32) -> u64 {
    u64::from(bits.saturating_sub(1).div_ceil(5))
}
