//! Canonical text of a quantizer: the `QKeras` string with defaults left out.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::{
    Alpha, Fixed, FixedRounding, Noise, Overflow, QuantizedBits, Quantizer, Rounding,
    ScaleExponents, Sigmoid, Stochastic, Ternary,
};

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

impl List {
    fn rounding(&mut self, rounding: Rounding) {
        let text = match rounding {
            Rounding::Nearest => return,
            Rounding::Stochastic => "True",
            Rounding::StochasticWhole => "'whole'",
        };
        self.0.push(format!("use_stochastic_rounding={text}"));
    }

    fn noise(&mut self, noise: Noise) {
        self.number("qnoise_factor", noise.factor, 1.0);
        self.flag("use_ste", noise.straight_through, true, "False");
    }

    fn exponents(&mut self, exponents: ScaleExponents) {
        for (name, value) in [("min", exponents.min), ("max", exponents.max)] {
            if let Some(value) = value {
                self.0.push(format!("{name}_po2_exponent={value}"));
            }
        }
    }

    /// Which sigmoid, where it is another than the default.
    fn sigmoid(&mut self, flag: Option<&str>, sigmoid: Sigmoid, default: Sigmoid) {
        if sigmoid == default {
            return;
        }
        let text = match (sigmoid, flag) {
            (Sigmoid::Real, Some(flag)) => format!("{flag}=True"),
            (Sigmoid::Hard, Some(flag)) => format!("{flag}=False"),
            (Sigmoid::Real, None) => "sigmoid='real'".into(),
            (Sigmoid::Hard, None) => "sigmoid='hard'".into(),
            (Sigmoid::Smooth, _) => "sigmoid='smooth'".into(),
        };
        self.0.push(text);
    }

    fn bits(&mut self, q: &QuantizedBits) {
        self.0.push(format!("{},{}", q.bits, q.integer));
        self.flag("symmetric", q.symmetric, false, "1");
        self.flag("keep_negative", q.keep_negative, true, "0");
        self.alpha(q.alpha);
        self.rounding(q.rounding);
        self.noise(q.noise);
        self.exponents(q.exponents);
    }

    fn ternary(&mut self, q: &Ternary) {
        self.alpha(q.alpha);
        self.optional("threshold", q.threshold);
        self.rounding(q.rounding);
        if q.number_of_unrolls != 5 {
            self.0
                .push(format!("number_of_unrolls={}", q.number_of_unrolls));
        }
    }

    fn stochastic(&mut self, q: &Stochastic) {
        self.alpha(q.alpha);
        self.number("temperature", q.temperature, 6.0);
        self.sigmoid(Some("use_real_sigmoid"), q.sigmoid, Sigmoid::Real);
    }

    fn po2(&mut self, rounding: Rounding, quadratic: bool, floor: bool, noise: Noise) {
        self.rounding(rounding);
        self.flag("quadratic_approximation", quadratic, false, "True");
        self.flag("log2_rounding", floor, false, "'floor'");
        self.noise(noise);
    }
}

impl fmt::Display for Fixed {
    /// `ap_fixed<8,4,AP_RND,AP_SAT>` with defaults left out at the end.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (rounding, overflow) = (self.rounding.name(), self.overflow.name());
        let sign = if self.signed { "" } else { "u" };
        write!(f, "ap_{sign}fixed<{},{}", self.width, self.integer)?;
        let wraps = self.overflow == Overflow::Wrap && self.saturated_bits == 0;
        if !wraps || self.rounding != FixedRounding::Trn {
            write!(f, ",{rounding}")?;
        }
        if !wraps {
            write!(f, ",{overflow}")?;
        }
        if self.saturated_bits != 0 {
            write!(f, ",{}", self.saturated_bits)?;
        }
        f.write_str(">")
    }
}

