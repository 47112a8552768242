//! Patches, sums of gradients by windows and maxima are those of a plain loop, on every level.

use bitfront_kernel::{Buffer, Kernels, LANES, Level, PatchTable, TapTable, WindowSums, stride};
use proptest::prelude::*;

/// Few different values, so that maxima tie.
fn values(seed: u64, len: usize) -> Vec<f32> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 61) as f32 - 3.5
    };
    (0..len).map(|_| next()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn windows_equal_the_plain_loop(
        samples in 1_usize..4, channels in 1_usize..90, inputs in 1_usize..7, taps in 1_usize..5,
        first in 0_u32..9, picks in prop::collection::vec(0_u32..9, 1..20), cut: u64, seed: u64,
    ) {
        // No window reads a row twice.
        let outputs = picks.len().div_ceil(taps);
        let table: Vec<u32> = (0..outputs * taps)
            .map(|i| (picks[i / taps] + first + (i % taps) as u32) % 9)
            .map(|row| if (row as usize) < inputs { row } else { TapTable::BORDER })
            .collect();
        let x = values(seed, samples * inputs * channels);
        let dy = values(seed ^ 1, samples * outputs * channels);
        let start = (cut % (samples * outputs) as u64) as usize;
        let rows = start..samples * outputs;
        let width = taps * channels;
        let mut patches = vec![0.0; rows.len() * width];
        let mut pooled = x.clone();
        let mut largest = vec![0.0; dy.len()];
        for o in 0..samples * outputs {
            let sources = &table[o % outputs * taps..][..taps];
            let at = |tap: usize| {
                let row = sources[tap] as usize;
                (row < inputs).then_some((o / outputs * inputs + row) * channels)
            };
            for j in 0..channels {
                let mut best: Option<usize> = None;
                for from in (0..taps).filter_map(at) {
                    if best.is_none_or(|best| x[from + j] > x[best]) {
                        best = Some(from + j);
                    }
                }
                if let Some(best) = best {
                    largest[o * channels + j] = x[best];
                    pooled[best] += dy[o * channels + j];
                }
                for tap in 0..taps {
                    if let (Some(from), true) = (at(tap), rows.contains(&o)) {
                        let patch = (o - start) * width + tap * channels + j;
                        patches[patch] = x[from + j];
                    }
                }
            }
        }
        let table = TapTable { rows: &table, taps, inputs };
        let xp = Buffer::padded(&x, channels);
        let dyp = Buffer::padded(&dy, channels);
        let room = rows.len() * stride(width);
        // Positions padded, or one behind the other in samples that are padded; the slice may end with the last sample.
        let packed = inputs * channels + (cut % 3) as usize;
        let mut xs = vec![f32::NAN; samples * packed];
        for (to, from) in xs.chunks_exact_mut(packed).zip(x.chunks_exact(inputs * channels)) {
            to[..from.len()].copy_from_slice(from);
        }
        for (x, position, sample) in [(&xp[..], stride(channels), inputs * stride(channels)), (&xs, channels, packed)] {
            let copies = PatchTable::new(table, channels, position, sample);
            prop_assert_eq!(copies.outputs(), outputs);
            for kernels in Level::ALL.into_iter().filter_map(Kernels::at) {
                let mut out = vec![f32::NAN; room + 16];
                copies.copy(kernels, rows.clone(), x, &mut out);
                let rows_out = out[..room].chunks_exact(stride(width));
                let dense: Vec<f32> = rows_out.flat_map(|row| row[..width].to_vec()).collect();
                prop_assert_eq!(&dense, &patches);
            }
        }
        for kernels in Level::ALL.into_iter().filter_map(Kernels::at) {
            let (mut y, mut chosen) = (Buffer::zeroed(dyp.len()), Buffer::zeroed(dyp.len()));
            kernels.max_pool(table, samples, channels, &xp, &mut y, &mut chosen);
            prop_assert_eq!(&y.dense(channels), &largest);
            let mut out = xp.clone();
            kernels.max_pool_gradient(table, samples, channels, &dyp, &chosen, &mut out);
            prop_assert_eq!(&out.dense(channels), &pooled);
        }
    }

    #[test]
    fn sums_of_windows_equal_the_plain_loop(
        channels in 1_usize..40, inputs in 1_usize..7, taps in 1_usize..5, first in 0_u32..9,
        picks in prop::collection::vec(0_u32..9, 1..20), together in 1_usize..24, add: bool, kept: bool, seed: u64,
    ) {
        let outputs = picks.len().div_ceil(taps);
        let table: Vec<u32> = (0..outputs * taps)
            .map(|i| (picks[i / taps] + first + (i % taps) as u32) % 9)
            .map(|row| if (row as usize) < inputs { row } else { TapTable::BORDER })
            .collect();
        let (step, width) = (stride(channels), stride(taps * channels));
        // Thirds, so that another order of sums gives other bits; what stands in padding must not matter.
        let thirds = |seed, rows, columns| {
            let thirds: Vec<f32> = values(seed, rows * columns).iter().map(|v| v / 3.0).collect();
            Buffer::padded(&thirds, columns)
        };
        let mut windows = thirds(seed, outputs, taps * channels);
        for row in windows.chunks_exact_mut(width) {
            row[taps * channels..].fill(f32::NAN);
        }
        let onto = thirds(seed ^ 1, inputs, channels);
        let inside: Vec<u16> = (0..onto.len() / LANES).map(|i| (seed >> (i % 48)) as u16).collect();
        let sums = WindowSums::new(TapTable { rows: &table, taps, inputs }, channels, together);
        let inside = (kept && sums.is_whole()).then_some(&*inside);
        let mut expected = if add { onto.clone() } else { Buffer::zeroed(onto.len()) };
        for (o, (sources, window)) in table.chunks_exact(taps).zip(windows.chunks_exact(width)).enumerate() {
            prop_assert!(o < outputs);
            for (tap, source) in sources.iter().enumerate().filter(|(_, row)| **row != TapTable::BORDER) {
                for j in 0..channels {
                    expected[*source as usize * step + j] += window[tap * channels + j];
                }
            }
        }
        for (i, value) in expected.iter_mut().enumerate() {
            if inside.is_some_and(|inside| inside[i / LANES] >> (i % LANES) & 1 == 0) {
                *value = 0.0;
            }
        }
        for kernels in Level::ALL.into_iter().filter_map(Kernels::at) {
            let mut dx = if add { onto.clone() } else { Buffer::zeroed(onto.len()) };
            if !add && sums.is_whole() {
                dx.fill(f32::NAN);
            }
            for (part, rows) in sums.parts().enumerate() {
                let mut own = vec![f32::NAN; together.min(outputs) * width + LANES];
                own[..rows.len() * width].copy_from_slice(&windows[rows.start * width..rows.end * width]);
                sums.give(kernels, part, &own, add || !sums.is_whole(), inside, &mut dx);
            }
            let bits = |values: &[f32]| values.iter().map(|v| v.to_bits()).collect::<Vec<_>>();
            prop_assert_eq!(bits(&dx), bits(&expected));
        }
    }
}
