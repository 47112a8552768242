//! The Verilog export stands by itself: its Makefile simulates every vector, and a wrong one is found.

use std::path::Path;
use std::process::{Command, Output};

use bitfront_export::{ExportError, Format, Options, Trained, export, export_with};
use bitfront_hardware::circuit::BuildOptions;
use bitfront_network::{Candidate, Weights};

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

#[test]
fn make_check_simulates_every_vector_and_finds_a_wrong_one() {
    let candidate = candidate("quantized_relu(3,1)");
    let weights = weights(&candidate);
    let trained = Trained {
        candidate: &candidate,
        weights: &weights,
        circuit: BuildOptions::default(),
    };
    let folder = tempfile::tempdir().unwrap();
    for file in export(Format::Verilog, &trained).unwrap() {
        std::fs::write(folder.path().join(file.name), file.bytes).unwrap();
    }
    let right = make(folder.path(), "check");
    let output = String::from_utf8_lossy(&right.stdout);
    assert!(right.status.success(), "{output}");
    assert!(
        output.contains("vectors 2000 mismatches 0 first -1"),
        "{output}"
    );

    let path = folder.path().join("vectors.txt");
    let text = std::fs::read_to_string(&path).unwrap();
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    let last = lines[700].pop().unwrap();
    lines[700].push(if last == '0' { '1' } else { '0' });
    std::fs::write(&path, lines.join("\n") + "\n").unwrap();
    let wrong = make(folder.path(), "check");
    assert!(!wrong.status.success());
    let output = String::from_utf8_lossy(&wrong.stdout);
    assert!(output.contains("mismatches 1 first 700"), "{output}");
}

#[test]
fn icarus_takes_the_circuit_and_its_axi_stream_and_finds_a_wrong_vector() {
    if Command::new("iverilog").arg("-V").output().is_err() {
        eprintln!("skipped: iverilog not on PATH");
        return;
    }
    let candidate = candidate("quantized_relu(3,1)");
    let weights = weights(&candidate);
    let trained = Trained {
        candidate: &candidate,
        weights: &weights,
        circuit: BuildOptions::default(),
    };
    let plain = export(Format::Verilog, &trained).unwrap();
    assert!(plain.iter().all(|file| !file.name.contains("axis")));
    let options = Options {
        axi_stream: true,
        ..Options::default()
    };
    let folder = tempfile::tempdir().unwrap();
    for file in export_with(Format::Verilog, &trained, options).unwrap() {
        std::fs::write(folder.path().join(file.name), file.bytes).unwrap();
    }
    for target in ["check-icarus", "check-axi-stream"] {
        let run = make(folder.path(), target);
        let output = String::from_utf8_lossy(&run.stdout);
        assert!(run.status.success(), "{target}: {output}");
        assert!(
            output.contains("vectors 2000 mismatches 0 first -1"),
            "{target}: {output}"
        );
    }
    let path = folder.path().join("vectors.txt");
    let text = std::fs::read_to_string(&path).unwrap();
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    let last = lines[700].pop().unwrap();
    lines[700].push(if last == '0' { '1' } else { '0' });
    std::fs::write(&path, lines.join("\n") + "\n").unwrap();
    for target in ["check-icarus", "check-axi-stream"] {
        assert!(!make(folder.path(), target).status.success(), "{target}");
    }
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

#[test]
fn the_streamed_circuit_stands_by_itself() {
    let candidate = candidate("quantized_relu(3,1)");
    let weights = weights(&candidate);
    let trained = Trained {
        candidate: &candidate,
        weights: &weights,
        circuit: BuildOptions::default(),
    };
    let options = Options {
        reuse: Some(2),
        ..Options::default()
    };
    let folder = tempfile::tempdir().unwrap();
    for file in export_with(Format::Verilog, &trained, options).unwrap() {
        std::fs::write(folder.path().join(file.name), file.bytes).unwrap();
    }
    let right = make(folder.path(), "check");
    let output = String::from_utf8_lossy(&right.stdout);
    assert!(right.status.success(), "{output}");
    assert!(
        output.contains("vectors 2000 mismatches 0 first -1"),
        "{output}"
    );
}
