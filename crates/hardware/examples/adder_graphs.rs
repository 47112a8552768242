//! Solves every matrix of a file and writes graphs, prices and seconds.
//!
//! ```text
//! cargo run --release -p bitfront-hardware --example adder_graphs -- MATRICES.json GRAPHS.json [EXTRA_DEPTH]
//! ```
//!
//! With `EXTRA_DEPTH`, adder levels are bounded to so many beyond the least.

use bitfront_hardware::adder_graph::{Matrix, Options, Range, solve};
use serde_json::{Value, json};
use std::time::Instant;

type Failure = Box<dyn std::error::Error>;

fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (input, output, extra_depth) = match arguments.as_slice() {
        [input, output] => (input, output, None),
        [input, output, extra] => (input, output, Some(extra.parse()?)),
        _ => {
            return Err(
                "two or three arguments are needed: a file of matrices, a file to write, \
                        and adder levels beyond the least"
                    .into(),
            );
        }
    };
    let options = Options {
        extra_depth,
        ..Options::default()
    };
    let file: Value = serde_json::from_slice(&std::fs::read(input)?)?;
    let mut rows = Vec::new();
    for (name, case) in cases(&file)? {
        let matrix = matrix(case).map_err(|error| format!("{name}: {error}"))?;
        let start = Instant::now();
        let graph = solve(&matrix, &options)?;
        let seconds = start.elapsed().as_secs_f64();
        graph.verify(&matrix)?;
        rows.push(json!({
            "name": name,
            "cost": graph.price()?,
            "adders": graph.adders.len(),
            "depth": graph.depth()?,
            "seconds": seconds,
            "graph": {
                "adders": graph.adders.iter()
                    .map(|adder| json!([adder.a, adder.b, adder.shift, if adder.subtract { -1 } else { 1 }]))
                    .collect::<Vec<_>>(),
                "outputs": graph.outputs.iter()
                    .map(|output| json!([
                        output.wire.map_or(-1, i64::from),
                        output.shift,
                        if output.negative { -1 } else { 1 },
                    ]))
                    .collect::<Vec<_>>(),
            },
        }));
    }
    std::fs::write(output, serde_json::to_vec(&json!({ "cases": rows }))?)?;
    Ok(())
}

/// Cases of either kind of file: a list of matrices, or networks of layers.
fn cases(file: &Value) -> Result<Vec<(String, &Value)>, Failure> {
    let mut found = Vec::new();
    for (number, case) in list(file, "cases").iter().enumerate() {
        found.push((number.to_string(), case));
    }
    for (network, layers) in list(file, "networks").iter().enumerate() {
        for (layer, case) in list(layers, "layers").iter().enumerate() {
            found.push((format!("{network}.{layer}"), case));
        }
    }
    if found.is_empty() {
        return Err("the file has neither `cases` nor `networks`".into());
    }
    Ok(found)
}

fn list<'a>(value: &'a Value, name: &str) -> &'a [Value] {
    value[name].as_array().map_or(&[], Vec::as_slice)
}

fn matrix(case: &Value) -> Result<Matrix, Failure> {
    let size = |place: usize| {
        let size = case["shape"][place]
            .as_u64()
            .ok_or("`shape` is not two integers");
        size.map(|size| size as usize)
    };
    let [rows, columns] = [size(0)?, size(1)?];
    let entries: Option<Vec<i64>> = list(case, "kernel").iter().map(Value::as_i64).collect();
    let entries = entries.ok_or("`kernel` is not a list of integers")?;
    let inputs: Result<Vec<Range>, Failure> = if case["input_interval"].is_array() {
        vec![&case["input_interval"]; rows]
            .into_iter()
            .map(range)
            .collect()
    } else {
        list(case, "input_intervals").iter().map(range).collect()
    };
    let mut matrix = Matrix::new(rows, columns, entries, inputs?);
    if let Some(bits) = case["fraction_bits"].as_i64() {
        matrix.column_exponents = vec![-(bits as i32); columns];
    }
    Ok(matrix)
}

fn range(interval: &Value) -> Result<Range, Failure> {
    let end = |place: usize| {
        interval[place]
            .as_f64()
            .ok_or("an interval is not three numbers")
    };
    let [low, high, step] = [end(0)?, end(1)?, end(2)?];
    let exponent = step.log2();
    if step <= 0.0 || exponent.fract() != 0.0 {
        return Err(format!("a step is {step}; a power of two is accepted").into());
    }
    let [low, high] = [low / step, high / step];
    if low.fract() != 0.0 || high.fract() != 0.0 {
        return Err(format!("an interval's ends are not multiples of its step {step}").into());
    }
    Ok(Range::new(low as i128, high as i128, exponent as i32))
}
