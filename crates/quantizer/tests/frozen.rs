//! Frozen scales: rounding to significant bits, and codes of kernels with real scales.

use bitfront_quantizer::{Quantizer, Role, significant};
use proptest::prelude::*;

fn parsed(text: &str) -> Quantizer {
    text.parse().unwrap_or_else(|e| panic!("{e}"))
}

#[test]
fn significant_rounds_half_to_even_and_reduces() {
    for (x, bits, expected) in [
        (1.0, 1, (1, 0)),
        (3.0, 1, (1, 2)), // halfway between 2 and 4: 2 is odd (1), 4 is even (2)
        (5.0, 2, (1, 2)),
        (7.0, 2, (1, 3)),
        (-0.625, 2, (-1, -1)),
        (0.1, 12, (3277, -15)),
        (f64::from_bits(1), 8, (1, -1074)),
        (f64::from_bits(7), 2, (1, -1071)),
        (f64::NAN, 8, (0, 0)),
        (f64::INFINITY, 4, (1, 1024)),
        (1.0 + f64::EPSILON, 53, ((1 << 52) + 1, -52)),
        (1.0 + f64::EPSILON, 99, ((1 << 52) + 1, -52)),
    ] {
        assert_eq!(significant(x, bits), expected, "{x:?} to {bits} bits");
    }
}

#[test]
fn refusals_of_frozen_codes() {
    let auto = parsed("quantized_bits(4,0,alpha='auto')");
    for role in [Role::Input, Role::Activation] {
        assert!(auto.check_frozen(role).is_err());
    }
    for role in [Role::Kernel, Role::Bias] {
        assert_eq!(auto.check_frozen(role), Ok(()));
        assert!(auto.check_exact(role).is_err());
    }
    let say = |q: &Quantizer, x: &[f32], bits| {
        let error = q
            .codes_frozen(Role::Kernel, x, 1, bits)
            .expect_err("refused");
        error.to_string()
    };
    assert!(say(&auto, &[1.0, f32::NAN], 12).contains("not a finite number"));
    assert!(say(&auto, &[1.0], 0).contains("scale_bits is 0"));
    assert!(say(&auto, &[1.0], 25).contains("1 to 24"));
    assert!(say(&parsed("float"), &[1.0], 12).contains("float reference"));
    let wide = parsed("quantized_bits(26,0,alpha='auto')");
    assert!(say(&wide, &[1.0], 12).contains("24 significant bits"));
}

#[test]
fn columns_of_zeros_freeze_to_zero() {
    for text in [
        "quantized_bits(4,0,alpha='auto')",
        "binary(alpha='auto')",
        "ternary(alpha='auto')",
    ] {
        let q = parsed(text);
        let values = q
            .frozen_values(Role::Kernel, &[0.0, 0.5, 0.0, -0.25], 2, 8)
            .expect("frozen");
        assert_eq!((values[0], values[2]), (0.0, 0.0), "{q}");
        assert!(values[1] > 0.0, "{q}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(500) })]

    #[test]
    fn significant_is_nearest(x in any::<f64>().prop_filter("finite", |v| v.is_finite() && v.is_normal()), bits in 1u32..=53) {
        let (mantissa, exponent) = significant(x, bits);
        prop_assert!(mantissa % 2 != 0 && mantissa.unsigned_abs() < 1 << bits);
        prop_assume!((-1000..900).contains(&exponent));
        let near = mantissa as f64 * 2f64.powi(exponent);
        // Half a unit of the last of `bits` places.
        let unit = 2f64.powi(x.abs().log2().floor() as i32 + 1 - bits as i32);
        prop_assert!((near - x).abs() <= 0.5001 * unit, "{x} to {bits}: {near}");
        prop_assert_eq!(significant(near, bits), (mantissa, exponent));
    }

    #[test]
    fn frozen_values_are_near_the_quantized_ones(
        x in prop::collection::vec(-9f32..9f32, 24),
        scale_bits in 8u32..=24,
        which in 0usize..4,
    ) {
        let text = ["quantized_bits(5,2,alpha='auto')", "ternary(alpha='auto')", "binary(alpha='auto')",
            "binary(use_01=True,alpha='auto')"][which];
        let q = parsed(text);
        for columns in [1, 4, 24] {
            let mut y = vec![0f32; 24];
            q.quantize(&x, columns, &mut y);
            let frozen = q.codes_frozen(Role::Kernel, &x, columns, scale_bits).expect("frozen");
            prop_assert_eq!((frozen.fraction.len(), frozen.multiplier.len()), (columns, columns));
            prop_assert!(frozen.multiplier.iter().all(|m| *m == 0 || m % 2 == 1));
            let values = q.frozen_values(Role::Kernel, &x, columns, scale_bits).expect("frozen");
            for (i, (value, y)) in values.iter().zip(&y).enumerate() {
                let at = i % columns;
                let exact = frozen.codes[i] as f64 * frozen.multiplier[at] as f64 * 2f64.powi(-frozen.fraction[at]);
                prop_assert_eq!(exact, *value);
                let allowed = (2f64.powi(-(scale_bits as i32)) + 1e-7) * f64::from(y.abs());
                prop_assert!((value - f64::from(*y)).abs() <= allowed, "{} at {}: {} for {}", q, i, value, y);
            }
        }
    }

    #[test]
    fn power_of_two_scales_need_no_multiplier(x in prop::collection::vec(-9f32..9f32, 24), which in 0usize..5) {
        let text = ["quantized_bits(5,2,alpha='auto_po2')", "ternary(alpha='auto_po2')", "quantized_bits(4,1,alpha=0.5)",
            "quantized_po2(4,max_value=4)", "binary()"][which];
        let q = parsed(text);
        let frozen = q.codes_frozen(Role::Kernel, &x, 4, 12).expect("frozen");
        let codes = q.codes(Role::Kernel, &x, 4).expect("exact");
        prop_assert_eq!(&frozen.codes, &codes.codes);
        prop_assert_eq!(&frozen.fraction, &codes.fraction);
        prop_assert!(frozen.multiplier.iter().all(|m| *m == 1));
        let mut y = vec![0f32; 24];
        q.quantize(&x, 4, &mut y);
        let wide: Vec<f64> = y.iter().map(|v| f64::from(*v)).collect();
        prop_assert_eq!(q.frozen_values(Role::Kernel, &x, 4, 12).expect("frozen"), wide);
    }
}
