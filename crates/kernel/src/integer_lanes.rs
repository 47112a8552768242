//! Sixteen i32 lanes as AVX-512 with VNNI, as two AVX2 registers and as an array: the same integers.

use crate::buffer::LANES;
use crate::lanes::Lanes;
use crate::{Kernels, Level};

/// Sixteen i32 lanes; sums wrap modulo 2^32.
///
/// # Safety
/// Methods are called only from functions that have the level's target features; pointers span
/// [`LANES`] values of their type.
pub(crate) trait IntegerLanes: Copy {
    /// Whether there are registers enough for tiles of 8 x 2 or 6 x 4 blocks.
    const WIDE: bool;
    /// The f32 lanes of the same path.
    type Floats: Lanes;
    /// Eight lanes.
    type Half: Copy;
    unsafe fn half_splat(value: i32) -> Self::Half;
    unsafe fn half_load(from: *const i32) -> Self::Half;
    /// As `dot_small_bytes` where `SMALL`, else `dot_bytes`, of eight lanes.
    unsafe fn half_dot<const SMALL: bool>(
        sum: Self::Half,
        x: Self::Half,
        w: Self::Half,
    ) -> Self::Half;
    /// Eight lanes and eight others behind them.
    unsafe fn join(first: Self::Half, second: Self::Half) -> Self;
    /// Integers within 2^24 as f32.
    unsafe fn floats(self) -> Self::Floats;
    /// Whole numbers within i32 as such.
    unsafe fn of_floats(floats: Self::Floats) -> Self;
    /// The lowest bytes of four vectors: in each lane, the first lowest.
    unsafe fn bytes_of(four: [Self; 4]) -> Self;
    unsafe fn mul(self, other: Self) -> Self;
    unsafe fn splat(value: i32) -> Self;
    unsafe fn load(from: *const i32) -> Self;
    unsafe fn store(self, to: *mut i32);
    /// `code - offset` as u8, for differences within 0..=255.
    unsafe fn store_bytes(self, to: *mut u8);
    /// `code - offset` as i16, for differences within i16.
    unsafe fn store_words(self, to: *mut i16);
    /// Adds the four products u8 (`x`) x i8 (`w`) of each lane.
    unsafe fn dot_bytes(self, x: Self, w: Self) -> Self;
    /// As `dot_bytes`, where the first two and the last two products each sum to an i16.
    unsafe fn dot_small_bytes(self, x: Self, w: Self) -> Self;
    /// Adds the two products i16 x i16 of each lane.
    unsafe fn dot_words(self, x: Self, w: Self) -> Self;
    unsafe fn add(self, other: Self) -> Self;
    unsafe fn sub(self, other: Self) -> Self;
    unsafe fn and(self, other: Self) -> Self;
    unsafe fn max(self, other: Self) -> Self;
    unsafe fn min(self, other: Self) -> Self;
    /// Arithmetic shift, by 0..=31 in each lane.
    unsafe fn shift_right(self, by: Self) -> Self;
    /// -1 where negative, else 0.
    unsafe fn sign(self) -> Self;
    /// `self` without its lowest bit where no bit of `mask` is set in `sum`.
    unsafe fn even_where_tied(self, sum: Self, mask: Self) -> Self;
    /// `self` within `low..=high`, else 0.
    unsafe fn keep_within(self, low: Self, high: Self) -> Self;
}

/// Which implementation runs; a value of it is the proof that the CPU has its instructions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Path {
    Scalar,
    #[cfg(target_arch = "x86_64")]
    Avx2,
    #[cfg(target_arch = "x86_64")]
    Vnni,
}

impl Path {
    /// The integer path of a level: AVX-512 without VNNI, 16-bit instructions and shorter vectors runs as AVX2.
    pub(crate) fn of(kernels: Kernels) -> Self {
        match kernels.level() {
            Level::Scalar => Self::Scalar,
            #[cfg(target_arch = "x86_64")]
            Level::Avx512
                if is_x86_feature_detected!("avx512vnni")
                    && is_x86_feature_detected!("avx512bw")
                    && is_x86_feature_detected!("avx512vl") =>
            {
                Self::Vnni
            }
            #[cfg(target_arch = "x86_64")]
            Level::Avx2 | Level::Avx512 => Self::Avx2,
            #[cfg(not(target_arch = "x86_64"))]
            Level::Avx2 | Level::Avx512 => Self::Scalar,
        }
    }
}

