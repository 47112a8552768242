//! Quantizers and activations as Keras and QKeras write them: names, strings, objects.

use std::fmt::Write as _;

use bitfront_quantizer::{Alpha, Quantizer};
use serde_json::Value;

use crate::curve::Activation;

/// What an activation setting does.
///
/// # Errors
/// Why it is not supported, as a sentence's end.
pub(crate) fn activation(value: &Value) -> Result<Activation, String> {
    match value {
        Value::Null => Ok(Activation::Linear),
        Value::String(text) => match Activation::named(text) {
            Some(activation) => Ok(activation),
            None => match parse(text) {
                Ok(quantizer) => Ok(Activation::Quantizer(quantizer)),
                Err(_) if text.chars().all(|c| c.is_ascii_lowercase() || c == '_') => Err(format!(
                    "has the activation `{text}`; accepted are linear, relu, softmax, sigmoid, \
                     tanh and quantizers"
                )),
                Err(problem) => Err(problem),
            },
        },
        Value::Object(_) => {
            // A function is an object around its name.
            if let Some(name) = value["config"].as_str() {
                return activation(&Value::from(name));
            }
            object(value).map(Activation::Quantizer)
        }
        _ => Err("has an activation in an unknown form".into()),
    }
}

/// The quantizer of weights; none is float.
///
/// # Errors
/// Why it is not supported, as a sentence's end.
pub(crate) fn weights(value: &Value) -> Result<Quantizer, String> {
    match value {
        Value::Null => Ok(Quantizer::Float),
        Value::String(text) => parse(text),
        Value::Object(_) => object(value),
        _ => Err("has a quantizer in an unknown form".into()),
    }
}

/// The quantizer of a kernel: where no scale is given, a layer of QKeras finds one by itself.
///
/// # Errors
/// As [`weights`].
pub(crate) fn kernel(value: &Value) -> Result<Quantizer, String> {
    let mut quantizer = weights(value)?;
    let chosen = match &mut quantizer {
        Quantizer::QuantizedBits(bits) if bits.alpha == Alpha::None => {
            bits.symmetric = true;
            &mut bits.alpha
        }
        Quantizer::Binary(binary) => &mut binary.alpha,
        Quantizer::Ternary(ternary) => &mut ternary.alpha,
        Quantizer::StochasticBinary(stochastic) | Quantizer::Bernoulli(stochastic) => {
            &mut stochastic.alpha
        }
        Quantizer::StochasticTernary(stochastic) => &mut stochastic.ternary.alpha,
        _ => return Ok(quantizer),
    };
    if *chosen == Alpha::None {
        *chosen = Alpha::AutoPo2;
    }
    // What the layer chose must be something that can be written down.
    parse(&quantizer.to_string())
}

fn parse(text: &str) -> Result<Quantizer, String> {
    text.parse::<Quantizer>()
        .map_err(|e| format!("has the {e}"))
}

/// `{"class_name": "quantized_bits", "config": {"bits": 4, ...}}`.
fn object(value: &Value) -> Result<Quantizer, String> {
    let class = value["class_name"]
        .as_str()
        .ok_or("has a quantizer without a type")?;
    // Registered names stand behind their package.
    let class = class.rsplit('>').next().unwrap_or(class);
    let mut text = format!("{class}(");
    if let Some(settings) = value["config"].as_object() {
        for (key, setting) in settings {
            let separator = if text.ends_with('(') { "" } else { "," };
            let known = match setting {
                // What is not set keeps its default.
                Value::Null => continue,
                Value::Bool(flag) => {
                    let flag = if *flag { "True" } else { "False" };
                    write!(text, "{separator}{key}={flag}")
                }
                Value::Number(number) => write!(text, "{separator}{key}={number}"),
                Value::String(word) => write!(text, "{separator}{key}='{word}'"),
                Value::Array(_) | Value::Object(_) => {
                    return Err(format!(
                        "has the quantizer `{class}` with a list or object for `{key}`; accepted \
                         are single values"
                    ));
                }
            };
            known.map_err(|e| e.to_string())?;
        }
    }
    text.push(')');
    parse(&text)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn text(value: &Value) -> String {
        match activation(value).unwrap() {
            Activation::Quantizer(quantizer) => quantizer.to_string(),
            other => format!("{other:?}"),
        }
    }

    #[test]
    fn names_strings_and_objects() {
        assert_eq!(activation(&Value::Null), Ok(Activation::Linear));
        assert_eq!(text(&json!("relu")), "relu");
        assert_eq!(
            text(&json!({"class_name": "function", "config": "relu"})),
            "relu"
        );
        let wanted = "quantized_relu(4,2)";
        assert_eq!(text(&json!("quantized_relu(4, 2)")), wanted);
        let settings = json!({"bits": 4, "integer": 2, "use_sigmoid": 0, "negative_slope": 0.0,
            "use_stochastic_rounding": false, "relu_upper_bound": null, "qnoise_factor": 1.0});
        let object = json!({"class_name": "quantized_relu", "config": settings});
        assert_eq!(text(&object), wanted);
        let unknown = activation(&json!("gelu")).unwrap_err();
        assert!(unknown.contains("gelu"), "{unknown}");
    }

    #[test]
    fn a_kernel_without_scale_gets_what_the_original_gives_it() {
        let kernel = |text: &str| kernel(&json!(text)).unwrap().to_string();
        assert_eq!(
            kernel("quantized_bits(4)"),
            "quantized_bits(4,0,symmetric=1,alpha='auto_po2')"
        );
        assert_eq!(kernel("ternary"), "ternary(alpha='auto_po2')");
        assert_eq!(
            kernel("quantized_bits(4,0,alpha=1)"),
            "quantized_bits(4,0,alpha=1.0)"
        );
        assert_eq!(kernel("quantized_po2(4)"), "quantized_po2(4)");
    }
}
