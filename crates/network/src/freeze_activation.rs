//! Activation layers in integers: the rule by which an accumulator becomes a code.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use bitfront_quantizer::{Quantizer, StepFunction};

use crate::{ActivationRule, Interval, TensorFormat};

/// Most levels of all channels' step functions together; beyond, the quantizer itself is the rule.
const MOST_LEVELS: usize = 1 << 22;

/// Widest interval whose codes are found one by one.
const WIDEST_ENUMERATED: i64 = 1 << 16;

/// Most codes that are found one by one for a layer; the channels beyond have the whole grid.
const MOST_ENUMERATED: i64 = 1 << 22;

/// The rule of a quantizer whose grid is `own` over accumulators of format `input`, and the interval
/// of each channel's codes.
pub(crate) fn freeze_activation(
    quantizer: &Quantizer,
    (fraction, range): (i32, Interval),
    input: &TensorFormat,
) -> (ActivationRule, Vec<Interval>) {
    let channels = input.fraction.iter().zip(&input.range);
    if let Some(modes) = quantizer.modes() {
        let image = |(from, ends): (&i32, &Interval)| {
            let (ends, grid) = ((ends.lo, ends.hi), (range.lo, range.hi));
            let (lo, hi) = modes.image(ends, fraction - from, grid);
            Interval { lo, hi }
        };
        let ranges = channels.map(image).collect();
        let rule = ActivationRule::Uniform {
            fraction,
            range,
            modes,
        };
        return (rule, ranges);
    }
    if let Some(steps) = steps(quantizer, input) {
        let ranges = steps.iter().map(|steps| hull(&steps.codes)).collect();
        let (thresholds, codes) = steps.into_iter().map(|s| (s.thresholds, s.codes)).unzip();
        return (ActivationRule::Steps { thresholds, codes }, ranges);
    }
    let rule = ActivationRule::Function(*quantizer);
    let mut known = HashMap::new();
    let mut enumerated = 0;
    let mut image = |(from, ends): (&i32, &Interval)| {
        let Interval { lo, hi } = *ends;
        if hi - lo > WIDEST_ENUMERATED || enumerated > MOST_ENUMERATED {
            return range;
        }
        *known.entry((*from, lo, hi)).or_insert_with(|| {
            enumerated += hi - lo;
            let codes: Vec<i64> = (lo..=hi).map(|x| rule.apply(0, x, *from)).collect();
            hull(&codes)
        })
    };
    let ranges = channels.map(&mut image).collect();
    (rule, ranges)
}

/// The step function of each channel, if all have one.
fn steps(quantizer: &Quantizer, input: &TensorFormat) -> Option<Vec<StepFunction>> {
    let mut known: HashMap<(i32, Interval), StepFunction> = HashMap::new();
    let mut levels = 0;
    let mut all = Vec::with_capacity(input.channels());
    for (fraction, range) in input.fraction.iter().zip(&input.range) {
        let steps = match known.entry((*fraction, *range)) {
            Entry::Occupied(entry) => entry.into_mut(),
            Entry::Vacant(entry) => {
                let steps = quantizer.step_function(*fraction, range.lo, range.hi);
                entry.insert(steps.ok()?)
            }
        };
        levels += steps.codes.len();
        if levels > MOST_LEVELS {
            return None;
        }
        all.push(steps.clone());
    }
    Some(all)
}

fn hull(codes: &[i64]) -> Interval {
    let points = codes.iter().map(|code| Interval::point(*code));
    points.reduce(Interval::hull).unwrap_or(Interval::point(0))
}