/// Instantiates a generic integer body on every path and picks by `$path` at run time.
macro_rules! integer_dispatch {
    ($path:expr, $body:ident ( $($arg:ident : $ty:ty),* $(,)? ) $(-> $ret:ty)?) => {{
        #[cfg(target_arch = "x86_64")]
        #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni,avx2,fma")]
        unsafe fn vnni($($arg: $ty),*) $(-> $ret)? {
            $body::<$crate::integer_lanes::Vnni>($($arg),*)
        }
        #[cfg(target_arch = "x86_64")]
        #[target_feature(enable = "avx2,fma")]
        unsafe fn avx2($($arg: $ty),*) $(-> $ret)? {
            $body::<$crate::integer_lanes::Avx2Integers>($($arg),*)
        }
        // SAFETY: a `Path` exists only where the CPU has its features; the callers keep what their
        // bodies rely on.
        unsafe {
            match $path {
                #[cfg(target_arch = "x86_64")]
                $crate::integer_lanes::Path::Vnni => vnni($($arg),*),
                #[cfg(target_arch = "x86_64")]
                $crate::integer_lanes::Path::Avx2 => avx2($($arg),*),
                $crate::integer_lanes::Path::Scalar => {
                    $body::<$crate::integer_lanes::ScalarIntegers>($($arg),*)
                }
            }
        }
    }};
}
pub(crate) use integer_dispatch;

/// The sum of the four products u8 (`x`) x i8 (`w`).
#[inline(always)]
fn four_products(x: i32, w: i32) -> i32 {
    let product = |at: i32| i32::from((x >> (8 * at)) as u8) * i32::from((w >> (8 * at)) as i8);
    product(0) + product(1) + product(2) + product(3)
}

/// The scalar twin.
#[derive(Clone, Copy)]
pub(crate) struct ScalarIntegers([i32; LANES]);

impl ScalarIntegers {
    #[inline(always)]
    fn zip(self, other: Self, f: impl Fn(i32, i32) -> i32) -> Self {
        Self(std::array::from_fn(|i| f(self.0[i], other.0[i])))
    }
}

