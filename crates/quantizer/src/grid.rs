//! Which quantizers are exact in which role, and the integer grid they lie on.

use crate::arguments::power_of_two;
use crate::po2::Exponents;
use crate::{Alpha, Quantizer, Role};

/// Why a quantizer has no exact integer form in a role.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{quantizer} has no exact integer form as {role}: {reason}")]
pub struct NotExact {
    /// Canonical text of the quantizer.
    pub quantizer: String,
    /// `input`, `kernel`, `bias` or `activation`.
    pub role: &'static str,
    /// Why, and what would be accepted.
    pub reason: String,
}

/// The integer grid all values of a quantizer lie on: value = code * 2^-fraction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grid {
    /// Bits right of the binary point; negative when the step is above one.
    pub fraction: i32,
    /// Smallest code.
    pub lo: i64,
    /// Largest code.
    pub hi: i64,
}

/// Significant bits of a code that f32 holds.
const F32_BITS: u32 = 24;

impl Role {
    /// The word for it in messages and places.
    pub fn name(self) -> &'static str {
        match self {
            Self::Input => "input",
            Self::Kernel => "kernel",
            Self::Bias => "bias",
            Self::Activation => "activation",
        }
    }
}

impl Quantizer {
    /// Whether this quantizer has an exact integer form in a role.
    ///
    /// # Errors
    /// [`NotExact`] for the float references, `qnoise_factor` below 1, scales that are not powers of
    /// two, automatic scales outside kernels and biases, grids of more than 32 bits, codes of more
    /// than 24 significant bits, and activations of more than 4096 steps on no uniform grid.
    pub fn check_exact(&self, role: Role) -> Result<(), NotExact> {
        if self.alpha() == Some(Alpha::AutoPo2) && matches!(role, Role::Kernel | Role::Bias) {
            if let Self::QuantizedBits(q) = self
                && q.bits > F32_BITS
            {
                return Err(self.refuse(role, too_many_bits()));
            }
            return Ok(());
        }
        let grid = self.grid(role)?;
        let levels = grid.hi - grid.lo;
        if role == Role::Activation && !self.is_uniform() && !self.is_sparse() && levels >= 4096 {
            return Err(self.refuse(
                role,
                format!(
                    "its {levels} steps are on no uniform grid; accepted are at most 4096 \
                     (12 bits)"
                ),
            ));
        }
        Ok(())
    }

    /// Whether an activation is `clamp(round_half_even(x * 2^fraction), lo, hi)` on its own grid.
    pub fn is_uniform(&self) -> bool {
        match self {
            Self::QuantizedBits(q) => q.unsigned_bits() > 0 && q.alpha.exponent() == Some(0),
            Self::QuantizedRelu(q) => !q.use_sigmoid && q.negative_slope == 0.0,
            _ => false,
        }
    }

    /// Whether it has far fewer levels than its grid has codes.
    fn is_sparse(&self) -> bool {
        matches!(self, Self::QuantizedPo2(_) | Self::QuantizedReluPo2(_))
    }

    pub(crate) fn refuse(&self, role: Role, reason: impl Into<String>) -> NotExact {
        NotExact {
            quantizer: self.to_string(),
            role: role.name(),
            reason: reason.into(),
        }
    }

    /// The grid of this quantizer in a role that has one scale for the whole tensor.
    ///
    /// # Errors
    /// [`NotExact`] for float, for scales that are not powers of two or are found per tensor at run
    /// time, and for grids that need more than 32 bits.
    pub fn grid(&self, role: Role) -> Result<Grid, NotExact> {
        self.fixed_grid()
            .map_err(|reason| self.refuse(role, reason))
    }

    fn fixed_grid(&self) -> Result<Grid, String> {
        if let Some(factor) = self.noise() {
            return Err(format!(
                "qnoise_factor is {factor:?}, which blends unquantized values in; accepted is 1"
            ));
        }
        let scale = match self.alpha() {
            None | Some(Alpha::None) => 0,
            Some(Alpha::Constant(a)) => power_of_two(a).ok_or_else(|| {
                format!("its scale {a:?} is not a power of two; accepted are powers of two")
            })?,
            Some(Alpha::Auto) => {
                return Err(
                    "its scale 'auto' is any real number; accepted are powers of two and, \
                            for kernels and biases, 'auto_po2'"
                        .into(),
                );
            }
            Some(Alpha::AutoPo2) => {
                return Err(
                    "its scale 'auto_po2' is found from the tensor at run time; accepted \
                            here are fixed powers of two"
                        .into(),
                );
            }
        };
        let grid = match self {
            Self::Float | Self::Relu => {
                return Err("it is a float reference; accepted are the quantized families".into());
            }
            Self::QuantizedBits(q) => {
                let (lo, hi) = q.code_range();
                Grid {
                    fraction: q.code_fraction() - scale,
                    lo,
                    hi,
                }
            }
            Self::QuantizedRelu(q) => {
                let fraction = q.code_fraction();
                let levels = 1i64 << q.unsigned_bits();
                let below = f64::from(q.negative_slope) * levels as f64;
                if below.fract() != 0.0 {
                    return Err(format!(
                        "its negative values end within one step; accepted are slopes of at least \
                         2^-{}",
                        q.unsigned_bits()
                    ));
                }
                let hi = match q.cut().map(|cut| f64::from(cut) * 2f64.powi(fraction)) {
                    None => levels - 1,
                    Some(cut) if cut >= levels as f64 => levels - 1,
                    Some(cut) if cut.fract() == 0.0 => (levels - 1).min(cut as i64),
                    Some(_) => {
                        return Err(
                            "its relu_upper_bound is not a multiple of its step; accepted \
                                    are multiples"
                                .into(),
                        );
                    }
                };
                Grid {
                    fraction,
                    lo: -(below as i64),
                    hi,
                }
            }
            Self::Binary(q) | Self::StochasticBinary(q) => Grid {
                fraction: -scale,
                lo: if q.use_01 { 0 } else { -1 },
                hi: 1,
            },
            Self::Ternary(_) => Grid {
                fraction: -scale,
                lo: -1,
                hi: 1,
            },
            Self::QuantizedPo2(q) => {
                let e = Exponents::of_po2(q);
                let hi = po2_code(e.highest(), e.lowest())?;
                Grid {
                    fraction: -e.lowest(),
                    lo: -hi,
                    hi,
                }
            }
            Self::QuantizedReluPo2(q) => {
                let e = Exponents::of_relu_po2(q);
                let hi = po2_code(e.highest(), e.lowest())?;
                let smallest = po2_code(e.min, e.lowest())?;
                let lo = if q.negative_slope == 0.0 {
                    smallest.min(1)
                } else {
                    -hi
                };
                Grid {
                    fraction: -e.lowest(),
                    lo,
                    hi,
                }
            }
        };
        // A power of two has one significant bit, however far to the left it stands.
        let dense = !self.is_sparse();
        if dense && grid.hi.max(-grid.lo) > 1 << F32_BITS {
            return Err(too_many_bits());
        }
        Ok(grid)
    }
}

fn too_many_bits() -> String {
    format!("its codes have more than the {F32_BITS} significant bits of f32; accepted are fewer")
}

/// `2^(exponent - lowest)`, within 32 bits.
fn po2_code(exponent: i32, lowest: i32) -> Result<i64, String> {
    let shift = exponent - lowest;
    if (0..=30).contains(&shift) {
        Ok(1 << shift)
    } else {
        Err(format!(
            "its exponents span {} bits; accepted are grids of at most 32 bits (fewer bits, or a \
             smaller max_value)",
            shift + 2
        ))
    }
}
