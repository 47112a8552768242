//! Quantizers from `QKeras` strings.
//!
//! The rule this module keeps: an argument is honoured or refused by name, never dropped. Arguments
//! that later work adds (stochastic rounding, scale axes) are accepted at their default only.

use std::str::FromStr;

use crate::arguments::{Arguments, Problem};
use crate::{
    Alpha, Binary, QuantizedBits, QuantizedPo2, QuantizedRelu, QuantizedReluPo2, Quantizer, Ternary,
};

/// Why a quantizer string was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("quantizer `{text}`: {problem}")]
pub struct ParseQuantizerError {
    /// The text as given.
    pub text: String,
    /// What is wrong and what is accepted.
    pub problem: String,
}

/// Families that parse.
const FAMILIES: [&str; 9] = [
    "quantized_bits",
    "quantized_relu",
    "binary",
    "ternary",
    "stochastic_binary",
    "quantized_po2",
    "quantized_relu_po2",
    "float",
    "relu",
];

/// Families of `QKeras` and of HLS that are known by name and not available yet.
const LATER: [&str; 8] = [
    "quantized_linear",
    "bernoulli",
    "stochastic_ternary",
    "quantized_ulaw",
    "quantized_tanh",
    "quantized_sigmoid",
    "quantized_hswish",
    "ap_fixed",
];

/// Longest text that is looked at.
const LONGEST: usize = 256;

impl FromStr for Quantizer {
    type Err = ParseQuantizerError;

    /// Parses a `QKeras` string: positional and keyword arguments, `True`/`False`/`None`, quotes of
    /// either kind.
    ///
    /// ```
    /// use bitfront_quantizer::Quantizer;
    /// let q: Quantizer = "quantized_bits(6, 0, alpha=1)".parse()?;
    /// assert_eq!(q.to_string(), "quantized_bits(6,0,alpha=1.0)");
    /// # Ok::<(), bitfront_quantizer::ParseQuantizerError>(())
    /// ```
    ///
    /// # Errors
    /// [`ParseQuantizerError`] naming the family or argument at fault and what is accepted.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        parse(text).map_err(|problem| ParseQuantizerError {
            text: text.chars().take(LONGEST).collect(),
            problem,
        })
    }
}

fn parse(text: &str) -> Result<Quantizer, Problem> {
    if text.len() > LONGEST {
        return Err(format!(
            "is {} bytes long; at most {LONGEST} are read",
            text.len()
        ));
    }
    let text = text.trim();
    let (name, rest) = match text.split_once('(') {
        None => (text, ""),
        Some((name, rest)) => {
            let inner = rest
                .strip_suffix(')')
                .ok_or("has no closing parenthesis at its end")?;
            (name.trim_end(), inner)
        }
    };
    let name_end = name.find('<').unwrap_or(name.len());
    let family = &name[..name_end];
    if LATER.contains(&family) {
        return Err(format!(
            "the family `{family}` is not available yet; accepted families are {}",
            FAMILIES.join(", ")
        ));
    }
    match name {
        "float" => Ok(Arguments::read(rest, &[])?.finish(Quantizer::Float)),
        "relu" => Ok(Arguments::read(rest, &[])?.finish(Quantizer::Relu)),
        "quantized_bits" => quantized_bits(rest),
        "quantized_relu" => quantized_relu(rest),
        "binary" => binary(rest),
        "stochastic_binary" => stochastic_binary(rest),
        "ternary" => ternary(rest),
        "quantized_po2" => quantized_po2(rest),
        "quantized_relu_po2" => quantized_relu_po2(rest),
        _ => {
            let nearest = crate::arguments::nearest(name, FAMILIES.iter().chain(&LATER).copied());
            let hint = nearest.map_or(String::new(), |n| format!("did you mean `{n}`? "));
            Err(format!(
                "unknown family `{name}`; {hint}accepted families are {}",
                FAMILIES.join(", ")
            ))
        }
    }
}

fn quantized_bits(text: &str) -> Result<Quantizer, Problem> {
    let mut a = Arguments::read(
        text,
        &[
            "bits",
            "integer",
            "symmetric",
            "keep_negative",
            "alpha",
            "use_stochastic_rounding",
            "scale_axis",
            "qnoise_factor",
        ],
    )?;
    let bits = a.bits("bits", 1..=32)?;
    let integer = a.integer("integer")?;
    let symmetric = a.flag("symmetric", false)?;
    let keep_negative = a.flag("keep_negative", true)?;
    let alpha = a.alpha()?;
    a.only_default("use_stochastic_rounding", &["False", "0"])?;
    a.only_default("scale_axis", &["None"])?;
    let qnoise_factor = a.share("qnoise_factor")?;
    if matches!(alpha, Alpha::Auto | Alpha::AutoPo2) && (!keep_negative || bits < 2) {
        return Err(
            "an automatic alpha needs keep_negative and at least 2 bits \
                    (for 1 bit use `binary`)"
                .into(),
        );
    }
    Ok(a.finish(Quantizer::QuantizedBits(QuantizedBits {
        bits,
        integer,
        symmetric,
        keep_negative,
        alpha,
        qnoise_factor,
    })))
}

