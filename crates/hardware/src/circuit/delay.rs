//! A delay model for cutting a circuit into pipeline stages. Modelled, not measured.
//!
//! `adder = LUT + route + width * carry`: the orders of magnitude of an `UltraScale+` part of speed
//! grade -2. It decides where registers go, so cycle counts and registers depend on it; the function
//! of the circuit does not.

/// Delays in picoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DelayModel {
    /// Through one LUT.
    pub lut_ps: u32,
    /// Along one bit of a carry chain.
    pub carry_ps: u32,
    /// Through the multiplier and the adder of a DSP block, none of its registers used.
    pub dsp_ps: u32,
    /// From one cell to the next.
    pub route_ps: u32,
    /// Clock to output and setup of a register.
    pub register_ps: u32,
    /// The clock's period.
    pub period_ps: u32,
}

impl Default for DelayModel {
    /// A 5 ns clock, the one of the paper's designs.
    fn default() -> Self {
        Self {
            lut_ps: 150,
            carry_ps: 8,
            dsp_ps: 2_000,
            route_ps: 350,
            register_ps: 300,
            period_ps: 5_000,
        }
    }
}

impl DelayModel {
    /// The default delays with a clock in MHz.
    pub fn at_mhz(clock_mhz: f64) -> Self {
        Self {
            period_ps: (1e6 / clock_mhz).round() as u32,
            ..Self::default()
        }
    }

    /// What logic may take between two registers.
    pub fn budget_ps(&self) -> u32 {
        self.period_ps.saturating_sub(self.register_ps)
    }

    /// An adder or comparator of `width` bits.
    pub fn adder_ps(&self, width: u32) -> u32 {
        self.level_ps() + width * self.carry_ps
    }

    /// A product in a DSP block, of any width.
    pub fn multiplier_ps(&self) -> u32 {
        self.dsp_ps + self.route_ps
    }

    /// The larger of two numbers of `width` bits: compare, then select.
    pub fn maximum_ps(&self, width: u32) -> u32 {
        self.adder_ps(width) + self.level_ps()
    }

    /// A requantizer to `width` bits: detect and round, then select.
    pub fn requantizer_ps(&self, width: u32) -> u32 {
        2 * self.level_ps() + width * self.carry_ps
    }

    /// A step function: a comparison of `width` bits, then a parity of six per level.
    pub fn steps_ps(&self, width: u32, thresholds: usize) -> u32 {
        let mut levels = 1;
        let mut reach = 6_usize;
        while reach < thresholds {
            (levels, reach) = (levels + 1, reach.saturating_mul(6));
        }
        self.adder_ps(width) + levels * self.level_ps()
    }

    /// A table of so many address bits: a LUT of six, then a selection of four by two more bits per level.
    pub fn table_ps(&self, address_bits: u32) -> u32 {
        (1 + address_bits.saturating_sub(6).div_ceil(2)) * self.level_ps()
    }

    /// LUTs one behind the other.
    pub(crate) fn levels_ps(&self, levels: u32) -> u32 {
        levels * self.level_ps()
    }

    fn level_ps(&self) -> u32 {
        self.lut_ps + self.route_ps
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_function_has_a_level_of_parities_for_each_power_of_six() {
        let delays = DelayModel::default();
        let levels =
            |thresholds| (delays.steps_ps(8, thresholds) - delays.adder_ps(8)) / delays.level_ps();
        for (thresholds, expected) in [(1, 1), (6, 1), (7, 2), (36, 2), (37, 3), (216, 3), (217, 4)]
        {
            assert_eq!(levels(thresholds), expected, "{thresholds}");
        }
    }
}
