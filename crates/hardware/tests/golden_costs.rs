//! Energy, sizes and data types equal the original's last release, case by case from the files.

use bitfront_hardware::costs::{
    BitRule, Bits, DataType, Energy, EnergyMode, EnergySettings, FloatFormat, Forgiveness, Format,
    LayerKind, LayerTypes, Memory, NetworkDescription, layer_types,
};
use bitfront_quantizer::Quantizer;
use serde_json::Value;
use std::path::PathBuf;

fn models() -> serde_json::Map<String, Value> {
    let folder = std::env::var_os("BITFRONT_GOLDEN").map_or_else(
        || {
            PathBuf::from(concat!(
                env!("CARGO_MANIFEST_DIR"),
                "/../../testdata/golden"
            ))
        },
        PathBuf::from,
    );
    let text = std::fs::read_to_string(folder.join("models.json")).expect("models.json");
    let mut file: Value = serde_json::from_str(&text).expect("json");
    let Value::Object(models) = file["models"].take() else {
        panic!("models.json has no models");
    };
    assert!(!models.is_empty());
    models
}

/// The quantizers of a model, or its float reference at 8 bits.
fn network(model: &Value, float: bool) -> NetworkDescription {
    let quantizer = |value: &Value| -> Option<Quantizer> {
        let text = value.as_str().expect("a quantizer string");
        (!float).then(|| text.parse().expect("a known quantizer"))
    };
    let mut layers = Vec::new();
    let mut inputs = 16;
    for (index, layer) in model["layers"].as_array().unwrap().iter().enumerate() {
        let units = layer["bias"].as_array().unwrap().len();
        let kernel = quantizer(&layer["kernel_quantizer"]);
        let bias = quantizer(&layer["bias_quantizer"]);
        layers.push((
            format!("dense_{index}"),
            units,
            LayerKind::dense(inputs, units, kernel, Some(bias)),
        ));
        layers.push(if layer["activation"] == "softmax" {
            ("softmax".to_owned(), units, LayerKind::Softmax)
        } else {
            let format = Format::of(quantizer(&layer["activation"]));
            (
                format!("act_{index}"),
                units,
                LayerKind::Activation { format },
            )
        });
        inputs = units;
    }
    NetworkDescription::chain(16, "quantized_bits(8,3,1)".parse().unwrap(), layers)
}

fn settings(key: &str) -> EnergySettings {
    let value = |name: &str| {
        let (_, rest) = key.split_once(&format!("{name}=")).expect("a setting");
        rest.split(',').next().unwrap_or_default()
    };
    let memory = |name: &str| match value(name) {
        "fixed" => Memory::Fixed,
        "sram" => Memory::Sram,
        "dram" => Memory::Dram,
        other => panic!("memory `{other}`"),
    };
    EnergySettings {
        parameters: memory("weights"),
        activations: memory("activations"),
        io_on_dram: value("rd_wr_on_io") == "True",
        unquantized: FloatFormat::Single,
        ..EnergySettings::in_circuit(EnergyMode::Qtools09)
    }
}

#[test]
fn golden_energy_of_every_layer_and_total() {
    for (name, model) in models() {
        let network = network(&model, false);
        for (key, expected) in model["energy"].as_object().unwrap() {
            let energy = Energy::of(&network, &settings(key));
            for layer in &energy.layers {
                let entry = &expected["per_layer"][&layer.name]["energy"];
                for (part, found) in [
                    ("inputs", layer.inputs),
                    ("outputs", layer.outputs),
                    ("parameters", layer.parameters),
                    ("op_cost", layer.operations),
                ] {
                    let place = format!("{name} {key} {} {part}", layer.name);
                    assert_eq!(Some(found), entry[part].as_f64(), "{place}");
                }
            }
            let cost = expected["per_layer"]["total_cost"].as_f64();
            assert_eq!(Some(energy.total_cost_pj), cost, "{name} {key} total_cost");
            let total = expected["total_pJ"].as_f64();
            assert_eq!(Some(energy.total_pj), total, "{name} {key} total_pJ");
        }
    }
}

#[test]
fn golden_forgiving_bits() {
    for (name, model) in models() {
        let trial = Bits::of(&network(&model, false), &BitRule::AUTO_QKERAS);
        let reference = Bits::of(&network(&model, true), &BitRule::AUTO_QKERAS);
        for case in model["forgiving_bits"].as_array().unwrap() {
            let number = |key: &str| case[key].as_f64().expect("a number");
            let forgiveness = Forgiveness {
                delta_p: number("delta_p"),
                delta_n: number("delta_n"),
                rate: number("rate"),
                stress: number("stress"),
            };
            let (from, to) = (reference.total() as f64, trial.total() as f64);
            assert_eq!(
                forgiveness.reference(from),
                number("reference_bits"),
                "{name}"
            );
            assert_eq!(to, number("trial_bits"), "{name}");
            let delta = forgiveness.delta(from, to);
            assert!((delta - number("delta")).abs() < 1e-15, "{name}: {delta}");
            for layer in &trial.layers {
                let expected = &case["per_layer"][&layer.name];
                assert_eq!(Some(layer.parameters), expected["parameters"].as_u64());
                assert_eq!(Some(layer.activations), expected["activations"].as_u64());
            }
        }
    }
}

#[test]
fn golden_data_types() {
    let check = |found: DataType, expected: &Value, place: &str| {
        assert_eq!(
            Some(u64::from(found.bits)),
            expected["bits"].as_u64(),
            "{place} bits"
        );
        if found.is_float() {
            assert_eq!(expected["quantizer_type"], "floating_point", "{place}");
            return;
        }
        let integer_bits = Some(i64::from(found.integer_bits));
        assert_eq!(
            integer_bits,
            expected["int_bits"].as_i64(),
            "{place} int_bits"
        );
        let signed = expected["is_signed"].as_bool();
        let signed = signed.or_else(|| expected["is_signed"].as_i64().map(|v| v != 0));
        assert_eq!(Some(found.signed), signed, "{place} is_signed");
    };
    for (name, model) in models() {
        let network = network(&model, false);
        let types = layer_types(&network, EnergyMode::Qtools09, FloatFormat::Single);
        for (layer, found) in network.layers.iter().zip(&types) {
            let expected = &model["qtools_types"][&layer.name];
            let place = format!("{name} {}", layer.name);
            let LayerTypes { input, output, .. } = *found;
            check(
                input,
                &expected["input_quantizer_list"][0],
                &format!("{place} input"),
            );
            check(
                output,
                &expected["output_quantizer"],
                &format!("{place} output"),
            );
            let parts = [
                ("weight_quantizer", found.weight),
                ("bias_quantizer", found.bias),
                ("accumulator", found.accumulator),
                ("multiplier", found.multiplier.map(|product| product.output)),
            ];
            for (part, found) in parts {
                assert_eq!(
                    found.is_some(),
                    expected.get(part).is_some(),
                    "{place} {part}"
                );
                if let Some(found) = found {
                    check(found, &expected[part], &format!("{place} {part}"));
                }
            }
            if let Some(product) = found.multiplier {
                assert_eq!(
                    product.operator.name(),
                    expected["multiplier"]["op_type"],
                    "{place}"
                );
            }
            assert_eq!(
                Some(found.operations),
                expected["operation_count"].as_u64(),
                "{place}"
            );
        }
    }
}
