//! Where a law of the table in the crate's documentation does not hold: one asserted case each.

use bitfront_quantizer::Quantizer;

fn apply(text: &str, x: f32) -> f32 {
    let q: Quantizer = text.parse().unwrap_or_else(|e| panic!("{e}"));
    let mut y = [0f32];
    q.quantize(&[x], 1, &mut y);
    y[0]
}

#[test]
fn not_idempotent() {
    for (text, x, once, twice) in [
        ("quantized_bits(4,0,alpha=0.5)", 0.5, 0.25, 0.125),
        ("binary(use_01=True)", -1.0, 0.0, 1.0),
        ("bernoulli()", -1.0, 0.0, 1.0),
        ("ternary(alpha=0.25)", 1.0, 0.25, 0.0),
        (
            "quantized_relu(4,0,negative_slope=0.5)",
            -0.5,
            -0.25,
            -0.125,
        ),
        ("quantized_sigmoid(4)", 0.0, 0.5, 0.75),
        ("quantized_tanh(4,use_real_tanh=True)", 0.875, 0.75, 0.625),
        ("quantized_ulaw(4,0)", 0.25, 0.752_101_06, 0.875),
        ("quantized_hswish(6,1)", 1.0, 0.6875, 0.4375),
        ("quantized_relu_po2(4,4,0.5)", -2.0, -1.0, -0.5),
        (
            "quantized_bits(4,1,alpha=1.0,qnoise_factor=0.5)",
            0.1,
            0.05,
            0.025,
        ),
        // Epsilon is floored to a power below it, where a magnitude is the smallest power.
        (
            "quantized_po2(6,max_value=1,log2_rounding='floor')",
            1e-7,
            2f32.powi(-24),
            2f32.powi(-32),
        ),
        (
            "quantized_relu_po2(6,max_value=1,log2_rounding='floor')",
            1e-7,
            2f32.powi(-24),
            2f32.powi(-64),
        ),
        // Below epsilon a magnitude is the smallest power, which is above epsilon.
        (
            "quantized_po2(2,quadratic_approximation=True)",
            1e-8,
            0.5,
            1.0,
        ),
    ] {
        assert_ne!(once, twice, "{text}: no counter-example");
        assert_eq!((apply(text, x), apply(text, once)), (once, twice), "{text}");
    }
}

#[test]
fn not_monotone() {
    for (text, a, b) in [
        ("ap_fixed<4,2>", 1.75, 2.0),
        ("ap_fixed<4,2,AP_RND,AP_SAT_ZERO>", 1.75, 2.0),
        ("ap_fixed<4,2,AP_TRN,AP_WRAP_SM>", 1.75, 2.5),
        ("quantized_hswish(8,1)", -3.0, -1.5),
        // Below epsilon a magnitude is the smallest power, and above it half of that, squared.
        (
            "quantized_po2(4,4,quadratic_approximation=True)",
            1e-8,
            1e-6,
        ),
    ] {
        let (below, above) = (apply(text, a), apply(text, b));
        assert!(a < b && below > above, "{text}: {below} and {above}");
    }
}

#[test]
fn reported_ranges_are_not_the_true_ones() {
    for (text, reported, truth) in [
        ("quantized_bits(4,0,alpha=1.0)", (-1.0, 1.0), (-1.0, 0.875)),
        (
            "quantized_bits(4,-2,alpha=1.0)",
            (-1.0, 1.0),
            (-0.25, 0.21875),
        ),
        ("quantized_bits(4,0,alpha=2.0)", (-1.0, 1.0), (-2.0, 1.75)),
        ("quantized_relu(4,2)", (0.0, 4.0), (0.0, 3.75)),
        ("binary(alpha=0.5)", (-1.0, 1.0), (-0.5, 0.5)),
        ("quantized_po2(4,max_value=0.5)", (-1.0, 1.0), (-0.5, 0.5)),
        (
            "quantized_relu_po2(6,max_value=2,negative_slope=0.25)",
            (-8.0, 2.0),
            (-2.0, 2.0),
        ),
        ("quantized_ulaw(4,0)", (-1.0, 1.0), (-1.0, 0.875)),
    ] {
        let q: Quantizer = text.parse().expect("accepted");
        let (lo, hi) = q.reported_range();
        assert_eq!((lo, hi), (Some(reported.0), reported.1), "{text}");
        assert_eq!(q.true_range(), truth, "{text}");
    }
}
