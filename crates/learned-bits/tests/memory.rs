//! A run takes no more memory than is said before, and not much less.

use allocation_counter::measure;
use bitfront_learned_bits::{Settings, Task, learn, learning_bytes};
use bitfront_network::{Candidate, Head, Layer, Operation, SCALE_BITS, Weights};
use bitfront_quantizer::Quantizer;
use bitfront_training::{Control, Samples, Targets};

fn network(inputs: usize, units: &[usize]) -> Candidate {
    let mut layers = Vec::new();
    for (index, units) in units.iter().enumerate() {
        if index > 0 {
            let quantizer = Quantizer::Relu;
            layers.push(Layer::new(
                format!("relu{index}"),
                Operation::Activation { quantizer },
            ));
        }
        let dense = Operation::Dense {
            units: *units,
            kernel: Quantizer::Float,
            bias: Some(Quantizer::Float),
            fold: None,
        };
        layers.push(Layer::new(format!("fc{index}"), dense));
    }
    Candidate {
        input_shape: vec![inputs],
        input_quantizer: "quantized_bits(10,2,alpha=1.0)".parse().unwrap(),
        layers,
        head: Head::ARG_MAX,
        scale_bits: SCALE_BITS,
    }
}

#[test]
fn a_run_takes_what_is_said() {
    for (inputs, units, rows) in [
        (16, [64, 32, 5].as_slice(), 20_000),
        (16, &[16, 5], 600),
        (7, &[3], 3000),
        (300, &[40, 5], 900),
    ] {
        let candidate = network(inputs, units);
        let mut state = 1_u32;
        let mut noise = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) as f32 / (1 << 23) as f32 - 1.0
        };
        let x: Vec<f32> = (0..rows * inputs).map(|_| noise()).collect();
        let classes = *units.last().unwrap();
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
            "{units:?}, {rows} rows: {said} bytes said, {most} taken"
        );
        let loose = most + most / 2 + (16 << 10);
        assert!(
            said <= loose,
            "{units:?}, {rows} rows: {said} bytes said, only {most} taken"
        );
    }
}
