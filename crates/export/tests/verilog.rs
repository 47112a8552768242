//! The Verilog export stands by itself: its Makefile simulates every vector, and a wrong one is found.

use std::path::Path;
use std::process::{Command, Output};

use bitfront_export::{ExportError, Format, Options, Trained, export, export_with};
use bitfront_hardware::circuit::{BuildOptions, OutputForm, Ranges};
use bitfront_network::{Candidate, Head, SoftmaxTables, Weights};
use tempfile::TempDir;

#[path = "../../hardware/tests/common/skipped.rs"]
mod skipped;
use skipped::skipped;

fn candidate(activation: &str) -> Candidate {
    let text = r#"{
        "input_shape": [3], "input_quantizer": "quantized_bits(4,1,alpha=1.0)",
        "layers": [
            {"name": "fc1", "operation": {"kind": "dense", "units": 4,
                "kernel": "quantized_bits(4,0,alpha=1.0)",
                "bias": "quantized_bits(4,0,alpha=1.0)", "fold": null}},
            {"name": "act1", "operation": {"kind": "activation", "quantizer": "ACTIVATION"}},
            {"name": "fc2", "operation": {"kind": "dense", "units": 2,
                "kernel": "quantized_bits(4,0,alpha=1.0)",
                "bias": "quantized_bits(4,0,alpha=1.0)", "fold": null}}],
        "head": {"kind": "softmax"}}"#;
    serde_json::from_str(&text.replace("ACTIVATION", activation)).unwrap()
}

fn weights(candidate: &Candidate) -> Weights {
    let mut next = 0.0f32;
    Weights::build(candidate, |tensor| {
        (0..tensor.shape.iter().product())
            .map(|_| {
                next = (next * 1.7 + 0.37) % 1.9;
                next - 0.95
            })
            .collect()
    })
}

fn make(folder: &Path, target: &str) -> Output {
    let mut command = Command::new("make");
    command.arg(target).current_dir(folder).output().unwrap()
}

/// The files of a small network, on disk.
fn written(options: Options<'_>) -> TempDir {
    let candidate = candidate("quantized_relu(3,1)");
    let trained = Trained {
        candidate: &candidate,
        weights: &weights(&candidate),
        circuit: BuildOptions::default(),
    };
    let folder = tempfile::tempdir().unwrap();
    for file in export_with(Format::Verilog, &trained, options).unwrap() {
        std::fs::write(folder.path().join(file.name), file.bytes).unwrap();
    }
    folder
}

