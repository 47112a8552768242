//! The laws of the table in the crate's documentation, on random quantizers and inputs.

use bitfront_quantizer::{Alpha, Quantizer, Role, Sigmoid};
use proptest::prelude::*;

/// Canonical and other spellings of quantizers of every family.
fn texts() -> impl Strategy<Value = String> {
    let alpha = prop_oneof![
        Just(""),
        Just(",alpha=None"),
        Just(",alpha=1.0"),
        Just(",alpha=1"),
        Just(",alpha=0.5"),
        Just(",alpha=0.3"),
        Just(",alpha='auto'"),
        Just(",alpha=\"auto_po2\""),
    ];
    let two = prop_oneof![Just("True"), Just("False"), Just("1"), Just("0")];
    let po2 = (2u32..=8, 0usize..6, two.clone(), 0usize..3);
    let limit = |i: usize| ["1", "2", "4.0", "0.3", "3.0", "None"][i];
    prop_oneof![
        (2u32..=20, -4i32..=8, two.clone(), alpha.clone())
            .prop_map(|(b, i, s, a)| { format!("quantized_bits({b},{i},symmetric={s}{a})") }),
        (1u32..=20, -4i32..=8, two.clone())
            .prop_map(|(b, i, s)| { format!("quantized_bits({b},{i},{s},0)") }),
        Just("quantized_bits(1,0,keep_negative=1,alpha=2.0)".to_owned()),
        Just("quantized_bits(4,1,alpha=1.0,qnoise_factor=0.25)".to_owned()),
        (1u32..=20, -4i32..=8).prop_map(|(b, i)| format!("quantized_relu({b}, {i})")),
        (1u32..=12, -4i32..=8).prop_map(|(b, i)| format!("quantized_relu({b},{i},1)")),
        (4u32..=12, -4i32..=8, 0i32..=3).prop_map(|(b, i, s)| {
            format!("quantized_relu({b},{i},negative_slope={})", 2f32.powi(-s))
        }),
        (2u32..=12, -1i32..=4, two.clone()).prop_map(|(b, i, c)| {
            format!("quantized_relu({b},{i},relu_upper_bound=1.5,is_quantized_clip={c})")
        }),
        (two.clone(), alpha.clone()).prop_map(|(t, a)| format!("binary({t}{a})")),
        alpha
            .clone()
            .prop_map(|a| format!("stochastic_binary({})", a.trim_start_matches(','))),
        alpha.prop_map(|a| format!("ternary({})", a.trim_start_matches(','))),
        Just("ternary(alpha=1.0,threshold=0.7)".to_owned()),
        po2.clone().prop_map(move |(b, v, q, _)| {
            format!(
                "quantized_po2({b},{},quadratic_approximation={q})",
                limit(v)
            )
        }),
        po2.prop_map(move |(b, v, q, s)| {
            let slope = ["0", "0.25", "1.0"][s];
            format!(
                "quantized_relu_po2({b},{},{slope},quadratic_approximation={q})",
                limit(v)
            )
        }),
        Just("float".to_owned()),
        Just("relu".to_owned()),
        functions(),
        fixed_point(),
    ]
}

