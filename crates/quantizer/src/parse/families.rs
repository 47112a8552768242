//! Arguments of each family, in the order of the original's constructors. What its later master
//! alone has (`quantized_linear`, bounds of scale exponents) follows the original's arguments, and
//! `sigmoid=` (the original's global switch) comes last.

use std::ops::RangeInclusive;

use crate::arguments::{Arguments, Problem};
use crate::{
    Alpha, Binary, Noise, QuantizedBits, QuantizedHswish, QuantizedLinear, QuantizedPo2,
    QuantizedRelu, QuantizedReluPo2, QuantizedSigmoid, QuantizedTanh, QuantizedUlaw, Quantizer,
    Rounding, ScaleExponents, Sigmoid, Stochastic, StochasticTernary, Ternary,
};

/// Numbers accepted where the original takes any positive one.
const POSITIVE: RangeInclusive<f32> = 2.328_306_4e-10..=4_294_967_300.0;

/// Largest magnitudes that a power-of-two family accepts as `max_value`.
const MAX_VALUES: RangeInclusive<f32> = 1.525_878_9e-5..=8.507_059e37;

impl Arguments<'_> {
    fn noise(&mut self) -> Result<Noise, Problem> {
        Ok(Noise {
            factor: self.share("qnoise_factor")?,
            straight_through: self.flag("use_ste", true)?,
        })
    }

    fn exponents(&mut self, alpha: Alpha) -> Result<ScaleExponents, Problem> {
        let exponents = ScaleExponents {
            min: self.exponent("min_po2_exponent")?,
            max: self.exponent("max_po2_exponent")?,
        };
        if exponents != ScaleExponents::default() && alpha != Alpha::AutoPo2 {
            return Err(
                "min_po2_exponent and max_po2_exponent bound the scale of alpha='auto_po2' alone"
                    .into(),
            );
        }
        if let (Some(min), Some(max)) = (exponents.min, exponents.max)
            && min > max
        {
            return Err(format!(
                "min_po2_exponent {min} is above max_po2_exponent {max}"
            ));
        }
        Ok(exponents)
    }
}

pub(super) fn quantized_bits(text: &str) -> Result<Quantizer, Problem> {
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
            "var_name",
            "use_ste",
            "use_variables",
            "elements_per_scale",
            "min_po2_exponent",
            "max_po2_exponent",
            "post_training_scale",
        ],
    )?;
    let bits = a.bits("bits", 1..=32)?;
    let integer = a.integer("integer")?;
    let symmetric = a.flag("symmetric", false)?;
    let keep_negative = a.flag("keep_negative", true)?;
    let alpha = a.alpha()?;
    let rounding = a.rounding(false)?;
    let noise = a.noise()?;
    let exponents = a.exponents(alpha)?;
    a.fixed()?;
    if matches!(alpha, Alpha::Auto | Alpha::AutoPo2) && bits < 2 {
        return Err("an automatic alpha needs at least 2 bits (for 1 bit use `binary`)".into());
    }
    Ok(a.finish(Quantizer::QuantizedBits(QuantizedBits {
        bits,
        integer,
        symmetric,
        keep_negative,
        alpha,
        rounding,
        noise,
        exponents,
    })))
}

pub(super) fn quantized_linear(text: &str) -> Result<Quantizer, Problem> {
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
            "var_name",
            "use_variables",
        ],
    )?;
    let bits = a.bits("bits", 1..=24)?;
    let integer = a.integer("integer")?;
    let symmetric = a.flag("symmetric", true)?;
    let keep_negative = a.flag("keep_negative", true)?;
    let alpha = a.alpha()?;
    let rounding = a.rounding(false)?;
    let qnoise_factor = a.share("qnoise_factor")?;
    a.fixed()?;
    Ok(a.finish(Quantizer::QuantizedLinear(QuantizedLinear {
        bits,
        integer,
        symmetric,
        keep_negative,
        alpha,
        rounding,
        qnoise_factor,
    })))
}