impl fmt::Display for Quantizer {
    /// The canonical string: `parse(print(q)) == q`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut list = List(Vec::new());
        let name = match self {
            Self::Float => return f.write_str("float"),
            Self::Relu => return f.write_str("relu"),
            Self::Fixed(q) => return q.fmt(f),
            Self::QuantizedBits(q) => {
                list.bits(q);
                "quantized_bits"
            }
            Self::QuantizedLinear(q) => {
                list.0.push(format!("{},{}", q.bits, q.integer));
                list.flag("symmetric", q.symmetric, true, "0");
                list.flag("keep_negative", q.keep_negative, true, "0");
                list.alpha(q.alpha);
                list.rounding(q.rounding);
                list.number("qnoise_factor", q.qnoise_factor, 1.0);
                "quantized_linear"
            }
            Self::QuantizedRelu(q) => {
                list.0.push(format!("{},{}", q.bits, q.integer));
                list.flag("use_sigmoid", q.use_sigmoid, false, "1");
                list.number("negative_slope", q.negative_slope, 0.0);
                list.rounding(q.rounding);
                list.optional("relu_upper_bound", q.relu_upper_bound);
                list.flag("is_quantized_clip", q.is_quantized_clip, true, "False");
                list.noise(q.noise);
                list.sigmoid(None, q.sigmoid, Sigmoid::Hard);
                "quantized_relu"
            }
            Self::QuantizedUlaw(q) => {
                list.0.push(format!("{},{}", q.bits, q.integer));
                list.flag("symmetric", q.symmetric, false, "1");
                list.number("u", q.u, 255.0);
                list.sigmoid(None, q.sigmoid, Sigmoid::Hard);
                "quantized_ulaw"
            }
            Self::QuantizedTanh(q) => {
                list.0.push(q.bits.to_string());
                list.rounding(q.rounding);
                list.flag("symmetric", q.symmetric, false, "True");
                list.flag("use_real_tanh", q.use_real_tanh, false, "True");
                list.sigmoid(None, q.sigmoid, Sigmoid::Hard);
                "quantized_tanh"
            }
            Self::QuantizedSigmoid(q) => {
                list.0.push(q.bits.to_string());
                list.flag("symmetric", q.symmetric, false, "True");
                list.sigmoid(Some("use_real_sigmoid"), q.sigmoid, Sigmoid::Hard);
                list.rounding(q.rounding);
                "quantized_sigmoid"
            }
            Self::QuantizedHswish(q) => {
                list.bits(&q.grid);
                if q.relu_shift != 3 {
                    list.0.push(format!("relu_shift={}", q.relu_shift));
                }
                if q.relu_upper_bound != 6 {
                    list.0
                        .push(format!("relu_upper_bound={}", q.relu_upper_bound));
                }
                "quantized_hswish"
            }
            Self::Binary(q) => {
                list.flag("use_01", q.use_01, false, "True");
                list.alpha(q.alpha);
                list.rounding(q.rounding);
                list.exponents(q.exponents);
                "binary"
            }
            Self::StochasticBinary(q) => {
                list.stochastic(q);
                "stochastic_binary"
            }
            Self::Bernoulli(q) => {
                list.stochastic(q);
                "bernoulli"
            }
            Self::Ternary(q) => {
                list.ternary(q);
                "ternary"
            }
            Self::StochasticTernary(q) => {
                list.ternary(&q.ternary);
                list.number("temperature", q.temperature, 8.0);
                list.sigmoid(Some("use_real_sigmoid"), q.sigmoid, Sigmoid::Real);
                "stochastic_ternary"
            }
            Self::QuantizedPo2(q) => {
                list.0.push(q.bits.to_string());
                list.optional("max_value", q.max_value);
                list.po2(q.rounding, q.quadratic_approximation, q.floor, q.noise);
                "quantized_po2"
            }
            Self::QuantizedReluPo2(q) => {
                list.0.push(q.bits.to_string());
                list.optional("max_value", q.max_value);
                list.number("negative_slope", q.negative_slope, 0.0);
                list.po2(q.rounding, q.quadratic_approximation, q.floor, q.noise);
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