/// Families with a function in front of the grid, drawn ones, and every other option.
fn functions() -> impl Strategy<Value = String> {
    let flag = prop_oneof![Just("True"), Just("False")];
    let sigmoid = prop_oneof![Just("hard"), Just("smooth"), Just("real")];
    let alpha = prop_oneof![
        Just("None"),
        Just("0.5"),
        Just("0.3"),
        Just("'auto'"),
        Just("'auto_po2'")
    ];
    prop_oneof![
        (1u32..=12, flag.clone(), sigmoid.clone())
            .prop_map(|(b, s, g)| format!("quantized_tanh({b},symmetric={s},sigmoid='{g}')")),
        (1u32..=12, flag.clone()).prop_map(|(b, s)| format!("quantized_tanh({b},0,{s},True)")),
        (1u32..=12, flag.clone(), sigmoid.clone())
            .prop_map(|(b, s, g)| format!("quantized_sigmoid({b},{s},sigmoid='{g}')")),
        (1u32..=10, -2i32..=4, sigmoid.clone())
            .prop_map(|(b, i, g)| format!("quantized_ulaw({b},{i},u=127.0,sigmoid='{g}')")),
        (2u32..=16, -3i32..=5, 1u32..=6, 1u32..=8).prop_map(|(b, i, s, u)| {
            format!("quantized_hswish({b},{i},relu_shift={s},relu_upper_bound={u})")
        }),
        (1u32..=14, -4i32..=8, flag.clone(), flag, alpha.clone())
            .prop_map(|(b, i, s, k, a)| { format!("quantized_linear({b},{i},{s},{k},{a})") }),
        (3u32..=10, -3i32..=5, -2i32..=1, sigmoid.clone()).prop_map(|(b, i, s, g)| {
            format!("quantized_relu({b},{i},1,{},sigmoid='{g}')", 2f32.powi(s))
        }),
        (2u32..=6, 0i32..=3, sigmoid)
            .prop_map(|(b, i, g)| format!("quantized_relu({b},{i},1,sigmoid='{g}')")),
        (2u32..=8, 0usize..3).prop_map(|(b, v)| {
            format!(
                "quantized_po2({b},{},log2_rounding='floor')",
                ["1", "4.0", "None"][v]
            )
        }),
        alpha
            .clone()
            .prop_map(|a| format!("stochastic_ternary({a},temperature=4.0)")),
        alpha.prop_map(|a| format!("bernoulli({a},use_real_sigmoid=False)")),
        Just("ternary(alpha='auto',number_of_unrolls=2,use_stochastic_rounding=True)".to_owned()),
        Just(
            "binary(use_stochastic_rounding=True,alpha='auto_po2',min_po2_exponent=-3)".to_owned()
        ),
        Just("quantized_relu(4,1,use_stochastic_rounding='whole')".to_owned()),
    ]
}

/// `ap_fixed` and `ap_ufixed` in all modes.
fn fixed_point() -> impl Strategy<Value = String> {
    const ROUNDING: [&str; 7] = [
        "TRN",
        "TRN_ZERO",
        "RND",
        "RND_ZERO",
        "RND_MIN_INF",
        "RND_INF",
        "RND_CONV",
    ];
    const OVERFLOW: [&str; 5] = ["WRAP", "SAT", "SAT_ZERO", "SAT_SYM", "WRAP_SM"];
    (
        any::<bool>(),
        1u32..=16,
        -4i32..=20,
        0usize..7,
        0usize..5,
        0u32..=4,
    )
        .prop_map(|(signed, w, i, r, o, n)| {
            let overflow = if signed { OVERFLOW[o] } else { OVERFLOW[o % 4] };
            let n = if overflow.starts_with("WRAP") {
                n.min(w)
            } else {
                0
            };
            let sign = if signed { "" } else { "u" };
            format!(
                "ap_{sign}fixed<{w},{i},AP_{},AP_{overflow},{n}>",
                ROUNDING[r]
            )
        })
}

fn quantizers() -> impl Strategy<Value = Quantizer> {
    texts().prop_map(|text| text.parse().expect("a spelling that is accepted"))
}

/// Numbers of every size: ties, zeros of both signs, subnormals, huge ones.
fn numbers() -> impl Strategy<Value = f32> {
    prop_oneof![
        4 => -8f32..8f32,
        3 => (-4096i32..4096).prop_map(|i| i as f32 / 256.0),
        1 => (-40i32..40, any::<bool>()).prop_map(|(e, up)| {
            let edge = 2f32.powi(e);
            if up { edge.next_up() } else { edge.next_down() }
        }),
        1 => prop_oneof![
            Just(0.0f32), Just(-0.0), Just(f32::MIN_POSITIVE / 8.0), Just(-f32::MIN_POSITIVE / 8.0),
            Just(f32::MAX), Just(f32::MIN), Just(1e-7), Just(1e-7f32.next_down()), Just(0.33),
        ],
        1 => any::<f32>().prop_filter("a number", |v| v.is_finite()),
    ]
}

fn quantize(q: &Quantizer, x: &[f32]) -> Vec<f32> {
    let mut y = vec![f32::NAN; x.len()];
    q.quantize(x, 1, &mut y);
    y
}

