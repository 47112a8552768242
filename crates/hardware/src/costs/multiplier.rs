//! What one product takes: operator, gate and width of the result, by weight and input type.
//!
//! The table is `QTools`' (rows weight, columns input; F fixed, P power of two, T ternary,
//! B {-1, 1}, Z {0, 1}, X float):
//!
//! | w\x | F | P | T | B | Z | X |
//! |---|---|---|---|---|---|---|
//! | F | mul | shift | mux | mux | and | fmul |
//! | P | shift | add | mux | mux | and | fmul |
//! | T | mux | mux | mux | mux | and | fmul |
//! | B | mux | mux | mux | xor | and | fmul |
//! | Z | and | and | and | and | and | fmul |
//! | X | fmul | fmul | fmul | fmul | fmul | fmul |

use super::{DataType, EnergyMode, energy};
use bitfront_quantizer::HardwareKind;

/// The circuit that forms one product.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operator {
    /// Fixed-point multiplier.
    Multiply,
    /// Barrel shifter.
    Shift,
    /// Pass, negate or zero.
    Multiplexer,
    /// Pass or zero.
    And,
    /// Equality of two signs.
    Xor,
    /// Sum of two exponents.
    Add,
    /// Floating-point multiplier.
    FloatMultiply,
}

impl Operator {
    /// `QTools`' name of it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Multiply | Self::FloatMultiply => "mul",
            Self::Shift => "shifter",
            Self::Multiplexer => "mux",
            Self::And => "and",
            Self::Xor => "xor",
            Self::Add => "add",
        }
    }
}

/// One product: its operator, what the operator costs and the type of the result.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Product {
    /// The circuit.
    pub operator: Operator,
    /// Energy of one operation in pJ.
    pub energy_pj: f64,
    /// Type of the result.
    pub output: DataType,
}

/// The product of a weight and an input.
///
/// [`EnergyMode::Qtools08`] keeps that release's error with `stochastic_*` weights: they are taken
/// for the data operand, so the result has the weight's 1 bit and the gate is 0.6 of one bit.
pub fn product(weight: DataType, input: DataType, mode: EnergyMode) -> Product {
    use HardwareKind::{Binary, Fixed, Float, PowerOfTwo, Table, Ternary, ZeroOne};
    match (weight.kind, input.kind) {
        (Float, _) | (_, Float) => {
            let output = if weight.is_float() { weight } else { input };
            Product {
                operator: Operator::FloatMultiply,
                energy_pj: energy::float_multiply(output.bits),
                output,
            }
        }
        (ZeroOne, _) => and(weight, input),
        (_, ZeroOne) => and(input, weight),
        (Binary, Binary) => Product {
            operator: Operator::Xor,
            energy_pj: 0.3 * energy::add(1.0),
            output: weight,
        },
        (Ternary | Binary, _) if weight.stochastic && mode == EnergyMode::Qtools08 => Product {
            operator: Operator::Multiplexer,
            energy_pj: 0.6 * energy::add(f64::from(weight.bits)),
            output: DataType::fixed(weight.bits, weight.integer_bits, weight.signed),
        },
        (Ternary | Binary, _) => multiplex(weight, input),
        (_, Ternary | Binary) => multiplex(input, weight),
        (Fixed | Table, Fixed | Table) => Product {
            operator: Operator::Multiply,
            energy_pj: energy::multiply((f64::from(weight.bits) * f64::from(input.bits)).sqrt()),
            output: DataType::fixed(
                weight.bits + input.bits,
                weight.integer_bits - i32::from(weight.signed) + input.integer_bits
                    - i32::from(input.signed)
                    + i32::from(weight.signed || input.signed),
                weight.signed || input.signed,
            ),
        },
        (PowerOfTwo, PowerOfTwo) => add_exponents(weight, input),
        (PowerOfTwo, Fixed | Table) => shift(weight, input),
        (Fixed | Table, PowerOfTwo) => shift(input, weight),
    }
}

fn and(gate: DataType, data: DataType) -> Product {
    let output = if data.kind == HardwareKind::ZeroOne {
        gate
    } else {
        data
    };
    Product {
        operator: Operator::And,
        energy_pj: 0.1 * energy::add(f64::from(output.bits)),
        output,
    }
}

fn multiplex(selector: DataType, data: DataType) -> Product {
    let factor = if selector.kind == HardwareKind::Binary {
        0.3
    } else {
        0.6
    };
    let grows = u32::from(!data.signed && selector.signed);
    Product {
        operator: Operator::Multiplexer,
        energy_pj: factor * energy::add(f64::from(data.bits)),
        output: DataType {
            bits: data.bits + grows,
            integer_bits: data.integer_bits + grows as i32,
            signed: data.signed || selector.signed,
            ..data
        },
    }
}

/// Weights not known: a barrel shifter of `B log10 B` bits, `B = sqrt(2^bits * data bits)`.
fn shift(exponent: DataType, data: DataType) -> Product {
    let (below, above) = exponent.exponents.unwrap_or((0, 0));
    let grows = u32::from(exponent.signed && !data.signed);
    let size = (f64::from(exponent.bits).exp2() * f64::from(data.bits)).sqrt();
    Product {
        operator: Operator::Shift,
        energy_pj: energy::add(size * size.log10()),
        output: DataType::fixed(
            data.bits + below + above + grows,
            data.integer_bits + (above + grows) as i32,
            data.signed || exponent.signed,
        ),
    }
}

fn add_exponents(weight: DataType, input: DataType) -> Product {
    let (weight_below, weight_above) = weight.exponents.unwrap_or((0, 0));
    let (input_below, input_above) = input.exponents.unwrap_or((0, 0));
    let bits = weight.bits.max(input.bits) + 1;
    Product {
        operator: Operator::Add,
        energy_pj: energy::add(f64::from(bits)),
        output: DataType {
            bits,
            integer_bits: bits as i32,
            signed: weight.signed || input.signed,
            exponents: Some((weight_below + input_below, weight_above + input_above)),
            ..weight
        },
    }
}
