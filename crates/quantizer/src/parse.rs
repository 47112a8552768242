//! Quantizers from `QKeras` strings.
//!
//! The rule this module keeps: an argument is honoured or refused by name, never dropped. Arguments
//! that change nothing here (scale axes, names of variables) are accepted at their default only.

mod families;
mod fixed;

use std::str::FromStr;

use crate::Quantizer;
use crate::arguments::{Arguments, Problem};

/// Why a quantizer string was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("quantizer `{text}`: {problem}")]
pub struct ParseQuantizerError {
    /// The text as given.
    pub text: String,
    /// What is wrong and what is accepted.
    pub problem: String,
}

/// Families that parse, by the name of their canonical string.
const FAMILIES: [&str; 18] = [
    "quantized_bits",
    "quantized_linear",
    "quantized_relu",
    "quantized_ulaw",
    "quantized_tanh",
    "quantized_sigmoid",
    "quantized_hswish",
    "quantized_po2",
    "quantized_relu_po2",
    "binary",
    "stochastic_binary",
    "bernoulli",
    "ternary",
    "stochastic_ternary",
    "ap_fixed",
    "ap_ufixed",
    "float",
    "relu",
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
    if let Some((name, rest)) = text.split_once('<')
        && !name.contains('(')
    {
        let inner = rest
            .strip_suffix('>')
            .ok_or("has no closing `>` at its end")?;
        return fixed::ap_fixed(name.trim_end(), inner).unwrap_or_else(|| unknown(name.trim_end()));
    }
    let (name, rest) = match text.split_once('(') {
        None => (text, ""),
        Some((name, rest)) => {
            let inner = rest
                .strip_suffix(')')
                .ok_or("has no closing parenthesis at its end")?;
            (name.trim_end(), inner)
        }
    };
    match name {
        "float" => Ok(Arguments::read(rest, &[])?.finish(Quantizer::Float)),
        "relu" => Ok(Arguments::read(rest, &[])?.finish(Quantizer::Relu)),
        "quantized_bits" => families::quantized_bits(rest),
        "quantized_linear" => families::quantized_linear(rest),
        "quantized_relu" => families::quantized_relu(rest),
        "quantized_ulaw" => families::quantized_ulaw(rest),
        "quantized_tanh" => families::quantized_tanh(rest),
        "quantized_sigmoid" => families::quantized_sigmoid(rest),
        "quantized_hswish" => families::quantized_hswish(rest),
        "binary" => families::binary(rest),
        "stochastic_binary" => Ok(Quantizer::StochasticBinary(families::stochastic(rest)?)),
        "bernoulli" => Ok(Quantizer::Bernoulli(families::stochastic(rest)?)),
        "ternary" => families::ternary(rest),
        "stochastic_ternary" => families::stochastic_ternary(rest),
        "quantized_po2" => families::quantized_po2(rest),
        "quantized_relu_po2" => families::quantized_relu_po2(rest),
        "ap_fixed" | "ap_ufixed" => Err(format!(
            "`{name}` takes its arguments in angle brackets, as in {name}<8,4,AP_RND,AP_SAT>"
        )),
        _ => fixed::alias(name, rest).unwrap_or_else(|| unknown(name)),
    }
}

fn unknown(name: &str) -> Result<Quantizer, Problem> {
    let known = FAMILIES.into_iter().chain(fixed::ALIASES);
    let nearest = crate::arguments::nearest(name, known);
    let hint = nearest.map_or(String::new(), |n| format!("did you mean `{n}`? "));
    Err(format!(
        "unknown family `{name}`; {hint}accepted families are {}, and the aliases {}",
        FAMILIES.join(", "),
        fixed::ALIASES.join(", ")
    ))
}
