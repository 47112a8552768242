//! The `qtools-0.8` mode gives the paper's energy and bit tables for BF, Q6, QE and QB.

use bitfront_hardware::costs::{
    BitRule, Bits, Energy, EnergyMode, EnergySettings, Format, LayerKind, NetworkDescription,
};
use bitfront_quantizer::Quantizer;

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
/// layer, 2.48 and 2.80 pJ for the outputs (with the accumulators of 0.8; see `paper.md` 1.6).
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
        let of = |l: &&bitfront_hardware::costs::LayerEnergy| l.name.starts_with(start);
        corrected.layers.iter().filter(of).map(|l| l.counted).sum()
    };
    assert!((counted("bn") - 140.8).abs() < 1e-9, "{}", counted("bn"));
    assert!(corrected.total_pj > counted("bn") + counted("fc"));
}
