//! Training forms by distribution: a million draws each from a fixed seed, chi-square against the
//! probabilities, with bounds that a right form passes but for one seed in ten thousand.

use bitfront_quantizer::Quantizer;
use std::collections::BTreeMap;

const DRAWS: usize = 1_000_000;

/// A 64-bit permuted congruential generator, its high words.
struct Words(u64);

impl Words {
    fn next(&mut self) -> u32 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let word = (((self.0 >> 18) ^ self.0) >> 27) as u32;
        word.rotate_right((self.0 >> 59) as u32)
    }
}

fn parsed(text: &str) -> Quantizer {
    text.parse().unwrap_or_else(|e| panic!("{e}"))
}

/// Chi-square of the values of `text` at `x` against `expected` (value, probability).
fn check(text: &str, x: f32, expected: &[(f64, f64)]) {
    let q = parsed(text);
    assert!(q.is_stochastic(), "{text}");
    let input = vec![x; DRAWS];
    let mut y = vec![0f32; DRAWS];
    let mut words = Words(20_261_123);
    q.quantize_training(&input, 1, &mut y, &mut || words.next());
    compare(text, x, &y, expected);
}

fn compare(text: &str, x: f32, y: &[f32], expected: &[(f64, f64)]) {
    let mut counts: BTreeMap<u32, usize> = BTreeMap::new();
    for v in y {
        *counts.entry(v.to_bits()).or_default() += 1;
    }
    let total: f64 = expected.iter().map(|e| e.1).sum();
    assert!(
        (total - 1.0).abs() < 1e-9,
        "{text}: probabilities sum to {total}"
    );
    let (mut square, mut seen) = (0.0, 0);
    for (value, probability) in expected {
        let count = counts.get(&(*value as f32).to_bits()).copied().unwrap_or(0);
        seen += count;
        let mean = probability * y.len() as f64;
        assert!(mean == 0.0 || mean > 20.0, "{text}: too few for chi-square");
        if mean > 0.0 {
            square += (count as f64 - mean).powi(2) / mean;
        } else {
            assert_eq!(count, 0, "{text} at {x} never gives {value}");
        }
    }
    assert_eq!(
        seen,
        y.len(),
        "{text} at {x} gives other values: {counts:?}"
    );
    // Upper 1e-4 points for 1, 2 and 3 degrees of freedom.
    let freedom = expected.iter().filter(|e| e.1 > 0.0).count() - 1;
    let bound = [0.0, 15.14, 18.42, 21.11][freedom];
    println!("{text} at {x}: chi-square {square:.2} of {bound}");
    assert!(square <= bound, "{text} at {x}: chi-square {square}");
}

fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

#[test]
fn two_levels() {
    for x in [-0.3f32, 0.0, 0.05, 0.2] {
        let p = sigmoid(6.0 * f64::from(x));
        check(
            "stochastic_binary(alpha=2.0)",
            x,
            &[(2.0, p), (-2.0, 1.0 - p)],
        );
        check("bernoulli()", x, &[(1.0, p), (0.0, 1.0 - p)]);
        let p = sigmoid(3.0 * f64::from(x));
        check("bernoulli(temperature=3.0)", x, &[(1.0, p), (0.0, 1.0 - p)]);
        let p = (3.0 * f64::from(x) + 0.5).clamp(0.0, 1.0);
        check(
            "stochastic_binary(use_real_sigmoid=False)",
            x,
            &[(1.0, p), (-1.0, 1.0 - p)],
        );
    }
    check(
        "stochastic_binary(use_real_sigmoid=False)",
        0.5,
        &[(1.0, 1.0), (-1.0, 0.0)],
    );
}

#[test]
fn two_levels_with_a_found_scale() {
    // Half the values at each of -0.5 and 1.5: deviation 1, scale mean |x| = 1.
    for (text, below) in [
        ("stochastic_binary(alpha='auto',temperature=0.5)", -1.0),
        ("bernoulli(alpha='auto',temperature=0.5)", 0.0),
    ] {
        let q = parsed(text);
        let x: Vec<f32> = (0..DRAWS)
            .map(|i| if i % 2 == 0 { -0.5 } else { 1.5 })
            .collect();
        let mut y = vec![0f32; DRAWS];
        let mut words = Words(7);
        let scale = f64::from(q.quantize_training(&x, 1, &mut y, &mut || words.next())[0]);
        assert_eq!(
            scale,
            f64::from(q.quantize(&x, 1, &mut vec![0f32; DRAWS])[0]),
            "{text}"
        );
        for (parity, at) in [(0, -0.5f32), (1, 1.5)] {
            let half: Vec<f32> = y.iter().skip(parity).step_by(2).copied().collect();
            let p = sigmoid(0.5 * f64::from(at));
            compare(text, at, &half, &[(scale, p), (below * scale, 1.0 - p)]);
        }
    }
}

