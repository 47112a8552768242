//! What the parser and the exactness check say.

use bitfront_quantizer::{HardwareKind, Quantizer, Role};

fn refused(text: &str) -> String {
    text.parse::<Quantizer>().expect_err(text).to_string()
}

fn parsed(text: &str) -> Quantizer {
    text.parse().unwrap_or_else(|e| panic!("{e}"))
}

#[test]
fn canonical_text_leaves_defaults_out() {
    for (text, canonical) in [
        (
            "quantized_bits(6, 0, 0, 1, alpha=1)",
            "quantized_bits(6,0,alpha=1.0)",
        ),
        ("quantized_bits(6,0,alpha=None)", "quantized_bits(6,0)"),
        ("quantized_bits()", "quantized_bits(8,0)"),
        (
            "quantized_bits(4,0,1,keep_negative=False)",
            "quantized_bits(4,0,symmetric=1,keep_negative=0)",
        ),
        (
            "quantized_bits(bits=4,integer=1,alpha=\"auto_po2\")",
            "quantized_bits(4,1,alpha='auto_po2')",
        ),
        ("quantized_relu(6)", "quantized_relu(6,0)"),
        (
            "quantized_relu(4,2,False,0.125)",
            "quantized_relu(4,2,negative_slope=0.125)",
        ),
        ("binary", "binary()"),
        ("binary(1,alpha='auto')", "binary(use_01=True,alpha='auto')"),
        (
            "stochastic_binary(alpha=1.0,temperature=6.0)",
            "stochastic_binary(alpha=1.0)",
        ),
        ("ternary(1.0,0.7)", "ternary(alpha=1.0,threshold=0.7)"),
        ("quantized_po2(4,1)", "quantized_po2(4,max_value=1)"),
        (
            "quantized_relu_po2(4,None,0.25)",
            "quantized_relu_po2(4,negative_slope=0.25)",
        ),
        ("quantized_linear(4,1,True)", "quantized_linear(4,1)"),
        (
            "quantized_tanh(6,False,True)",
            "quantized_tanh(6,symmetric=True)",
        ),
        (
            "quantized_sigmoid(6,sigmoid='real')",
            "quantized_sigmoid(6,use_real_sigmoid=True)",
        ),
        (
            "quantized_ulaw(4,0,1,127)",
            "quantized_ulaw(4,0,symmetric=1,u=127.0)",
        ),
        (
            "quantized_hswish(6,1,relu_shift=3,relu_upper_bound=4)",
            "quantized_hswish(6,1,relu_upper_bound=4)",
        ),
        (
            "quantized_relu(4,0,use_sigmoid=1,negative_slope=0.5,sigmoid='smooth')",
            "quantized_relu(4,0,use_sigmoid=1,negative_slope=0.5,sigmoid='smooth')",
        ),
        (
            "quantized_po2(4,2,True,log2_rounding='floor',use_ste=False)",
            "quantized_po2(4,max_value=2,use_stochastic_rounding=True,log2_rounding='floor',use_ste=False)",
        ),
        (
            "bernoulli(use_real_sigmoid=0)",
            "bernoulli(use_real_sigmoid=False)",
        ),
        (
            "stochastic_ternary(alpha='auto',temperature=4)",
            "stochastic_ternary(alpha='auto',temperature=4.0)",
        ),
        ("ap_fixed< 8, 4, AP_TRN, AP_WRAP, 0 >", "ap_fixed<8,4>"),
        ("ap_ufixed<8,4,RND>", "ap_ufixed<8,4,AP_RND>"),
        ("fixed<8,4,RND,WRAP,2>", "ap_fixed<8,4,AP_RND,AP_WRAP,2>"),
        ("ufixed<8,4,TRN,SAT>", "ap_ufixed<8,4,AP_TRN,AP_SAT>"),
        ("kif(1,2,5)", "ap_fixed<8,3,AP_RND>"),
        (
            "kif(0,2,5,overflow_mode=SAT)",
            "ap_ufixed<7,2,AP_RND,AP_SAT>",
        ),
        (
            "kbi(1,7,2,round_mode='RND_CONV')",
            "ap_fixed<8,3,AP_RND_CONV,AP_SAT_SYM>",
        ),
        (
            "brevitas(bit_width=4,scale=0.125,narrow_range=True)",
            "quantized_bits(4,0,symmetric=1,alpha=1.0)",
        ),
        (
            "Int8WeightPerTensorFixedPoint(scale=0.0078125)",
            "quantized_bits(8,0,symmetric=1,alpha=1.0)",
        ),
        (
            "Uint8ActPerTensorFixedPoint(0.0625)",
            "quantized_bits(8,4,keep_negative=0,alpha=1.0)",
        ),
        (" float ", "float"),
        ("relu()", "relu"),
    ] {
        assert_eq!(parsed(text).to_string(), canonical, "{text}");
    }
}