#[test]
fn probabilities_by_tables_are_simulated_and_refused_where_there_is_no_form_for_them() {
    let mut candidate = candidate("quantized_relu(3,1)");
    candidate.head = Head::Softmax {
        tables: Some(SoftmaxTables {
            address_bits: 4,
            address_fraction: 1,
            exp_fraction: 5,
            inverse_fraction: 5,
            output_fraction: 6,
        }),
    };
    let trained = Trained {
        candidate: &candidate,
        weights: &weights(&candidate),
        circuit: BuildOptions {
            output: OutputForm::of(candidate.head),
            ..BuildOptions::default()
        },
    };
    for format in Format::ALL {
        match export(format, &trained) {
            Ok(_) => assert!(
                ["verilog", "json", "cpp", "rust"].contains(&format.name()),
                "{format}"
            ),
            Err(error) => assert_eq!(
                error.to_string(),
                format!(
                    "{format} cannot say this network exactly: softmax is by integer tables; accepted are logits, and with \
                     tables json, cpp, rust and verilog"
                )
            ),
        }
    }
    if Command::new("iverilog").arg("-V").output().is_err() {
        skipped("iverilog");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    for file in export(Format::Verilog, &trained).unwrap() {
        std::fs::write(folder.path().join(file.name), file.bytes).unwrap();
    }
    assert_equal(folder.path(), "check-icarus");
    spoil(folder.path(), 5);
    assert!(!make(folder.path(), "check-icarus").status.success());
}

/// Changes the last digit of one line of the vectors.
fn spoil(folder: &Path, line: usize) {
    let path = folder.join("vectors.txt");
    let text = std::fs::read_to_string(&path).unwrap();
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    let last = lines[line].pop().unwrap();
    lines[line].push(if last == '0' { '1' } else { '0' });
    std::fs::write(&path, lines.join("\n") + "\n").unwrap();
}

/// A check that ends well and found 2,000 equal vectors.
fn assert_equal(folder: &Path, target: &str) {
    let run = make(folder, target);
    let output = String::from_utf8_lossy(&run.stdout);
    assert!(run.status.success(), "{target}: {output}");
    assert!(
        output.contains("vectors 2000 mismatches 0 first -1"),
        "{target}: {output}"
    );
}

#[test]
fn make_check_simulates_every_vector_and_finds_a_wrong_one() {
    let folder = written(Options::default());
    assert!(!folder.path().join("network_axis.v").exists());
    assert_equal(folder.path(), "check");
    spoil(folder.path(), 700);
    let wrong = make(folder.path(), "check");
    assert!(!wrong.status.success());
    let output = String::from_utf8_lossy(&wrong.stdout);
    assert!(output.contains("mismatches 1 first 700"), "{output}");
}

#[test]
fn scripts_are_for_the_part_that_is_named() {
    let folder = written(Options {
        part: Some("xcku115-flvb2104-2-e"),
        ..Options::default()
    });
    let text = |name: &str| std::fs::read_to_string(folder.path().join(name)).unwrap();
    assert!(text("vivado.tcl").contains("set part xcku115-flvb2104-2-e\n"));
    assert!(text("Makefile").contains("\nPART = xcku115-flvb2104-2-e\n"));
    let candidate = candidate("quantized_relu(3,1)");
    let trained = Trained {
        candidate: &candidate,
        weights: &weights(&candidate),
        circuit: BuildOptions::default(),
    };
    let part = |part| {
        let options = Options {
            part,
            ..Options::default()
        };
        let files = export_with(Format::Hls4ml, &trained, options).unwrap();
        let settings = files
            .iter()
            .find(|file| file.name == "hls4ml.json")
            .unwrap();
        let settings: serde_json::Value = serde_json::from_slice(&settings.bytes).unwrap();
        settings["Part"].as_str().unwrap().to_owned()
    };
    assert_eq!(part(Some("xcku115-flvb2104-2-e")), "xcku115-flvb2104-2-e");
    assert_eq!(part(None), "xcvu9p-flgb2104-2-i");
}

#[test]
fn a_circuit_within_the_train_rows_takes_them_and_its_vectors_are_such_rows() {
    let candidate = candidate("quantized_relu(3,1)");
    let trained = Trained {
        candidate: &candidate,
        weights: &weights(&candidate),
        circuit: BuildOptions {
            ranges: Ranges::Data,
            ..BuildOptions::default()
        },
    };
    let refused = export(Format::Verilog, &trained).unwrap_err();
    assert!(
        refused.to_string().contains("`data` takes the train rows"),
        "{refused}"
    );
    // Features from 0 to 0.5 of inputs from -2 to 1.75.
    let rows: Vec<f32> = (0..3 * 60).map(|n| (n % 5) as f32 / 8.0).collect();
    let options = Options {
        train_rows: Some(&rows),
        ..Options::default()
    };
    let folder = tempfile::tempdir().unwrap();
    for file in export_with(Format::Verilog, &trained, options).unwrap() {
        std::fs::write(folder.path().join(file.name), file.bytes).unwrap();
    }
    let text = |name: &str| std::fs::read_to_string(folder.path().join(name)).unwrap();
    assert!(text("network.v").contains("Ranges of sums are those of the train rows"));
    assert_eq!(text("vectors.txt").lines().count(), 60);
    if Command::new("iverilog").arg("-V").output().is_err() {
        skipped("iverilog");
        return;
    }
    let checked = make(folder.path(), "check-icarus");
    let output = String::from_utf8_lossy(&checked.stdout);
    assert!(checked.status.success(), "{output}");
}

#[test]
fn icarus_takes_the_circuit_and_its_axi_stream_and_finds_a_wrong_vector() {
    if Command::new("iverilog").arg("-V").output().is_err() {
        skipped("iverilog");
        return;
    }
    let folder = written(Options {
        axi_stream: true,
        valid: true,
        ..Options::default()
    });
    let targets = ["check-icarus", "check-axi-stream", "check-valid"];
    for target in targets {
        assert_equal(folder.path(), target);
    }
    spoil(folder.path(), 700);
    for target in targets {
        assert!(!make(folder.path(), target).status.success(), "{target}");
    }
}

#[test]
fn the_streamed_circuit_streams_every_row_and_a_wrong_one_is_found() {
    let folder = written(Options {
        reuse: Some(2),
        ..Options::default()
    });
    assert_equal(folder.path(), "check");
    // A line for the row, one for its logits: those of row 350.
    spoil(folder.path(), 701);
    let wrong = make(folder.path(), "check");
    assert!(!wrong.status.success());
    let output = String::from_utf8_lossy(&wrong.stdout);
    assert!(output.contains("mismatches 2 first 350"), "{output}");
}

#[test]
fn what_a_format_cannot_say_is_refused_by_layer() {
    let candidate = candidate("quantized_po2(4,max_value=4)");
    let weights = weights(&candidate);
    let trained = Trained {
        candidate: &candidate,
        weights: &weights,
        circuit: BuildOptions::default(),
    };
    for format in [Format::Qonnx, Format::Onnx, Format::Hls4ml] {
        let Err(ExportError::Refused { refusals, .. }) = export(format, &trained) else {
            panic!("{format} took it");
        };
        assert_eq!(refusals.len(), 1);
        assert_eq!(refusals[0].place, "act1");
        assert!(refusals[0].reason.contains("quantized_po2"));
        assert!(refusals[0].reason.contains("accepted are"));
    }
    for format in [Format::Json, Format::Cpp, Format::Rust, Format::Verilog] {
        assert!(export(format, &trained).is_ok(), "{format}");
    }
}