#[test]
fn three_levels() {
    for x in [-0.4f32, 0.0, 0.3] {
        let wide = f64::from(x);
        let t = f64::from(0.33f32);
        let (p0, p1) = (sigmoid(8.0 * (wide - t)), sigmoid(8.0 * (wide + t)));
        let middle = p0 * (1.0 - p1) + p1 * (1.0 - p0);
        let expected = [
            (1.0, p0 * p1),
            (0.0, middle),
            (-1.0, (1.0 - p0) * (1.0 - p1)),
        ];
        check("stochastic_ternary(alpha=1.0)", x, &expected);
    }
    // A found scale: values -1, 0, 0, 1 have deviation root of 1/2 and scale 1.
    let q = parsed("stochastic_ternary(alpha='auto')");
    let x: Vec<f32> = (0..DRAWS).map(|i| [-1.0, 0.0, 0.0, 1.0][i % 4]).collect();
    let mut y = vec![0f32; DRAWS];
    let mut words = Words(99);
    let scale = f64::from(q.quantize_training(&x, 1, &mut y, &mut || words.next())[0]);
    assert!((scale - 1.0).abs() < 1e-6, "{scale}");
    let deviation = 0.5f64.sqrt();
    let zeros: Vec<f32> = y.iter().skip(1).step_by(4).copied().collect();
    let p = sigmoid(8.0 * 0.5 * scale / deviation);
    let edge = p * (1.0 - p);
    compare(
        "stochastic_ternary(alpha='auto')",
        0.0,
        &zeros,
        &[(scale, edge), (0.0, 1.0 - 2.0 * edge), (-scale, edge)],
    );
}

#[test]
fn rounding_keeps_the_mean() {
    check(
        "quantized_bits(4,1,alpha=1.0,use_stochastic_rounding=True)",
        0.3,
        &[(0.25, 0.8), (0.5, 0.2)].map(near(0.3)),
    );
    check(
        "quantized_bits(4,1,alpha=1.0,use_stochastic_rounding=True)",
        9.0,
        &[(1.75, 1.0)],
    );
    check(
        "quantized_linear(4,1,use_stochastic_rounding=True)",
        -0.3,
        &[(-0.5, 0.2), (-0.25, 0.8)].map(near(-0.3)),
    );
    check(
        "quantized_linear(1,1,use_stochastic_rounding=True)",
        0.5,
        &[(1.0, 0.75), (-1.0, 0.25)],
    );
    // Half steps, as the original has them, and whole ones.
    check(
        "quantized_relu(3,0,use_stochastic_rounding=True)",
        0.203_125,
        &[(0.1875, 0.75), (0.25, 0.25)],
    );
    check(
        "quantized_relu(3,0,use_stochastic_rounding='whole')",
        0.15625,
        &[(0.125, 0.75), (0.25, 0.25)],
    );
    check(
        "quantized_relu(4,0,negative_slope=0.5,use_stochastic_rounding='whole')",
        -0.125,
        &[(-0.125, 0.5), (0.0, 0.5)],
    );
    check(
        "quantized_tanh(3,use_stochastic_rounding=True)",
        0.3125,
        &[(0.25, 0.5), (0.375, 0.5)],
    );
    check(
        "quantized_tanh(3,use_stochastic_rounding='whole')",
        0.3125,
        &[(0.25, 0.75), (0.5, 0.25)],
    );
    check(
        "quantized_sigmoid(2,use_stochastic_rounding='whole')",
        0.125,
        &[(0.5, 0.75), (0.75, 0.25)],
    );
    check(
        "quantized_po2(5,max_value=4,use_stochastic_rounding=True)",
        -2.5,
        &[(-2.0, 0.75), (-4.0, 0.25)],
    );
    check(
        "quantized_po2(5,max_value=4,use_stochastic_rounding=True,quadratic_approximation=True)",
        2.25,
        &[(1.0, 0.5), (4.0, 0.5)],
    );
    check(
        "quantized_relu_po2(5,max_value=4,use_stochastic_rounding=True)",
        0.625,
        &[(0.5, 0.75), (1.0, 0.25)],
    );
    check(
        "quantized_hswish(5,1,use_stochastic_rounding=True)",
        3.03125,
        &[(1.875, 1.0)],
    );
}

