//! How much memory the rows of a data set take while a trained candidate is scored, known before it is trained.

use bitfront_hardware::circuit::Ranges;
use bitfront_hardware::design::DesignOptions;
use bitfront_network::{Candidate, Head};

use crate::synthesis::FEWEST_VECTORS;

/// A list that grows item by item holds up to twice what it has, and while it moves half as much again.
const GROWING: usize = 3;

/// Bytes for a class's figures of a row: its score, and a place in the list of different scores.
const RANKED: usize = 16 + GROWING * 16;

/// Rows that integer and real inference take together, at most.
const BLOCK_ROWS: usize = 1024;

/// Values of a layer, of all rows that are taken together, at most; but for layers whose single row has more.
const BLOCK_VALUES: usize = 1 << 18;

/// Bytes that [`super::score()`] allocates for rows at any time, at most, beside the splits themselves, which have so many rows of
/// train, validation and test; of a network without faults, quantized and of these options or (`None`) in float. What its circuit takes is not among them: that follows from the
/// trained weights (measured: 1 to 9 KiB a multiplication of dense layers of 3 to 12 bits).
pub(super) fn scoring_bytes(
    candidate: &Candidate,
    [train, validation, test]: [usize; 3],
    options: Option<&DesignOptions>,
) -> usize {
    let (inputs, outputs) = (candidate.inputs(), candidate.outputs());
    let rows = validation.max(test);
    let sizes = candidate.shapes();
    let sizes = sizes.iter().map(|shape| shape.iter().product::<usize>());
    let blocks = sizes.chain([inputs]).map(|size| {
        let together = size.saturating_mul(BLOCK_ROWS.min(rows.max(FEWEST_VECTORS)));
        together.min(BLOCK_VALUES.max(size)) * size_of::<i64>()
    });
    let blocks = blocks.fold(0, usize::saturating_add);
    let Some(options) = options else {
        let grown = rows.saturating_mul(GROWING * outputs * size_of::<f64>());
        return grown.saturating_add(blocks);
    };
    let codes = inputs * size_of::<i32>();
    let logits = outputs * size_of::<i64>();
    let figures = match candidate.head {
        Head::Linear => 0,
        Head::Softmax { .. } => RANKED,
        // Both classes of an output.
        Head::Sigmoid => RANKED + 2 * size_of::<i64>(),
    };
    let of_program = rows.saturating_mul(codes + logits + figures);
    let taken = match options.circuit.ranges {
        Ranges::Proven => of_program,
        // Every row may be outside the ranges: its number, codes and outputs once more. Vectors are chosen from all train rows.
        Ranges::Data => {
            let outside = GROWING * (size_of::<usize>() + codes) + logits;
            rows.saturating_mul(codes + logits + figures + outside)
                .max(train.saturating_mul(codes + size_of::<&[i32]>()))
        }
    };
    let vectors =
        FEWEST_VECTORS.saturating_mul(GROWING * codes + inputs * size_of::<i64>() + logits);
    taken.saturating_add(vectors).saturating_add(blocks)
}

#[cfg(test)]
mod tests {
    use allocation_counter::measure;
    use bitfront_dataset::{Prepared, Table};
    use bitfront_hardware::circuit::BuildOptions;
    use bitfront_network::{DenseStack, StackLayer, Weights};

    use super::*;
    use crate::trial::score;

    fn network(kernel: &str, inputs: usize, units: &[usize]) -> Candidate {
        let q = |text: &str| text.parse().unwrap();
        let layers = units.iter().enumerate().map(|(at, units_here)| StackLayer {
            name: format!("fc{at}"),
            inputs: if at == 0 { inputs } else { units[at - 1] },
            units: *units_here,
            kernel: q(kernel),
            bias: q("quantized_bits(6,1,alpha=1.0)"),
            activation: (at + 1 < units.len())
                .then(|| (format!("relu{at}"), q("quantized_relu(6,2)"))),
        });
        DenseStack {
            inputs,
            input_quantizer: q("quantized_bits(8,3,alpha=1.0)"),
            layers: layers.collect(),
            positions: Vec::new(),
        }
        .candidate()
    }

    /// Numbers of a fixed seed, from -1 to 1.
    fn noise(seed: u32) -> impl FnMut() -> f32 {
        let mut state = seed;
        move || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) as f32 / (1 << 23) as f32 - 1.0
        }
    }

    fn table(rows: usize, columns: usize, classes: usize, scale: f32) -> Table {
        let mut noise = noise(rows as u32);
        let x: Vec<f32> = (0..rows * columns).map(|_| scale * noise()).collect();
        Table {
            rows,
            columns,
            x: x.into(),
            y: (0..rows).map(|row| (row % classes) as u8).collect(),
            ..Table::default()
        }
    }

    /// What scoring takes at most, and what is said of it; rows that are scored lie outside the ranges of train rows.
    fn taken(candidate: &Candidate, rows: [usize; 3], options: &DesignOptions) -> (usize, usize) {
        let (columns, classes) = (candidate.inputs(), candidate.outputs());
        let [train, validation, test] = rows;
        let data = Prepared {
            train: table(train, columns, classes, 0.1),
            validation: table(validation, columns, classes, 3.0),
            test: table(test, columns, classes, 3.0),
            mean: vec![0.0; columns],
            std: vec![1.0; columns],
            classes: (0..classes).map(|class| class.to_string()).collect(),
            targets: Vec::new(),
            target_mean: Vec::new(),
            target_std: Vec::new(),
            features: (0..columns).map(|column| column.to_string()).collect(),
        };
        let mut noise = noise(7);
        let weights = Weights::build(candidate, |tensor| {
            (0..tensor.shape.iter().product())
                .map(|_| noise())
                .collect()
        });
        let found = measure(|| {
            score(candidate, &weights, &data, options, &|| false).unwrap();
        });
        (
            found.bytes_max as usize,
            scoring_bytes(
                candidate,
                rows,
                Some(options).filter(|_| !candidate.is_float()),
            ),
        )
    }

    #[test]
    fn rows_take_what_is_said() {
        let within = DesignOptions {
            circuit: BuildOptions {
                ranges: Ranges::Data,
                ..BuildOptions::default()
            },
            ..DesignOptions::default()
        };
        let proven = DesignOptions::default();
        let quantized = |inputs, units| network("quantized_bits(6,0,alpha=1.0)", inputs, units);
        for (name, candidate, rows, options) in [
            ("test", quantized(16, &[4, 5]), [100, 2000, 100_000], proven),
            (
                "validation",
                quantized(5, &[4, 3]),
                [100, 100_000, 2000],
                proven,
            ),
            ("train", quantized(16, &[4, 2]), [300_000, 100, 100], within),
            (
                "within",
                quantized(16, &[4, 5]),
                [1000, 2000, 20_000],
                within,
            ),
            (
                "float",
                network("float", 16, &[8, 5]),
                [100, 100_000, 2000],
                proven,
            ),
        ] {
            let (taken, said) = taken(&candidate, rows, &options);
            assert!(
                taken <= said,
                "{name}: takes {taken} bytes, said are {said}"
            );
            assert!(
                said <= 3 * taken,
                "{name}: takes {taken} bytes, said are {said}"
            );
        }
    }
}