fn fixed(q: &Quantizer) -> bool {
    !q.has_automatic_scale() && !matches!(q, Quantizer::QuantizedBits(q) if q.noise.factor != 1.0)
}

fn unit(q: &Quantizer) -> bool {
    matches!(q.alpha(), Alpha::None | Alpha::Constant(1.0))
}

fn idempotent(q: &Quantizer) -> bool {
    match q {
        Quantizer::Float | Quantizer::Relu | Quantizer::Fixed(_) => true,
        Quantizer::QuantizedBits(_) | Quantizer::Ternary(_) => unit(q) && fixed(q),
        Quantizer::QuantizedRelu(r) => {
            r.negative_slope == 0.0
                && r.sigmoid == Sigmoid::Hard
                && q.check_exact(Role::Input).is_ok()
        }
        Quantizer::Binary(b) => !b.use_01 && fixed(q),
        Quantizer::StochasticBinary(_) => fixed(q),
        Quantizer::QuantizedPo2(p) => {
            !(p.quadratic_approximation || p.floor && has_a_level_below_epsilon(q))
        }
        Quantizer::QuantizedReluPo2(p) => {
            let breaks = p.quadratic_approximation || p.floor && has_a_level_below_epsilon(q);
            p.negative_slope == 0.0 && !breaks
        }
        Quantizer::StochasticTernary(_) => unit(q),
        Quantizer::QuantizedLinear(l) => fixed(q) && l.alpha != Alpha::Constant(0.3),
        Quantizer::QuantizedTanh(_) => q.is_uniform(),
        _ => false,
    }
}

/// Whether the power that epsilon (1e-7) is floored to, 2^-24, is a level and not the smallest one: what is
/// floored to it lies below epsilon afterwards, and becomes the smallest.
fn has_a_level_below_epsilon(q: &Quantizer) -> bool {
    let floored = 2f64.powi(-24);
    let levels = q.levels().unwrap_or_default();
    let smaller = |v: &f64| (0.0..floored).contains(v);
    levels.contains(&floored) && levels.iter().any(smaller)
}

/// `numerator * 2^-fraction` where f32 holds it.
fn real(numerator: i64, fraction: i32) -> Option<f32> {
    let value = (numerator as f64 * 2f64.powi(-fraction)) as f32;
    let holds = numerator.unsigned_abs() <= 1 << 24 && value.is_finite();
    (holds && (numerator == 0 || value.is_normal())).then_some(value)
}