fn quantized_relu(text: &str) -> Result<Quantizer, Problem> {
    let mut a = Arguments::read(
        text,
        &[
            "bits",
            "integer",
            "use_sigmoid",
            "negative_slope",
            "use_stochastic_rounding",
            "relu_upper_bound",
            "is_quantized_clip",
            "qnoise_factor",
        ],
    )?;
    let bits = a.bits("bits", 1..=32)?;
    let integer = a.integer("integer")?;
    let use_sigmoid = a.flag("use_sigmoid", false)?;
    let negative_slope = a.slope()?;
    a.only_default("use_stochastic_rounding", &["False", "0"])?;
    let relu_upper_bound = a.positive("relu_upper_bound", 2f32.powi(-32)..=2f32.powi(32))?;
    let is_quantized_clip = a.flag("is_quantized_clip", true)?;
    let qnoise_factor = a.share("qnoise_factor")?;
    if negative_slope != 0.0 && use_sigmoid {
        return Err(
            "use_sigmoid together with negative_slope is not available; give one of them".into(),
        );
    }
    if negative_slope != 0.0 && bits < 2 {
        return Err("negative_slope takes one bit for the sign, so bits must be at least 2".into());
    }
    Ok(a.finish(Quantizer::QuantizedRelu(QuantizedRelu {
        bits,
        integer,
        use_sigmoid,
        negative_slope,
        relu_upper_bound,
        is_quantized_clip,
        qnoise_factor,
    })))
}

fn binary(text: &str) -> Result<Quantizer, Problem> {
    let mut a = Arguments::read(text, &["use_01", "alpha", "use_stochastic_rounding"])?;
    let use_01 = a.flag("use_01", false)?;
    let alpha = a.alpha()?;
    a.only_default("use_stochastic_rounding", &["False", "0"])?;
    Ok(a.finish(Quantizer::Binary(Binary { use_01, alpha })))
}

fn stochastic_binary(text: &str) -> Result<Quantizer, Problem> {
    let mut a = Arguments::read(text, &["alpha", "temperature", "use_real_sigmoid"])?;
    let alpha = a.alpha()?;
    a.only_default("temperature", &["6.0", "6"])?;
    a.only_default("use_real_sigmoid", &["True", "1"])?;
    Ok(a.finish(Quantizer::StochasticBinary(Binary {
        use_01: false,
        alpha,
    })))
}

fn ternary(text: &str) -> Result<Quantizer, Problem> {
    let mut a = Arguments::read(
        text,
        &[
            "alpha",
            "threshold",
            "use_stochastic_rounding",
            "number_of_unrolls",
        ],
    )?;
    let alpha = a.alpha()?;
    let threshold = a.positive("threshold", 2f32.powi(-32)..=2f32.powi(32))?;
    a.only_default("use_stochastic_rounding", &["False", "0"])?;
    a.only_default("number_of_unrolls", &["5"])?;
    if threshold.is_some() && matches!(alpha, Alpha::Auto | Alpha::AutoPo2) {
        return Err("an automatic alpha finds its own threshold; leave threshold out".into());
    }
    Ok(a.finish(Quantizer::Ternary(Ternary { alpha, threshold })))
}

/// Largest magnitudes that a power-of-two family accepts as `max_value`.
const MAX_VALUES: std::ops::RangeInclusive<f32> = 1.525_878_9e-5..=8.507_059e37;

fn quantized_po2(text: &str) -> Result<Quantizer, Problem> {
    let mut a = Arguments::read(
        text,
        &[
            "bits",
            "max_value",
            "use_stochastic_rounding",
            "quadratic_approximation",
            "log2_rounding",
            "qnoise_factor",
        ],
    )?;
    let bits = a.bits("bits", 2..=8)?;
    let max_value = a.positive("max_value", MAX_VALUES)?;
    a.only_default("use_stochastic_rounding", &["False", "0"])?;
    let quadratic_approximation = a.flag("quadratic_approximation", false)?;
    a.only_default("log2_rounding", &["'rnd'", "\"rnd\""])?;
    a.only_default("qnoise_factor", &["1.0", "1"])?;
    Ok(a.finish(Quantizer::QuantizedPo2(QuantizedPo2 {
        bits,
        max_value,
        quadratic_approximation,
    })))
}

fn quantized_relu_po2(text: &str) -> Result<Quantizer, Problem> {
    let mut a = Arguments::read(
        text,
        &[
            "bits",
            "max_value",
            "negative_slope",
            "use_stochastic_rounding",
            "quadratic_approximation",
            "log2_rounding",
            "qnoise_factor",
        ],
    )?;
    let bits = a.bits("bits", 1..=8)?;
    let max_value = a.positive("max_value", MAX_VALUES)?;
    let negative_slope = a.slope()?;
    a.only_default("use_stochastic_rounding", &["False", "0"])?;
    let quadratic_approximation = a.flag("quadratic_approximation", false)?;
    a.only_default("log2_rounding", &["'rnd'", "\"rnd\""])?;
    a.only_default("qnoise_factor", &["1.0", "1"])?;
    Ok(a.finish(Quantizer::QuantizedReluPo2(QuantizedReluPo2 {
        bits,
        max_value,
        negative_slope,
        quadratic_approximation,
    })))
}
