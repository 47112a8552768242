//! Values exactly on a boundary: thresholds, ties behind a scale, ends of exponents and of widths.

use bitfront_quantizer::{Quantizer, Role};

fn parse(text: &str) -> Quantizer {
    text.parse().unwrap_or_else(|e| panic!("{e}"))
}

fn apply(text: &str, x: f32) -> f32 {
    let mut y = [0f32];
    parse(text).quantize(&[x], 1, &mut y);
    y[0]
}

#[test]
fn a_ternary_threshold_is_outside_of_the_dead_band() {
    let text = "ternary(alpha=1.0,threshold=0.5)";
    assert_eq!((apply(text, 0.5), apply(text, -0.5)), (1.0, -1.0));
    let below = 0.5f32.next_down();
    assert_eq!((apply(text, below), apply(text, -below)), (0.0, 0.0));
    let mut sums = [0f64; 4];
    parse(text).quantize_f64(
        &[0.5, -0.5, 0.5f64.next_down(), -0.5f64.next_down()],
        &mut sums,
    );
    assert_eq!(sums, [1.0, -1.0, 0.0, 0.0]);
    let code = |numerator, fraction| parse(text).code_of(numerator, fraction).expect("a grid");
    assert_eq!([code(1, 1), code(-1, 1)], [1, -1]);
    assert_eq!([code(7, 4), code(-7, 4)], [0, 0]);
}

#[test]
fn ties_behind_a_scale_that_is_no_power_of_two_go_to_even() {
    // Steps of 0.75 / 8.
    let text = "quantized_linear(4,0,alpha=0.75)";
    let step = 0.093_75;
    for (halves, code) in [(1.0, 0.0), (3.0, 2.0), (5.0, 2.0), (-5.0, -2.0), (7.0, 4.0)] {
        let y = apply(text, halves / 2.0 * step);
        assert_eq!(y, code * step, "{halves} half steps");
    }
}

#[test]
fn quadratic_powers_stay_finite() {
    let text = "quantized_relu_po2(8,quadratic_approximation=True)";
    assert_eq!(apply(text, f32::MAX), 2f32.powi(126));
}

#[test]
fn one_signed_bit_keeps_minus_one_where_a_symmetric_range_is_asked_for() {
    let text = "ap_fixed<1,1,AP_RND_CONV,AP_SAT_SYM>";
    assert_eq!(parse(text).true_range(), (-1.0, 0.0));
    assert_eq!((apply(text, -3.0), apply(text, 3.0)), (-1.0, 0.0));
}

#[test]
fn a_scale_that_overflows_f32_has_no_codes() {
    let q = parse("quantized_bits(2,1,symmetric=1,alpha='auto_po2')");
    let x = [f32::MAX, 0.0];
    let mut y = [0f32; 2];
    q.quantize(&x, 1, &mut y);
    assert!(y.iter().all(|value| !value.is_finite()), "{y:?}");
    let error = q.codes(Role::Kernel, &x, 1).expect_err("no codes");
    assert!(error.to_string().contains("by its scale"), "{error}");
    assert!(q.codes_frozen(Role::Kernel, &x, 1, 12).is_err());
    assert!(q.codes(Role::Kernel, &[1.0, 0.0], 1).is_ok());
}

#[test]
fn the_hard_swish_is_a_step_function_that_falls_before_it_rises() {
    for text in [
        "quantized_hswish(6,2)",
        "quantized_hswish(5,1,1)",
        "quantized_hswish(8,0,relu_shift=2,relu_upper_bound=5)",
        // Cut before the parabola's vertex, and far below the lowest code.
        "quantized_hswish(6,2,relu_shift=16,relu_upper_bound=1)",
        "quantized_hswish(4,0,alpha=0.5)",
    ] {
        let q = parse(text);
        for fraction in [-2, 0, 3, 6, 9] {
            let (lo, hi) = (-(20 << fraction.max(0)), 9 << fraction.max(0));
            let steps = q.step_function(fraction, lo, hi).expect(text);
            for x in lo..=hi {
                let code = q.code_of(x, fraction).expect("a grid");
                assert_eq!(steps.code(x), code, "{text} of {x} / 2^{fraction}");
            }
            let turn = steps
                .codes
                .iter()
                .enumerate()
                .min_by_key(|(_, code)| **code);
            let turn = turn.expect("codes").0;
            let falls = steps.codes[..=turn].is_sorted_by(|a, b| a > b);
            let rises = steps.codes[turn..].is_sorted_by(|a, b| a < b);
            assert!(falls && rises, "{text} at {fraction}: {:?}", steps.codes);
            assert!(fraction < 3 || turn > 0, "{text} at {fraction} never falls");
        }
    }
    // Accumulators so fine that only small numbers occur.
    let fine = parse("quantized_hswish(6,2)").step_function(60, -(1 << 53), 1 << 53);
    assert_eq!(fine.expect("steps").codes, [0]);
}

#[test]
fn a_hard_swish_of_more_steps_than_a_circuit_has_is_no_activation() {
    assert!(
        parse("quantized_hswish(12,3)")
            .check_exact(Role::Activation)
            .is_ok()
    );
    let refused = parse("quantized_hswish(13,3)").check_exact(Role::Activation);
    let message = refused.expect_err("too many steps").to_string();
    assert!(message.contains("accepted are at most 4096"), "{message}");
    // The most steps that twelve bits can have: down to the lowest code, and up to the highest.
    let widest = parse("quantized_hswish(12,3,relu_shift=16,relu_upper_bound=1)");
    let steps = widest
        .step_function(20, -(1 << 25), 1 << 25)
        .expect("steps");
    assert!(steps.codes.len() > 4096, "{}", steps.codes.len());
}
