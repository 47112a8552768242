//! Random quantizers of every family that is exact in a role.

use std::collections::BTreeSet;

use bitfront_quantizer::{Quantizer, Role};

use super::Random;

const ROLES: [Role; 4] = [Role::Input, Role::Kernel, Role::Bias, Role::Activation];

/// A family's name in counts.
pub(crate) fn family(q: &Quantizer) -> String {
    family_of(&q.to_string())
}

/// The family of a quantizer's text; automatic scales are counted as families of their own.
fn family_of(text: &str) -> String {
    let name = text.split(['(', '<']).next().unwrap_or(text);
    for alpha in ["auto_po2", "auto"] {
        if text.contains(&format!("alpha='{alpha}'")) {
            return format!("{name} {alpha}");
        }
    }
    name.to_owned()
}

/// A scale setting: constants, or automatic where weights stand.
fn alpha(random: &mut Random, role: Role) -> String {
    let constants = [
        "alpha=1.0",
        "alpha=1.0",
        "alpha=0.5",
        "alpha=4.0",
        "alpha=0.0625",
    ];
    if matches!(role, Role::Kernel | Role::Bias) && random.chance(45) {
        let automatic = [
            "alpha='auto_po2'",
            "alpha='auto_po2'",
            "alpha='auto'",
            "alpha='auto'",
            "alpha='auto_po2',min_po2_exponent=-3,max_po2_exponent=1",
        ];
        random.pick(&automatic).into()
    } else {
        random.pick(&constants).into()
    }
}

/// Number of families that [`text`] writes.
const FAMILIES: usize = 14;

/// A quantizer of the family `which`, most of them accepted.
fn text(random: &mut Random, role: Role, which: usize) -> String {
    let bits = random.up_to(16);
    let integer = random.below(9) as i32 - 3;
    let scale = alpha(random, role);
    let flag = |random: &mut Random| random.pick(&["True", "False"]);
    match which {
        0 => {
            let symmetric = random.pick(&["", ",symmetric=1"]);
            let negative = random.pick(&["", "", ",keep_negative=0"]);
            format!("quantized_bits({bits},{integer}{symmetric}{negative},{scale})")
        }
        1 => {
            let symmetric = flag(random);
            let negative = random.pick(&["True", "True", "False"]);
            format!(
                "quantized_linear({bits},{integer},symmetric={symmetric},keep_negative={negative},{scale})"
            )
        }
        2 => match random.below(5) {
            0 => format!(
                "quantized_relu({bits},{integer},use_sigmoid=1{})",
                random.pick(&["", ",sigmoid='real'", ",sigmoid='smooth'"])
            ),
            1 => format!(
                "quantized_relu({bits},{integer},relu_upper_bound={},is_quantized_clip=False)",
                random.pick(&["0.5", "1.5", "3.0"])
            ),
            2 => format!(
                "quantized_relu({bits},{integer},negative_slope={})",
                random.pick(&["0.5", "0.25", "0.125", "1.0"])
            ),
            _ => format!("quantized_relu({bits},{integer})"),
        },
        3 => format!("binary(use_01={},{scale})", flag(random)),
        4 => format!("stochastic_binary({scale})"),
        5 | 6 => {
            let threshold = if scale.contains("auto") {
                ""
            } else {
                random.pick(&["", ",threshold=0.7"])
            };
            let name = ["ternary", "stochastic_ternary"][which - 5];
            format!("{name}({scale}{threshold})")
        }
        7 => format!(
            "quantized_po2({},max_value={}{})",
            1 + random.up_to(5),
            random.pick(&["1", "2", "4", "0.5", "3.0"]),
            random.pick(&[
                "",
                ",log2_rounding='floor'",
                ",quadratic_approximation=True"
            ])
        ),
        8 => format!(
            "quantized_relu_po2({},max_value={}{}{})",
            random.up_to(5),
            random.pick(&["1", "2", "4", "0.5", "3.0"]),
            random.pick(&["", ",negative_slope=0.25"]),
            random.pick(&["", "", ",quadratic_approximation=True"])
        ),
        9 => {
            let mode = random.pick(&[
                "",
                "symmetric=True",
                "use_real_tanh=True",
                "sigmoid='smooth'",
            ]);
            format!("quantized_tanh({},{mode})", squashed(bits, mode))
        }
        10 => {
            let mode = random.pick(&["", "symmetric=True", "sigmoid='real'", "sigmoid='smooth'"]);
            format!("quantized_sigmoid({},{mode})", squashed(bits, mode))
        }
        11 => {
            let shape = random.pick(&["", ",relu_shift=2,relu_upper_bound=4", ",symmetric=True"]);
            format!("quantized_hswish({bits},{integer},{scale}{shape})")
        }
        12 | 13 => {
            let name = ["ap_fixed", "ap_ufixed"][which - 12];
            let rounding = random.pick(&[
                "TRN",
                "TRN_ZERO",
                "RND",
                "RND_ZERO",
                "RND_INF",
                "RND_MIN_INF",
                "RND_CONV",
            ]);
            let overflow =
                random.pick(&["WRAP", "WRAP,1", "WRAP_SM", "SAT", "SAT_ZERO", "SAT_SYM"]);
            format!("{name}<{bits},{},AP_{rounding},AP_{overflow}>", integer + 2)
        }
        _ => unreachable!("{which} families"),
    }
}

/// Bits of a squashing activation: more than 12 only where it is a clamp.
fn squashed(bits: usize, mode: &str) -> usize {
    if mode.contains("real") || mode.contains("smooth") {
        bits.min(9)
    } else {
        bits
    }
}

fn accepted(text: &str, role: Role) -> Option<Quantizer> {
    let quantizer: Quantizer = text.parse().ok()?;
    quantizer.check_frozen(role).ok().map(|()| quantizer)
}

/// A quantizer of a random family that is exact in `role`.
pub(crate) fn quantizer(random: &mut Random, role: Role) -> Quantizer {
    loop {
        // Half of all are the plain grids that networks are mostly made of.
        let which = match random.below(2 * FAMILIES) {
            which if which < FAMILIES => which,
            which => [0, 0, 2][which % 3],
        };
        let text = text(random, role, which);
        if let Some(quantizer) = accepted(&text, role) {
            return quantizer;
        }
    }
}

/// Families that must be exact in every role.
const EVERYWHERE: [&str; 13] = [
    "quantized_bits",
    "quantized_linear",
    "quantized_relu",
    "quantized_tanh",
    "quantized_sigmoid",
    "quantized_hswish",
    "quantized_po2",
    "quantized_relu_po2",
    "binary",
    "stochastic_binary",
    "ternary",
    "stochastic_ternary",
    "ap_fixed",
];

/// Every family with the roles it is exact in, found by asking; at least those of [`EVERYWHERE`].
pub(crate) fn expected_families() -> BTreeSet<(&'static str, String)> {
    let mut random = Random(1);
    let everywhere = |role: Role| EVERYWHERE.map(|family| (role.name(), family.to_owned()));
    let mut all: BTreeSet<_> = ROLES.into_iter().flat_map(everywhere).collect();
    for role in ROLES {
        for which in 0..FAMILIES {
            for _ in 0..200 {
                let text = text(&mut random, role, which);
                if let Some(quantizer) = accepted(&text, role) {
                    all.insert((role.name(), family(&quantizer)));
                }
            }
        }
    }
    all
}
