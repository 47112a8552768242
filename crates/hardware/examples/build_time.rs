//! CPU seconds of one core for circuits of a dense 16-64-32-32-5 network with 6-bit weights and activations: the
//! first one, and one more after a weight of one layer has changed.
//!
//! ```text
//! cargo run --release -p bitfront-hardware --example build_time
//! ```

use bitfront_hardware::circuit::Circuit;
use bitfront_network::IntegerOperation;

#[path = "../tests/common/mod.rs"]
mod common;
use common::{Spec, program};

/// CPU time of this process in seconds, from Linux' scheduler statistics.
fn cpu_seconds() -> Result<f64, Box<dyn std::error::Error>> {
    let text = std::fs::read_to_string("/proc/self/schedstat")?;
    let nanoseconds: u64 = text.split(' ').next().unwrap_or_default().parse()?;
    Ok(nanoseconds as f64 * 1e-9)
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut network = program(&Spec {
        widths: vec![16, 64, 32, 32, 5],
        input_bits: 8,
        weight_bits: 6,
        activation_bits: 6,
        ..Spec::default()
    });
    let start = cpu_seconds()?;
    let circuit = Circuit::build(&network)?;
    let first = cpu_seconds()?;
    println!(
        "16-64-32-32-5: {} nodes, {:.3} s",
        circuit.nodes().len(),
        first - start
    );
    for index in 0..network.layers.len() {
        let IntegerOperation::Linear(linear) = &mut network.layers[index].operation else {
            continue;
        };
        linear.kernel[0] ^= 1;
        let before = cpu_seconds()?;
        Circuit::build(&network)?;
        let name = &network.layers[index].name;
        println!("  {name} changed: {:.3} s", cpu_seconds()? - before);
    }
    Ok(())
}
