//! Every level gives the bits of a plain scalar loop, on odd shapes too.

use bitfront_kernel::{AdamStep, Buffer, Kernels, Level, Shape, SoftScale, Uniform, stride};
use proptest::prelude::*;

fn levels() -> impl Iterator<Item = Kernels> {
    Level::ALL.into_iter().filter_map(Kernels::at)
}

fn bits(x: &[f32]) -> Vec<u32> {
    x.iter().map(|v| v.to_bits()).collect()
}

fn values(seed: u64, len: usize) -> Vec<f32> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    (0..len)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            ((state >> 40) as f32 / (1 << 23) as f32 - 1.0) * 3.0
        })
        .collect()
}

/// Products and sums rounded apart would give other bits, so this fails on a CPU (or a library's
/// emulation) that does that.
#[test]
fn fused_multiply_adds_round_once() {
    let power = |exponent: i32| 2_f32.powi(exponent);
    let cases = [
        // (1 + 2^-12)^2 - (1 + 2^-11) = 2^-24.
        (
            1.0 + power(-12),
            1.0 + power(-12),
            -1.0 - power(-11),
            power(-24),
        ),
        // The product's last bit decides a tie, up and down.
        (1.0 + power(-12), 1.0 - power(-12), power(24), power(24)),
        (
            1.0 + power(-12),
            1.0 + power(-12),
            power(24),
            power(24) + 2.0,
        ),
        // Below the normal range: one rounded up, one a tie that goes to the even 0.
        (power(-75), power(-75) * 1.5, 0.0, power(-149)),
        (3.0 * power(-75), power(-75), -power(-149), 0.0),
    ];
    for (x, w, bias, expected) in cases {
        assert_eq!(x.mul_add(w, bias).to_bits(), expected.to_bits(), "{x} {w}");
        for kernels in levels() {
            let shape = Shape {
                rows: 1,
                inner: 1,
                columns: 1,
            };
            let [x, w, bias] = [x, w, bias].map(|value| Buffer::padded(&[value], 1));
            let mut y = Buffer::zeroed(stride(1));
            kernels.affine(shape, &x, &w, Some(&bias), &mut y);
            assert_eq!(
                y[0].to_bits(),
                expected.to_bits(),
                "{}",
                kernels.level().name()
            );
        }
    }
}

