//! Products on codes and quantizers at the end of products give the bits of the f32 kernels one by one.

use bitfront_kernel::{
    Activate, Activated, Buffer, CodeAffine, Kernels, LANES, Level, Shape, Uniform, stride,
};
use proptest::prelude::*;

fn levels() -> impl Iterator<Item = Kernels> {
    Level::ALL.into_iter().filter_map(Kernels::at)
}

fn bits(x: &[f32]) -> Vec<u32> {
    x.iter().map(|v| v.to_bits()).collect()
}

fn grid(fraction: i32, low: f32, high: f32) -> Uniform {
    let inverse_step = 2.0_f32.powi(fraction);
    let step = inverse_step.recip();
    Uniform {
        inverse_step,
        low,
        high,
        step,
    }
}

/// A signed or unsigned grid of so many bits.
fn of_bits(bits: u32, signed: bool, fraction: i32) -> Uniform {
    let levels = (1_u32 << bits) as f32;
    if signed {
        grid(fraction, -levels / 2.0, levels / 2.0 - 1.0)
    } else {
        grid(fraction, 0.0, levels - 1.0)
    }
}

/// Values of a grid, its ends among them.
fn draw(grid: Uniform, seed: u64, len: usize) -> Vec<f32> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut code = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        let size = (grid.high - grid.low) as u64 + 1;
        match (state >> 33) % 8 {
            0 => grid.low,
            1 => grid.high,
            _ => grid.low + ((state >> 36) % size) as f32,
        }
    };
    (0..len).map(|_| code() * grid.step + 0.0).collect()
}

fn codes(grid: Uniform, padded: &[f32]) -> Vec<u8> {
    let code = |value: &f32| (value * grid.inverse_step - grid.low) as u8;
    padded.iter().map(code).collect()
}

/// Values, codes and bits of an activation, and the same of the kernels one by one.
type Parts = (Vec<u32>, Vec<u8>, Vec<u16>);

fn one_by_one(kernels: Kernels, grid: Uniform, y: &[f32]) -> Parts {
    let mut values = vec![0.0; y.len()];
    kernels.quantize_uniform(grid, y, &mut values);
    let mut ones = vec![1.0; y.len()];
    kernels.mask_gradient(y, 0.0, grid.high * grid.step, &mut ones);
    let word = |ones: &[f32]| {
        let bits = ones.iter().enumerate();
        bits.fold(0, |word, (i, one)| word | u16::from(*one == 1.0) << i)
    };
    let words = ones.chunks(LANES).map(word).collect();
    (bits(&values), codes(grid, &values), words)
}

