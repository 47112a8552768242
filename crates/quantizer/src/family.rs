//! The quantizer families and their options.

use crate::Fixed;

/// A scale factor of a quantizer, as `QKeras` calls it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Alpha {
    /// No scale given: 1 for every family here; nothing rewrites it.
    None,
    /// A fixed factor.
    Constant(f32),
    /// A least-squares scale per channel (last axis), any real number.
    Auto,
    /// A least-squares scale per channel, rounded to a power of two.
    AutoPo2,
}

/// How codes are rounded in training; scoring always rounds to the nearest, ties to even.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Rounding {
    /// To the nearest.
    #[default]
    Nearest,
    /// `use_stochastic_rounding=True`: up or down at random, keeping the mean. As in the original,
    /// `quantized_relu`, `quantized_tanh` and `quantized_sigmoid` then give half steps in training.
    Stochastic,
    /// `use_stochastic_rounding='whole'`: the same on whole steps, which the original does not have.
    StochasticWhole,
}

/// Which function stands for the logistic one (the original's global switch).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sigmoid {
    /// `clip(x / 2 + 1 / 2, 0, 1)`.
    #[default]
    Hard,
    /// `clip(3 x / 16 + 1 / 2, 0, 1)`.
    Smooth,
    /// `1 / (1 + e^-x)`.
    Real,
}

/// Bounds of an automatic power-of-two scale's exponent (only in the original's later master).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ScaleExponents {
    /// Smallest exponent.
    pub min: Option<i32>,
    /// Largest exponent.
    pub max: Option<i32>,
}

/// How much of the quantization error is applied, and how gradients see it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Noise {
    /// Share of the quantization error that is applied, 0 to 1.
    pub factor: f32,
    /// Straight-through: gradients pass whole. Otherwise they pass by `1 - factor`.
    pub straight_through: bool,
}

impl Default for Noise {
    fn default() -> Self {
        Self {
            factor: 1.0,
            straight_through: true,
        }
    }
}

impl Noise {
    /// What a gradient is multiplied with besides the family's own slope.
    pub(crate) fn gradient(self) -> f32 {
        if self.straight_through {
            1.0
        } else {
            1.0 - self.factor
        }
    }
}

/// `quantized_bits(bits, integer, symmetric, keep_negative, alpha)`: a uniform fixed-point grid.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct QuantizedBits {
    /// Total bits, sign included.
    pub bits: u32,
    /// Bits left of the binary point, sign excluded.
    pub integer: i32,
    /// Leave out the most negative code.
    pub symmetric: bool,
    /// Signed. With an automatic scale negative values occur all the same, as in the original.
    pub keep_negative: bool,
    /// Scale; a number multiplies values without dividing inputs by it, as in the original.
    pub alpha: Alpha,
    /// Rounding in training.
    pub rounding: Rounding,
    /// `qnoise_factor` and `use_ste`.
    pub noise: Noise,
    /// Bounds of an automatic power-of-two scale.
    pub exponents: ScaleExponents,
}

/// `quantized_linear(bits, integer, symmetric, keep_negative, alpha)`: a uniform grid whose inputs
/// are divided by the scale (only in the original's later master).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct QuantizedLinear {
    /// Total bits, sign included.
    pub bits: u32,
    /// Bits left of the binary point, sign excluded.
    pub integer: i32,
    /// Leave out the most negative code (the default).
    pub symmetric: bool,
    /// Signed.
    pub keep_negative: bool,
    /// Scale.
    pub alpha: Alpha,
    /// Rounding in training.
    pub rounding: Rounding,
    /// Share of the quantization error that is applied, 0 to 1.
    pub qnoise_factor: f32,
}

/// `quantized_relu(bits, integer, ...)`: an unsigned grid behind a rectifier.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct QuantizedRelu {
    /// Total bits.
    pub bits: u32,
    /// Bits left of the binary point.
    pub integer: i32,
    /// Squash through a sigmoid first.
    pub use_sigmoid: bool,
    /// Slope below zero, 0 or a power of two.
    pub negative_slope: f32,
    /// Rounding in training.
    pub rounding: Rounding,
    /// Upper bound where the clip is not the quantizer's own.
    pub relu_upper_bound: Option<f32>,
    /// Clip gradients at the quantizer's own range.
    pub is_quantized_clip: bool,
    /// `qnoise_factor` and `use_ste`.
    pub noise: Noise,
    /// Which sigmoid `use_sigmoid` means.
    pub sigmoid: Sigmoid,
}

/// `quantized_ulaw(bits, integer, symmetric, u)`: levels of a logarithmic law, on no uniform grid.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct QuantizedUlaw {
    /// Total bits, sign included.
    pub bits: u32,
    /// Bits left of the binary point.
    pub integer: i32,
    /// Leave out the most negative level.
    pub symmetric: bool,
    /// The law's parameter.
    pub u: f32,
    /// Which sigmoid squashes.
    pub sigmoid: Sigmoid,
}

/// `quantized_tanh(bits, use_stochastic_rounding, symmetric, use_real_tanh)`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct QuantizedTanh {
    /// Total bits, sign included.
    pub bits: u32,
    /// Rounding in training.
    pub rounding: Rounding,
    /// Leave out -1.
    pub symmetric: bool,
    /// The real hyperbolic tangent instead of `2 sigmoid(x) - 1`.
    pub use_real_tanh: bool,
    /// Which sigmoid is meant.
    pub sigmoid: Sigmoid,
}

