//! `ap_fixed<...>` and the spellings of other systems that mean the same quantizers.
//!
//! | spelling | is |
//! |---|---|
//! | `fixed<W,I,...>`, `ufixed<W,I,...>` | `ap_fixed<W,I,...>`, `ap_ufixed<W,I,...>` |
//! | `kif(k,i,f)` | `ap_fixed<k+i+f,k+i,AP_RND,AP_WRAP>` (`ap_ufixed` for k = 0) |
//! | `kbi(k,b,i)` | `ap_fixed<k+b,k+i,AP_RND,AP_SAT_SYM>`: `b` leaves the sign out |
//! | `brevitas(bit_width,scale,signed,narrow_range)` | `quantized_bits` with that step |
//! | `Int8WeightPerTensorFixedPoint(scale)` | the same, 8 bits, signed, narrow range |
//! | `Int8ActPerTensorFixedPoint(scale)` | the same, 8 bits, signed |
//! | `Uint8ActPerTensorFixedPoint(scale)` | the same, 8 bits, unsigned |
//!
//! `kif` and `kbi` take `round_mode` and `overflow_mode`. The three names of Brevitas stand for
//! scales found from the tensor; they are exact only with the scale that was found, a power of two.

use crate::arguments::{Arguments, Problem, power_of_two};
use crate::{
    Alpha, Fixed, FixedRounding, Noise, Overflow, QuantizedBits, Quantizer, Rounding,
    ScaleExponents,
};

/// Spellings that are no canonical string.
pub(super) const ALIASES: [&str; 8] = [
    "fixed",
    "ufixed",
    "kif",
    "kbi",
    "brevitas",
    "Int8WeightPerTensorFixedPoint",
    "Int8ActPerTensorFixedPoint",
    "Uint8ActPerTensorFixedPoint",
];

/// Widths that a code of this family may have.
const WIDTHS: std::ops::RangeInclusive<u32> = 1..=32;

fn rounding(word: &str) -> Result<FixedRounding, Problem> {
    Ok(match word.strip_prefix("AP_").unwrap_or(word) {
        "TRN" => FixedRounding::Trn,
        "TRN_ZERO" => FixedRounding::TrnZero,
        "RND" => FixedRounding::Rnd,
        "RND_ZERO" => FixedRounding::RndZero,
        "RND_MIN_INF" => FixedRounding::RndMinInf,
        "RND_INF" => FixedRounding::RndInf,
        "RND_CONV" => FixedRounding::RndConv,
        _ => {
            return Err(format!(
                "rounding mode `{word}` is unknown; accepted are AP_TRN, AP_TRN_ZERO, AP_RND, \
                 AP_RND_ZERO, AP_RND_MIN_INF, AP_RND_INF, AP_RND_CONV, with or without AP_"
            ));
        }
    })
}

fn overflow(word: &str) -> Result<Overflow, Problem> {
    Ok(match word.strip_prefix("AP_").unwrap_or(word) {
        "WRAP" => Overflow::Wrap,
        "WRAP_SM" => Overflow::WrapSm,
        "SAT" => Overflow::Sat,
        "SAT_ZERO" => Overflow::SatZero,
        "SAT_SYM" => Overflow::SatSym,
        _ => {
            return Err(format!(
                "overflow mode `{word}` is unknown; accepted are AP_WRAP, AP_WRAP_SM, AP_SAT, \
                 AP_SAT_ZERO, AP_SAT_SYM, with or without AP_"
            ));
        }
    })
}

fn checked(fixed: Fixed) -> Result<Quantizer, Problem> {
    if !WIDTHS.contains(&fixed.width) {
        return Err(format!(
            "its width is {} bits; accepted is a whole number from {} to {}",
            fixed.width,
            WIDTHS.start(),
            WIDTHS.end()
        ));
    }
    if !(-32..=64).contains(&fixed.integer) {
        return Err(format!(
            "its integer bits are {}; accepted is a whole number from -32 to 64",
            fixed.integer
        ));
    }
    if fixed.overflow == Overflow::WrapSm && !fixed.signed {
        return Err("AP_WRAP_SM needs a sign; accepted for unsigned is any other mode".into());
    }
    let wraps = matches!(fixed.overflow, Overflow::Wrap | Overflow::WrapSm);
    if fixed.saturated_bits > 0 && !wraps {
        return Err("saturated bits go with AP_WRAP and AP_WRAP_SM alone".into());
    }
    if fixed.saturated_bits > fixed.width {
        return Err(format!(
            "{} saturated bits are more than its {} bits",
            fixed.saturated_bits, fixed.width
        ));
    }
    Ok(Quantizer::Fixed(fixed))
}

/// The quantizer of `name<text>`; `None` for names that are none of them.
pub(super) fn ap_fixed(name: &str, text: &str) -> Option<Result<Quantizer, Problem>> {
    let signed = match name {
        "ap_fixed" | "fixed" => true,
        "ap_ufixed" | "ufixed" => false,
        _ => return None,
    };
    Some(arguments(name, signed, text))
}

