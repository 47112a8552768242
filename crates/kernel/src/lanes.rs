//! Sixteen f32 lanes as AVX-512, as two AVX2 registers and as an array: the same IEEE operations.

use crate::buffer::LANES;

/// Sixteen lanes. Every method is one correctly rounded IEEE operation a lane.
///
/// # Safety
/// Methods are called only from functions that have the level's target features; pointers span
/// [`LANES`] values.
pub(crate) trait Lanes: Copy {
    /// Whether there are registers enough for tiles of 8 x 2 blocks.
    const WIDE: bool;
    /// The first eight lanes.
    type Half: Part<Whole = Self>;
    unsafe fn splat(value: f32) -> Self;
    unsafe fn load(from: *const f32) -> Self;
    /// As many bytes, as whole numbers.
    unsafe fn load_bytes(from: *const u8) -> Self;
    unsafe fn store(self, to: *mut f32);
    /// The first eight lanes and the others.
    unsafe fn store_apart(self, first: *mut f32, second: *mut f32);
    /// `self * factor + addend`, rounded once.
    unsafe fn mul_add(self, factor: Self, addend: Self) -> Self;
    unsafe fn add(self, other: Self) -> Self;
    unsafe fn sub(self, other: Self) -> Self;
    unsafe fn mul(self, other: Self) -> Self;
    unsafe fn div(self, other: Self) -> Self;
    unsafe fn sqrt(self) -> Self;
    /// Nearest integer, ties to even.
    unsafe fn round(self) -> Self;
    /// `self > other ? self : other`.
    unsafe fn max(self, other: Self) -> Self;
    /// `self < other ? self : other`.
    unsafe fn min(self, other: Self) -> Self;
    /// `self` where `x > bound`, else `other`.
    unsafe fn where_above(self, x: Self, bound: Self, other: Self) -> Self;
    /// `self` where `low < x <= high`, else +0.
    unsafe fn keep_where(self, x: Self, low: Self, high: Self) -> Self;
    /// A bit a lane: whether `low < self <= high`.
    unsafe fn bits_within(self, low: Self, high: Self) -> u16;
    /// `self` where the lane's bit is set, else +0.
    unsafe fn keep_bits(self, bits: u16) -> Self;
    /// The lowest byte of each lane.
    unsafe fn store_low_bytes(self, to: *mut u8);
    /// The same of the first eight lanes and of the others.
    unsafe fn store_low_bytes_apart(self, first: *mut u8, second: *mut u8);
    /// `2^self` for integers in -126..=127.
    unsafe fn exp2_integer(self) -> Self;
}

/// All sixteen lanes or the first eight of them, for products of so few columns.
///
/// # Safety
/// As of [`Lanes`], with pointers that span as many values.
pub(crate) trait Part: Copy {
    /// Sixteen lanes of the level.
    type Whole: Lanes;
    /// Lanes.
    const LEN: usize;
    unsafe fn splat(value: f32) -> Self;
    unsafe fn load(from: *const f32) -> Self;
    /// As many bytes, as whole numbers.
    unsafe fn load_bytes(from: *const u8) -> Self;
    unsafe fn store(self, to: *mut f32);
    /// `self * factor + addend`, rounded once.
    unsafe fn mul_add(self, factor: Self, addend: Self) -> Self;
    unsafe fn add(self, other: Self) -> Self;
    /// With +0 in the other lanes.
    unsafe fn whole(self) -> Self::Whole;
}

impl<V: Lanes> Part for V {
    type Whole = V;
    const LEN: usize = LANES;
    #[inline(always)]
    unsafe fn splat(value: f32) -> Self {
        Lanes::splat(value)
    }
    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        Lanes::load(from)
    }
    #[inline(always)]
    unsafe fn load_bytes(from: *const u8) -> Self {
        Lanes::load_bytes(from)
    }
    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        Lanes::store(self, to);
    }
    #[inline(always)]
    unsafe fn mul_add(self, factor: Self, addend: Self) -> Self {
        Lanes::mul_add(self, factor, addend)
    }
    #[inline(always)]
    unsafe fn add(self, other: Self) -> Self {
        Lanes::add(self, other)
    }
    #[inline(always)]
    unsafe fn whole(self) -> V {
        self
    }
}

