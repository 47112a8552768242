//! The `qtools-0.8` mode gives the paper's energy and bit tables for BF, Q6, QE and QB.

use bitfront_hardware::costs::{
    BitRule, Bits, Energy, EnergyMode, EnergySettings, Format, LayerEnergy, LayerKind, Memory,
    NetworkDescription,
};
use bitfront_quantizer::Quantizer;
use std::fmt::Write as _;

fn quantizer(text: &str) -> Quantizer {
    text.parse().expect("a quantizer of the paper")
}

struct Published {
    network: NetworkDescription,
    layer_pj: &'static [(&'static str, f64)],
    total_pj: f64,
    parameter_bits: u64,
    activation_bits: u64,
    layer_bits: &'static [(&'static str, u64)],
}

/// 16-64-32-32-5 with biases and one format everywhere.
fn uniform(weights: &str, activations: &str) -> NetworkDescription {
    let mut layers = Vec::new();
    for (index, pair) in [16, 64, 32, 32, 5].windows(2).enumerate() {
        let weights = Some(quantizer(weights));
        layers.push((
            format!("fc{}", index + 1),
            pair[1],
            LayerKind::dense(pair[0], pair[1], weights, Some(weights)),
        ));
        if index < 3 {
            layers.push(activation(index, pair[1], activations));
        }
    }
    close(layers)
}

/// 16-32-16-16-5: dense without bias, float `BatchNorm`, quantized rectifier, and a biased output.
fn searched(kernels: [&str; 4], activations: [&str; 3]) -> NetworkDescription {
    let mut layers = Vec::new();
    for (index, pair) in [16, 32, 16, 16, 5].windows(2).enumerate() {
        let kernel = Some(quantizer(kernels[index]));
        let bias = (index == 3).then(|| Some(quantizer("quantized_bits(8,3,1)")));
        layers.push((
            format!("fc{}", index + 1),
            pair[1],
            LayerKind::dense(pair[0], pair[1], kernel, bias),
        ));
        if index < 3 {
            layers.push((
                format!("bn{}", index + 1),
                pair[1],
                LayerKind::batch_norm(pair[1], None, None),
            ));
            layers.push(activation(index, pair[1], activations[index]));
        }
    }
    close(layers)
}

type Entry = (String, usize, LayerKind);

fn activation(index: usize, units: usize, text: &str) -> Entry {
    let format = Format::of(Some(quantizer(text)));
    let kind = LayerKind::Activation { format };
    (format!("relu{}", index + 1), units, kind)
}

fn close(mut layers: Vec<Entry>) -> NetworkDescription {
    layers.push(("softmax".to_owned(), 5, LayerKind::Softmax));
    NetworkDescription::chain(16, quantizer("quantized_bits(15,5,1)"), layers)
}

