//! `ap_fixed` against its definition on examples worked by hand, and against a definition on whole
//! numbers written another way.

use bitfront_quantizer::{Quantizer, Role};
use proptest::prelude::*;

fn parsed(text: &str) -> Quantizer {
    text.parse().unwrap_or_else(|e| panic!("{e}"))
}

fn apply(text: &str, x: &[f32]) -> Vec<f32> {
    let mut y = vec![0f32; x.len()];
    parsed(text).quantize(x, 1, &mut y);
    y
}

#[test]
fn rounding_modes() {
    let x = [-2.75, -2.5, -2.25, -1.5, -0.5, 0.25, 0.5, 1.5, 2.5, 2.75];
    for (mode, expected) in [
        ("TRN", [-3., -3., -3., -2., -1., 0., 0., 1., 2., 2.]),
        ("TRN_ZERO", [-2., -2., -2., -1., 0., 0., 0., 1., 2., 2.]),
        ("RND", [-3., -2., -2., -1., 0., 0., 1., 2., 3., 3.]),
        ("RND_ZERO", [-3., -2., -2., -1., 0., 0., 0., 1., 2., 3.]),
        ("RND_MIN_INF", [-3., -3., -2., -2., -1., 0., 0., 1., 2., 3.]),
        ("RND_INF", [-3., -3., -2., -2., -1., 0., 1., 2., 3., 3.]),
        ("RND_CONV", [-3., -2., -2., -2., 0., 0., 0., 2., 2., 3.]),
    ] {
        assert_eq!(
            apply(&format!("ap_fixed<8,8,AP_{mode},AP_SAT>"), &x),
            expected,
            "{mode}"
        );
    }
}

#[test]
fn overflow_modes() {
    // Three bits: -4 to 3.
    let x = [
        -9., -8., -7., -6., -5., -4., -3., 3., 4., 5., 6., 7., 8., 9.,
    ];
    for (mode, expected) in [
        (
            "WRAP",
            [
                -1., 0., 1., 2., 3., -4., -3., 3., -4., -3., -2., -1., 0., 1.,
            ],
        ),
        (
            "SAT",
            [
                -4., -4., -4., -4., -4., -4., -3., 3., 3., 3., 3., 3., 3., 3.,
            ],
        ),
        (
            "SAT_ZERO",
            [0., 0., 0., 0., 0., -4., -3., 3., 0., 0., 0., 0., 0., 0.],
        ),
        (
            "SAT_SYM",
            [
                -3., -3., -3., -3., -3., -3., -3., 3., 3., 3., 3., 3., 3., 3.,
            ],
        ),
        // To and fro: 3 2 1 0 -1 -2 upwards, and downwards alike.
        (
            "WRAP_SM",
            [
                0., -1., -2., -3., -4., -4., -3., 3., 3., 2., 1., 0., -1., -2.,
            ],
        ),
        // The sign stays, the two others wrap.
        (
            "WRAP,1",
            [
                -1., -4., -3., -2., -1., -4., -3., 3., 0., 1., 2., 3., 0., 1.,
            ],
        ),
        // Sign and the next are those of the extreme.
        (
            "WRAP,2",
            [
                -3., -4., -3., -4., -3., -4., -3., 3., 2., 3., 2., 3., 2., 3.,
            ],
        ),
        (
            "WRAP,3",
            [
                -4., -4., -4., -4., -4., -4., -3., 3., 3., 3., 3., 3., 3., 3.,
            ],
        ),
        (
            "WRAP_SM,1",
            [
                -1., -1., -2., -3., -4., -4., -3., 3., 3., 2., 1., 0., 0., 1.,
            ],
        ),
    ] {
        let text = format!("ap_fixed<3,3,AP_TRN,AP_{mode}>");
        assert_eq!(apply(&text, &x), expected, "{text}");
    }
    let x = [-2., -1., 7., 8., 9., 15., 16.];
    for (mode, expected) in [
        ("WRAP", [6., 7., 7., 0., 1., 7., 0.]),
        ("SAT", [0., 0., 7., 7., 7., 7., 7.]),
        ("SAT_ZERO", [0., 0., 7., 0., 0., 0., 0.]),
        ("SAT_SYM", [0., 0., 7., 7., 7., 7., 7.]),
        ("WRAP,1", [2., 3., 7., 4., 5., 7., 4.]),
    ] {
        let text = format!("ap_ufixed<3,3,AP_TRN,AP_{mode}>");
        assert_eq!(apply(&text, &x), expected, "{text}");
    }
}

#[test]
fn gradients_pass_where_values_fit() {
    let x = [-3.0, -2.3, -2.0, 0.1, 1.75, 1.9, 2.1, 9.0];
    for (text, expected) in [
        (
            "ap_fixed<4,2,AP_TRN,AP_SAT>",
            [0., 0., 1., 1., 1., 1., 0., 0.],
        ),
        (
            "ap_fixed<4,2,AP_RND,AP_SAT>",
            [0., 0., 1., 1., 1., 0., 0., 0.],
        ),
        (
            "ap_fixed<4,2,AP_RND,AP_SAT_ZERO>",
            [0., 0., 1., 1., 1., 0., 0., 0.],
        ),
        (
            "ap_fixed<4,2,AP_RND,AP_SAT_SYM>",
            [0., 0., 0., 1., 1., 0., 0., 0.],
        ),
        ("ap_fixed<4,2,AP_TRN,AP_WRAP>", [1.; 8]),
        (
            "ap_ufixed<4,2,AP_TRN,AP_SAT>",
            [0., 0., 0., 1., 1., 1., 1., 0.],
        ),
    ] {
        let mut gradient = [1f32; 8];
        parsed(text).straight_through(&x, 1, &mut gradient);
        assert_eq!(gradient, expected, "{text}");
    }
}

