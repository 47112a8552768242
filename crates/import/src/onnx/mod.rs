//! ONNX and QONNX graphs.
//!
//! The rule this module keeps: ONNX operators see channels before positions, the network here sees
//! them behind; every tensor carries how the file sees it, and weights are moved once, when a layer
//! is made.

mod convert;
mod linear;
mod node;
mod proto;
mod quantizers;
mod shapes;
mod tensor;
mod view;

use crate::Imported;
use crate::error::ImportError;
use crate::graph::Graph;
use crate::limits::FILE_BYTES;

use self::convert::Converter;
use self::view::Layout;

/// Oldest operator set that is read: before it, sums of different shapes were written otherwise.
const OLDEST_OPSET: i64 = 7;

/// Reads an ONNX or QONNX model.
///
/// The network's input is channels-last: the file's `[N, C, H, W]` becomes `[H, W, C]`.
///
/// # Errors
/// [`ImportError`]: a damaged file, all unsupported nodes, or all faults of the network.
pub fn read_onnx(bytes: &[u8]) -> Result<Imported, ImportError> {
    ImportError::check_size("file", bytes.len() as u64, FILE_BYTES, "bytes")?;
    let model = proto::decode(bytes)?;
    let damaged = |problem: String| ImportError::damaged("ONNX file", problem);
    let file = model
        .graph
        .ok_or_else(|| damaged("it has no graph".into()))?;
    let opset = model
        .opset_import
        .iter()
        .find(|set| set.domain.is_empty() || set.domain == "ai.onnx")
        .map_or(0, |set| set.version);
    if opset < OLDEST_OPSET {
        return Err(damaged(format!(
            "its operator set is {opset}; accepted are {OLDEST_OPSET} and later"
        )));
    }
    let inputs: Vec<&bitfront_onnx::ValueInfo> = file
        .input
        .iter()
        .filter(|input| {
            file.initializer
                .iter()
                .all(|constant| constant.name != input.name)
        })
        .collect();
    let ([input], [output]) = (inputs.as_slice(), file.output.as_slice()) else {
        return Err(damaged(format!(
            "it has {} inputs and {} outputs; accepted is one of each",
            inputs.len(),
            file.output.len()
        )));
    };
    let mut shape = fixed_shape(input).ok_or_else(|| {
        damaged(format!(
            "its input `{}` has no fixed shape behind the batch",
            input.name
        ))
    })?;
    let rank = shape.len();
    let layout = convert::input_layout(&file, &input.name, rank);
    if layout == Layout::First && rank > 1 {
        shape[..].rotate_left(1);
    }
    let mut graph = Graph::new(shape.clone()).map_err(damaged)?;
    if layout == Layout::First && rank > 1 {
        graph.note(format!("the input is channels-last here: {shape:?}"));
    }
    let mut converter = Converter::new(&file, &mut graph, opset, (&input.name, rank, layout));
    for node in &file.node {
        converter.node(node);
    }
    let output = converter.output(&output.name);
    let quantized = file
        .node
        .iter()
        .any(|node| convert::is_quantizer(&node.op_type));
    let (candidate, weights, notes) = graph.finish(output)?;
    let form = if quantized { "QONNX" } else { "ONNX" };
    let producer = [model.producer_name, model.producer_version].join(" ");
    let producer: String = producer.trim().chars().take(64).collect();
    let by = if producer.is_empty() {
        String::new()
    } else {
        format!(" by {producer}")
    };
    Ok(Imported {
        candidate,
        weights,
        source: format!("{form} (operator set {opset}){by}"),
        notes,
    })
}

/// Shape of a tensor behind its batch.
fn fixed_shape(value: &bitfront_onnx::ValueInfo) -> Option<Vec<usize>> {
    let tensor = value.r#type.as_ref()?.tensor_type.as_ref()?;
    let axes = tensor.shape.as_ref()?.dim.get(1..)?;
    let size = |axis: &bitfront_onnx::Dimension| usize::try_from(axis.dim_value?).ok();
    axes.iter().map(size).collect()
}