impl IntegerLanes for ScalarIntegers {
    const WIDE: bool = false;
    type Floats = crate::lanes::Scalar;
    type Half = [i32; LANES / 2];
    #[inline(always)]
    unsafe fn half_splat(value: i32) -> Self::Half {
        [value; LANES / 2]
    }
    #[inline(always)]
    unsafe fn half_load(from: *const i32) -> Self::Half {
        from.cast::<Self::Half>().read_unaligned()
    }
    #[inline(always)]
    unsafe fn half_dot<const SMALL: bool>(
        sum: Self::Half,
        x: Self::Half,
        w: Self::Half,
    ) -> Self::Half {
        std::array::from_fn(|i| sum[i].wrapping_add(four_products(x[i], w[i])))
    }
    #[inline(always)]
    unsafe fn join(first: Self::Half, second: Self::Half) -> Self {
        Self(std::array::from_fn(|i| {
            *first.get(i).unwrap_or(&second[i % (LANES / 2)])
        }))
    }
    #[inline(always)]
    unsafe fn floats(self) -> Self::Floats {
        Lanes::load(self.0.map(|v| v as f32).as_ptr())
    }
    #[inline(always)]
    unsafe fn of_floats(floats: Self::Floats) -> Self {
        let mut values = [0.0_f32; LANES];
        floats.store(values.as_mut_ptr());
        Self(values.map(|v| v as i32))
    }
    #[inline(always)]
    unsafe fn bytes_of(four: [Self; 4]) -> Self {
        let lane = |i: usize| i32::from_le_bytes(four.map(|part| part.0[i] as u8));
        Self(std::array::from_fn(lane))
    }
    #[inline(always)]
    unsafe fn mul(self, other: Self) -> Self {
        self.zip(other, i32::wrapping_mul)
    }
    #[inline(always)]
    unsafe fn splat(value: i32) -> Self {
        Self([value; LANES])
    }
    #[inline(always)]
    unsafe fn load(from: *const i32) -> Self {
        Self(from.cast::<[i32; LANES]>().read_unaligned())
    }
    #[inline(always)]
    unsafe fn store(self, to: *mut i32) {
        to.cast::<[i32; LANES]>().write_unaligned(self.0);
    }
    #[inline(always)]
    unsafe fn store_bytes(self, to: *mut u8) {
        to.cast::<[u8; LANES]>()
            .write_unaligned(self.0.map(|v| v as u8));
    }
    #[inline(always)]
    unsafe fn store_words(self, to: *mut i16) {
        to.cast::<[i16; LANES]>()
            .write_unaligned(self.0.map(|v| v as i16));
    }
    #[inline(always)]
    unsafe fn dot_bytes(self, x: Self, w: Self) -> Self {
        self.add(x.zip(w, four_products))
    }
    #[inline(always)]
    unsafe fn dot_small_bytes(self, x: Self, w: Self) -> Self {
        self.dot_bytes(x, w)
    }
    #[inline(always)]
    unsafe fn dot_words(self, x: Self, w: Self) -> Self {
        let low = |x: i32, w: i32| i32::from(x as i16) * i32::from(w as i16);
        let sum = |x: i32, w: i32| low(x, w).wrapping_add((x >> 16) * (w >> 16));
        self.add(x.zip(w, sum))
    }
    #[inline(always)]
    unsafe fn add(self, other: Self) -> Self {
        self.zip(other, i32::wrapping_add)
    }
    #[inline(always)]
    unsafe fn sub(self, other: Self) -> Self {
        self.zip(other, i32::wrapping_sub)
    }
    #[inline(always)]
    unsafe fn and(self, other: Self) -> Self {
        self.zip(other, |a, b| a & b)
    }
    #[inline(always)]
    unsafe fn max(self, other: Self) -> Self {
        self.zip(other, i32::max)
    }
    #[inline(always)]
    unsafe fn min(self, other: Self) -> Self {
        self.zip(other, i32::min)
    }
    #[inline(always)]
    unsafe fn shift_right(self, by: Self) -> Self {
        self.zip(by, |v, by| v >> (by & 31))
    }
    #[inline(always)]
    unsafe fn sign(self) -> Self {
        Self(self.0.map(|v| v >> 31))
    }
    #[inline(always)]
    unsafe fn even_where_tied(self, sum: Self, mask: Self) -> Self {
        let left = sum.and(mask);
        self.zip(left, |v, left| if left == 0 { v & !1 } else { v })
    }
    #[inline(always)]
    unsafe fn keep_within(self, low: Self, high: Self) -> Self {
        Self(std::array::from_fn(|i| {
            let v = self.0[i];
            if v >= low.0[i] && v <= high.0[i] {
                v
            } else {
                0
            }
        }))
    }
}

#[cfg(target_arch = "x86_64")]
pub(crate) use x86::{Avx2Integers, Vnni};

#[cfg(target_arch = "x86_64")]
#[allow(
    clippy::wildcard_imports,
    reason = "the intrinsics of one architecture"
)]
mod x86 {
    use super::IntegerLanes;
    use crate::lanes::{Avx2, Avx512};
    use std::arch::x86_64::*;

    /// `vpdpwssd`, written out: the compiler splits the intrinsic into a product and a sum.
    #[inline]
    #[target_feature(enable = "avx512f,avx512vnni")]
    unsafe fn dot_words(mut sum: __m512i, x: __m512i, w: __m512i) -> __m512i {
        std::arch::asm!(
            "vpdpwssd {sum}, {x}, {w}",
            sum = inout(zmm_reg) sum,
            x = in(zmm_reg) x,
            w = in(zmm_reg) w,
            options(pure, nomem, nostack, preserves_flags),
        );
        sum
    }

