//! Patches, their gradients and maxima are those of a plain loop, on every level.

use bitfront_kernel::{Buffer, Kernels, Level, PatchTable, TapTable, stride};
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
        let gradients = values(seed ^ 2, rows.len() * width);
        let mut patches = vec![0.0; rows.len() * width];
        let (mut dx, mut pooled) = (x.clone(), x.clone());
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
                        dx[from + j] += gradients[patch];
                    }
                }
            }
        }
        let table = TapTable { rows: &table, taps, inputs };
        let xp = Buffer::padded(&x, channels);
        let (dyp, gp) = (Buffer::padded(&dy, channels), Buffer::padded(&gradients, width));
        let room = rows.len() * stride(width);
        let mut longer = Buffer::zeroed(room + stride(channels));
        // What stands in padding must not matter.
        longer.fill(f32::NAN);
        for (to, from) in longer.chunks_exact_mut(stride(width)).zip(gp.chunks_exact(stride(width))) {
            to[..width].copy_from_slice(&from[..width]);
        }
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
            let mut out = xp.clone();
            kernels.patch_gradients(table, rows.clone(), channels, &longer, &mut out);
            prop_assert_eq!(&out.dense(channels), &dx);
            prop_assert!(out.chunks(stride(channels)).all(|row| row[channels..].iter().all(|v| *v == 0.0)));
            let (mut y, mut chosen) = (Buffer::zeroed(dyp.len()), Buffer::zeroed(dyp.len()));
            kernels.max_pool(table, samples, channels, &xp, &mut y, &mut chosen);
            prop_assert_eq!(&y.dense(channels), &largest);
            let mut out = xp.clone();
            kernels.max_pool_gradient(table, samples, channels, &dyp, &chosen, &mut out);
            prop_assert_eq!(&out.dense(channels), &pooled);
        }
    }
}