proptest! {
    #![proptest_config(ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::with_cases(2000)
    })]

    #[test]
    fn parse_reverses_print(q in quantizers()) {
        let text = q.to_string();
        prop_assert_eq!(text.parse::<Quantizer>(), Ok(q));
        let json = serde_json::to_string(&q).expect("serializes");
        prop_assert_eq!(serde_json::from_str::<Quantizer>(&json).expect("deserializes"), q);
    }

    #[test]
    fn values_lie_in_the_true_range(q in quantizers().prop_filter("fixed", fixed), x in numbers()) {
        let y = quantize(&q, &[x])[0];
        let (lo, hi) = q.true_range();
        prop_assert!((lo..=hi).contains(&f64::from(y)), "{q}: {x:?} gives {y:?} outside {lo}..={hi}");
        prop_assert!(y >= 0.0 || q.is_signed());
    }

    #[test]
    fn values_are_among_the_levels(q in quantizers().prop_filter("fixed", fixed), x in numbers()) {
        let Some(levels) = q.levels() else { return Ok(()) };
        let y = f64::from(quantize(&q, &[x])[0]);
        prop_assert!(levels.is_sorted() && levels.binary_search_by(|v| v.total_cmp(&y)).is_ok(),
            "{q}: {x:?} gives {y:?}");
        let ends = (levels[0], levels[levels.len() - 1]);
        let range = q.true_range();
        prop_assert!(range == ends, "{}: {:?} is not {:?}", q, range, ends);
    }

    #[test]
    fn codes_of_values_go_there_and_back(q in quantizers(), x in numbers()) {
        let Ok(code) = q.code(f64::from(x)) else { return Ok(()) };
        let value = q.value_of(code).expect("in range");
        prop_assert_eq!(value, f64::from(quantize(&q, &[x])[0]), "{} of {:?}", q, x);
    }

    #[test]
    fn every_level_is_given(q in quantizers().prop_filter("exact", |q| q.grid(Role::Activation).is_ok()), pick: prop::sample::Index) {
        let Some(levels) = q.levels() else { return Ok(()) };
        prop_assume!(q.is_monotone() && levels.len() <= 1024);
        // The steps over a range that reaches both ends.
        let steps = q.step_function(20, -(1 << 52), 1 << 52).expect("steps");
        let grid = q.grid(Role::Activation).expect("exact");
        let value = levels[pick.index(levels.len())];
        let code = (value * 2f64.powi(grid.fraction)) as i64;
        let slow = matches!(q, Quantizer::QuantizedPo2(_) | Quantizer::QuantizedReluPo2(_));
        prop_assert!(slow || steps.codes.contains(&code), "{q} never gives {value}");
    }

    #[test]
    fn not_a_number_and_infinity_are_refused(q in quantizers()) {
        for x in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            prop_assert!(q.code(f64::from(x)).is_err());
            prop_assert!(q.codes(Role::Kernel, &[x], 1).is_err());
            prop_assert!(q.codes_frozen(Role::Kernel, &[x], 1, 12).is_err());
        }
    }

    #[test]
    fn monotone(q in quantizers().prop_filter("fixed", fixed), a in numbers(), b in numbers()) {
        let po2 = matches!(q, Quantizer::QuantizedPo2(_) | Quantizer::QuantizedReluPo2(_));
        // A slope shrinks the negative side before epsilon is looked at.
        let far = |v: f32| !po2 || v.abs() >= 4e-7;
        prop_assume!(far(a) && far(b));
        prop_assume!(q.is_monotone());
        let (a, b) = (a.min(b), a.max(b));
        let unsigned_po2 = matches!(q, Quantizer::QuantizedReluPo2(q) if q.negative_slope == 0.0);
        prop_assume!(!(unsigned_po2 && a < 0.0));
        let y = quantize(&q, &[a, b]);
        prop_assert!(y[0] <= y[1], "{q}: {a:?} gives {:?}, {b:?} gives {:?}", y[0], y[1]);
    }

    #[test]
    fn idempotent_where_the_table_says_so(
        q in quantizers().prop_filter("idempotent", idempotent),
        x in numbers(),
    ) {
        let once = quantize(&q, &[x]);
        prop_assert_eq!(quantize(&q, &once), once, "{} of {:?}", q, x);
    }

    #[test]
    fn codes_are_the_values(q in quantizers(), x in prop::collection::vec(numbers(), 12), kernel: bool) {
        let role = if kernel { Role::Kernel } else { Role::Activation };
        let Ok(codes) = q.codes(role, &x, 3) else { return Ok(()) };
        let mut y = vec![0f32; 12];
        q.quantize(&x, 3, &mut y);
        for (i, (code, value)) in codes.codes.iter().zip(&y).enumerate() {
            let fraction = codes.fraction[i % codes.fraction.len()];
            prop_assert_eq!(*code as f64 * 2f64.powi(-fraction), f64::from(*value), "{} at {}", q, i);
            if let Ok(grid) = q.grid(role) {
                prop_assert!((grid.lo..=grid.hi).contains(code));
            }
        }
    }

    #[test]
    fn integers_give_the_code_of_the_same_real_number(
        q in quantizers(),
        numerator in prop_oneof![-300i64..300, -(1i64 << 24)..=1 << 24],
        fraction in -10i32..60,
    ) {
        let (Ok(grid), Some(x)) = (q.grid(Role::Activation), real(numerator, fraction)) else {
            return Ok(());
        };
        let code = q.code_of(numerator, fraction).expect("has a grid");
        let value = f64::from(quantize(&q, &[x])[0]);
        prop_assert_eq!(code as f64 * 2f64.powi(-grid.fraction), value, "{} of {:?}", q, x);
        let mut wide = [0f64];
        q.quantize_f64(&[f64::from(x)], &mut wide);
        prop_assert_eq!(wide[0], value, "{} of {:?} in f64", q, x);
    }

    #[test]
    fn sums_that_only_f64_holds_give_the_same_code(
        q in quantizers(),
        numerator in -(1i64 << 53)..=1 << 53,
        fraction in 20i32..56,
    ) {
        let Ok(grid) = q.grid(Role::Activation) else { return Ok(()) };
        let code = q.code_of(numerator, fraction).expect("has a grid");
        let mut y = [0f64];
        q.quantize_f64(&[numerator as f64 * 2f64.powi(-fraction)], &mut y);
        prop_assert_eq!(code as f64 * 2f64.powi(-grid.fraction), y[0], "{}", q);
    }

    #[test]
    fn step_functions_are_code_of(
        q in quantizers(),
        lo in -3000i64..3000,
        length in 0i64..5000,
        fraction in prop_oneof![-2i32..14, 24i32..36],
        probes in prop::collection::vec(0i64..5000, 40),
    ) {
        let hi = lo + length;
        let Ok(steps) = q.step_function(fraction, lo, hi) else { return Ok(()) };
        prop_assert_eq!(steps.codes.len(), steps.thresholds.len() + 1);
        prop_assert!(steps.thresholds.is_sorted());
        let around = steps.thresholds.iter().flat_map(|t| [t - 1, *t]);
        for x in probes.iter().map(|p| lo + p % (length + 1)).chain(around).chain([lo, hi]) {
            prop_assert_eq!(steps.code(x), q.code_of(x, fraction).expect("has a grid"), "{} {}", q, x);
        }
    }

    #[test]
    fn minus_zero_never_comes_out(q in quantizers(), x in numbers()) {
        prop_assume!(q != Quantizer::Float);
        let y = quantize(&q, &[x, -0.0, 0.0]);
        prop_assert!(y.iter().all(|v| *v != 0.0 || v.is_sign_positive()), "{q} of {x:?}: {y:?}");
        if fixed(&q) {
            prop_assert_eq!(y[1].to_bits(), y[2].to_bits());
        }
    }

    #[test]
    fn automatic_powers_of_two_are_powers_of_two(x in prop::collection::vec(-9f32..9f32, 24)) {
        for text in ["quantized_bits(5,2,alpha='auto_po2')", "ternary(alpha='auto_po2')",
            "binary(alpha='auto_po2')"] {
            let q: Quantizer = text.parse().expect("accepted");
            for columns in [1, 4, 24] {
                let scales = q.quantize(&x, columns, &mut [0f32; 24]);
                prop_assert_eq!(scales.len(), columns);
                prop_assert!(scales.iter().all(|s| s.log2().fract() == 0.0), "{}: {:?}", q, scales);
            }
        }
    }
}