/// Eight lanes of the scalar twin.
#[derive(Clone, Copy)]
pub(crate) struct ScalarHalf([f32; LANES / 2]);

impl Part for ScalarHalf {
    type Whole = Scalar;
    const LEN: usize = LANES / 2;
    #[inline(always)]
    unsafe fn splat(value: f32) -> Self {
        Self([value; LANES / 2])
    }
    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        Self(from.cast::<[f32; LANES / 2]>().read_unaligned())
    }
    #[inline(always)]
    unsafe fn load_bytes(from: *const u8) -> Self {
        Self(from.cast::<[u8; LANES / 2]>().read().map(f32::from))
    }
    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        to.cast::<[f32; LANES / 2]>().write_unaligned(self.0);
    }
    #[inline(always)]
    unsafe fn mul_add(self, factor: Self, addend: Self) -> Self {
        Self(std::array::from_fn(|i| {
            self.0[i].mul_add(factor.0[i], addend.0[i])
        }))
    }
    #[inline(always)]
    unsafe fn add(self, other: Self) -> Self {
        Self(std::array::from_fn(|i| self.0[i] + other.0[i]))
    }
    #[inline(always)]
    unsafe fn whole(self) -> Scalar {
        Scalar(std::array::from_fn(|i| self.0.get(i).map_or(0.0, |v| *v)))
    }
}

/// The scalar twin.
#[derive(Clone, Copy)]
pub(crate) struct Scalar([f32; LANES]);

impl Scalar {
    #[inline(always)]
    fn zip(self, other: Self, f: impl Fn(f32, f32) -> f32) -> Self {
        Self(std::array::from_fn(|i| f(self.0[i], other.0[i])))
    }
}

