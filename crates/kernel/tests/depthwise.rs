//! Depthwise products give the bits of a plain chain of fused multiply-adds on every level.

use bitfront_kernel::{Buffer, Kernels, Level, TapTable};
use proptest::prelude::*;

fn values(seed: u64, len: usize) -> Vec<f32> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        ((state >> 40) as f32 / (1 << 23) as f32 - 1.0) * 3.0
    };
    (0..len).map(|_| next()).collect()
}

fn bits(x: &[f32]) -> Vec<u32> {
    x.iter().map(|v| v.to_bits()).collect()
}

proptest! {
    #[test]
    fn products_equal_the_plain_chain(
        samples in 1_usize..4, columns in 1_usize..40, inputs in 1_usize..7, taps in 1_usize..5,
        picks in prop::collection::vec(0_u32..9, 1..20), seed: u64,
    ) {
        let outputs = picks.len().div_ceil(taps);
        let table: Vec<u32> = (0..outputs * taps)
            .map(|i| picks[i % picks.len()])
            .map(|row| if (row as usize) < inputs { row } else { TapTable::BORDER })
            .collect();
        let x = values(seed, samples * inputs * columns);
        let w = values(seed ^ 1, taps * columns);
        let bias = values(seed ^ 2, columns);
        let dy = values(seed ^ 3, samples * outputs * columns);
        let (mut y, mut dw) = (vec![0.0_f32; dy.len()], w.clone());
        let mut dx = vec![0.0_f32; x.len()];
        for s in 0..samples {
            for o in 0..outputs {
                for (j, start) in bias.iter().enumerate() {
                    let out = (s * outputs + o) * columns + j;
                    y[out] = *start;
                    for t in 0..taps {
                        let row = table[o * taps + t];
                        if row == TapTable::BORDER {
                            continue;
                        }
                        let from = (s * inputs + row as usize) * columns + j;
                        let weight = t * columns + j;
                        y[out] = x[from].mul_add(w[weight], y[out]);
                        dw[weight] = x[from].mul_add(dy[out], dw[weight]);
                        dx[from] = dy[out].mul_add(w[weight], dx[from]);
                    }
                }
            }
        }
        let [xp, wp, bp, dyp] = [&x, &w, &bias, &dy].map(|v| Buffer::padded(v, columns));
        let table = TapTable { rows: &table, taps, inputs };
        for kernels in Level::ALL.into_iter().filter_map(Kernels::at) {
            let mut out = Buffer::zeroed(dyp.len());
            kernels.depthwise(table, samples, columns, &xp, &wp, Some(&bp), &mut out);
            prop_assert_eq!(bits(&out.dense(columns)), bits(&y));
            let mut out = wp.clone();
            kernels.depthwise_kernel_gradient(table, samples, columns, &xp, &dyp, &mut out);
            prop_assert_eq!(bits(&out.dense(columns)), bits(&dw));
            let mut out = Buffer::zeroed(xp.len());
            kernels.depthwise_input_gradient(table, samples, columns, &dyp, &wp, &mut out);
            prop_assert_eq!(bits(&out.dense(columns)), bits(&dx));
        }
    }
}

#[test]
#[should_panic(expected = "a tap reads beyond the 2 input rows")]
fn a_table_beyond_the_input_is_refused() {
    let (x, w, mut y) = (Buffer::zeroed(32), Buffer::zeroed(16), Buffer::zeroed(16));
    let table = TapTable {
        rows: &[2],
        taps: 1,
        inputs: 2,
    };
    Kernels::detect().depthwise(table, 1, 3, &x, &w, None, &mut y);
}
