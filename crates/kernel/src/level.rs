//! Which instructions the kernels use: found once at run time, or set by a test.

use std::sync::OnceLock;

/// A set of instructions the kernels are compiled for. All levels give the same bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Portable code; fused multiply-adds in software where the CPU has none: slow, with the same bits.
    /// The only level of other architectures than x86-64, where it is untested.
    Scalar,
    /// AVX2 with FMA, and the bit counts that CPUs with these have: 8 lanes.
    Avx2,
    /// AVX-512F: 16 lanes.
    Avx512,
}

impl Level {
    /// Every level, lowest first.
    pub const ALL: [Self; 3] = [Self::Scalar, Self::Avx2, Self::Avx512];

    /// Name for provenance: `scalar`, `avx2` or `avx512`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Scalar => "scalar",
            Self::Avx2 => "avx2",
            Self::Avx512 => "avx512",
        }
    }

    /// Whether this CPU has it.
    #[must_use]
    pub fn is_supported(self) -> bool {
        self.runs_on(Features::detect())
    }

    /// Whether a CPU with these features has it: no vector level without fused multiply-adds, which the
    /// scalar level emulates.
    fn runs_on(self, features: Features) -> bool {
        match self {
            Self::Scalar => true,
            Self::Avx2 => features.avx2 && features.fma,
            Self::Avx512 => features.avx512f && Self::Avx2.runs_on(features),
        }
    }
}

/// What the levels need of a CPU.
#[derive(Clone, Copy, Debug)]
struct Features {
    avx2: bool,
    fma: bool,
    avx512f: bool,
}

impl Features {
    fn detect() -> Self {
        #[cfg(target_arch = "x86_64")]
        {
            Self {
                avx2: is_x86_feature_detected!("avx2")
                    && is_x86_feature_detected!("bmi1")
                    && is_x86_feature_detected!("popcnt"),
                fma: is_x86_feature_detected!("fma"),
                avx512f: is_x86_feature_detected!("avx512f"),
            }
        }
        #[cfg(not(target_arch = "x86_64"))]
        {
            Self {
                avx2: false,
                fma: false,
                avx512f: false,
            }
        }
    }
}

/// The kernels of one level. A value of this type is the proof that the CPU has the level.
#[derive(Clone, Copy, Debug)]
pub struct Kernels {
    level: Level,
}

impl Kernels {
    /// The highest level this CPU has.
    #[must_use]
    pub fn detect() -> Self {
        static BEST: OnceLock<Level> = OnceLock::new();
        let level = *BEST.get_or_init(|| {
            let best = Level::ALL.into_iter().rev().find(|l| l.is_supported());
            best.unwrap_or(Level::Scalar)
        });
        Self { level }
    }

    /// A given level; `None` where the CPU does not have it.
    #[must_use]
    pub fn at(level: Level) -> Option<Self> {
        level.is_supported().then_some(Self { level })
    }

    /// The level in use.
    #[must_use]
    pub const fn level(self) -> Level {
        self.level
    }
}

/// Name of the level that [`Kernels::detect`] chooses here, for provenance.
#[must_use]
pub fn level() -> &'static str {
    Kernels::detect().level().name()
}

/// Instantiates a generic kernel body at every level and picks by `$level` at run time.
macro_rules! dispatch {
    ($level:expr, $body:ident ( $($arg:ident : $ty:ty),* $(,)? ) $(-> $ret:ty)?) => {{
        #[cfg(target_arch = "x86_64")]
        #[target_feature(enable = "avx512f,avx2,fma,bmi1,popcnt")]
        #[allow(clippy::too_many_arguments)]
        unsafe fn avx512($($arg: $ty),*) $(-> $ret)? {
            $body::<$crate::lanes::Avx512>($($arg),*)
        }
        #[cfg(target_arch = "x86_64")]
        #[target_feature(enable = "avx2,fma,bmi1,popcnt")]
        #[allow(clippy::too_many_arguments)]
        unsafe fn avx2($($arg: $ty),*) $(-> $ret)? {
            $body::<$crate::lanes::Avx2>($($arg),*)
        }
        // SAFETY: a `Kernels` of a level exists only where the CPU has its features; the callers
        // assert the slice lengths their bodies rely on.
        unsafe {
            match $level {
                #[cfg(target_arch = "x86_64")]
                $crate::Level::Avx512 => avx512($($arg),*),
                #[cfg(target_arch = "x86_64")]
                $crate::Level::Avx2 => avx2($($arg),*),
                _ => $body::<$crate::lanes::Scalar>($($arg),*),
            }
        }
    }};
}
pub(crate) use dispatch;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_vector_level_without_fused_multiply_adds() {
        let best = |avx2, fma, avx512f| {
            let features = Features { avx2, fma, avx512f };
            let mut levels = Level::ALL.into_iter().rev();
            levels.find(|level| level.runs_on(features)).unwrap()
        };
        assert_eq!(best(true, true, true), Level::Avx512);
        assert_eq!(best(true, true, false), Level::Avx2);
        for (avx2, avx512f) in [(true, true), (true, false), (false, true)] {
            assert_eq!(best(avx2, false, avx512f), Level::Scalar);
        }
        assert_eq!(best(false, true, true), Level::Scalar);
    }

    #[test]
    fn detects_a_supported_level() {
        let kernels = Kernels::detect();
        assert!(kernels.level().is_supported());
        assert_eq!(level(), kernels.level().name());
        assert!(Kernels::at(Level::Scalar).is_some());
        for higher in Level::ALL.into_iter().filter(|l| *l > kernels.level()) {
            assert!(Kernels::at(higher).is_none());
        }
    }
}