impl Lanes for Scalar {
    const WIDE: bool = false;
    type Half = ScalarHalf;
    #[inline(always)]
    unsafe fn splat(value: f32) -> Self {
        Self([value; LANES])
    }
    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        Self(from.cast::<[f32; LANES]>().read_unaligned())
    }
    #[inline(always)]
    unsafe fn load_bytes(from: *const u8) -> Self {
        Self(from.cast::<[u8; LANES]>().read().map(f32::from))
    }
    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        to.cast::<[f32; LANES]>().write_unaligned(self.0);
    }
    #[inline(always)]
    unsafe fn store_apart(self, first: *mut f32, second: *mut f32) {
        let halves = self.0.as_ptr();
        halves.copy_to_nonoverlapping(first, LANES / 2);
        halves
            .add(LANES / 2)
            .copy_to_nonoverlapping(second, LANES / 2);
    }
    #[inline(always)]
    unsafe fn mul_add(self, factor: Self, addend: Self) -> Self {
        Self(std::array::from_fn(|i| {
            self.0[i].mul_add(factor.0[i], addend.0[i])
        }))
    }
    #[inline(always)]
    unsafe fn add(self, other: Self) -> Self {
        self.zip(other, |a, b| a + b)
    }
    #[inline(always)]
    unsafe fn sub(self, other: Self) -> Self {
        self.zip(other, |a, b| a - b)
    }
    #[inline(always)]
    unsafe fn mul(self, other: Self) -> Self {
        self.zip(other, |a, b| a * b)
    }
    #[inline(always)]
    unsafe fn div(self, other: Self) -> Self {
        self.zip(other, |a, b| a / b)
    }
    #[inline(always)]
    unsafe fn sqrt(self) -> Self {
        Self(self.0.map(f32::sqrt))
    }
    #[inline(always)]
    unsafe fn round(self) -> Self {
        Self(self.0.map(f32::round_ties_even))
    }
    #[inline(always)]
    unsafe fn max(self, other: Self) -> Self {
        self.zip(other, |a, b| if a > b { a } else { b })
    }
    #[inline(always)]
    unsafe fn min(self, other: Self) -> Self {
        self.zip(other, |a, b| if a < b { a } else { b })
    }
    #[inline(always)]
    unsafe fn where_above(self, x: Self, bound: Self, other: Self) -> Self {
        Self(std::array::from_fn(|i| {
            if x.0[i] > bound.0[i] {
                self.0[i]
            } else {
                other.0[i]
            }
        }))
    }
    #[inline(always)]
    unsafe fn keep_where(self, x: Self, low: Self, high: Self) -> Self {
        Self(std::array::from_fn(|i| {
            if x.0[i] > low.0[i] && x.0[i] <= high.0[i] {
                self.0[i]
            } else {
                0.0
            }
        }))
    }
    #[inline(always)]
    unsafe fn bits_within(self, low: Self, high: Self) -> u16 {
        let within = |i: usize| self.0[i] > low.0[i] && self.0[i] <= high.0[i];
        (0..LANES).fold(0, |bits, i| bits | u16::from(within(i)) << i)
    }
    #[inline(always)]
    unsafe fn keep_bits(self, bits: u16) -> Self {
        let kept = |i: usize| bits >> i & 1 == 1;
        Self(std::array::from_fn(
            |i| if kept(i) { self.0[i] } else { 0.0 },
        ))
    }
    #[inline(always)]
    unsafe fn store_low_bytes(self, to: *mut u8) {
        to.cast::<[u8; LANES]>()
            .write_unaligned(self.0.map(|v| v.to_bits() as u8));
    }
    #[inline(always)]
    unsafe fn store_low_bytes_apart(self, first: *mut u8, second: *mut u8) {
        let bytes = self.0.map(|v| v.to_bits() as u8);
        let halves = bytes.as_ptr();
        halves.copy_to_nonoverlapping(first, LANES / 2);
        halves
            .add(LANES / 2)
            .copy_to_nonoverlapping(second, LANES / 2);
    }
    #[inline(always)]
    unsafe fn exp2_integer(self) -> Self {
        Self(
            self.0
                .map(|n| f32::from_bits(((n as i32 + 127) << 23) as u32)),
        )
    }
}

#[cfg(target_arch = "x86_64")]
pub(crate) use x86::{Avx2, Avx512};

#[cfg(target_arch = "x86_64")]
#[allow(
    clippy::wildcard_imports,
    reason = "the intrinsics of one architecture"
)]
mod x86 {
    use super::{Lanes, Part};
    use std::arch::x86_64::*;
    use std::marker::PhantomData;

    const ROUND: i32 = _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC;

    /// One 512-bit register.
    #[derive(Clone, Copy)]
    pub(crate) struct Avx512(pub(crate) __m512);

    /// One 256-bit register: the first eight lanes of either level.
    #[derive(Clone, Copy)]
    pub(crate) struct Half<V>(__m256, PhantomData<V>);