proptest! {
    #[test]
    fn products_equal_the_plain_chain(
        rows in 1_usize..23, inner in 1_usize..40, columns in 1_usize..70, seed: u64,
    ) {
        let shape = Shape { rows, inner, columns };
        let x = values(seed, rows * inner);
        let w = values(seed ^ 1, inner * columns);
        let bias = values(seed ^ 2, columns);
        let dy = values(seed ^ 3, rows * columns);
        let start = values(seed ^ 4, inner * columns);
        let mut y = vec![0.0_f32; rows * columns];
        let mut dw = start.clone();
        let mut dx = vec![0.0_f32; rows * inner];
        let mut db = bias.clone();
        for i in 0..rows {
            for j in 0..columns {
                y[i * columns + j] = (0..inner)
                    .fold(bias[j], |acc, k| x[i * inner + k].mul_add(w[k * columns + j], acc));
                db[j] += dy[i * columns + j];
            }
            for k in 0..inner {
                dx[i * inner + k] = (0..columns)
                    .fold(0.0, |acc, j| dy[i * columns + j].mul_add(w[k * columns + j], acc));
            }
        }
        for k in 0..inner {
            for j in 0..columns {
                dw[k * columns + j] = (0..rows).fold(start[k * columns + j], |acc, i| {
                    x[i * inner + k].mul_add(dy[i * columns + j], acc)
                });
            }
        }
        let (xp, wp) = (Buffer::padded(&x, inner), Buffer::padded(&w, columns));
        let dyp = Buffer::padded(&dy, columns);
        for kernels in levels() {
            let mut out = Buffer::zeroed(rows * stride(columns));
            kernels.affine(shape, &xp, &wp, Some(&Buffer::padded(&bias, columns)), &mut out);
            prop_assert_eq!(bits(&out.dense(columns)), bits(&y));
            let mut out = Buffer::padded(&start, columns);
            kernels.kernel_gradient(shape, &xp, &dyp, &mut out);
            prop_assert_eq!(bits(&out.dense(columns)), bits(&dw));
            let mut transposed = Buffer::zeroed(columns * stride(inner));
            kernels.transpose(inner, columns, &wp, &mut transposed);
            let mut out = Buffer::zeroed(rows * stride(inner));
            kernels.input_gradient(shape, &dyp, &transposed, &mut out);
            prop_assert_eq!(bits(&out.dense(inner)), bits(&dx));
            prop_assert!(out.chunks(stride(inner)).all(|r| r[inner..].iter().all(|v| *v == 0.0)));
            let mut out = Buffer::padded(&bias, columns);
            kernels.column_sums(rows, columns, &dyp, &mut out);
            prop_assert_eq!(bits(&out.dense(columns)), bits(&db));
        }
    }

    #[test]
    fn elementwise_equal_the_plain_loop(blocks in 1_usize..9, seed: u64, width in 1_i32..9) {
        let len = blocks * 16;
        let mut x = values(seed, len);
        // Both ends of the mask, exactly.
        (x[0], x[1]) = (0.0, 1.5);
        let grid = Uniform {
            inverse_step: 2.0_f32.powi(width - 2),
            low: -(2.0_f32.powi(width - 1)),
            high: 2.0_f32.powi(width - 1) - 1.0,
            step: 2.0_f32.powi(2 - width),
        };
        // Which zero comes out of a clamp at zero is part of the definition: the bound's.
        let clamp = |v: f32| {
            let v = if v > grid.low { v } else { grid.low };
            if v < grid.high { v } else { grid.high }
        };
        let quantized: Vec<f32> = x
            .iter()
            .map(|v| clamp((v * grid.inverse_step).round_ties_even()) * grid.step + 0.0)
            .collect();
        let g = values(seed ^ 5, len);
        let masked: Vec<f32> = x
            .iter()
            .zip(&g)
            .map(|(x, g)| if *x > 0.0 && *x <= 1.5 { *g } else { 0.0 })
            .collect();
        let step = AdamStep { rate: 0.01, beta1: 0.9, beta2: 0.999, epsilon: 1e-7, limit: 2.5 };
        let (m0, v0) = (values(seed ^ 6, len), values(seed ^ 7, len));
        let v0: Vec<f32> = v0.iter().map(|v| v * v).collect();
        let adam: Vec<f32> = (0..len)
            .map(|i| {
                let m = m0[i] * 0.9 + g[i] * 0.1;
                let v = v0[i] * 0.999 + g[i] * g[i] * 0.001;
                (x[i] - step.rate * m / (v.sqrt() + step.epsilon)).clamp(-step.limit, step.limit)
            })
            .collect();
        for kernels in levels() {
            let mut out = vec![0.0; len];
            kernels.quantize_uniform(grid, &x, &mut out);
            prop_assert_eq!(bits(&out), bits(&quantized));
            kernels.rectify(&x, &mut out);
            let rectified: Vec<f32> = x.iter().map(|v| if *v > 0.0 { *v } else { 0.0 }).collect();
            prop_assert_eq!(bits(&out), bits(&rectified));
            let mut out = g.clone();
            kernels.mask_gradient(&x, 0.0, 1.5, &mut out);
            prop_assert_eq!(bits(&out), bits(&masked));
            let (mut w, mut m, mut v) = (x.clone(), m0.clone(), v0.clone());
            prop_assert!(kernels.adam(step, &mut w, &mut m, &mut v, &g));
            prop_assert_eq!(bits(&w), bits(&adam));
            let mut bad = g.clone();
            bad[len - 1] = f32::NAN;
            prop_assert!(!kernels.adam(step, &mut w, &mut m, &mut v, &bad));
        }
    }

    #[test]
    fn cross_entropy_is_right_and_the_same_everywhere(
        rows in 1_usize..150, columns in 1_usize..40, seed: u64,
    ) {
        let z: Vec<f32> = values(seed, rows * columns).iter().map(|v| v * 9.0).collect();
        let labels: Vec<u8> = (0..rows).map(|i| ((i * 7 + seed as usize % 5) % columns) as u8).collect();
        let padded = Buffer::padded(&z, columns);
        let mut first: Option<(u64, Vec<u32>)> = None;
        for kernels in levels() {
            let mut g = Buffer::zeroed(padded.len());
            let out = kernels.softmax_cross_entropy(columns, &padded, &labels, 0.5, &mut g);
            let (mut loss, mut correct) = (0.0_f64, 0);
            for (i, row) in z.chunks(columns).enumerate() {
                let label = usize::from(labels[i]);
                let top = row.iter().copied().fold(f32::MIN, f32::max);
                correct += usize::from(row.iter().position(|v| *v == top) == Some(label));
                let e: Vec<f64> = row.iter().map(|v| f64::from(v - top).exp()).collect();
                let sum: f64 = e.iter().sum();
                loss += sum.ln() - f64::from(row[label] - top);
                for j in 0..columns {
                    let expected = 0.5 * (e[j] / sum - if j == label { 1.0 } else { 0.0 });
                    prop_assert!((f64::from(g[i * stride(columns) + j]) - expected).abs() < 3e-7);
                }
                prop_assert!(g[i * stride(columns) + columns..(i + 1) * stride(columns)].iter().all(|v| *v == 0.0));
            }
            prop_assert_eq!(out.correct, correct);
            prop_assert!((out.loss - loss).abs() < 1e-5 * (1.0 + loss));
            let now = (out.loss.to_bits(), bits(&g));
            prop_assert_eq!(first.get_or_insert_with(|| now.clone()), &now);
        }
    }
}

