//! Canonical text of a quantizer: the `QKeras` string with defaults left out.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::{Alpha, Quantizer};

/// Collects `key=value` arguments behind the positional ones.
struct List(Vec<String>);

impl List {
    fn flag(&mut self, name: &str, on: bool, default: bool, text: &str) {
        if on != default {
            self.0.push(format!("{name}={text}"));
        }
    }

    fn alpha(&mut self, alpha: Alpha) {
        match alpha {
            Alpha::None => {}
            Alpha::Constant(a) => self.0.push(format!("alpha={a:?}")),
            Alpha::Auto => self.0.push("alpha='auto'".into()),
            Alpha::AutoPo2 => self.0.push("alpha='auto_po2'".into()),
        }
    }

    fn optional(&mut self, name: &str, value: Option<f32>) {
        if let Some(v) = value {
            self.0.push(format!("{name}={v}"));
        }
    }

    fn number(&mut self, name: &str, value: f32, default: f32) {
        if value != default {
            self.0.push(format!("{name}={value:?}"));
        }
    }
}

impl fmt::Display for Quantizer {
    /// The canonical string: `parse(print(q)) == q`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut list = List(Vec::new());
        let name = match self {
            Self::Float => return f.write_str("float"),
            Self::Relu => return f.write_str("relu"),
            Self::QuantizedBits(q) => {
                list.0.push(format!("{},{}", q.bits, q.integer));
                list.flag("symmetric", q.symmetric, false, "1");
                list.flag("keep_negative", q.keep_negative, true, "0");
                list.alpha(q.alpha);
                list.number("qnoise_factor", q.qnoise_factor, 1.0);
                "quantized_bits"
            }
            Self::QuantizedRelu(q) => {
                list.0.push(format!("{},{}", q.bits, q.integer));
                list.flag("use_sigmoid", q.use_sigmoid, false, "1");
                list.number("negative_slope", q.negative_slope, 0.0);
                list.optional("relu_upper_bound", q.relu_upper_bound);
                list.flag("is_quantized_clip", q.is_quantized_clip, true, "False");
                list.number("qnoise_factor", q.qnoise_factor, 1.0);
                "quantized_relu"
            }
            Self::Binary(q) => {
                list.flag("use_01", q.use_01, false, "True");
                list.alpha(q.alpha);
                "binary"
            }
            Self::StochasticBinary(q) => {
                list.alpha(q.alpha);
                "stochastic_binary"
            }
            Self::Ternary(q) => {
                list.alpha(q.alpha);
                list.optional("threshold", q.threshold);
                "ternary"
            }
            Self::QuantizedPo2(q) => {
                list.0.push(q.bits.to_string());
                list.optional("max_value", q.max_value);
                list.flag(
                    "quadratic_approximation",
                    q.quadratic_approximation,
                    false,
                    "True",
                );
                "quantized_po2"
            }
            Self::QuantizedReluPo2(q) => {
                list.0.push(q.bits.to_string());
                list.optional("max_value", q.max_value);
                list.number("negative_slope", q.negative_slope, 0.0);
                list.flag(
                    "quadratic_approximation",
                    q.quadratic_approximation,
                    false,
                    "True",
                );
                "quantized_relu_po2"
            }
        };
        write!(f, "{name}({})", list.0.join(","))
    }
}

impl Serialize for Quantizer {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Quantizer {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}
