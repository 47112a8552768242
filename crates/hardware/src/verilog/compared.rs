//! Comparisons of a net with constants, without signed arithmetic.

use super::expression::literal;

/// A net that is compared with constants.
pub(crate) struct Compared {
    pub(crate) name: String,
    pub(crate) width: u32,
    pub(crate) signed: bool,
}

impl Compared {
    fn bits(&self, high: u32, low: u32) -> String {
        if high == low && self.width > 1 {
            format!("{}[{high}]", self.name)
        } else if low == 0 && high + 1 == self.width {
            self.name.clone()
        } else {
            format!("{}[{high}:{low}]", self.name)
        }
    }

    fn sign(&self) -> String {
        self.bits(self.width - 1, self.width - 1)
    }

    /// `net == hi + 1` for a net that is at most that.
    pub(crate) fn is_one_beyond(&self, hi: i64) -> String {
        let bound = hi + 1;
        if bound > 0 && (bound as u64).is_power_of_two() {
            return self.at_least(bound);
        }
        format!("({} == {})", self.name, literal(self.width, bound))
    }

    /// `net >= bound`: reductions for bounds that are powers of two, else a comparison.
    pub(crate) fn at_least(&self, bound: i64) -> String {
        let magnitude = if self.signed {
            self.width - 1
        } else {
            self.width
        };
        if bound > 0 && (bound as u64).is_power_of_two() {
            let low = bound.trailing_zeros();
            if low >= magnitude {
                return "1'b0".to_owned();
            }
            let any = format!("|{}", self.bits(magnitude - 1, low));
            return if self.signed {
                format!("~{} & ({any})", self.sign())
            } else {
                format!("({any})")
            };
        }
        let (net, bound) = self.offset(bound);
        format!("({net} >= {bound})")
    }

    /// `net < bound`.
    pub(crate) fn below(&self, bound: i64) -> String {
        if bound == 0 {
            return self.sign();
        }
        if bound < 0 && bound.unsigned_abs().is_power_of_two() && self.width > 1 {
            // Negative, and not all bits above the bound's magnitude are ones.
            let low = bound.trailing_zeros();
            if low + 1 < self.width {
                return format!("{} & ~(&{})", self.sign(), self.bits(self.width - 2, low));
            }
        }
        let (net, bound) = self.offset(bound);
        format!("({net} < {bound})")
    }

    /// The net and the bound with the sign bit inverted, so that an unsigned comparison orders them.
    fn offset(&self, bound: i64) -> (String, String) {
        if !self.signed {
            return (self.name.clone(), literal(self.width, bound));
        }
        let flip = 1_i64 << (self.width - 1);
        let net = if self.width > 1 {
            format!("{{~{}, {}}}", self.sign(), self.bits(self.width - 2, 0))
        } else {
            format!("~{}", self.name)
        };
        (net, literal(self.width, bound ^ flip))
    }

    /// The net cut or extended to `width` bits.
    pub(crate) fn resized(&self, width: u32) -> String {
        if width <= self.width {
            return self.bits(width - 1, 0);
        }
        let missing = width - self.width;
        let fill = if self.signed {
            format!("{{{missing}{{{}}}}}", self.sign())
        } else {
            literal(missing, 0)
        };
        format!("{{{fill}, {}}}", self.name)
    }
}