    /// Eight bytes as whole numbers.
    #[inline(always)]
    unsafe fn eight_bytes(from: *const u8) -> __m256 {
        _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(_mm_loadl_epi64(from.cast())))
    }

    /// What makes sixteen lanes of eight.
    pub(crate) trait Widen: Lanes {
        unsafe fn widen(half: __m256) -> Self;
    }

    impl Widen for Avx512 {
        #[inline(always)]
        unsafe fn widen(half: __m256) -> Self {
            Self(_mm512_zextps256_ps512(half))
        }
    }

    impl Widen for Avx2 {
        #[inline(always)]
        unsafe fn widen(half: __m256) -> Self {
            Self(half, _mm256_setzero_ps())
        }
    }

    impl<V: Widen> Part for Half<V> {
        type Whole = V;
        const LEN: usize = 8;
        #[inline(always)]
        unsafe fn splat(value: f32) -> Self {
            Self(_mm256_set1_ps(value), PhantomData)
        }
        #[inline(always)]
        unsafe fn load(from: *const f32) -> Self {
            Self(_mm256_loadu_ps(from), PhantomData)
        }
        #[inline(always)]
        unsafe fn load_bytes(from: *const u8) -> Self {
            Self(eight_bytes(from), PhantomData)
        }
        #[inline(always)]
        unsafe fn store(self, to: *mut f32) {
            _mm256_storeu_ps(to, self.0);
        }
        #[inline(always)]
        unsafe fn mul_add(self, factor: Self, addend: Self) -> Self {
            Self(_mm256_fmadd_ps(self.0, factor.0, addend.0), PhantomData)
        }
        #[inline(always)]
        unsafe fn add(self, other: Self) -> Self {
            Self(_mm256_add_ps(self.0, other.0), PhantomData)
        }
        #[inline(always)]
        unsafe fn whole(self) -> V {
            V::widen(self.0)
        }
    }

    impl Lanes for Avx512 {
        const WIDE: bool = true;
        type Half = Half<Self>;
        #[inline(always)]
        unsafe fn splat(value: f32) -> Self {
            Self(_mm512_set1_ps(value))
        }
        #[inline(always)]
        unsafe fn load(from: *const f32) -> Self {
            Self(_mm512_loadu_ps(from))
        }
        #[inline(always)]
        unsafe fn load_bytes(from: *const u8) -> Self {
            let bytes = _mm_loadu_si128(from.cast());
            Self(_mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(bytes)))
        }
        #[inline(always)]
        unsafe fn store(self, to: *mut f32) {
            _mm512_storeu_ps(to, self.0);
        }
        #[inline(always)]
        unsafe fn store_apart(self, first: *mut f32, second: *mut f32) {
            let halves = _mm512_castps_pd(self.0);
            _mm256_storeu_pd(first.cast(), _mm512_castpd512_pd256(halves));
            _mm256_storeu_pd(second.cast(), _mm512_extractf64x4_pd::<1>(halves));
        }
        #[inline(always)]
        unsafe fn mul_add(self, factor: Self, addend: Self) -> Self {
            Self(_mm512_fmadd_ps(self.0, factor.0, addend.0))
        }
        #[inline(always)]
        unsafe fn add(self, other: Self) -> Self {
            Self(_mm512_add_ps(self.0, other.0))
        }
        #[inline(always)]
        unsafe fn sub(self, other: Self) -> Self {
            Self(_mm512_sub_ps(self.0, other.0))
        }
        #[inline(always)]
        unsafe fn mul(self, other: Self) -> Self {
            Self(_mm512_mul_ps(self.0, other.0))
        }
        #[inline(always)]
        unsafe fn div(self, other: Self) -> Self {
            Self(_mm512_div_ps(self.0, other.0))
        }
        #[inline(always)]
        unsafe fn sqrt(self) -> Self {
            Self(_mm512_sqrt_ps(self.0))
        }
        #[inline(always)]
        unsafe fn round(self) -> Self {
            Self(_mm512_roundscale_ps::<ROUND>(self.0))
        }
        #[inline(always)]
        unsafe fn max(self, other: Self) -> Self {
            Self(_mm512_max_ps(self.0, other.0))
        }
        #[inline(always)]
        unsafe fn min(self, other: Self) -> Self {
            Self(_mm512_min_ps(self.0, other.0))
        }
        #[inline(always)]
        unsafe fn where_above(self, x: Self, bound: Self, other: Self) -> Self {
            let above = _mm512_cmp_ps_mask::<_CMP_GT_OQ>(x.0, bound.0);
            Self(_mm512_mask_mov_ps(other.0, above, self.0))
        }
        #[inline(always)]
        unsafe fn keep_where(self, x: Self, low: Self, high: Self) -> Self {
            let above = _mm512_cmp_ps_mask::<_CMP_GT_OQ>(x.0, low.0);
            let inside = _mm512_mask_cmp_ps_mask::<_CMP_LE_OQ>(above, x.0, high.0);
            Self(_mm512_maskz_mov_ps(inside, self.0))
        }
        #[inline(always)]
        unsafe fn bits_within(self, low: Self, high: Self) -> u16 {
            let above = _mm512_cmp_ps_mask::<_CMP_GT_OQ>(self.0, low.0);
            _mm512_mask_cmp_ps_mask::<_CMP_LE_OQ>(above, self.0, high.0)
        }
        #[inline(always)]
        unsafe fn keep_bits(self, bits: u16) -> Self {
            Self(_mm512_maskz_mov_ps(bits, self.0))
        }
        #[inline(always)]
        unsafe fn store_low_bytes(self, to: *mut u8) {
            let bytes = _mm512_cvtepi32_epi8(_mm512_castps_si512(self.0));
            _mm_storeu_si128(to.cast(), bytes);
        }
        #[inline(always)]
        unsafe fn store_low_bytes_apart(self, first: *mut u8, second: *mut u8) {
            let bytes = _mm512_cvtepi32_epi8(_mm512_castps_si512(self.0));
            _mm_storel_epi64(first.cast(), bytes);
            _mm_storeh_pd(second.cast(), _mm_castsi128_pd(bytes));
        }
        #[inline(always)]
        unsafe fn exp2_integer(self) -> Self {
            let n = _mm512_add_epi32(_mm512_cvtps_epi32(self.0), _mm512_set1_epi32(127));
            Self(_mm512_castsi512_ps(_mm512_slli_epi32::<23>(n)))
        }
    }

    /// Two 256-bit registers.
    #[derive(Clone, Copy)]
    pub(crate) struct Avx2(pub(crate) __m256, pub(crate) __m256);

    impl Avx2 {
        /// The lowest byte of each lane, in order.
        #[inline(always)]
        unsafe fn low_bytes(self) -> __m128i {
            let low = _mm256_set1_epi32(0xff);
            let half = |x| _mm256_and_si256(_mm256_castps_si256(x), low);
            let mixed = _mm256_packs_epi32(half(self.0), half(self.1));
            let words = _mm256_permute4x64_epi64::<0b11_01_10_00>(mixed);
            let (first, second) = (
                _mm256_castsi256_si128(words),
                _mm256_extracti128_si256::<1>(words),
            );
            _mm_packus_epi16(first, second)
        }
    }

    impl Lanes for Avx2 {
        const WIDE: bool = false;
        type Half = Half<Self>;
        #[inline(always)]
        unsafe fn splat(value: f32) -> Self {
            let v = _mm256_set1_ps(value);
            Self(v, v)
        }
        #[inline(always)]
        unsafe fn load(from: *const f32) -> Self {
            Self(_mm256_loadu_ps(from), _mm256_loadu_ps(from.add(8)))
        }
        #[inline(always)]
        unsafe fn load_bytes(from: *const u8) -> Self {
            Self(eight_bytes(from), eight_bytes(from.add(8)))
        }
        #[inline(always)]
        unsafe fn store(self, to: *mut f32) {
            self.store_apart(to, to.add(8));
        }
        #[inline(always)]
        unsafe fn store_apart(self, first: *mut f32, second: *mut f32) {
            _mm256_storeu_ps(first, self.0);
            _mm256_storeu_ps(second, self.1);
        }
        #[inline(always)]
        unsafe fn mul_add(self, factor: Self, addend: Self) -> Self {
            Self(
                _mm256_fmadd_ps(self.0, factor.0, addend.0),
                _mm256_fmadd_ps(self.1, factor.1, addend.1),
            )
        }
        #[inline(always)]
        unsafe fn add(self, other: Self) -> Self {
            Self(
                _mm256_add_ps(self.0, other.0),
                _mm256_add_ps(self.1, other.1),
            )
        }
        #[inline(always)]
        unsafe fn sub(self, other: Self) -> Self {
            Self(
                _mm256_sub_ps(self.0, other.0),
                _mm256_sub_ps(self.1, other.1),
            )
        }
        #[inline(always)]
        unsafe fn mul(self, other: Self) -> Self {
            Self(
                _mm256_mul_ps(self.0, other.0),
                _mm256_mul_ps(self.1, other.1),
            )
        }
        #[inline(always)]
        unsafe fn div(self, other: Self) -> Self {
            Self(
                _mm256_div_ps(self.0, other.0),
                _mm256_div_ps(self.1, other.1),
            )
        }
        #[inline(always)]
        unsafe fn sqrt(self) -> Self {
            Self(_mm256_sqrt_ps(self.0), _mm256_sqrt_ps(self.1))
        }
        #[inline(always)]
        unsafe fn round(self) -> Self {
            Self(
                _mm256_round_ps::<ROUND>(self.0),
                _mm256_round_ps::<ROUND>(self.1),
            )
        }
        #[inline(always)]
        unsafe fn max(self, other: Self) -> Self {
            Self(
                _mm256_max_ps(self.0, other.0),
                _mm256_max_ps(self.1, other.1),
            )
        }
        #[inline(always)]
        unsafe fn min(self, other: Self) -> Self {
            Self(
                _mm256_min_ps(self.0, other.0),
                _mm256_min_ps(self.1, other.1),
            )
        }
        #[inline(always)]
        unsafe fn where_above(self, x: Self, bound: Self, other: Self) -> Self {
            let pick = |this, x, bound, other| {
                _mm256_blendv_ps(other, this, _mm256_cmp_ps::<_CMP_GT_OQ>(x, bound))
            };
            Self(
                pick(self.0, x.0, bound.0, other.0),
                pick(self.1, x.1, bound.1, other.1),
            )
        }
        #[inline(always)]
        unsafe fn keep_where(self, x: Self, low: Self, high: Self) -> Self {
            let inside = |x, low, high| {
                _mm256_and_ps(
                    _mm256_cmp_ps::<_CMP_GT_OQ>(x, low),
                    _mm256_cmp_ps::<_CMP_LE_OQ>(x, high),
                )
            };
            Self(
                _mm256_and_ps(inside(x.0, low.0, high.0), self.0),
                _mm256_and_ps(inside(x.1, low.1, high.1), self.1),
            )
        }
        #[inline(always)]
        unsafe fn bits_within(self, low: Self, high: Self) -> u16 {
            let half = |x, low, high| {
                let above = _mm256_cmp_ps::<_CMP_GT_OQ>(x, low);
                _mm256_movemask_ps(_mm256_and_ps(above, _mm256_cmp_ps::<_CMP_LE_OQ>(x, high)))
            };
            (half(self.0, low.0, high.0) | half(self.1, low.1, high.1) << 8) as u16
        }
        #[inline(always)]
        unsafe fn keep_bits(self, bits: u16) -> Self {
            let each = _mm256_setr_epi32(1, 2, 4, 8, 16, 32, 64, 128);
            let half = |x, bits: u16| {
                let own = _mm256_and_si256(_mm256_set1_epi32(i32::from(bits)), each);
                _mm256_and_ps(x, _mm256_castsi256_ps(_mm256_cmpeq_epi32(own, each)))
            };
            Self(half(self.0, bits), half(self.1, bits >> 8))
        }
        #[inline(always)]
        unsafe fn store_low_bytes(self, to: *mut u8) {
            _mm_storeu_si128(to.cast(), self.low_bytes());
        }
        #[inline(always)]
        unsafe fn store_low_bytes_apart(self, first: *mut u8, second: *mut u8) {
            let bytes = self.low_bytes();
            _mm_storel_epi64(first.cast(), bytes);
            _mm_storeh_pd(second.cast(), _mm_castsi128_pd(bytes));
        }
        #[inline(always)]
        unsafe fn exp2_integer(self) -> Self {
            let power = |n| {
                let n = _mm256_add_epi32(_mm256_cvtps_epi32(n), _mm256_set1_epi32(127));
                _mm256_castsi256_ps(_mm256_slli_epi32::<23>(n))
            };
            Self(power(self.0), power(self.1))
        }
    }
}
