//! Activation rules as code without quantizers: rounding by shifts, thresholds, or a table.

use std::ops::RangeInclusive;

use bitfront_network::{ActivationRule, Interval, TensorFormat};
use bitfront_quantizer::{Fixed, Modes, Quantizer};

/// Widest range of a channel that becomes a table.
const WIDEST_TABLE: i64 = 1 << 16;

/// Most entries of a layer's tables.
const MOST_ENTRIES: usize = 1 << 20;

/// How sums become codes, channel by channel.
#[derive(Clone, Debug)]
pub(crate) enum Rule {
    /// `clamp(round_half_even(x * 2^shift))`.
    Round { shift: Vec<i32>, range: Interval },
    /// `ap_fixed` of `x * 2^shift`; the shifted number fits in 63 bits.
    Fixed { shift: Vec<i32>, fixed: Fixed },
    /// Thresholds of all channels one behind the other, where each begins, and codes, one more a
    /// channel.
    Steps {
        start: Vec<i64>,
        thresholds: Vec<i64>,
        codes: Vec<i64>,
    },
    /// `codes[start + x - lowest]`.
    Table {
        start: Vec<i64>,
        lowest: Vec<i64>,
        codes: Vec<i64>,
    },
}

/// The rule over sums of format `input`.
///
/// # Errors
/// Why there is none, as a sentence's end.
pub(crate) fn rule(own: &ActivationRule, input: &TensorFormat) -> Result<Rule, String> {
    let shifts = |fraction: i32| input.fraction.iter().map(|f| fraction - f).collect();
    match own {
        ActivationRule::Uniform {
            fraction,
            range,
            modes: Modes::NEAREST_EVEN,
        } => Ok(Rule::Round {
            shift: shifts(*fraction),
            range: *range,
        }),
        ActivationRule::Uniform {
            fraction,
            range,
            modes,
        } => {
            let fixed = fixed(*fraction, *range, *modes);
            if fits(&fixed, input) {
                let shift = shifts(*fraction);
                Ok(Rule::Fixed { shift, fixed })
            } else {
                table(own, &Quantizer::Fixed(fixed), input)
            }
        }
        ActivationRule::Steps { thresholds, codes } => {
            let mut start = vec![0];
            let mut total = 0;
            for channel in thresholds {
                total += channel.len() as i64;
                start.push(total);
            }
            Ok(Rule::Steps {
                start,
                thresholds: thresholds.concat(),
                codes: codes.concat(),
            })
        }
        ActivationRule::Function(quantizer) => table(own, quantizer, input),
        ActivationRule::Channels(rules) => channels(rules, input),
    }
}

/// The step functions of channels that have their own rules.
fn channels(rules: &[ActivationRule], input: &TensorFormat) -> Result<Rule, String> {
    let (mut start, mut thresholds, mut codes) = (vec![0], Vec::new(), Vec::new());
    let channels = rules.iter().zip(input.fraction.iter().zip(&input.range));
    for (c, (rule, (fraction, range))) in channels.enumerate() {
        let (own, own_codes) = match rule {
            ActivationRule::Steps { thresholds, codes } => {
                (thresholds[0].clone(), codes[0].clone())
            }
            ActivationRule::Uniform {
                fraction: own,
                range: grid,
                modes,
            } if !modes.is_monotone() => {
                return Err(format!(
                    "has `{}` for channel {c}; accepted are quantizers that saturate and step \
                     functions where channels have their own",
                    Quantizer::Fixed(fixed(*own, *grid, *modes))
                ));
            }
            ActivationRule::Uniform { .. } => {
                let code = |sum: i64| rule.apply(0, sum, *fraction);
                let (lowest, highest) = (code(range.lo), code(range.hi));
                let count = highest.abs_diff(lowest) as usize;
                if codes.len().saturating_add(count) >= MOST_ENTRIES {
                    return Err(format!(
                        "has {count} steps in channel {c}; accepted are {MOST_ENTRIES} in all"
                    ));
                }
                reached(*range, lowest..=highest, code)
            }
            ActivationRule::Function(quantizer) => {
                return Err(format!(
                    "has `{quantizer}` for channel {c}; accepted are uniform quantizers and step \
                     functions where channels have their own"
                ));
            }
            ActivationRule::Channels(_) => {
                return Err(format!(
                    "has channels within channel {c}; accepted is one rule"
                ));
            }
        };
        thresholds.extend(own);
        codes.extend(own_codes);
        start.push(thresholds.len() as i64);
    }
    Ok(Rule::Steps {
        start,
        thresholds,
        codes,
    })
}

/// The least sum of `range` that reaches each code but the lowest, and the codes.
fn reached(
    range: Interval,
    codes: RangeInclusive<i64>,
    code: impl Fn(i64) -> i64,
) -> (Vec<i64>, Vec<i64>) {
    let least = |wanted: i64| {
        let (mut below, mut at) = (range.lo, range.hi);
        while at - below > 1 {
            let middle = below + (at - below) / 2;
            if code(middle) >= wanted {
                at = middle;
            } else {
                below = middle;
            }
        }
        at
    };
    let thresholds: Vec<i64> = codes.clone().skip(1).map(least).collect();
    // Where several codes begin at once, the last counts; the others are never reached.
    let codes = codes.collect();
    (thresholds, codes)
}

/// The `ap_fixed` that a uniform rule of its modes is.
fn fixed(fraction: i32, range: Interval, modes: Modes) -> Fixed {
    let width = range.width().max(1);
    Fixed {
        signed: range.is_signed(),
        width,
        integer: width as i32 - fraction,
        rounding: modes.rounding,
        overflow: modes.overflow,
        saturated_bits: modes.saturated_bits,
    }
}

/// Whether no sum passes 62 bits when it is shifted left.
fn fits(fixed: &Fixed, input: &TensorFormat) -> bool {
    let fraction = fixed.width as i32 - fixed.integer;
    let channels = input.fraction.iter().zip(&input.range);
    channels.into_iter().all(|(own, range)| {
        let shift = (fraction - own).max(0).unsigned_abs();
        let magnitude = i128::from(range.hi).max(-i128::from(range.lo));
        shift < 62 && magnitude << shift < 1 << 62
    })
}

fn table(
    rule: &ActivationRule,
    quantizer: &Quantizer,
    input: &TensorFormat,
) -> Result<Rule, String> {
    let (mut start, mut lowest, mut codes) = (Vec::new(), Vec::new(), Vec::new());
    for (c, (fraction, range)) in input.fraction.iter().zip(&input.range).enumerate() {
        let width = range.hi - range.lo;
        if width >= WIDEST_TABLE || codes.len() + width as usize >= MOST_ENTRIES {
            return Err(format!(
                "has `{quantizer}` over sums of {} values in channel {c}, which would be a table; \
                 accepted are {WIDEST_TABLE} values a channel and {MOST_ENTRIES} in all",
                width + 1
            ));
        }
        start.push(codes.len() as i64);
        lowest.push(range.lo);
        codes.extend((range.lo..=range.hi).map(|x| rule.apply(c, x, *fraction)));
    }
    Ok(Rule::Table {
        start,
        lowest,
        codes,
    })
}