fn published() -> [(&'static str, Published); 4] {
    [
        (
            "BF",
            Published {
                network: uniform("quantized_bits(15,5,1)", "quantized_relu(15,5)"),
                layer_pj: &[
                    ("fc1", 818.00),
                    ("fc2", 1648.80),
                    ("fc3", 821.20),
                    ("fc4", 128.31),
                ],
                total_pj: 3439.0,
                parameter_bits: 65_835,
                activation_bits: 1_960,
                layer_bits: &[
                    ("fc1", 16_320),
                    ("fc2", 31_200),
                    ("fc3", 15_840),
                    ("fc4", 2_475),
                ],
            },
        ),
        (
            "Q6",
            Published {
                network: uniform("quantized_bits(6,0,alpha=1)", "quantized_relu(6,0)"),
                layer_pj: &[
                    ("fc1", 369.32),
                    ("fc2", 355.20),
                    ("fc3", 174.40),
                    ("fc4", 27.25),
                ],
                total_pj: 949.0,
                parameter_bits: 26_334,
                activation_bits: 808,
                layer_bits: &[
                    ("fc1", 6_528),
                    ("fc2", 12_480),
                    ("fc3", 6_336),
                    ("fc4", 990),
                ],
            },
        ),
        (
            "QE",
            Published {
                network: searched(
                    [
                        "quantized_bits(4,0,1)",
                        "ternary()",
                        "quantized_bits(2,1,1,alpha=1)",
                        "stochastic_binary()",
                    ],
                    [
                        "quantized_relu(4,2)",
                        "quantized_relu(3,1)",
                        "quantized_relu(4,2)",
                    ],
                ),
                layer_pj: &[
                    ("fc1", 134.53),
                    ("fc2", 21.44),
                    ("fc3", 13.25),
                    ("fc4", 1.65),
                    ("bn1", 70.4),
                    ("bn2", 35.2),
                    ("bn3", 35.2),
                ],
                total_pj: 193.0,
                parameter_bits: 4_728,
                activation_bits: 280,
                layer_bits: &[
                    ("fc1", 2_048),
                    ("fc2", 1_024),
                    ("fc3", 512),
                    ("fc4", 120),
                    ("bn1", 512),
                    ("bn2", 256),
                    ("bn3", 256),
                ],
            },
        ),
        (
            "QB",
            Published {
                network: searched(
                    [
                        "quantized_bits(4,0,1)",
                        "stochastic_binary()",
                        "ternary()",
                        "stochastic_binary()",
                    ],
                    [
                        "quantized_relu(4,2)",
                        "quantized_relu(4,2)",
                        "quantized_relu(3,1)",
                    ],
                ),
                layer_pj: &[
                    ("fc1", 134.53),
                    ("fc2", 12.16),
                    ("fc3", 9.92),
                    ("fc4", 1.65),
                    ("bn1", 70.4),
                    ("bn2", 35.2),
                    ("bn3", 35.2),
                ],
                total_pj: 181.0,
                parameter_bits: 4_216,
                activation_bits: 280,
                layer_bits: &[
                    ("fc1", 2_048),
                    ("fc2", 512),
                    ("fc3", 512),
                    ("fc4", 120),
                    ("bn1", 512),
                    ("bn2", 256),
                    ("bn3", 256),
                ],
            },
        ),
    ]
}

#[test]
fn energy_is_the_paper_s() {
    let settings = EnergySettings::in_circuit(EnergyMode::Qtools08);
    for (name, published) in published() {
        let energy = Energy::of(&published.network, &settings);
        for (layer, pj) in published.layer_pj {
            let found = energy.layers.iter().find(|l| l.name == *layer).unwrap();
            assert_eq!(found.operations, *pj, "{name} {layer}");
        }
        assert_eq!(energy.total_pj, published.total_pj, "{name}");
    }
}

#[test]
fn bits_are_the_paper_s() {
    for (name, published) in published() {
        let bits = Bits::of(&published.network, &BitRule::PAPER);
        for (layer, count) in published.layer_bits {
            let found = bits.layers.iter().find(|l| l.name == *layer).unwrap();
            assert_eq!(found.parameters, *count, "{name} {layer}");
        }
        assert_eq!(bits.parameters(), published.parameter_bits, "{name}");
        assert_eq!(bits.activations(), published.activation_bits, "{name}");
    }
}

/// The original's last release counts `stochastic_binary` as `binary`: 19.52 pJ for QB's second
/// layer, 2.48 and 2.80 pJ for the outputs (with the accumulators of 0.8).
#[test]
fn corrected_counts_stochastic_weights_and_batch_norm() {
    let [_, _, (_, qe), (_, qb)] = published();
    let layer = |network: &NetworkDescription, mode, name: &str| {
        let energy = Energy::of(network, &EnergySettings::in_circuit(mode));
        let found = energy.layers.iter().find(|l| l.name == name).unwrap();
        found.operations
    };
    // 512 * (0.3 * add(4) + add(5 + 5)) and 80 * (0.3 * add(4) + add(5 + 5)).
    let fc2 = layer(&qb.network, EnergyMode::Qtools09, "fc2");
    assert!((fc2 - 17.92).abs() < 1e-9, "{fc2}");
    let output = layer(&qe.network, EnergyMode::Qtools09, "fc4");
    assert!((output - 2.80).abs() < 1e-9, "{output}");
    let corrected = Energy::of(
        &qe.network,
        &EnergySettings::in_circuit(EnergyMode::Corrected),
    );
    let counted = |start: &str| -> f64 {
        let of = |l: &&LayerEnergy| l.name.starts_with(start);
        corrected.layers.iter().filter(of).map(|l| l.counted).sum()
    };
    assert!((counted("bn") - 140.8).abs() < 1e-9, "{}", counted("bn"));
    assert!(corrected.total_pj > counted("bn") + counted("fc"));
}

const MODES: [(&str, EnergyMode); 3] = [
    ("qtools-0.8", EnergyMode::Qtools08),
    ("qtools-0.9", EnergyMode::Qtools09),
    ("corrected", EnergyMode::Corrected),
];

#[test]
fn modes_are_stored_by_the_names_that_are_shown() {
    for (name, mode) in MODES {
        assert_eq!(serde_json::to_value(mode).expect("JSON"), name);
    }
}

/// The table of `docs/energy.md`.
fn table() -> String {
    let mut text =
        "| network | qtools-0.8 | qtools-0.9 | corrected | of it BatchNorm | corrected / BF |\n\
        |---|---|---|---|---|---|\n"
            .to_owned();
    let mut reference = None;
    for (name, published) in published() {
        let of = |mode| Energy::of(&published.network, &EnergySettings::in_circuit(mode));
        let [old, last, corrected] = MODES.map(|(_, mode)| of(mode));
        let of_norms = |layer: &&LayerEnergy| layer.name.starts_with("bn");
        let norms = corrected.layers.iter().filter(of_norms);
        let norms = norms
            .map(|layer| layer.counted)
            .fold(0.0, |sum, pj| sum + pj);
        let ratio = corrected.total_pj / *reference.get_or_insert(corrected.total_pj);
        let (old, last, all) = (old.total_pj, last.total_pj, corrected.total_pj);
        writeln!(
            text,
            "| {name} | {old} | {last} | {all:.1} | {norms:.1} | {ratio:.3} |"
        )
        .expect("a string takes all");
    }
    text
}

#[test]
fn the_documented_energies_are_the_computed_ones() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/energy.md");
    let text = std::fs::read_to_string(path).expect("docs/energy.md");
    let (before, rest) = text.split_once("<!-- energies -->\n").expect("a mark");
    let (found, after) = rest.split_once("<!-- end -->").expect("an end");
    let table = format!("\n{}\n", table());
    if std::env::var_os("BITFRONT_BLESS").is_some() {
        let text = format!("{before}<!-- energies -->\n{table}<!-- end -->{after}");
        std::fs::write(path, text).expect("written");
        return;
    }
    assert_eq!(
        found, table,
        "see docs/energy.md for the command that writes it"
    );
}

