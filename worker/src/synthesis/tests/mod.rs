//! The checks of a job, each seen to fail. Without the tools on PATH the tests that need them say so
//! and pass, or fail with `BITFRONT_REQUIRE_TOOLS=1`.

mod combinations;
mod gates;
mod images;
mod netlists;
mod routed;
mod train_rows;
mod vitis;
mod yosys;

use super::*;
use crate::tools::Tool;
use crate::trial::freeze;
use bitfront_hardware::circuit::{BuildOptions, Multipliers, OutputForm};
use bitfront_hardware::design::Layout;
use bitfront_network::{DenseStack, IntegerOperation, StackLayer};

#[path = "../../../../crates/hardware/tests/common/skipped.rs"]
mod skipped;
use skipped::skipped;

/// A network with reproducible weights.
fn program(units: &[usize]) -> IntegerProgram {
    let q = |text: &str| text.parse().unwrap();
    let mut state = 11_u32;
    let mut noise = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        f64::from(state >> 8) as f32 / (1 << 23) as f32 - 1.0
    };
    let layers = units.windows(2).enumerate().map(|(n, pair)| StackLayer {
        name: format!("fc{}", n + 1),
        inputs: pair[0],
        units: pair[1],
        kernel: q("quantized_bits(4,0,alpha=1.0)"),
        bias: q("quantized_bits(4,0,alpha=1.0)"),
        activation: (n + 2 < units.len())
            .then(|| (format!("relu{}", n + 1), q("quantized_relu(4,1)"))),
    });
    let candidate = DenseStack {
        inputs: units[0],
        input_quantizer: q("quantized_bits(6,2,alpha=1.0)"),
        layers: layers.collect(),
        positions: Vec::new(),
    }
    .candidate();
    let weights = Weights::build(&candidate, |tensor| {
        (0..tensor.shape.iter().product())
            .map(|_| noise())
            .collect()
    });
    freeze(&candidate, &weights).unwrap()
}

fn unrolled(program: &IntegerProgram) -> Design {
    Design::build(program, &DesignOptions::default()).unwrap()
}

/// Vectors of a circuit with ranges of interval analysis.
fn proven(vectors: &Vectors) -> Evidence<'static> {
    Evidence {
        within: None,
        vectors: vectors.clone(),
    }
}

fn found_tools() -> Option<Tools> {
    let tools = Tools::find();
    if !tools.can_synthesise() {
        skipped(&tools.missing().join(", "));
        return None;
    }
    Some(tools)
}

/// Programs run in a folder.
fn run_in<'a>(folder: &'a Path, tools: &'a Tools) -> Run<'a> {
    Run {
        tools,
        limits: Limits::default(),
        folder,
        stopped: &|| false,
    }
}

/// Where circuits of the default options are measured.
fn workbench<'a>(
    target: &'a Target,
    tools: &'a Tools,
    folder: &'a Path,
    cache: &'a Path,
) -> Workbench<'a> {
    Workbench {
        target,
        tools,
        limits: Limits::default(),
        folder,
        cache,
        stopped: &|| false,
        log: &|_| {},
        options: DesignOptions::default(),
    }
}

fn code(ended: Ended) -> &'static str {
    match ended {
        Ended::Failed(failure) => failure.code,
        Ended::Stopped => "stopped",
    }
}

fn rows(program: &IntegerProgram) -> Vec<f32> {
    (0..50 * program.inputs())
        .map(|n| (n % 37) as f32 / 9.0 - 2.0)
        .collect()
}