proptest! {
    #[test]
    fn soft_cross_entropy_is_right_and_the_same_everywhere(
        rows in 1_usize..20, columns in 1_usize..40, seed: u64, cold in 0_usize..3,
    ) {
        let z: Vec<f32> = values(seed, rows * columns).iter().map(|v| v * 5.0).collect();
        let weights: Vec<f32> = values(seed ^ 1, rows).iter().map(|v| v.abs()).collect();
        let start = values(seed ^ 2, rows * columns);
        let shares: Vec<f32> = values(seed ^ 3, rows * columns)
            .chunks(columns)
            .flat_map(|row| {
                let sum: f32 = row.iter().map(|v| v.abs()).sum();
                row.iter().map(move |v| v.abs() / sum).collect::<Vec<_>>()
            })
            .collect();
        let scale = SoftScale { sharpness: [1.0, 0.25, 2.0][cold], gradient: 0.5 };
        let (logits, targets) = (Buffer::padded(&z, columns), Buffer::padded(&shares, columns));
        let mut first: Option<(u64, Vec<u32>)> = None;
        for kernels in levels() {
            let mut g = Buffer::padded(&start, columns);
            let loss = kernels.soft_cross_entropy(columns, &logits, &targets, &weights, scale, &mut g);
            let (mut expected, mut size) = (0.0, 0.0);
            for row in 0..rows {
                let at = row * columns..(row + 1) * columns;
                let sharp = f64::from(scale.sharpness);
                let e: Vec<f64> = z[at.clone()].iter().map(|z| (sharp * f64::from(*z)).exp()).collect();
                let sum: f64 = e.iter().sum();
                let weight = f64::from(weights[row]);
                for (j, e) in e.iter().enumerate() {
                    let target = f64::from(shares[row * columns + j]);
                    let nats = -target * (e / sum).ln();
                    expected += weight * nats;
                    size += weight * nats.abs();
                    let slope = 0.5 * weight * sharp * (e / sum - target);
                    let slope = f64::from(start[row * columns + j]) + slope;
                    let got = f64::from(g[row * stride(columns) + j]);
                    prop_assert!((got - slope).abs() < 4e-6, "{} {}", got, slope);
                }
                let padding = &g[row * stride(columns)..][..stride(columns)][columns..];
                prop_assert!(padding.iter().all(|v| *v == 0.0));
            }
            prop_assert!((loss - expected).abs() < 2e-6 * (1.0 + size), "{} {}", loss, expected);
            let now = (loss.to_bits(), bits(&g));
            prop_assert_eq!(first.get_or_insert_with(|| now.clone()), &now);
        }
    }
}

#[test]
fn a_logit_that_is_not_finite_shows_in_the_loss() {
    for kernels in levels() {
        for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            let logits = Buffer::padded(&[0.0, 1.0, bad, 0.5, 0.5, 0.5], 3);
            let mut g = Buffer::zeroed(logits.len());
            let out = kernels.softmax_cross_entropy(3, &logits, &[0, 1], 1.0, &mut g);
            assert!(out.loss.is_nan(), "{bad}");
            let (targets, weights) = (Buffer::padded(&[1.0, 0.0, 0.0, 0.0, 1.0, 0.0], 3), [1.0; 2]);
            let scale = SoftScale {
                sharpness: 1.0,
                gradient: 1.0,
            };
            let loss = kernels.soft_cross_entropy(3, &logits, &targets, &weights, scale, &mut g);
            assert!(loss.is_nan(), "{bad}");
        }
    }
}

#[test]
fn gather_copies_rows() {
    let x = Buffer::padded(&[1.0, 2.0, 3.0], 1);
    let mut out = Buffer::zeroed(2 * 16);
    let kernels = Kernels::detect();
    kernels.prefetch(1, &x, &[2, 0, 99]);
    kernels.gather(1, &x, &[2, 0], &mut out);
    assert_eq!(out.dense(1), [3.0, 1.0]);
}