/// Two dense layers of these widths.
fn small(weight: u32, relu: u32) -> NetworkDescription {
    let format = Some(quantizer(&format!("quantized_bits({weight},0,alpha=1)")));
    let layers = vec![
        (
            "fc1".to_owned(),
            8,
            LayerKind::dense(8, 8, format, Some(format)),
        ),
        activation(0, 8, &format!("quantized_relu({relu},0)")),
        (
            "fc2".to_owned(),
            5,
            LayerKind::dense(8, 5, format, Some(format)),
        ),
    ];
    NetworkDescription::chain(8, quantizer("quantized_bits(8,3,1)"), layers)
}

/// Energy with everything in one kind of memory of at least so many bits.
fn kept(network: &NetworkDescription, mode: EnergyMode, memory: Memory, bits: u64) -> f64 {
    let settings = EnergySettings {
        parameters: memory,
        activations: memory,
        min_sram_bits: bits,
        ..EnergySettings::in_circuit(mode)
    };
    Energy::of(network, &settings).total_pj
}

#[test]
fn only_the_corrected_energy_never_falls_with_wider_formats_or_larger_memories() {
    for memory in [Memory::Fixed, Memory::Sram, Memory::Dram] {
        for wider in [|bits| small(bits, 4), |bits| small(4, bits)] {
            let energy = |bits| kept(&wider(bits), EnergyMode::Corrected, memory, 0);
            let energies: Vec<f64> = (2..=16).map(energy).collect();
            assert!(
                energies.is_sorted_by(|narrow, wide| narrow < wide),
                "{memory:?} {energies:?}"
            );
        }
    }
    let in_memories = |mode| -> Vec<f64> {
        let energy = |log2: u32| kept(&small(6, 6), mode, Memory::Sram, 1 << log2);
        (6..30).map(energy).collect()
    };
    let corrected = in_memories(EnergyMode::Corrected);
    assert!(corrected.is_sorted(), "{corrected:?}");
    for original in [EnergyMode::Qtools08, EnergyMode::Qtools09] {
        let energies = in_memories(original);
        assert!(!energies.is_sorted(), "{energies:?}");
    }
}