fn at_once(len: usize, run: impl FnOnce(Activated<'_>)) -> Parts {
    let mut values = vec![0.5; len];
    let (mut codes, mut inside) = (vec![9; len], vec![7; len / LANES]);
    run(Activated {
        values: Some(&mut values),
        codes: Some(&mut codes),
        inside: &mut inside,
    });
    (bits(&values), codes, inside)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_product_of_codes_is_the_product_of_values(
        rows in 1_usize..21, inner in 1_usize..70, columns in 1_usize..40, seed: u64,
        x_bits in 1_u32..=8, w_bits in 1_u32..=8, signed: bool, fractions in (-3_i32..9, -3_i32..9, 0_i32..4),
        out_bits in 2_u32..=8, out_fraction in -2_i32..12,
    ) {
        let x_grid = of_bits(x_bits, signed, fractions.0);
        let w_grid = of_bits(w_bits, true, fractions.1);
        let bias_grid = of_bits(6, true, fractions.0 + fractions.1 - fractions.2);
        let with_bias = seed % 3 != 0;
        let bias = with_bias.then_some(bias_grid);
        let mut affine = CodeAffine::new(inner, columns, x_grid, w_grid, bias).expect("exact");
        let x = Buffer::padded(&draw(x_grid, seed, rows * inner), inner);
        let w = Buffer::padded(&draw(w_grid, seed ^ 1, inner * columns), columns);
        let bias = Buffer::padded(&draw(bias_grid, seed ^ 2, columns), columns);
        let bias = with_bias.then_some(&*bias);
        let shape = Shape { rows, inner, columns };
        let len = rows * stride(columns);
        let codes = codes(x_grid, &x);
        let out = of_bits(out_bits, seed % 2 == 0, out_fraction);
        let activate = Activate::new(out).expect("bytes");
        for kernels in levels() {
            let mut expected = vec![0.0; len];
            kernels.affine(shape, &x, &w, bias, &mut expected);
            affine.take(kernels, &w, bias);
            let mut y = vec![0.5; len];
            affine.run(kernels, rows, &codes, &mut y);
            prop_assert_eq!(bits(&y), bits(&expected));
            let parts = one_by_one(kernels, out, &expected);
            let now = at_once(len, |to| affine.run_activated(kernels, rows, &codes, activate, to));
            prop_assert_eq!(&now, &parts);
            let now = at_once(len, |to| kernels.affine_activated(shape, &x, &w, bias, activate, to));
            prop_assert_eq!(&now, &parts);
        }
    }

    #[test]
    fn a_quantizer_takes_any_value(
        values in prop::collection::vec(prop_oneof![-9f32..9f32, (-400i32..400).prop_map(|i| i as f32 / 64.0), any::<f32>()], 16),
        out_bits in 2_u32..=8, signed: bool, fraction in -2_i32..12,
    ) {
        // A product with one: the values themselves.
        let shape = Shape { rows: 1, inner: 1, columns: 16 };
        let one = Buffer::padded(&[1.0], 1);
        let out = of_bits(out_bits, signed, fraction);
        let activate = Activate::new(out).expect("bytes");
        for kernels in levels() {
            let mut y = vec![0.0; 16];
            kernels.affine(shape, &one, &values, None, &mut y);
            let parts = one_by_one(kernels, out, &y);
            let now = at_once(16, |to| kernels.affine_activated(shape, &one, &values, None, activate, to));
            prop_assert_eq!(&now, &parts);
        }
    }

    #[test]
    fn gradients_are_kept_by_bits(
        rows in 1_usize..21, inner in 1_usize..70, columns in 1_usize..40, seed: u64,
    ) {
        let fine = grid(12, -4096.0, 4095.0);
        let dy = Buffer::padded(&draw(fine, seed, rows * columns), columns);
        let transposed = Buffer::padded(&draw(fine, seed ^ 1, columns * inner), inner);
        let shape = Shape { rows, inner, columns };
        let len = rows * stride(inner);
        let inside: Vec<u16> = (0..len / LANES).map(|i| (seed >> (i % 48)) as u16).collect();
        for kernels in levels() {
            let mut expected = vec![0.0; len];
            kernels.input_gradient(shape, &dy, &transposed, &mut expected);
            for (i, value) in expected.iter_mut().enumerate() {
                if inside[i / LANES] >> (i % LANES) & 1 == 0 {
                    *value = 0.0;
                }
            }
            let mut dx = vec![0.5; len];
            kernels.input_gradient_inside(shape, &dy, &transposed, &inside, &mut dx);
            prop_assert_eq!(bits(&dx), bits(&expected));
            let mut dx = vec![0.0; len];
            kernels.input_gradient(shape, &dy, &transposed, &mut dx);
            kernels.keep_inside(&inside, &mut dx);
            prop_assert_eq!(bits(&dx), bits(&expected));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn leaving_out_zeros_changes_no_bit(
        rows in 1_usize..140, wide in 1_usize..14, columns in 1_usize..140, seed: u64, every in 1_usize..5, kept: bool,
    ) {
        let inner = wide * 16 - (seed % 3) as usize;
        let fine = grid(12, -4096.0, 4095.0);
        let shape = Shape { rows, inner, columns };
        let n = stride(columns);
        // One of `every` is not zero.
        let mut dy = Buffer::padded(&draw(fine, seed, rows * columns), columns);
        let mut own = vec![0_u16; dy.len() / LANES];
        for (i, value) in dy.iter_mut().enumerate() {
            let bit = (i * 7 + i / n).is_multiple_of(every) && i % n < columns;
            *value = if bit { *value } else { 0.0 };
            own[i / LANES] |= u16::from(bit) << (i % LANES);
        }
        let transposed = Buffer::padded(&draw(fine, seed ^ 1, columns * inner), inner);
        let x = Buffer::padded(&draw(fine, seed ^ 2, rows * inner), inner);
        let start = Buffer::padded(&draw(fine, seed ^ 3, columns * inner), inner);
        let len = rows * stride(inner);
        let inside: Vec<u16> = (0..len / LANES).map(|i| (seed >> (i % 48)) as u16).collect();
        let inside = kept.then_some(&*inside);
        let swapped = Shape { rows, inner: columns, columns: inner };
        for kernels in levels() {
            let mut expected = vec![0.5; len];
            kernels.input_gradient(shape, &dy, &transposed, &mut expected);
            if let Some(inside) = inside {
                kernels.keep_inside(inside, &mut expected);
            }
            let mut dx = vec![0.5; len];
            kernels.sparse_input_gradient(shape, &dy, &own, &transposed, inside, &mut dx);
            prop_assert_eq!(bits(&dx), bits(&expected));
            let (mut expected, mut dw) = (start.clone(), start.clone());
            kernels.kernel_gradient(swapped, &dy, &x, &mut expected);
            kernels.sparse_kernel_gradient(shape, &x, &dy, &own, &mut dw);
            prop_assert_eq!(bits(&dw), bits(&expected));
        }
    }
}

#[test]
fn what_is_not_proven_exact_is_refused() {
    let byte = of_bits(8, false, 8);
    let weight = of_bits(8, true, 7);
    // 255 * 128 units a product: 514 of them stay within 2^24.
    assert!(CodeAffine::new(514, 4, byte, weight, None).is_some());
    assert!(CodeAffine::new(515, 4, byte, weight, None).is_none());
    let bias = of_bits(8, true, 8);
    assert!(CodeAffine::new(512, 4, byte, weight, Some(bias)).is_some());
    assert!(CodeAffine::new(514, 4, byte, weight, Some(bias)).is_none());
    // A bias on a finer grid than the products', nine bits, a step that is no power of two.
    assert!(CodeAffine::new(4, 4, byte, weight, Some(of_bits(8, true, 16))).is_none());
    assert!(CodeAffine::new(4, 4, of_bits(9, false, 8), weight, None).is_none());
    assert!(CodeAffine::new(4, 4, byte, of_bits(9, true, 7), None).is_none());
    let odd = Uniform {
        step: 0.3,
        ..weight
    };
    assert!(CodeAffine::new(4, 4, byte, odd, None).is_none());
    assert!(Activate::new(odd).is_none());
    assert!(Activate::new(of_bits(9, false, 0)).is_none());
    assert!(Activate::new(grid(3, -7.0, 7.0)).is_none());
}