#[test]
fn errors_name_the_fault_and_what_is_accepted() {
    for (text, parts) in [
        (
            "quantised_bits(4)",
            &["did you mean `quantized_bits`?", "accepted families are"][..],
        ),
        (
            "quantized_hswich(6,1)",
            &["did you mean `quantized_hswish`?", "quantized_relu"],
        ),
        ("ap_fixed(8,4)", &["angle brackets"]),
        ("ap_fixed<8,4", &["closing `>`"]),
        ("ap_fixed<8>", &["width, integer bits", "1 are given"]),
        ("ap_fixed<40,4>", &["width is 40 bits", "from 1 to 32"]),
        ("ap_fixed<8,4,RUND>", &["`RUND`", "AP_RND_MIN_INF"]),
        ("ap_fixed<8,4,RND,CLIP>", &["`CLIP`", "AP_SAT_SYM"]),
        ("ap_fixed<8,4,RND,SAT,2>", &["saturated bits", "AP_WRAP"]),
        ("ap_fixed<8,4,RND,WRAP,9>", &["9 saturated bits"]),
        ("ap_ufixed<8,4,RND,WRAP_SM>", &["needs a sign"]),
        ("ap_fix<8,4>", &["did you mean `ap_fixed`?"]),
        ("kif(1,2)", &["argument `f` is missing"]),
        ("kbi(1,40,2)", &["width is 41 bits"]),
        ("brevitas(8)", &["argument `scale` is missing"]),
        ("brevitas(8,0.3)", &["scale is `0.3`", "power of two"]),
        ("Int8WeightPerTensorFixedPoint()", &["`scale` is missing"]),
        ("quantized_hswish(1,0)", &["bits is `1`", "from 2 to 32"]),
        ("quantized_tanh(8,symmetric=2)", &["symmetric is `2`"]),
        ("quantized_tanh(30)", &["bits is `30`", "from 1 to 24"]),
        (
            "quantized_sigmoid(8,sigmoid='soft')",
            &["sigmoid is `'soft'`", "'smooth'"],
        ),
        (
            "quantized_bits(4,scale_axis=0)",
            &["scale_axis is `0`", "None alone"],
        ),
        (
            "quantized_bits(4,0,alpha=1.0,min_po2_exponent=-2)",
            &["alpha='auto_po2' alone"],
        ),
        (
            "ternary(alpha=1.0,use_stochastic_rounding=True)",
            &["use_stochastic_rounding needs alpha='auto'"],
        ),
        ("bernoulli(temperature=0)", &["temperature is `0`"]),
        ("quantized_bits(4", &["closing parenthesis"]),
        ("quantized_bits(40)", &["bits is `40`", "from 1 to 32"]),
        (
            "quantized_bits(4,integre=1)",
            &["`integre`", "did you mean `integer`?"],
        ),
        ("quantized_bits(4,bits=4)", &["`bits` is given twice"]),
        ("quantized_bits(bits=4,1)", &["`1` follows a keyword"]),
        ("quantized_bits(4,,alpha=1)", &["`integer` has no value"]),
        (
            "quantized_bits(4,alpha='best')",
            &["alpha is `'best'`", "'auto_po2'"],
        ),
        ("quantized_bits(4,alpha=nan)", &["alpha is `nan`"]),
        ("quantized_bits(4,alpha=-1)", &["alpha is `-1`"]),
        ("quantized_bits(1,0,alpha='auto')", &["at least 2 bits"]),
        (
            "quantized_bits(4,symmetric=2)",
            &["symmetric is `2`", "True, False, 1 or 0"],
        ),
        (
            "quantized_bits(4,use_stochastic_rounding='whole')",
            &["accepted is True, False"],
        ),
        (
            "quantized_relu(4,0,negative_slope=0.3)",
            &["negative_slope is `0.3`", "power of two"],
        ),
        (
            "ternary(alpha='auto',threshold=0.5)",
            &["finds its own threshold"],
        ),
        ("quantized_po2(1)", &["bits is `1`", "from 2 to 8"]),
        (
            "quantized_po2(4,max_value=0)",
            &["max_value is `0`", "None or a number"],
        ),
        ("float(1)", &["takes no arguments"]),
    ] {
        let error = refused(text);
        for part in parts {
            assert!(error.contains(part), "`{error}` should contain `{part}`");
        }
    }
    let long = refused(&"q".repeat(10_000));
    assert!(long.len() < 400 && long.contains("at most 256"), "{long}");
}