/// `quantized_sigmoid(bits, symmetric, use_real_sigmoid, use_stochastic_rounding)`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct QuantizedSigmoid {
    /// Total bits.
    pub bits: u32,
    /// Leave out 0.
    pub symmetric: bool,
    /// Which sigmoid is meant.
    pub sigmoid: Sigmoid,
    /// Rounding in training.
    pub rounding: Rounding,
}

/// `quantized_hswish(bits, integer, ...)`: `quantized_bits` of
/// `x min(max(x + shift, 0), bound) / bound`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct QuantizedHswish {
    /// The quantizer behind the function (always signed).
    pub grid: QuantizedBits,
    /// Shift of the rectifier, a whole number.
    pub relu_shift: u32,
    /// Bound of the rectifier and divisor, a whole number.
    pub relu_upper_bound: u32,
}

/// `binary(use_01, alpha)`: two levels.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Binary {
    /// Levels 0 and 1 instead of -1 and +1.
    pub use_01: bool,
    /// Scale.
    pub alpha: Alpha,
    /// Rounding in training.
    pub rounding: Rounding,
    /// Bounds of an automatic power-of-two scale.
    pub exponents: ScaleExponents,
}

/// `stochastic_binary(alpha, temperature)` and `bernoulli(alpha, temperature)`: two levels, drawn.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Stochastic {
    /// Scale.
    pub alpha: Alpha,
    /// Factor in front of the sigmoid that gives the probability.
    pub temperature: f32,
    /// Which sigmoid gives the probability (the real one by default).
    pub sigmoid: Sigmoid,
}

/// `ternary(alpha, threshold)`: three levels.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ternary {
    /// Scale.
    pub alpha: Alpha,
    /// Dead band half-width; `None` is 0.33, or automatic with an automatic scale.
    pub threshold: Option<f32>,
    /// Rounding in training.
    pub rounding: Rounding,
    /// Steps of the search for an automatic scale.
    pub number_of_unrolls: u32,
}

/// `stochastic_ternary(alpha, threshold, temperature)`: three levels, drawn in training; `Ternary`
/// at inference.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StochasticTernary {
    /// The inference form.
    pub ternary: Ternary,
    /// Factor in front of the sigmoid that gives the probabilities.
    pub temperature: f32,
    /// Which sigmoid gives the probabilities (the real one by default).
    pub sigmoid: Sigmoid,
}

/// `quantized_po2(bits, max_value)`: signed powers of two.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct QuantizedPo2 {
    /// Total bits, sign included.
    pub bits: u32,
    /// Largest magnitude before rounding.
    pub max_value: Option<f32>,
    /// Rounding in training.
    pub rounding: Rounding,
    /// Even exponents only.
    pub quadratic_approximation: bool,
    /// `log2_rounding='floor'`: exponents are rounded down.
    pub floor: bool,
    /// `qnoise_factor` and `use_ste`.
    pub noise: Noise,
}

/// `quantized_relu_po2(bits, max_value)`: positive powers of two.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct QuantizedReluPo2 {
    /// Total bits.
    pub bits: u32,
    /// Largest value before rounding.
    pub max_value: Option<f32>,
    /// Slope below zero.
    pub negative_slope: f32,
    /// Rounding in training.
    pub rounding: Rounding,
    /// Even exponents only.
    pub quadratic_approximation: bool,
    /// `log2_rounding='floor'`: exponents are rounded down.
    pub floor: bool,
    /// `qnoise_factor` and `use_ste`.
    pub noise: Noise,
}

/// A map from real numbers to a finite set of representable ones.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Quantizer {
    /// `float`: the identity; a reference, never exact.
    Float,
    /// `relu`: a float rectifier; a reference, never exact.
    Relu,
    /// Uniform fixed point.
    QuantizedBits(QuantizedBits),
    /// Uniform fixed point with inputs divided by the scale.
    QuantizedLinear(QuantizedLinear),
    /// Rectified uniform fixed point.
    QuantizedRelu(QuantizedRelu),
    /// A logarithmic law.
    QuantizedUlaw(QuantizedUlaw),
    /// Hyperbolic tangent on a grid.
    QuantizedTanh(QuantizedTanh),
    /// Sigmoid on a grid.
    QuantizedSigmoid(QuantizedSigmoid),
    /// Hard swish on a grid.
    QuantizedHswish(QuantizedHswish),
    /// Two levels.
    Binary(Binary),
    /// Two levels, drawn at random in training; `Binary` at inference.
    StochasticBinary(Stochastic),
    /// 0 and 1, drawn at random in training and at inference alike; never exact.
    Bernoulli(Stochastic),
    /// Three levels.
    Ternary(Ternary),
    /// Three levels, drawn at random in training; `Ternary` at inference.
    StochasticTernary(StochasticTernary),
    /// Signed powers of two.
    QuantizedPo2(QuantizedPo2),
    /// Positive powers of two.
    QuantizedReluPo2(QuantizedReluPo2),
    /// Fixed point as hardware description has it: `ap_fixed` and `ap_ufixed`.
    Fixed(Fixed),
}

/// Where in a network a quantizer stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// On the network's input.
    Input,
    /// On a layer's kernel; scales may differ by column.
    Kernel,
    /// On a layer's bias.
    Bias,
    /// On a layer's output.
    Activation,
}

/// What multiplying by a value of this quantizer takes in hardware (`QTools`' types).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HardwareKind {
    /// A multiplier.
    Fixed,
    /// A shifter.
    PowerOfTwo,
    /// Pass, negate or zero.
    Ternary,
    /// Pass or negate.
    Binary,
    /// Pass or zero.
    ZeroOne,
    /// A floating-point multiplier.
    Float,
    /// A table: values are on no uniform grid.
    Table,
}