    /// One 512-bit register.
    #[derive(Clone, Copy)]
    pub(crate) struct Vnni(__m512i);

    impl IntegerLanes for Vnni {
        const WIDE: bool = true;
        type Floats = Avx512;
        type Half = __m256i;
        #[inline(always)]
        unsafe fn half_splat(value: i32) -> __m256i {
            _mm256_set1_epi32(value)
        }
        #[inline(always)]
        unsafe fn half_load(from: *const i32) -> __m256i {
            _mm256_loadu_si256(from.cast())
        }
        #[inline(always)]
        unsafe fn half_dot<const SMALL: bool>(sum: __m256i, x: __m256i, w: __m256i) -> __m256i {
            _mm256_dpbusd_epi32(sum, x, w)
        }
        #[inline(always)]
        unsafe fn join(first: __m256i, second: __m256i) -> Self {
            let both = _mm512_castsi256_si512(first);
            Self(_mm512_inserti64x4::<1>(both, second))
        }
        #[inline(always)]
        unsafe fn floats(self) -> Avx512 {
            Avx512(_mm512_cvtepi32_ps(self.0))
        }
        #[inline(always)]
        unsafe fn of_floats(floats: Avx512) -> Self {
            Self(_mm512_cvtps_epi32(floats.0))
        }
        #[inline(always)]
        unsafe fn bytes_of(four: [Self; 4]) -> Self {
            let low = _mm512_set1_epi32(0xff);
            let [a, b, c, d] = four.map(|part| part.0);
            let (a, b) = (_mm512_and_si512(a, low), _mm512_and_si512(b, low));
            let c = _mm512_slli_epi32::<16>(_mm512_and_si512(c, low));
            let ab = _mm512_or_si512(a, _mm512_slli_epi32::<8>(b));
            let cd = _mm512_or_si512(c, _mm512_slli_epi32::<24>(d));
            Self(_mm512_or_si512(ab, cd))
        }
        #[inline(always)]
        unsafe fn mul(self, other: Self) -> Self {
            Self(_mm512_mullo_epi32(self.0, other.0))
        }
        #[inline(always)]
        unsafe fn splat(value: i32) -> Self {
            Self(_mm512_set1_epi32(value))
        }
        #[inline(always)]
        unsafe fn load(from: *const i32) -> Self {
            Self(_mm512_loadu_si512(from.cast()))
        }
        #[inline(always)]
        unsafe fn store(self, to: *mut i32) {
            _mm512_storeu_si512(to.cast(), self.0);
        }
        #[inline(always)]
        unsafe fn store_bytes(self, to: *mut u8) {
            _mm_storeu_si128(to.cast(), _mm512_cvtepi32_epi8(self.0));
        }
        #[inline(always)]
        unsafe fn store_words(self, to: *mut i16) {
            _mm256_storeu_si256(to.cast(), _mm512_cvtepi32_epi16(self.0));
        }
        #[inline(always)]
        unsafe fn dot_bytes(self, x: Self, w: Self) -> Self {
            Self(_mm512_dpbusd_epi32(self.0, x.0, w.0))
        }
        #[inline(always)]
        unsafe fn dot_small_bytes(self, x: Self, w: Self) -> Self {
            self.dot_bytes(x, w)
        }
        #[inline(always)]
        unsafe fn dot_words(self, x: Self, w: Self) -> Self {
            Self(dot_words(self.0, x.0, w.0))
        }
        #[inline(always)]
        unsafe fn add(self, other: Self) -> Self {
            Self(_mm512_add_epi32(self.0, other.0))
        }
        #[inline(always)]
        unsafe fn sub(self, other: Self) -> Self {
            Self(_mm512_sub_epi32(self.0, other.0))
        }
        #[inline(always)]
        unsafe fn and(self, other: Self) -> Self {
            Self(_mm512_and_si512(self.0, other.0))
        }
        #[inline(always)]
        unsafe fn max(self, other: Self) -> Self {
            Self(_mm512_max_epi32(self.0, other.0))
        }
        #[inline(always)]
        unsafe fn min(self, other: Self) -> Self {
            Self(_mm512_min_epi32(self.0, other.0))
        }
        #[inline(always)]
        unsafe fn shift_right(self, by: Self) -> Self {
            Self(_mm512_srav_epi32(self.0, by.0))
        }
        #[inline(always)]
        unsafe fn sign(self) -> Self {
            Self(_mm512_srai_epi32::<31>(self.0))
        }
        #[inline(always)]
        unsafe fn even_where_tied(self, sum: Self, mask: Self) -> Self {
            let tied = _mm512_testn_epi32_mask(sum.0, mask.0);
            let even = _mm512_set1_epi32(!1);
            Self(_mm512_mask_and_epi32(self.0, tied, self.0, even))
        }
        #[inline(always)]
        unsafe fn keep_within(self, low: Self, high: Self) -> Self {
            let above = _mm512_cmpge_epi32_mask(self.0, low.0);
            let within = _mm512_mask_cmple_epi32_mask(above, self.0, high.0);
            Self(_mm512_maskz_mov_epi32(within, self.0))
        }
    }