/// Probabilities of the f32 next to `x` on steps of a quarter.
fn near(x: f32) -> impl Fn((f64, f64)) -> (f64, f64) {
    move |(value, _)| (value, 1.0 - (f64::from(x) - value).abs() * 4.0)
}

#[test]
fn signs_of_rounded_values() {
    // Range 1, so eighths of 2: 0.0625 becomes 0.25 in a quarter of the draws, else 0 with any sign.
    let text = "binary(alpha=1.0,use_stochastic_rounding=True)";
    let q = parsed(text);
    let x: Vec<f32> = (0..DRAWS)
        .map(|i| if i % 2 == 0 { 1.0 } else { 0.0625 })
        .collect();
    let mut y = vec![0f32; DRAWS];
    let mut words = Words(3);
    q.quantize_training(&x, 1, &mut y, &mut || words.next());
    let small: Vec<f32> = y.iter().skip(1).step_by(2).copied().collect();
    compare(text, 0.0625, &small, &[(1.0, 0.25 + 0.375), (-1.0, 0.375)]);
    assert!(y.iter().step_by(2).all(|v| *v == 1.0));
    // A ternary's dead band: 1/3 of the scale becomes 2/3 in no draw, 0.45 of it in 0.35.
    let text = "ternary(alpha='auto',use_stochastic_rounding=True,number_of_unrolls=1)";
    let q = parsed(text);
    let x: Vec<f32> = (0..DRAWS)
        .map(|i| if i % 2 == 0 { 1.5 } else { 0.45 })
        .collect();
    q.quantize_training(&x, 1, &mut y, &mut || words.next());
    let zeros = y
        .iter()
        .skip(1)
        .step_by(2)
        .map(|v| f32::from(u8::from(*v != 0.0)));
    let zeros: Vec<f32> = zeros.collect();
    let p = f64::from(0.45f32) * 3.0 - 1.0;
    compare(text, 0.45, &zeros, &[(1.0, p), (0.0, 1.0 - p)]);
}

#[test]
fn families_without_chance_take_no_word() {
    let x: Vec<f32> = (0..64).map(|i| i as f32 / 16.0 - 2.0).collect();
    for text in [
        "quantized_bits(4,1)",
        "ternary(alpha='auto')",
        "ap_fixed<6,2>",
        "quantized_hswish(6,2)",
        "quantized_bits(4,1,alpha='auto_po2',use_stochastic_rounding=True)",
    ] {
        let q = parsed(text);
        let (mut y, mut z) = (vec![0f32; 64], vec![0f32; 64]);
        let scale = q.quantize_training(&x, 8, &mut y, &mut || panic!("{text} draws"));
        assert_eq!(scale, q.quantize(&x, 8, &mut z));
        assert_eq!(y, z, "{text}");
    }
}

#[test]
fn the_same_words_give_the_same_values() {
    let x: Vec<f32> = (0..640)
        .map(|i| ((i * 37) % 101) as f32 / 40.0 - 1.2)
        .collect();
    for text in [
        "stochastic_ternary(alpha='auto_po2')",
        "bernoulli(alpha='auto')",
        "quantized_relu(4,1,0,0.25,True)",
        "binary(use_stochastic_rounding=True)",
        "quantized_linear(4,1,alpha='auto',use_stochastic_rounding=True)",
    ] {
        let q = parsed(text);
        let run = |seed| {
            let mut words = Words(seed);
            let mut y = vec![0f32; 640];
            q.quantize_training(&x, 8, &mut y, &mut || words.next());
            assert!(
                y.iter()
                    .all(|v| v.is_finite() && (*v != 0.0 || v.is_sign_positive())),
                "{text}"
            );
            y
        };
        assert_eq!(run(5), run(5), "{text}");
        assert_ne!(run(5), run(6), "{text}");
    }
}
