//! A run takes no more memory than is said before, and not much less.

#[path = "common/layers.rs"]
mod layers;

use allocation_counter::measure;
use bitfront_learned_bits::{Settings, Task, learn, learning_bytes};
use bitfront_network::{Candidate, Head, Layer, Operation, Padding, SCALE_BITS, Weights};
use bitfront_training::{Control, Samples, Targets};
use layers::{conv, dense, relu, window};

/// Filters of convolutions of 3 x 3, of this stride or pooled by it, then units of dense layers.
fn network(
    input_shape: &[usize],
    filters: &[usize],
    (stride, pooled): (usize, bool),
    units: &[usize],
) -> Candidate {
    let mut operations = Vec::new();
    for filters in filters {
        let step = if pooled { 1 } else { stride };
        operations.push(conv(*filters, window(&[3, 3], step, Padding::Same)));
        operations.push(relu());
        if pooled {
            operations.push(Operation::MaxPool {
                window: window(&[stride, stride], stride, Padding::Same),
            });
        }
    }
    if !filters.is_empty() {
        operations.push(Operation::Flatten);
    }
    for (index, units) in units.iter().enumerate() {
        if index > 0 {
            operations.push(relu());
        }
        operations.push(dense(*units));
    }
    let named = |(at, operation)| Layer::new(format!("layer{at}"), operation);
    Candidate {
        input_shape: input_shape.to_vec(),
        input_quantizer: "quantized_bits(10,2,alpha=1.0)".parse().unwrap(),
        layers: operations.into_iter().enumerate().map(named).collect(),
        head: Head::ARG_MAX,
        scale_bits: SCALE_BITS,
    }
}

#[test]
fn a_run_takes_what_is_said() {
    let plain = (1, false);
    for (candidate, rows) in [
        (network(&[16], &[], plain, &[64, 32, 5]), 20_000),
        (network(&[16], &[], plain, &[16, 5]), 600),
        (network(&[7], &[], plain, &[3]), 3000),
        (network(&[300], &[], plain, &[40, 5]), 900),
        (
            network(&[28, 28, 1], &[8, 16, 16], (2, false), &[32, 10]),
            300,
        ),
        (network(&[12, 12, 2], &[4, 20], (2, true), &[5]), 700),
        (network(&[12, 12, 2], &[4], (1, true), &[5]), 100),
        (network(&[5, 5, 17], &[3], (1, false), &[4]), 200),
    ] {
        let inputs = candidate.inputs();
        let mut state = 1_u32;
        let mut noise = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) as f32 / (1 << 23) as f32 - 1.0
        };
        let x: Vec<f32> = (0..rows * inputs).map(|_| noise()).collect();
        let classes = candidate.outputs();
        let y: Vec<u8> = (0..rows).map(|row| (row % classes) as u8).collect();
        let samples = |rows: usize| Samples {
            x: &x[..rows * inputs],
            y: Targets::Classes(&y[..rows]),
            rows,
            columns: inputs,
        };
        let start = Weights::build(&candidate, |tensor| {
            (0..tensor.shape.iter().product())
                .map(|_| 0.3 * noise())
                .collect()
        });
        let settings = Settings {
            epochs: 3,
            batch_size: 256,
            ..Settings::default()
        };
        let validation = rows / 4;
        let task = Task {
            candidate: &candidate,
            start: &start,
            train: samples(rows),
            validation: samples(validation),
            teacher: None,
        };
        let seen = measure(|| {
            learn(&task, &settings, 1, &mut |_| Control::Continue, &|| false).unwrap();
        });
        let said = learning_bytes(&candidate, &settings, [rows, validation]);
        let most = seen.bytes_max as usize;
        assert!(
            said >= most,
            "{:?}, {rows} rows: {said} bytes said, {most} taken",
            candidate.input_shape
        );
        let loose = most + most / 2 + (16 << 10);
        assert!(
            said <= loose,
            "{:?}, {rows} rows: {said} bytes said, only {most} taken",
            candidate.input_shape
        );
    }
}
