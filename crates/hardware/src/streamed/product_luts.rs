//! LUTs of a product of a word by a weight that changes over the cycles of a row.
//!
//! Nothing is fitted. A bit of the product that depends on at most six signals is a LUT, and each further signal doubles
//! that; or the product is a multiplier of as many rows as the weight has bits that are not always zero, whose LUTs were
//! counted once for every small shape. The smaller of the two is what synthesis comes close to: it cuts cones of few signals
//! out of the multiplier, and a weight of few cycles has few signals, because equal bits of a weight are one register.

use std::collections::HashSet;

/// A bit of a weight over the cycles of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum WeightBit {
    Zero,
    One,
    /// The register of this number.
    Register(usize),
}

/// Rows and columns of the tables: weights of 2 to 8 bits, words of 1 to 10.
const FEWEST_ROWS: u64 = 2;
const MOST_ROWS: u64 = 8;
const MOST_WORD_BITS: u64 = 10;

type Counted = [[u64; MOST_WORD_BITS as usize]; (MOST_ROWS - FEWEST_ROWS + 1) as usize];

/// LUTs of registered products of a signed weight and an unsigned word under Yosys 0.23, as
/// `bench/estimates/products` counts them.
const UNSIGNED: Counted = [
    [2, 4, 6, 8, 10, 12, 14, 16, 18, 20],
    [3, 5, 7, 10, 15, 21, 27, 33, 39, 45],
    [4, 9, 12, 24, 43, 47, 64, 80, 96, 112],
    [5, 11, 20, 51, 45, 68, 59, 63, 77, 81],
    [6, 13, 26, 56, 91, 100, 110, 120, 130, 140],
    [7, 15, 32, 72, 64, 74, 105, 118, 131, 144],
    [8, 17, 38, 88, 73, 117, 106, 146, 165, 184],
];

/// The same of a signed word; one of a single bit is taken for an unsigned one.
const SIGNED: Counted = [
    [2, 5, 7, 9, 11, 13, 15, 17, 19, 21],
    [3, 7, 9, 12, 17, 23, 29, 35, 41, 47],
    [4, 9, 12, 26, 46, 48, 65, 81, 97, 113],
    [5, 11, 17, 46, 53, 76, 62, 71, 80, 89],
    [6, 13, 23, 48, 76, 105, 115, 125, 135, 145],
    [7, 15, 29, 65, 62, 115, 123, 136, 149, 160],
    [8, 17, 35, 81, 71, 125, 136, 181, 198, 215],
];

/// LUTs of a product of `product_bits` bits: of a weight, the lowest bit first, and a word of `word_bits` bits.
pub(super) fn product_luts(
    weight: &[WeightBit],
    word_bits: u32,
    word_is_signed: bool,
    product_bits: u32,
) -> u64 {
    let rows = weight.iter().filter(|bit| **bit != WeightBit::Zero).count() as u64;
    let word_bits = u64::from(word_bits);
    let counted = if word_is_signed { &SIGNED } else { &UNSIGNED };
    let multiplier = match rows {
        0 => return 0,
        1 => word_bits,
        _ => multiplier(counted, rows, word_bits),
    };
    multiplier.min(by_signals(weight, word_bits, product_bits))
}

/// The table's LUTs; beyond its edges the last steps go on.
fn multiplier(counted: &Counted, rows: u64, word_bits: u64) -> u64 {
    let of_row = |row: u64| {
        let luts = &counted[(row - FEWEST_ROWS) as usize];
        let last = luts[MOST_WORD_BITS as usize - 1];
        match word_bits {
            0 => 0,
            1..=MOST_WORD_BITS => luts[word_bits as usize - 1],
            // Steps differ, so that the mean of four is taken.
            _ => last + (word_bits - MOST_WORD_BITS) * (last - luts[5]) / 4,
        }
    };
    if rows <= MOST_ROWS {
        return of_row(rows);
    }
    let (last, before) = (of_row(MOST_ROWS), of_row(MOST_ROWS - 2));
    last + (rows - MOST_ROWS) * last.saturating_sub(before) / 2
}

/// LUTs where each bit of the product is made by itself of all signals that it depends on.
fn by_signals(weight: &[WeightBit], word_bits: u64, product_bits: u32) -> u64 {
    let Some(lowest) = weight.iter().position(|bit| *bit != WeightBit::Zero) else {
        return 0;
    };
    let mut registers = HashSet::new();
    (lowest..product_bits as usize)
        .map(|bit| {
            if let Some(WeightBit::Register(number)) = weight.get(bit) {
                registers.insert(*number);
            }
            let signals = registers.len() as u64 + word_bits.min((bit - lowest) as u64 + 1);
            match signals {
                0 | 1 => 0,
                _ => 1_u64 << signals.saturating_sub(6).min(32),
            }
        })
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A weight of codes over the cycles, its registers numbered from its lowest bit.
    fn weight(codes: &[i64], bits: u32) -> Vec<WeightBit> {
        let mut columns = Vec::new();
        let bit = |bit: u32| {
            let column: Vec<bool> = codes.iter().map(|code| code >> bit & 1 == 1).collect();
            match (column.contains(&true), column.contains(&false)) {
                (false, _) => WeightBit::Zero,
                (_, false) => WeightBit::One,
                _ => {
                    let known = columns.iter().position(|other| *other == column);
                    WeightBit::Register(known.unwrap_or_else(|| {
                        columns.push(column);
                        columns.len() - 1
                    }))
                }
            }
        };
        (0..bits).map(bit).collect()
    }

    /// Codes of the weight, its bits, bits of the word and whether it is signed, bits of the product, LUTs that Yosys 0.23 counted.
    type Row = (&'static [i64], u32, u32, bool, u32, u64);

    #[test]
    fn products_are_near_what_synthesis_counted() {
        let rows: [Row; 12] = [
            (&[-4, 3], 3, 3, false, 6, 7),
            (&[0, 3, 2], 3, 4, false, 7, 8),
            (&[2, -14], 5, 4, true, 8, 6),
            (&[13, -7, -6], 5, 6, false, 11, 46),
            (&[-7, -5, 4, -4], 4, 6, false, 10, 47),
            (&[11, -11], 5, 6, true, 10, 28),
            (&[-1, 13], 5, 6, false, 11, 18),
            (&[-3, -4, -8, 2], 4, 8, true, 12, 81),
            (&[-7, 5, 6], 4, 8, true, 11, 80),
            (&[14, 6, -16, 11], 5, 8, true, 13, 71),
            (&[-19, -11], 6, 4, true, 9, 11),
            (&[-29, -3, -22, 19], 6, 6, true, 11, 101),
        ];
        let (mut all_said, mut all_counted) = (0, 0);
        for (codes, bits, word_bits, signed, product_bits, counted) in rows {
            let said = product_luts(&weight(codes, bits), word_bits, signed, product_bits);
            let off = (said as f64 / counted as f64 - 1.0).abs();
            assert!(off <= 0.5, "{codes:?}: {said} of {counted}");
            all_said += said;
            all_counted += counted;
        }
        let off = (all_said as f64 / all_counted as f64 - 1.0).abs();
        assert!(off <= 0.1, "{all_said} of {all_counted}");
    }

    #[test]
    fn beyond_the_table_products_grow_with_both_factors() {
        let luts = |rows, bits| multiplier(&SIGNED, rows, bits);
        assert!(luts(8, 10) < luts(9, 10) && luts(9, 10) < luts(12, 10));
        assert!(luts(8, 10) < luts(8, 11) && luts(8, 11) < luts(12, 16));
    }
}