pub(super) fn quantized_relu(text: &str) -> Result<Quantizer, Problem> {
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
            "var_name",
            "use_ste",
            "use_variables",
            "sigmoid",
        ],
    )?;
    let bits = a.bits("bits", 1..=32)?;
    let integer = a.integer("integer")?;
    let use_sigmoid = a.flag("use_sigmoid", false)?;
    let negative_slope = a.slope()?;
    let rounding = a.rounding(true)?;
    let relu_upper_bound = a.positive("relu_upper_bound", POSITIVE)?;
    let is_quantized_clip = a.flag("is_quantized_clip", true)?;
    let noise = a.noise()?;
    let sigmoid = a.sigmoid(None, Sigmoid::Hard)?;
    a.fixed()?;
    if !use_sigmoid && sigmoid != Sigmoid::Hard {
        return Err("sigmoid says which one use_sigmoid means; give use_sigmoid=1 with it".into());
    }
    if use_sigmoid && bits > 24 {
        return Err(format!(
            "bits is `{bits}`; accepted with use_sigmoid is a whole number from 1 to 24"
        ));
    }
    Ok(a.finish(Quantizer::QuantizedRelu(QuantizedRelu {
        bits,
        integer,
        use_sigmoid,
        negative_slope,
        rounding,
        relu_upper_bound,
        is_quantized_clip,
        noise,
        sigmoid,
    })))
}

pub(super) fn quantized_ulaw(text: &str) -> Result<Quantizer, Problem> {
    let mut a = Arguments::read(text, &["bits", "integer", "symmetric", "u", "sigmoid"])?;
    let ulaw = QuantizedUlaw {
        bits: a.bits("bits", 1..=16)?,
        integer: a.integer("integer")?,
        symmetric: a.flag("symmetric", false)?,
        u: a.number("u", 255.0, 1e-3..=1e9)?,
        sigmoid: a.sigmoid(None, Sigmoid::Hard)?,
    };
    Ok(a.finish(Quantizer::QuantizedUlaw(ulaw)))
}

pub(super) fn quantized_tanh(text: &str) -> Result<Quantizer, Problem> {
    let mut a = Arguments::read(
        text,
        &[
            "bits",
            "use_stochastic_rounding",
            "symmetric",
            "use_real_tanh",
            "sigmoid",
        ],
    )?;
    let tanh = QuantizedTanh {
        bits: a.bits("bits", 1..=24)?,
        rounding: a.rounding(true)?,
        symmetric: a.flag("symmetric", false)?,
        use_real_tanh: a.flag("use_real_tanh", false)?,
        sigmoid: a.sigmoid(None, Sigmoid::Hard)?,
    };
    if tanh.use_real_tanh && tanh.sigmoid != Sigmoid::Hard {
        return Err("use_real_tanh takes no sigmoid; leave sigmoid out".into());
    }
    Ok(a.finish(Quantizer::QuantizedTanh(tanh)))
}

pub(super) fn quantized_sigmoid(text: &str) -> Result<Quantizer, Problem> {
    let mut a = Arguments::read(
        text,
        &[
            "bits",
            "symmetric",
            "use_real_sigmoid",
            "use_stochastic_rounding",
            "sigmoid",
        ],
    )?;
    let sigmoid = QuantizedSigmoid {
        bits: a.bits("bits", 1..=24)?,
        symmetric: a.flag("symmetric", false)?,
        sigmoid: a.sigmoid(Some("use_real_sigmoid"), Sigmoid::Hard)?,
        rounding: a.rounding(true)?,
    };
    Ok(a.finish(Quantizer::QuantizedSigmoid(sigmoid)))
}

pub(super) fn quantized_hswish(text: &str) -> Result<Quantizer, Problem> {
    let mut a = Arguments::read(
        text,
        &[
            "bits",
            "integer",
            "symmetric",
            "alpha",
            "use_stochastic_rounding",
            "scale_axis",
            "qnoise_factor",
            "var_name",
            "use_ste",
            "use_variables",
            "relu_shift",
            "relu_upper_bound",
        ],
    )?;
    let grid = QuantizedBits {
        bits: a.bits("bits", 2..=32)?,
        integer: a.integer("integer")?,
        symmetric: a.flag("symmetric", false)?,
        keep_negative: true,
        alpha: a.alpha()?,
        rounding: a.rounding(false)?,
        noise: a.noise()?,
        exponents: ScaleExponents::default(),
    };
    let relu_shift = a.whole("relu_shift", 3, 1..=16)?;
    let relu_upper_bound = a.whole("relu_upper_bound", 6, 1..=16)?;
    a.fixed()?;
    Ok(a.finish(Quantizer::QuantizedHswish(QuantizedHswish {
        grid,
        relu_shift,
        relu_upper_bound,
    })))
}

