//! Which instructions the kernels use: found once at run time, or set by a test.

use std::sync::OnceLock;

/// A set of instructions the kernels are compiled for. All levels give the same bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Portable code; fused multiply-adds in software where the CPU has none.
    Scalar,
    /// AVX2 with FMA: 8 lanes.
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
        #[cfg(target_arch = "x86_64")]
        {
            match self {
                Self::Scalar => true,
                Self::Avx2 => is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma"),
                Self::Avx512 => is_x86_feature_detected!("avx512f") && Self::Avx2.is_supported(),
            }
        }
        #[cfg(not(target_arch = "x86_64"))]
        {
            self == Self::Scalar
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
        #[target_feature(enable = "avx512f,avx2,fma")]
        #[allow(clippy::too_many_arguments)]
        unsafe fn avx512($($arg: $ty),*) $(-> $ret)? {
            $body::<$crate::lanes::Avx512>($($arg),*)
        }
        #[cfg(target_arch = "x86_64")]
        #[target_feature(enable = "avx2,fma")]
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
