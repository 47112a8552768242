//! Energy of reading and writing tensors (45 nm, Horowitz, ISSCC 2014; pJ).

/// Where a tensor lives between layers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Memory {
    /// In the circuit itself: free.
    Fixed,
    /// In SRAM.
    Sram,
    /// In DRAM.
    Dram,
}

/// DRAM: pJ a bit (1300 pJ for 64 bits).
const DRAM_PJ_PER_BIT: f64 = 20.3125;

/// Below this log2 of the size the fitted polynomial rises again; a monotone model stays flat.
const POLYNOMIAL_MINIMUM: f64 = 14.561_793;

/// pJ to move one 64-bit word in an SRAM of `2^z` bits: a cubic fitted by the original.
fn sram_word_pj(z: f64, monotone: bool) -> f64 {
    let z = if monotone {
        z.max(POLYNOMIAL_MINIMUM)
    } else {
        z
    };
    9.024_273_21e-4 * z.powi(3) - 2.688_478_58e-2 * z.powi(2) + 0.208_900_804 * z
}

/// pJ to move `bits` through an SRAM of at least `min_sram_bits`.
pub(crate) fn sram_pj(bits: u64, min_sram_bits: u64, monotone: bool) -> f64 {
    let size = bits.max(min_sram_bits).max(1) as f64;
    bits.div_ceil(64) as f64 * sram_word_pj(size.log2(), monotone)
}

/// pJ to move `bits` once; DRAM goes through an SRAM buffer where `through_sram`.
pub(crate) fn access_pj(
    memory: Memory,
    bits: u64,
    min_sram_bits: u64,
    through_sram: bool,
    monotone: bool,
) -> f64 {
    match memory {
        Memory::Fixed => 0.0,
        Memory::Sram => sram_pj(bits, min_sram_bits, monotone),
        Memory::Dram => {
            let buffer = if through_sram {
                sram_pj(bits, min_sram_bits, monotone)
            } else {
                0.0
            };
            bits as f64 * DRAM_PJ_PER_BIT + buffer
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sram_words_cost_what_the_source_says() {
        for (z, pj) in [(16.0, 0.156), (18.0, 0.3125), (23.0, 1.5625), (27.0, 3.80)] {
            assert!((sram_word_pj(z, false) - pj).abs() < 0.005, "z = {z}");
        }
    }

    #[test]
    fn only_the_corrected_model_is_monotone() {
        let words = |monotone| (10..40).map(move |z| sram_word_pj(f64::from(z) * 0.5, monotone));
        assert!(words(true).is_sorted());
        assert!(!words(false).is_sorted());
    }
}
