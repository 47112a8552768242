//! Convolutions straight from bordered samples have the bits of the products of patches, on every level.

use bitfront_kernel::{
    Activate, Activated, Buffer, CodeAffine, CodeSlide, CodeValues, Kernels, Level, PatchTable,
    Shape, Slide, SlideAxis, SparseSlide, TapTable, Uniform, stride,
};
use proptest::prelude::*;

/// Values of many magnitudes, so that another order of sums gives other bits.
fn values(seed: u64, len: usize) -> Vec<f32> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        let fraction = (state >> 40) as f32 / (1 << 23) as f32 - 1.0;
        fraction * [1.0, 0.01, 100.0, 0.0][(state & 3) as usize]
    };
    (0..len).map(|_| next()).collect()
}

fn axes() -> impl Strategy<Value = SlideAxis> {
    let shapes = (1_usize..12, 1_usize..6, 1_usize..4, 1_usize..3, 0_usize..5);
    shapes.prop_flat_map(|(input, size, stride, dilation, before)| {
        let before = before % size.max(2);
        (1_usize..8).prop_map(move |output| SlideAxis {
            input,
            output,
            size,
            stride,
            dilation,
            before,
        })
    })
}

/// The input row that each window reads under each tap, row by row.
fn table(rows: SlideAxis, columns: SlideAxis) -> Vec<u32> {
    let source = |axis: SlideAxis, output: usize, tap: usize| {
        (output * axis.stride + tap * axis.dilation)
            .checked_sub(axis.before)
            .filter(|at| *at < axis.input)
    };
    let mut table = Vec::new();
    for (row, column) in (0..rows.output).flat_map(|row| (0..columns.output).map(move |c| (row, c)))
    {
        for (y, x) in (0..rows.size).flat_map(|y| (0..columns.size).map(move |x| (y, x))) {
            let at = source(rows, row, y).zip(source(columns, column, x));
            table.push(at.map_or(TapTable::BORDER, |(y, x)| (y * columns.input + x) as u32));
        }
    }
    table
}

fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|value| value.to_bits()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn slides_equal_products_of_patches(
        rows in axes(), columns in axes(), channels in 1_usize..5, filters in 1_usize..35, biased: bool, seed: u64,
    ) {
        let run = columns.size * channels;
        let slide = Slide::new(rows, columns, channels);
        prop_assert_eq!(slide.is_some(), run <= 12 && (columns.dilation == 1 || columns.size == 1));
        let Some(mut slide) = slide else { return Ok(()) };
        let table = table(rows, columns);
        let table = TapTable { rows: &table, taps: rows.size * columns.size, inputs: rows.input * columns.input };
        let sample = table.inputs * channels;
        let (outputs, inner) = (slide.outputs(), slide.inner());
        prop_assert_eq!((outputs, inner), (table.outputs(), table.taps * channels));
        // The second sample must not meet what is left of the first.
        let x = values(seed, 2 * sample);
        let (w, dy) = (values(seed ^ 1, inner * filters), values(seed ^ 2, outputs * filters));
        let bias = biased.then(|| Buffer::padded(&values(seed ^ 3, filters), filters));
        let (w, dy) = (Buffer::padded(&w, filters), Buffer::padded(&dy, filters));
        let shape = Shape { rows: outputs, inner, columns: filters };
        let grid = Uniform { inverse_step: 32.0, low: 0.0, high: 63.0, step: 1.0 / 32.0 };
        let activate = Activate::new(grid).unwrap();
        let patches = PatchTable::new(table, channels, channels, sample);
        for x in x.chunks_exact(sample) {
            let mut gathered = Buffer::zeroed(outputs * stride(inner) + 16);
            let scalar = Kernels::at(Level::Scalar).unwrap();
            patches.copy(scalar, 0..outputs, x, &mut gathered);
            let mut y = Buffer::zeroed(dy.len());
            scalar.affine(shape, &gathered, &w, bias.as_deref(), &mut y);
            let mut dw = w.clone();
            scalar.kernel_gradient(shape, &gathered, &dy, &mut dw);
            let sums = Buffer::padded(&values(seed ^ 4, filters), filters);
            let mut expected_sums = sums.clone();
            scalar.column_sums(outputs, filters, &dy, &mut expected_sums);
            let mut expected = Outs::new(dy.len());
            scalar.affine_activated(shape, &gathered, &w, bias.as_deref(), activate, expected.out());
            slide.take(x);
            for kernels in Level::ALL.into_iter().filter_map(Kernels::at) {
                let mut out = Buffer::zeroed(dy.len());
                slide.affine(kernels, filters, &w, bias.as_deref(), &mut out);
                prop_assert_eq!(bits(&out), bits(&y));
                let mut out = w.clone();
                let mut own_sums = sums.clone();
                slide.kernel_gradient(kernels, filters, &dy, &mut out, Some(&mut own_sums));
                prop_assert_eq!(bits(&out), bits(&dw));
                prop_assert_eq!(bits(&own_sums), bits(&expected_sums));
                let mut out = w.clone();
                slide.kernel_gradient(kernels, filters, &dy, &mut out, None);
                prop_assert_eq!(bits(&out), bits(&dw));
                let mut outs = Outs::new(dy.len());
                slide.affine_activated(kernels, filters, &w, bias.as_deref(), activate, outs.out());
                prop_assert_eq!(bits(&outs.values), bits(&expected.values));
                prop_assert_eq!((&outs.codes, &outs.inside), (&expected.codes, &expected.inside));
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn slides_of_stored_codes_equal_those_of_values(
        rows in axes(), columns in axes(), channels in 1_usize..5, filters in 1_usize..35, signed: bool, seed: u64,
    ) {
        let (Some(mut slide), Some(mut codes)) = (
            Slide::new(rows, columns, channels),
            CodeSlide::of_stored(rows, columns, channels, if signed { 8 } else { 0 }),
        ) else { return Ok(()) };
        let low = if signed { -8.0 } else { 0.0 };
        let x_grid = Uniform { inverse_step: 16.0, low, high: low + 15.0, step: 1.0 / 16.0 };
        let w_grid = Uniform { inverse_step: 32.0, low: -32.0, high: 31.0, step: 1.0 / 32.0 };
        let scalar = Kernels::at(Level::Scalar).unwrap();
        let on_grid = |grid, seed, len, columns| {
            let values = Buffer::padded(&values(seed, len), columns);
            let mut quantized = values.clone();
            scalar.quantize_uniform(grid, &values, &mut quantized);
            quantized
        };
        let (inner, outputs) = (slide.inner(), slide.outputs());
        let w = on_grid(w_grid, seed, inner * filters, filters);
        let bias = on_grid(w_grid, seed ^ 1, filters, filters);
        let dy = Buffer::padded(&values(seed ^ 2, outputs * filters), filters);
        let affine = CodeAffine::new(inner, filters, x_grid, w_grid, Some(w_grid)).unwrap();
        let mut affine = affine.of_taps(rows.size);
        let activate = Activate::new(Uniform { inverse_step: 8.0, low: 0.0, high: 63.0, step: 1.0 / 8.0 }).unwrap();
        let sample = rows.input * columns.input * channels;
        for own in [seed ^ 3, seed ^ 4] {
            let x = on_grid(x_grid, own, sample, sample);
            let own: Vec<u8> = x[..sample].iter().map(|value| (value * 16.0 - low) as u8).collect();
            slide.take(&x);
            let mut y = Buffer::zeroed(dy.len());
            slide.affine(scalar, filters, &w, Some(&bias), &mut y);
            let mut expected = Outs::new(dy.len());
            slide.affine_activated(scalar, filters, &w, Some(&bias), activate, expected.out());
            let mut dw = w.clone();
            slide.kernel_gradient(scalar, filters, &dy, &mut dw, None);
            codes.take(&own);
            for kernels in Level::ALL.into_iter().filter_map(Kernels::at) {
                affine.take(kernels, &w, Some(&bias));
                let mut out = Buffer::zeroed(y.len());
                codes.run(kernels, &affine, &mut out);
                prop_assert_eq!(bits(&out), bits(&y));
                let mut outs = Outs::new(y.len());
                codes.run_activated(kernels, &affine, activate, outs.out());
                prop_assert_eq!(bits(&outs.values), bits(&expected.values));
                prop_assert_eq!((&outs.codes, &outs.inside), (&expected.codes, &expected.inside));
                let mut outs = Outs::new(y.len());
                codes.run_activated(kernels, &affine, activate, Activated { values: None, ..outs.out() });
                prop_assert!(outs.values.iter().all(|value| *value == 0.0));
                prop_assert_eq!((&outs.codes, &outs.inside), (&expected.codes, &expected.inside));
                slide.take(&vec![7.0; sample]);
                slide.take_codes(kernels, &own, CodeValues::new(x_grid).unwrap());
                let mut out = w.clone();
                slide.kernel_gradient(kernels, filters, &dy, &mut out, None);
                prop_assert_eq!(bits(&out), bits(&dw));
            }
        }
    }

    #[test]
    fn slides_of_codes_equal_products_of_patches(
        rows in axes(), columns in axes(), channels in 1_usize..21, filters in 1_usize..35, signed: bool, seed: u64,
    ) {
        let table = table(rows, columns);
        let table = TapTable { rows: &table, taps: rows.size * columns.size, inputs: rows.input * columns.input };
        let inner = table.taps * channels;
        let low = if signed { -8.0 } else { 0.0 };
        let x_grid = Uniform { inverse_step: 16.0, low, high: low + 15.0, step: 1.0 / 16.0 };
        let w_grid = Uniform { inverse_step: 32.0, low: -32.0, high: 31.0, step: 1.0 / 32.0 };
        let scalar = Kernels::at(Level::Scalar).unwrap();
        let on_grid = |grid, seed, len, columns| {
            let values = Buffer::padded(&values(seed, len), columns);
            let mut quantized = values.clone();
            scalar.quantize_uniform(grid, &values, &mut quantized);
            quantized
        };
        let w = on_grid(w_grid, seed, inner * filters, filters);
        let bias = on_grid(w_grid, seed ^ 1, filters, filters);
        let mut affine = CodeAffine::new(inner, filters, x_grid, w_grid, Some(w_grid)).unwrap().of_taps(table.taps);
        let mut slide = CodeSlide::new(rows, columns, channels, -low as u8).unwrap();
        let (outputs, sample) = (slide.outputs(), slide.inputs());
        prop_assert_eq!((outputs, sample), (table.outputs(), table.inputs * stride(channels)));
        let shape = Shape { rows: outputs, inner, columns: filters };
        let activate = Activate::new(Uniform { inverse_step: 8.0, low: 0.0, high: 63.0, step: 1.0 / 8.0 }).unwrap();
        let patches = PatchTable::new(table, channels, stride(channels), sample);
        for own in [seed ^ 2, seed ^ 3] {
            let x = on_grid(x_grid, own, table.inputs * channels, channels);
            let codes: Vec<u8> = x.iter().map(|value| (value * 16.0 - low) as u8).collect();
            let mut gathered = Buffer::zeroed(outputs * stride(inner) + 16);
            patches.copy(scalar, 0..outputs, &x, &mut gathered);
            let mut y = Buffer::zeroed(outputs * stride(filters));
            scalar.affine(shape, &gathered, &w, Some(&bias), &mut y);
            let mut expected = Outs::new(y.len());
            scalar.affine_activated(shape, &gathered, &w, Some(&bias), activate, expected.out());
            slide.take(&codes);
            for kernels in Level::ALL.into_iter().filter_map(Kernels::at) {
                affine.take(kernels, &w, Some(&bias));
                let mut out = Buffer::zeroed(y.len());
                slide.run(kernels, &affine, &mut out);
                prop_assert_eq!(bits(&out), bits(&y));
                let mut outs = Outs::new(y.len());
                slide.run_activated(kernels, &affine, activate, outs.out());
                prop_assert_eq!(bits(&outs.values), bits(&expected.values));
                prop_assert_eq!((&outs.codes, &outs.inside), (&expected.codes, &expected.inside));
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn sparse_gradients_of_slides_equal_products_of_patches(
        rows in axes(), columns in axes(), halves in 1_usize..6, filters in 1_usize..70, every in 1_usize..5,
        samples in 1_usize..64, seed: u64,
    ) {
        let channels = 8 * halves;
        let slide = SparseSlide::new(rows, columns, channels);
        let fits = columns.size * halves <= 12 && (columns.dilation == 1 || columns.size == 1);
        prop_assert_eq!(slide.is_some(), fits);
        let Some(mut slide) = slide else { return Ok(()) };
        let table = table(rows, columns);
        let table = TapTable { rows: &table, taps: rows.size * columns.size, inputs: rows.input * columns.input };
        let (outputs, inner) = (slide.outputs(), table.taps * channels);
        prop_assert_eq!(outputs, table.outputs());
        let (samples, step) = (1 + samples % slide.room(), table.inputs * stride(channels));
        let patches = PatchTable::new(table, channels, stride(channels), step);
        let count = samples * outputs;
        // No sum of gradients is minus zero, from which a left out zero would differ.
        let start: Vec<f32> = values(seed ^ 2, filters * inner).iter().map(|v| v + 0.0).collect();
        let mut dw = Buffer::padded(&start, inner);
        let n = stride(filters);
        // A second turn must not meet what is left of the first.
        for own in [seed, seed ^ 1] {
            let x = Buffer::padded(&values(own, samples * table.inputs * channels), channels);
            let mut dy = Buffer::padded(&values(own ^ 4, count * filters), filters);
            let mut bits_of = vec![0_u16; dy.len() / 16];
            for (i, value) in dy.iter_mut().enumerate() {
                let bit = (i * 7 + i / n).is_multiple_of(every) && i % n < filters;
                *value = if bit { *value } else { 0.0 };
                bits_of[i / 16] |= u16::from(bit) << (i % 16);
            }
            let mut gathered = Buffer::zeroed(count * stride(inner) + 16);
            let scalar = Kernels::at(Level::Scalar).unwrap();
            patches.copy(scalar, 0..count, &x, &mut gathered);
            let swapped = Shape { rows: count, inner: filters, columns: inner };
            let before = dw.clone();
            scalar.kernel_gradient(swapped, &dy, &gathered, &mut dw);
            for kernels in Level::ALL.into_iter().filter_map(Kernels::at) {
                for (at, x) in x.chunks_exact(step).enumerate() {
                    slide.take(kernels, at, x);
                }
                let mut out = before.clone();
                slide.kernel_gradient(kernels, samples, filters, &dy, &bits_of, &mut out);
                for (own, expected) in out.chunks_exact(stride(inner)).zip(dw.chunks_exact(stride(inner))) {
                    prop_assert_eq!(&bits(&own[..inner]), &bits(&expected[..inner]));
                }
            }
        }
    }
}

/// Where a quantized product goes.
struct Outs {
    values: Buffer,
    codes: Vec<u8>,
    inside: Vec<u16>,
}

impl Outs {
    fn new(len: usize) -> Self {
        Self {
            values: Buffer::zeroed(len),
            codes: vec![0; len],
            inside: vec![0; len / 16],
        }
    }

    fn out(&mut self) -> Activated<'_> {
        Activated {
            values: Some(&mut self.values),
            codes: Some(&mut self.codes),
            inside: &mut self.inside,
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn sparse_gradients_take_codes_as_their_values(
        rows in axes(), columns in axes(), halves in 1_usize..4, signed: bool, seed: u64,
    ) {
        let channels = 8 * halves;
        let Some(slide) = SparseSlide::new(rows, columns, channels) else { return Ok(()) };
        let low = if signed { -128.0 } else { 0.0 };
        let grid = Uniform { inverse_step: 64.0, low, high: low + 255.0, step: 1.0 / 64.0 };
        let step = rows.input * columns.input * stride(channels);
        let codes: Vec<u8> = values(seed, step).iter().map(|value| (value * 1000.0) as i32 as u8).collect();
        let x: Vec<f32> = codes.iter().map(|code| (f32::from(*code) + low) / 64.0).collect();
        let filters = 3;
        let dy = Buffer::padded(&values(seed ^ 1, slide.outputs() * filters), filters);
        let bits_of = vec![0b111; slide.outputs()];
        for kernels in Level::ALL.into_iter().filter_map(Kernels::at) {
            let [mut of_values, mut of_codes] = [slide.clone(), slide.clone()];
            of_values.take(kernels, 0, &x);
            of_codes.take_codes(kernels, 0, &codes, CodeValues::new(grid).unwrap());
            let [expected, found] = [of_values, of_codes].map(|slide| {
                let mut dw = Buffer::zeroed(filters * stride(rows.size * columns.size * channels));
                slide.kernel_gradient(kernels, 1, filters, &dy, &bits_of, &mut dw);
                bits(&dw)
            });
            prop_assert_eq!(found, expected);
        }
    }
}