#[test]
fn powers_of_two_turn_at_the_root_of_two() {
    // The f32 next to the root is below it: 1.41421354... < 1.41421356...
    let (below, above) = (std::f32::consts::SQRT_2, std::f32::consts::SQRT_2.next_up());
    for text in [
        "quantized_po2(5,max_value=4)",
        "quantized_relu_po2(5,max_value=4)",
    ] {
        let q: Quantizer = text.parse().expect("accepted");
        let grid = q.grid(Role::Activation).expect("exact");
        for e in -6..1 {
            let scale = 2f32.powi(e);
            let y = quantize(&q, &[below * scale, above * scale]);
            assert_eq!(y, [scale, 2.0 * scale], "{q} at 2^{e}");
            for (mantissa, up) in [(11_863_283, 0), (11_863_284, 1)] {
                let code = q.code_of(mantissa, 23 - e).expect("exact");
                assert_eq!(code, 1 << (grid.fraction + e + up), "{q} at 2^{e}");
            }
            // 2^52 root of two, to the unit.
            let root = 6_369_051_672_525_772i64;
            for (numerator, up) in [(root, 0), (root + 1, 1)] {
                let code = q.code_of(numerator, 52 - e).expect("exact");
                assert_eq!(code, 1 << (grid.fraction + e + up), "{q} at 2^{e}");
            }
        }
    }
}
