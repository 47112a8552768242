//! Quantizers of QONNX nodes.

use bitfront_quantizer::Quantizer;

use super::node::Attributes;
use super::tensor::Constant;

/// The quantizer of a `Quant` node with the given inputs behind the first.
///
/// A grid of `bits` with a power-of-two step is `quantized_bits`, or `quantized_relu` if it has no
/// negative values.
///
/// # Errors
/// Why it is not supported, as a sentence's end.
pub(crate) fn quant(
    attributes: &Attributes<'_>,
    inputs: &[Option<&Constant>],
) -> Result<Quantizer, String> {
    let names = ["scale", "zero point", "bit width"];
    let mut numbers = [0.0; 3];
    for ((number, name), input) in numbers.iter_mut().zip(names).zip(inputs) {
        *number = single(*input, name)?;
    }
    if inputs.len() != 3 {
        return Err("has no scale, zero point and bit width".into());
    }
    let [scale, zero, bits] = numbers;
    let step = exponent(scale)
        .ok_or_else(|| format!("has the scale {scale}; accepted are powers of two"))?;
    if zero != 0.0 {
        return Err(format!("has the zero point {zero}; accepted is 0"));
    }
    if bits.fract() != 0.0 || !(1.0..=32.0).contains(&bits) {
        return Err(format!("has the bit width {bits}; accepted are 1 to 32"));
    }
    let rounding = attributes.text("rounding_mode").unwrap_or("ROUND");
    if !["ROUND", "HALF_EVEN"].contains(&rounding.to_ascii_uppercase().as_str()) {
        return Err(format!(
            "rounds by `{rounding}`; accepted are ROUND and HALF_EVEN"
        ));
    }
    let bits = bits as i32;
    let narrow = attributes.integer("narrow", 0) != 0;
    let text = if attributes.integer("signed", 1) != 0 {
        if bits < 2 {
            return Err("has one signed bit; accepted is BipolarQuant, or two bits".into());
        }
        let integer = step + bits - 1;
        format!(
            "quantized_bits({bits},{integer},{},alpha=1.0)",
            u8::from(narrow)
        )
    } else {
        if narrow {
            return Err("is unsigned and narrow; accepted is one of them".into());
        }
        format!("quantized_relu({bits},{})", step + bits)
    };
    text.parse::<Quantizer>()
        .map_err(|e| format!("has the {e}"))
}

/// The quantizer of a `BipolarQuant` node.
///
/// # Errors
/// Why it is not supported, as a sentence's end.
pub(crate) fn bipolar(inputs: &[Option<&Constant>]) -> Result<Quantizer, String> {
    let scale = single(inputs.first().copied().flatten(), "scale")?;
    if exponent(scale).is_none() {
        return Err(format!("has the scale {scale}; accepted are powers of two"));
    }
    format!("binary(alpha={scale:?})")
        .parse::<Quantizer>()
        .map_err(|e| format!("has the {e}"))
}

/// A constant of one value, or of equal ones.
fn single(constant: Option<&Constant>, name: &str) -> Result<f32, String> {
    let array = constant
        .and_then(Constant::real)
        .ok_or_else(|| format!("has a {name} that is no constant"))?;
    array.uniform().ok_or_else(|| {
        format!(
            "has a {name} of {} values that differ; accepted is one",
            array.values.len()
        )
    })
}

/// `n` of `2^n`.
fn exponent(scale: f32) -> Option<i32> {
    let exact = scale.is_normal() && scale > 0.0 && scale.to_bits().trailing_zeros() >= 23;
    exact.then(|| (scale.to_bits() >> 23) as i32 - 127)
}