#[test]
fn refusals_name_role_and_reason() {
    for (text, role, part) in [
        ("float", Role::Kernel, "float reference"),
        ("relu", Role::Activation, "float reference"),
        (
            "quantized_bits(4,0,alpha=0.3)",
            Role::Kernel,
            "not a power of two",
        ),
        (
            "quantized_bits(4,0,alpha='auto')",
            Role::Kernel,
            "any real number",
        ),
        (
            "quantized_bits(4,0,alpha='auto_po2')",
            Role::Activation,
            "found from the tensor",
        ),
        (
            "quantized_bits(4,0,alpha='auto_po2')",
            Role::Input,
            "found from the tensor",
        ),
        (
            "quantized_bits(4,0,alpha=1.0,qnoise_factor=0.5)",
            Role::Kernel,
            "qnoise_factor",
        ),
        ("quantized_bits(26,0)", Role::Kernel, "24 significant bits"),
        (
            "quantized_po2(8,max_value=1)",
            Role::Kernel,
            "exponents span",
        ),
        (
            "quantized_relu(3,0,negative_slope=0.0625)",
            Role::Input,
            "within one step",
        ),
        (
            "bernoulli(alpha='auto_po2')",
            Role::Kernel,
            "draws at random at inference",
        ),
        (
            "quantized_bits(4,0,alpha='auto_po2',qnoise_factor=0.5)",
            Role::Kernel,
            "qnoise_factor",
        ),
        ("quantized_ulaw(4,0)", Role::Activation, "no uniform grid"),
        ("quantized_sigmoid(13)", Role::Activation, "at most 4096"),
        (
            "quantized_relu(13,0,use_sigmoid=1)",
            Role::Activation,
            "at most 4096",
        ),
    ] {
        let error = parsed(text).check_exact(role).expect_err(text);
        assert_eq!((error.quantizer.as_str(), error.role), (text, role.name()));
        assert!(error.reason.contains(part), "{error}");
    }
    let po2 = parsed("quantized_bits(4,0,alpha='auto_po2')");
    assert_eq!(po2.check_exact(Role::Kernel), Ok(()));
    assert!(po2.codes(Role::Kernel, &[1.0, f32::NAN], 1).is_err());
}

#[test]
fn what_quantizers_tell_about_themselves() {
    for (text, bits, signed, kind, range) in [
        (
            "quantized_bits(6,0,alpha=1.0)",
            6,
            true,
            HardwareKind::Fixed,
            (-1.0, 0.96875),
        ),
        (
            "quantized_bits(2,1,symmetric=1)",
            2,
            true,
            HardwareKind::Fixed,
            (-1.0, 1.0),
        ),
        (
            "quantized_relu(6,0)",
            6,
            false,
            HardwareKind::Fixed,
            (0.0, 0.984_375),
        ),
        (
            "quantized_relu(1,1)",
            1,
            false,
            HardwareKind::ZeroOne,
            (0.0, 1.0),
        ),
        (
            "binary(alpha=2.0)",
            1,
            true,
            HardwareKind::Binary,
            (-2.0, 2.0),
        ),
        (
            "binary(use_01=True)",
            1,
            false,
            HardwareKind::ZeroOne,
            (0.0, 1.0),
        ),
        (
            "stochastic_binary()",
            1,
            true,
            HardwareKind::Binary,
            (-1.0, 1.0),
        ),
        ("ternary()", 2, true, HardwareKind::Ternary, (-1.0, 1.0)),
        (
            "quantized_po2(4,max_value=1)",
            4,
            true,
            HardwareKind::PowerOfTwo,
            (-1.0, 1.0),
        ),
        (
            "quantized_relu_po2(3,max_value=2)",
            3,
            false,
            HardwareKind::PowerOfTwo,
            (0.0625, 2.0),
        ),
        (
            "float",
            32,
            true,
            HardwareKind::Float,
            (f64::NEG_INFINITY, f64::INFINITY),
        ),
    ] {
        let q = parsed(text);
        assert_eq!(q.bits(), bits, "{text}");
        assert_eq!(q.is_signed(), signed, "{text}");
        assert_eq!(q.hardware_kind(), kind, "{text}");
        assert_eq!(q.true_range(), range, "{text}");
    }
    assert!(parsed("stochastic_binary()").is_stochastic() && !parsed("binary()").is_stochastic());
}
