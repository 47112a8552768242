//! The quantizer families and what each tells about itself.

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

/// `quantized_bits(bits, integer, symmetric, keep_negative, alpha)`: a uniform fixed-point grid.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct QuantizedBits {
    /// Total bits, sign included.
    pub bits: u32,
    /// Bits left of the binary point, sign excluded.
    pub integer: i32,
    /// Leave out the most negative code.
    pub symmetric: bool,
    /// Signed.
    pub keep_negative: bool,
    /// Scale.
    pub alpha: Alpha,
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
    /// Squash through a hard sigmoid first.
    pub use_sigmoid: bool,
    /// Slope below zero, 0 or a power of two.
    pub negative_slope: f32,
    /// Upper bound where the clip is not the quantizer's own.
    pub relu_upper_bound: Option<f32>,
    /// Clip gradients at the quantizer's own range.
    pub is_quantized_clip: bool,
    /// Share of the quantization error that is applied, 0 to 1.
    pub qnoise_factor: f32,
}

/// `binary(use_01, alpha)` and `stochastic_binary(alpha)`: two levels.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Binary {
    /// Levels 0 and 1 instead of -1 and +1.
    pub use_01: bool,
    /// Scale.
    pub alpha: Alpha,
}

/// `ternary(alpha, threshold)`: three levels.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ternary {
    /// Scale.
    pub alpha: Alpha,
    /// Dead band half-width; `None` is 0.33, or automatic with an automatic scale.
    pub threshold: Option<f32>,
}

/// `quantized_po2(bits, max_value)`: signed powers of two.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct QuantizedPo2 {
    /// Total bits, sign included.
    pub bits: u32,
    /// Largest magnitude before rounding.
    pub max_value: Option<f32>,
    /// Even exponents only.
    pub quadratic_approximation: bool,
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
    /// Even exponents only.
    pub quadratic_approximation: bool,
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
    /// Rectified uniform fixed point.
    QuantizedRelu(QuantizedRelu),
    /// Two levels.
    Binary(Binary),
    /// Two levels, drawn at random in training; `Binary` at inference.
    StochasticBinary(Binary),
    /// Three levels.
    Ternary(Ternary),
    /// Signed powers of two.
    QuantizedPo2(QuantizedPo2),
    /// Positive powers of two.
    QuantizedReluPo2(QuantizedReluPo2),
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
}
