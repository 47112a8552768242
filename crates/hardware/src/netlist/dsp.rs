//! A DSP48E2 as a multiplier without registers: the one setting that netlists may have.
//!
//! That is what Yosys maps a product to: `P = A * B`, 27 by 18 bits in two's complement, the sign repeated up to the 48
//! bits of `P`. Its model of the block is a black box, so nothing can be proved of it; the behaviour
//! here (the multiplier's product through the X and Y multiplexers, nothing through Z and W, added) is written from
//! general knowledge of the block and was not held against the vendor's model. A test simulates a second model, with
//! all four multiplexers, beside it; that one has the same origin.
//!
//! The rule this module keeps: every parameter and every other pin has the value it has in that setting, or the
//! netlist is refused.

use super::parse::Pin;
use super::simulate::{History, bit};
use super::{Bit, NetlistError, ONE, ZERO};
use std::collections::HashMap;

/// The cell.
pub(super) const NAME: &str = "DSP48E2";
/// Its multiplier's factors; the upper three bits of `A` go past the multiplier.
pub(super) const FACTORS: [Pin; 2] = [("A", 30), ("B", 18)];
/// What it gives.
pub(super) const PRODUCT: [Pin; 1] = [("P", 48)];

/// Bits of each factor.
const BITS: [usize; 2] = [27, 18];

/// Registers: none is used.
const REGISTERS: [&str; 14] = [
    "ACASCREG",
    "ADREG",
    "ALUMODEREG",
    "AREG",
    "BCASCREG",
    "BREG",
    "CARRYINREG",
    "CARRYINSELREG",
    "CREG",
    "DREG",
    "INMODEREG",
    "MREG",
    "OPMODEREG",
    "PREG",
];

/// Choices.
const CHOICES: [(&str, &str); 6] = [
    ("AMULTSEL", "A"),
    ("A_INPUT", "DIRECT"),
    ("BMULTSEL", "B"),
    ("B_INPUT", "DIRECT"),
    ("USE_MULT", "MULTIPLY"),
    ("USE_SIMD", "ONE48"),
];

/// Pins at a constant: name, bits, value. X and Y take the product, Z and W nothing, and all are added.
const CONSTANTS: [(&str, usize, u64); 10] = [
    ("ACIN", 30, 0),
    ("ALUMODE", 4, 0),
    ("BCIN", 18, 0),
    ("C", 48, 0),
    ("CARRYIN", 1, 0),
    ("CARRYINSEL", 3, 0),
    ("D", 27, 0),
    ("INMODE", 5, 0),
    ("OPMODE", 9, 0b0_0000_0101),
    ("PCIN", 48, 0),
];

/// Refuses any other setting.
pub(super) fn check(
    parameters: &HashMap<&str, Vec<Bit>>,
    pins: &HashMap<&str, Vec<Bit>>,
) -> Result<(), NetlistError> {
    let refused = |what: &str, name: &str| {
        let cell = format!("{NAME} with another {what} {name}");
        Err(NetlistError::Cell { cell })
    };
    // A parameter that is not written has the block's default, which is another one for most.
    for name in REGISTERS {
        let zero = |bits: &Vec<Bit>| bits.iter().all(|bit| *bit == ZERO);
        if !parameters.get(name).is_some_and(zero) {
            return refused("parameter", name);
        }
    }
    for (name, text) in CHOICES {
        let characters = text
            .bytes()
            .rev()
            .flat_map(|byte| (0..8).map(move |at| byte >> at & 1));
        if !parameters
            .get(name)
            .is_some_and(|bits| characters.map(Bit::from).eq(bits.iter().copied()))
        {
            return refused("parameter", name);
        }
    }
    for (name, width, value) in CONSTANTS {
        let wanted = (0..width).map(|at| if value >> at & 1 == 1 { ONE } else { ZERO });
        if !pins
            .get(name)
            .is_some_and(|bits| wanted.eq(bits.iter().copied()))
        {
            return refused("pin", name);
        }
    }
    let parameter = |name: &&&str| {
        !REGISTERS.contains(name) && !CHOICES.iter().any(|choice| choice.0 == **name)
    };
    let pin = |name: &&&str| {
        let constant = CONSTANTS.iter().any(|constant| constant.0 == **name);
        !constant && !FACTORS.iter().chain(&PRODUCT).any(|pin| pin.0 == **name)
    };
    if let Some(name) = parameters.keys().find(parameter) {
        return refused("parameter", name);
    }
    match pins.keys().find(pin) {
        Some(name) => refused("pin", name),
        None => Ok(()),
    }
}

/// Histories of `P` from those of `A` and `B`.
pub(super) fn products(inputs: &[&[u64]], clocks: usize) -> Vec<History> {
    let (a, b) = inputs.split_at(FACTORS[0].1);
    let mut product = vec![vec![0; clocks.div_ceil(64)]; PRODUCT[0].1];
    for clock in 0..clocks {
        let [a, b] = [(a, BITS[0]), (b, BITS[1])].map(|(pins, width)| {
            let bits = pins[..width].iter().rev();
            // The highest bit is worth less than nothing.
            let value = bits.fold(0_i64, |value, pin| value << 1 | bit(pin, clock) as i64);
            value - ((value >> (width - 1)) << width)
        });
        for (at, history) in product.iter_mut().enumerate() {
            history[clock / 64] |= ((a * b) as u64 >> at & 1) << (clock % 64);
        }
    }
    product
}