#[test]
fn wrapping_is_no_step_function() {
    for text in ["ap_fixed<6,3>", "ap_fixed<6,3,AP_RND,AP_SAT_ZERO>"] {
        let q = parsed(text);
        let error = q.step_function(8, -9999, 9999).expect_err(text);
        assert!(error.reason.contains("not monotone"), "{error}");
        assert_eq!(q.check_exact(Role::Activation), Ok(()));
        assert!(q.code_of(12345, 6).is_ok());
    }
}

#[test]
fn extremes_do_no_harm() {
    for text in [
        "ap_fixed<32,64,AP_TRN,AP_SAT>",
        "ap_fixed<32,-32>",
        "ap_ufixed<1,0,AP_RND,AP_WRAP,1>",
        "ap_fixed<1,1,AP_RND_CONV,AP_SAT_SYM>",
        "ap_fixed<5,2,AP_RND_INF,AP_WRAP_SM,5>",
        "quantized_hswish(25,-32,relu_shift=16,relu_upper_bound=16)",
        "quantized_hswish(2,32,relu_shift=16,relu_upper_bound=1)",
        "quantized_tanh(12,use_real_tanh=True)",
        "quantized_sigmoid(12,sigmoid='smooth')",
        "quantized_relu(12,-32,1,16.0)",
        "quantized_po2(4,4,log2_rounding='floor')",
    ] {
        let q = parsed(text);
        for numerator in [i64::MIN, i64::MIN + 1, -1, 0, 1, 3, i64::MAX] {
            for fraction in [
                i32::MIN,
                -5000,
                -64,
                -1,
                0,
                1,
                60,
                90,
                110,
                119,
                122,
                125,
                200,
                i32::MAX,
            ] {
                let code = q
                    .grid(Role::Activation)
                    .and_then(|_| q.code_of(numerator, fraction));
                if let (Ok(code), Ok(grid)) = (code, q.grid(Role::Activation)) {
                    assert!((grid.lo..=grid.hi).contains(&code), "{text}: {code}");
                }
            }
        }
        for x in [f64::MIN, -5e-324, 5e-324, f64::MAX, 1e-40, -1e-40] {
            let mut y = [0f64];
            q.quantize_f64(&[x], &mut y);
            let grid = q.grid(Role::Activation);
            if let (Ok(code), Ok(grid)) = (q.code(x), grid) {
                assert_eq!(
                    code as f64 * 2f64.powi(-grid.fraction),
                    y[0],
                    "{text} of {x:e}"
                );
            }
        }
    }
}

/// Rounding of a quotient on whole numbers, by its names' meaning.
fn divided(numerator: i128, denominator: i128, mode: &str) -> i128 {
    let floor = numerator.div_euclid(denominator);
    let twice = 2 * (numerator - floor * denominator);
    let up = match mode {
        "TRN" => false,
        "TRN_ZERO" => numerator < 0 && twice != 0,
        _ if twice != denominator => twice > denominator,
        "RND" => true,
        "RND_ZERO" => numerator < 0,
        "RND_MIN_INF" => false,
        "RND_INF" => numerator > 0,
        _ => floor % 2 != 0,
    };
    floor + i128::from(up)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(4000) })]

    #[test]
    fn wide_values_are_rounded_and_fitted(
        numerator in prop_oneof![-4096i64..4096, any::<i32>().prop_map(i64::from), -(1i64 << 53)..1 << 53],
        fraction in 0i32..50,
        width in 1u32..=24,
        integer in 0i32..=12,
        mode in prop::sample::select(vec!["TRN", "TRN_ZERO", "RND", "RND_ZERO", "RND_MIN_INF", "RND_INF", "RND_CONV"]),
        wraps: bool,
        signed: bool,
    ) {
        let overflow = if wraps { "WRAP" } else { "SAT" };
        let sign = if signed { "" } else { "u" };
        let q = parsed(&format!("ap_{sign}fixed<{width},{integer},{mode},{overflow}>"));
        let up = width as i32 - integer;
        let shift = up.max(0) as u32;
        let denominator = 1i128 << (fraction + (-up).max(0));
        let code = divided(i128::from(numerator) << shift, denominator, mode);
        let count = 1i128 << width;
        let lo = if signed { -count / 2 } else { 0 };
        let expected = if wraps { (code - lo).rem_euclid(count) + lo } else { code.clamp(lo, lo + count - 1) };
        prop_assert_eq!(i128::from(q.code_of(numerator, fraction).expect("exact")), expected, "{}", q);
        let mut y = [0f64];
        q.quantize_f64(&[numerator as f64 * 2f64.powi(-fraction)], &mut y);
        prop_assert_eq!(y[0] * 2f64.powi(up), expected as f64, "{} in f64", q);
    }
}