fn arguments(name: &str, signed: bool, text: &str) -> Result<Quantizer, Problem> {
    let pieces: Vec<&str> = text.split(',').map(str::trim).collect();
    if !(2..=5).contains(&pieces.len()) {
        return Err(format!(
            "`{name}` takes width, integer bits, and optionally rounding, overflow and saturated \
             bits; {} are given",
            pieces.len()
        ));
    }
    let number = |at: usize, what: &str| -> Result<i32, Problem> {
        let piece = pieces[at];
        piece
            .parse()
            .map_err(|_| format!("{what} is `{piece}`; accepted is a whole number"))
    };
    let width = number(0, "width")?;
    let integer = number(1, "integer")?;
    let saturated_bits = match pieces.get(4) {
        Some(_) => number(4, "the number of saturated bits")?,
        None => 0,
    };
    let unsigned = |v: i32, what: &str| {
        u32::try_from(v).map_err(|_| format!("{what} is `{v}`; accepted is no negative number"))
    };
    checked(Fixed {
        signed,
        width: unsigned(width, "width")?,
        integer,
        rounding: pieces
            .get(2)
            .map_or(Ok(FixedRounding::Trn), |w| rounding(w))?,
        overflow: pieces.get(3).map_or(Ok(Overflow::Wrap), |w| overflow(w))?,
        saturated_bits: unsigned(saturated_bits, "the number of saturated bits")?,
    })
}

/// The quantizer of `name(text)`; `None` for names that are no alias.
pub(super) fn alias(name: &str, text: &str) -> Option<Result<Quantizer, Problem>> {
    Some(match name {
        "kif" => kif(text),
        "kbi" => kbi(text),
        "brevitas" => brevitas(text),
        "Int8WeightPerTensorFixedPoint" => eight_bits(name, text, true, true),
        "Int8ActPerTensorFixedPoint" => eight_bits(name, text, true, false),
        "Uint8ActPerTensorFixedPoint" => eight_bits(name, text, false, false),
        "fixed" | "ufixed" => Err(format!(
            "`{name}` takes its arguments in angle brackets, as in {name}<8,4>"
        )),
        _ => return None,
    })
}

fn modes(a: &mut Arguments<'_>, default: Overflow) -> Result<(FixedRounding, Overflow), Problem> {
    let round = a
        .word("round_mode")
        .map_or(Ok(FixedRounding::Rnd), rounding)?;
    let over = a.word("overflow_mode").map_or(Ok(default), overflow)?;
    Ok((round, over))
}

fn required(a: &mut Arguments<'_>, name: &str) -> Result<i32, Problem> {
    let value = a
        .word(name)
        .ok_or_else(|| format!("argument `{name}` is missing"))?;
    value
        .parse()
        .ok()
        .filter(|v| (-64..=64).contains(v))
        .ok_or_else(|| format!("{name} is `{value}`; accepted is a whole number from -64 to 64"))
}

fn kif(text: &str) -> Result<Quantizer, Problem> {
    let mut a = Arguments::read(text, &["k", "i", "f", "round_mode", "overflow_mode"])?;
    let signed = a.flag("k", true)?;
    let (i, f) = (required(&mut a, "i")?, required(&mut a, "f")?);
    let (rounding, overflow) = modes(&mut a, Overflow::Wrap)?;
    let k = i32::from(signed);
    checked(a.finish(Fixed {
        signed,
        width: u32::try_from(k + i + f).unwrap_or(0),
        integer: k + i,
        rounding,
        overflow,
        saturated_bits: 0,
    }))
}

fn kbi(text: &str) -> Result<Quantizer, Problem> {
    let mut a = Arguments::read(text, &["k", "b", "i", "round_mode", "overflow_mode"])?;
    let signed = a.flag("k", true)?;
    let (b, i) = (required(&mut a, "b")?, required(&mut a, "i")?);
    let (rounding, overflow) = modes(&mut a, Overflow::SatSym)?;
    let k = i32::from(signed);
    checked(a.finish(Fixed {
        signed,
        width: u32::try_from(k + b).unwrap_or(0),
        integer: k + i,
        rounding,
        overflow,
        saturated_bits: 0,
    }))
}

fn brevitas(text: &str) -> Result<Quantizer, Problem> {
    let mut a = Arguments::read(text, &["bit_width", "scale", "signed", "narrow_range"])?;
    let bits = a.bits("bit_width", 1..=24)?;
    let step = step(&mut a)?;
    let signed = a.flag("signed", true)?;
    let narrow = a.flag("narrow_range", false)?;
    stepped(a.finish(bits), step, signed, narrow)
}

fn eight_bits(name: &str, text: &str, signed: bool, narrow: bool) -> Result<Quantizer, Problem> {
    let mut a = Arguments::read(text, &["scale"]).map_err(|e| format!("{name}: {e}"))?;
    let step = step(&mut a)?;
    stepped(a.finish(8), step, signed, narrow)
}

/// The exponent of `scale`.
fn step(a: &mut Arguments<'_>) -> Result<i32, Problem> {
    let value = a.word("scale").ok_or(
        "argument `scale` is missing: the step that was found for the tensor, a power of two",
    )?;
    value
        .parse()
        .ok()
        .and_then(power_of_two)
        .ok_or_else(|| format!("scale is `{value}`; accepted is a power of two"))
}

fn stepped(bits: u32, step: i32, signed: bool, narrow: bool) -> Result<Quantizer, Problem> {
    let integer = step + bits as i32 - i32::from(signed);
    if !(-32..=32).contains(&integer) || (signed && bits < 2) {
        return Err(format!(
            "a step of 2^{step} with {bits} bits leaves the accepted range of 2 (unsigned 1) to 24 \
             bits with -32 to 32 integer bits"
        ));
    }
    Ok(Quantizer::QuantizedBits(QuantizedBits {
        bits,
        integer,
        symmetric: narrow && signed,
        keep_negative: signed,
        alpha: Alpha::Constant(1.0),
        rounding: Rounding::Nearest,
        noise: Noise::default(),
        exponents: ScaleExponents::default(),
    }))
}
