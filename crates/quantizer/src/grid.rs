//! Which quantizers are exact in which role, and the integer grid they lie on.

use crate::arguments::power_of_two;
use crate::po2::Exponents;
use crate::{Alpha, Modes, Quantizer, Role, Sigmoid};

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
    /// [`NotExact`] for the float references, `bernoulli` (drawn at random at inference too),
    /// `quantized_ulaw` (on no grid), `qnoise_factor` below 1, scales that are not powers of
    /// two, automatic scales outside kernels and biases, grids of more than 32 bits, codes of more
    /// than 24 significant bits, and activations of more than 4096 steps on no uniform grid.
    pub fn check_exact(&self, role: Role) -> Result<(), NotExact> {
        if self.alpha() == Alpha::AutoPo2 && matches!(role, Role::Kernel | Role::Bias) {
            self.check_deterministic()
                .map_err(|reason| self.refuse(role, reason))?;
            if self.bits() > F32_BITS {
                return Err(self.refuse(role, too_many_bits()));
            }
            return Ok(());
        }
        let grid = self.grid(role)?;
        let levels = grid.hi - grid.lo;
        if role == Role::Activation && !self.is_uniform() && !self.is_direct() && levels >= 4096 {
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
            Self::QuantizedLinear(q) => !q.is_sign() && q.alpha.exponent().is_some(),
            Self::QuantizedRelu(q) => !q.use_sigmoid && q.negative_slope == 0.0,
            Self::QuantizedTanh(q) => !q.use_real_tanh && q.sigmoid == Sigmoid::Hard,
            Self::Fixed(q) => q.is_clamp(),
            _ => false,
        }
    }

    /// How an activation on its own grid rounds and overflows, if it is nothing else: uniform quantizers
    /// and every `ap_fixed`.
    pub fn modes(&self) -> Option<Modes> {
        match self {
            Self::Fixed(q) if !q.is_clamp() => Some(q.modes()),
            _ => self.is_uniform().then_some(Modes::NEAREST_EVEN),
        }
    }

    /// Whether greater numbers never have smaller values (but for the power-of-two families around
    /// zero); with a fixed scale and the quantization error applied in full.
    pub fn is_monotone(&self) -> bool {
        match self {
            Self::QuantizedHswish(_) => false,
            Self::Fixed(q) => q.modes().is_monotone(),
            _ => true,
        }
    }

    /// Whether it has far fewer levels than its grid has codes.
    fn is_sparse(&self) -> bool {
        matches!(self, Self::QuantizedPo2(_) | Self::QuantizedReluPo2(_))
    }

    /// Whether the number of its levels is no matter: few, or found by arithmetic alone.
    fn is_direct(&self) -> bool {
        self.is_sparse() || matches!(self, Self::Fixed(_))
    }

    /// Refuses what is not one value for one input.
    fn check_deterministic(&self) -> Result<(), String> {
        let factor = self.noise().factor;
        if factor != 1.0 {
            return Err(format!(
                "qnoise_factor is {factor:?}, which blends unquantized values in; accepted is 1"
            ));
        }
        if matches!(self, Self::Bernoulli(_)) {
            return Err(
                "it draws at random at inference too; accepted is `binary(use_01=True)`, its \
                 likelier value"
                    .into(),
            );
        }
        Ok(())
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
        self.check_deterministic()?;
        let scale = match self.alpha() {
            Alpha::None => 0,
            Alpha::Constant(a) => power_of_two(a).ok_or_else(|| {
                format!("its scale {a:?} is not a power of two; accepted are powers of two")
            })?,
            Alpha::Auto => {
                return Err(
                    "its scale 'auto' is any real number; accepted are powers of two and, \
                            for kernels and biases, 'auto_po2'"
                        .into(),
                );
            }
            Alpha::AutoPo2 => {
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
            Self::QuantizedUlaw(_) => {
                return Err(
                    "its values are on no uniform grid (a table of real numbers); accepted are the \
                     families on a grid"
                        .into(),
                );
            }
            Self::Bernoulli(_) => return Err("it draws at random".into()),
            Self::QuantizedLinear(q) => {
                let (lo, hi) = q.code_range();
                let unit = power_of_two(q.code_unit() as f32).unwrap_or(0);
                Grid {
                    fraction: -(unit + scale),
                    lo,
                    hi,
                }
            }
            Self::QuantizedTanh(q) => {
                let (lo, hi) = q.code_range();
                Grid {
                    fraction: q.code_fraction(),
                    lo,
                    hi,
                }
            }
            Self::QuantizedSigmoid(q) => {
                let (lo, hi) = q.code_range();
                Grid {
                    fraction: q.bits as i32,
                    lo,
                    hi,
                }
            }
            Self::QuantizedHswish(q) => {
                let fraction = q.grid.code_fraction();
                let (lo, hi) = q.grid.code_range();
                let lowest = (q.lowest() * 2f64.powi(fraction)).round_ties_even() as i64;
                Grid {
                    fraction: fraction - scale,
                    lo: lowest.max(lo),
                    hi,
                }
            }
            Self::Fixed(q) => {
                let (lo, hi) = q.code_range();
                Grid {
                    fraction: q.fraction(),
                    lo,
                    hi,
                }
            }
            Self::Binary(q) => Grid {
                fraction: -scale,
                lo: if q.use_01 { 0 } else { -1 },
                hi: 1,
            },
            Self::StochasticBinary(_) | Self::Ternary(_) | Self::StochasticTernary(_) => Grid {
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