pub(super) fn binary(text: &str) -> Result<Quantizer, Problem> {
    let mut a = Arguments::read(
        text,
        &[
            "use_01",
            "alpha",
            "use_stochastic_rounding",
            "scale_axis",
            "elements_per_scale",
            "min_po2_exponent",
            "max_po2_exponent",
        ],
    )?;
    let use_01 = a.flag("use_01", false)?;
    let alpha = a.alpha()?;
    let rounding = a.rounding(false)?;
    let exponents = a.exponents(alpha)?;
    a.fixed()?;
    Ok(a.finish(Quantizer::Binary(Binary {
        use_01,
        alpha,
        rounding,
        exponents,
    })))
}

/// Of `stochastic_binary` and `bernoulli`.
pub(super) fn stochastic(text: &str) -> Result<Stochastic, Problem> {
    let mut a = Arguments::read(
        text,
        &["alpha", "temperature", "use_real_sigmoid", "sigmoid"],
    )?;
    let stochastic = Stochastic {
        alpha: a.alpha()?,
        temperature: a.number("temperature", 6.0, POSITIVE)?,
        sigmoid: a.sigmoid(Some("use_real_sigmoid"), Sigmoid::Real)?,
    };
    Ok(a.finish(stochastic))
}

fn check_threshold(q: &Ternary) -> Result<(), Problem> {
    if q.threshold.is_some() && matches!(q.alpha, Alpha::Auto | Alpha::AutoPo2) {
        return Err("an automatic alpha finds its own threshold; leave threshold out".into());
    }
    Ok(())
}

pub(super) fn ternary(text: &str) -> Result<Quantizer, Problem> {
    let mut a = Arguments::read(
        text,
        &[
            "alpha",
            "threshold",
            "use_stochastic_rounding",
            "number_of_unrolls",
        ],
    )?;
    let ternary = Ternary {
        alpha: a.alpha()?,
        threshold: a.positive("threshold", POSITIVE)?,
        rounding: a.rounding(false)?,
        number_of_unrolls: a.whole("number_of_unrolls", 5, 1..=100)?,
    };
    check_threshold(&ternary)?;
    if ternary.rounding != Rounding::Nearest && ternary.alpha.constant().is_some() {
        return Err("use_stochastic_rounding needs alpha='auto' or 'auto_po2'".into());
    }
    Ok(a.finish(Quantizer::Ternary(ternary)))
}

pub(super) fn stochastic_ternary(text: &str) -> Result<Quantizer, Problem> {
    let mut a = Arguments::read(
        text,
        &[
            "alpha",
            "threshold",
            "temperature",
            "use_real_sigmoid",
            "number_of_unrolls",
            "sigmoid",
        ],
    )?;
    let ternary = Ternary {
        alpha: a.alpha()?,
        threshold: a.positive("threshold", POSITIVE)?,
        rounding: Rounding::Nearest,
        number_of_unrolls: a.whole("number_of_unrolls", 5, 1..=100)?,
    };
    check_threshold(&ternary)?;
    let stochastic = StochasticTernary {
        ternary,
        temperature: a.number("temperature", 8.0, POSITIVE)?,
        sigmoid: a.sigmoid(Some("use_real_sigmoid"), Sigmoid::Real)?,
    };
    Ok(a.finish(Quantizer::StochasticTernary(stochastic)))
}

pub(super) fn quantized_po2(text: &str) -> Result<Quantizer, Problem> {
    let mut a = Arguments::read(
        text,
        &[
            "bits",
            "max_value",
            "use_stochastic_rounding",
            "quadratic_approximation",
            "log2_rounding",
            "qnoise_factor",
            "var_name",
            "use_ste",
            "use_variables",
        ],
    )?;
    let po2 = QuantizedPo2 {
        bits: a.bits("bits", 2..=8)?,
        max_value: a.positive("max_value", MAX_VALUES)?,
        rounding: a.rounding(false)?,
        quadratic_approximation: a.flag("quadratic_approximation", false)?,
        floor: a.floor("log2_rounding")?,
        noise: a.noise()?,
    };
    a.fixed()?;
    Ok(a.finish(Quantizer::QuantizedPo2(po2)))
}

pub(super) fn quantized_relu_po2(text: &str) -> Result<Quantizer, Problem> {
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
            "var_name",
            "use_ste",
            "use_variables",
        ],
    )?;
    let po2 = QuantizedReluPo2 {
        bits: a.bits("bits", 1..=8)?,
        max_value: a.positive("max_value", MAX_VALUES)?,
        negative_slope: a.slope()?,
        rounding: a.rounding(false)?,
        quadratic_approximation: a.flag("quadratic_approximation", false)?,
        floor: a.floor("log2_rounding")?,
        noise: a.noise()?,
    };
    a.fixed()?;
    Ok(a.finish(Quantizer::QuantizedReluPo2(po2)))
}
