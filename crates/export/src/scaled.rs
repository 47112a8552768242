//! Integers times a power of two, and whether f32 holds them.

/// Bits of an integer that f32 holds, with every smaller one.
pub(crate) const F32_BITS: u32 = 24;

/// Codes times a power of two.
#[derive(Clone, Debug)]
pub(crate) struct Scaled {
    pub(crate) codes: Vec<i64>,
    pub(crate) exponent: i32,
}

impl Scaled {
    /// Numbers `codes[k] * 2^exponents[k]` on their coarsest common grid.
    ///
    /// # Errors
    /// Bits that are needed, where they are more than 62.
    pub(crate) fn of(codes: &[i64], exponents: impl Fn(usize) -> i32) -> Result<Self, u32> {
        let parts = codes.iter().enumerate().filter(|(_, code)| **code != 0);
        let finest = parts.map(|(k, code)| exponents(k) + code.trailing_zeros() as i32);
        let exponent = finest.min().unwrap_or(0);
        let mut common = Vec::with_capacity(codes.len());
        for (k, code) in codes.iter().enumerate() {
            let shift = exponents(k) - exponent;
            let wide = i128::from(*code);
            let value = match shift {
                _ if wide == 0 => 0,
                0..=62 => wide << shift,
                -62..0 => wide >> -shift,
                _ => return Err(shift.unsigned_abs()),
            };
            common.push(i64::try_from(value).map_err(|_| 128 - value.abs().leading_zeros())?);
        }
        Ok(Self {
            codes: common,
            exponent,
        })
    }

    /// Bits of the narrowest two's complement that holds all codes.
    pub(crate) fn width(&self) -> u32 {
        let bits = self.codes.iter().map(|code| {
            let magnitude = if *code < 0 { !code } else { *code };
            65 - magnitude.leading_zeros()
        });
        bits.max().unwrap_or(1)
    }

    /// Why f32 does not hold the numbers, as a sentence's end; nothing if it does.
    pub(crate) fn refusal(&self) -> Option<String> {
        let width = self.width();
        (width > F32_BITS + 1 || self.exponent.abs() > 100).then(|| {
            format!(
                "has constants of {width} bits in steps of 2^{} on a common grid; accepted are {} \
                 bits, which f32 holds",
                self.exponent,
                F32_BITS + 1
            )
        })
    }

    /// The numbers.
    pub(crate) fn values(&self) -> Vec<f32> {
        let step = 2f64.powi(self.exponent);
        let values = self.codes.iter().map(|code| (*code as f64 * step) as f32);
        values.collect()
    }
}

/// What is said of constants that no grid of 62 bits holds, as a sentence's end.
pub(crate) fn too_wide(bits: u32) -> String {
    format!("has constants {bits} bits apart; accepted are {F32_BITS}, which f32 holds")
}