    /// Two 256-bit registers.
    #[derive(Clone, Copy)]
    pub(crate) struct Avx2Integers(__m256i, __m256i);

    impl Avx2Integers {
        /// The lanes as i16, saturated, in order.
        #[inline(always)]
        unsafe fn words(self) -> __m256i {
            let mixed = _mm256_packs_epi32(self.0, self.1);
            _mm256_permute4x64_epi64::<0b11_01_10_00>(mixed)
        }
    }

    /// One operation on both halves.
    macro_rules! halves {
        ($operation:ident($a:expr, $b:expr)) => {
            Avx2Integers($operation($a.0, $b.0), $operation($a.1, $b.1))
        };
    }

    impl IntegerLanes for Avx2Integers {
        const WIDE: bool = false;
        type Floats = Avx2;
        type Half = __m256i;
        #[inline(always)]
        unsafe fn half_splat(value: i32) -> __m256i {
            _mm256_set1_epi32(value)
        }
        #[inline(always)]
        unsafe fn half_load(from: *const i32) -> __m256i {
            _mm256_loadu_si256(from.cast())
        }
        #[inline(always)]
        unsafe fn half_dot<const SMALL: bool>(sum: __m256i, x: __m256i, w: __m256i) -> __m256i {
            if SMALL {
                let pairs = _mm256_maddubs_epi16(x, w);
                return _mm256_add_epi32(sum, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)));
            }
            // Every other byte as 16 bits, so that no sum of two products saturates.
            let even = _mm256_set1_epi16(0xff);
            let w_even = _mm256_srai_epi16::<8>(_mm256_slli_epi16::<8>(w));
            let first = _mm256_madd_epi16(_mm256_and_si256(x, even), w_even);
            let w_odd = _mm256_srai_epi16::<8>(w);
            let second = _mm256_madd_epi16(_mm256_srli_epi16::<8>(x), w_odd);
            _mm256_add_epi32(_mm256_add_epi32(sum, first), second)
        }
        #[inline(always)]
        unsafe fn join(first: __m256i, second: __m256i) -> Self {
            Self(first, second)
        }
        #[inline(always)]
        unsafe fn floats(self) -> Avx2 {
            Avx2(_mm256_cvtepi32_ps(self.0), _mm256_cvtepi32_ps(self.1))
        }
        #[inline(always)]
        unsafe fn of_floats(floats: Avx2) -> Self {
            Self(_mm256_cvtps_epi32(floats.0), _mm256_cvtps_epi32(floats.1))
        }
        #[inline(always)]
        unsafe fn bytes_of(four: [Self; 4]) -> Self {
            let low = _mm256_set1_epi32(0xff);
            let half = |[a, b, c, d]: [__m256i; 4]| {
                let (a, b) = (_mm256_and_si256(a, low), _mm256_and_si256(b, low));
                let c = _mm256_slli_epi32::<16>(_mm256_and_si256(c, low));
                let ab = _mm256_or_si256(a, _mm256_slli_epi32::<8>(b));
                let cd = _mm256_or_si256(c, _mm256_slli_epi32::<24>(d));
                _mm256_or_si256(ab, cd)
            };
            Self(half(four.map(|part| part.0)), half(four.map(|part| part.1)))
        }
        #[inline(always)]
        unsafe fn mul(self, other: Self) -> Self {
            halves!(_mm256_mullo_epi32(self, other))
        }
        #[inline(always)]
        unsafe fn splat(value: i32) -> Self {
            let v = _mm256_set1_epi32(value);
            Self(v, v)
        }
        #[inline(always)]
        unsafe fn load(from: *const i32) -> Self {
            Self(
                _mm256_loadu_si256(from.cast()),
                _mm256_loadu_si256(from.add(8).cast()),
            )
        }
        #[inline(always)]
        unsafe fn store(self, to: *mut i32) {
            _mm256_storeu_si256(to.cast(), self.0);
            _mm256_storeu_si256(to.add(8).cast(), self.1);
        }
        #[inline(always)]
        unsafe fn store_bytes(self, to: *mut u8) {
            let words = self.words();
            let (low, high) = (
                _mm256_castsi256_si128(words),
                _mm256_extracti128_si256::<1>(words),
            );
            _mm_storeu_si128(to.cast(), _mm_packus_epi16(low, high));
        }
        #[inline(always)]
        unsafe fn store_words(self, to: *mut i16) {
            _mm256_storeu_si256(to.cast(), self.words());
        }
        #[inline(always)]
        unsafe fn dot_bytes(self, x: Self, w: Self) -> Self {
            Self(
                Self::half_dot::<false>(self.0, x.0, w.0),
                Self::half_dot::<false>(self.1, x.1, w.1),
            )
        }
        #[inline(always)]
        unsafe fn dot_small_bytes(self, x: Self, w: Self) -> Self {
            Self(
                Self::half_dot::<true>(self.0, x.0, w.0),
                Self::half_dot::<true>(self.1, x.1, w.1),
            )
        }
        #[inline(always)]
        unsafe fn dot_words(self, x: Self, w: Self) -> Self {
            self.add(halves!(_mm256_madd_epi16(x, w)))
        }
        #[inline(always)]
        unsafe fn add(self, other: Self) -> Self {
            halves!(_mm256_add_epi32(self, other))
        }
        #[inline(always)]
        unsafe fn sub(self, other: Self) -> Self {
            halves!(_mm256_sub_epi32(self, other))
        }
        #[inline(always)]
        unsafe fn and(self, other: Self) -> Self {
            halves!(_mm256_and_si256(self, other))
        }
        #[inline(always)]
        unsafe fn max(self, other: Self) -> Self {
            halves!(_mm256_max_epi32(self, other))
        }
        #[inline(always)]
        unsafe fn min(self, other: Self) -> Self {
            halves!(_mm256_min_epi32(self, other))
        }
        #[inline(always)]
        unsafe fn shift_right(self, by: Self) -> Self {
            halves!(_mm256_srav_epi32(self, by))
        }
        #[inline(always)]
        unsafe fn sign(self) -> Self {
            Self(
                _mm256_srai_epi32::<31>(self.0),
                _mm256_srai_epi32::<31>(self.1),
            )
        }
        #[inline(always)]
        unsafe fn even_where_tied(self, sum: Self, mask: Self) -> Self {
            let zero = Self::splat(0);
            let tied = halves!(_mm256_cmpeq_epi32(sum.and(mask), zero));
            let lowest = tied.and(Self::splat(1));
            halves!(_mm256_andnot_si256(lowest, self))
        }
        #[inline(always)]
        unsafe fn keep_within(self, low: Self, high: Self) -> Self {
            let below = halves!(_mm256_cmpgt_epi32(low, self));
            let above = halves!(_mm256_cmpgt_epi32(self, high));
            let inside = halves!(_mm256_andnot_si256(below, self));
            halves!(_mm256_andnot_si256(above, inside))
        }
    }
}
