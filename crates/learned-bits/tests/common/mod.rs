//! What tests of runs share: random numbers, starting weights, and what every point has to be.

use bitfront_hardware::circuit::Circuit;
use bitfront_hardware::costs::program_ebops;
use bitfront_learned_bits::{Granularity, Point};
use bitfront_network::{
    Candidate, IntegerProgram, Operation, Part, Weights, forward, forward_precision,
};

pub(crate) const GRANULARITIES: [Granularity; 3] = [
    Granularity::Weight,
    Granularity::Channel,
    Granularity::Layer,
];

/// Random numbers of a fixed seed, from -1 to 1.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn unit(&mut self) -> f32 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 40) as f32 / (1u64 << 23) as f32 - 1.0
    }
}

/// Starting weights of a network.
pub(crate) fn start(candidate: &Candidate) -> Weights {
    let mut random = Random(9);
    Weights::build(candidate, |tensor| {
        let count: usize = tensor.shape.iter().product();
        let inputs: usize = tensor.shape[..tensor.shape.len() - 1].iter().product();
        let scale = match tensor.part {
            Part::Kernel => 1.5 / (inputs as f32).sqrt(),
            _ => 0.0,
        };
        (0..count).map(|_| scale * random.unit()).collect()
    })
}

/// Checks that points are what they say on these rows: their figures those of their integers, which are the floats and
/// the circuit.
pub(crate) fn check(points: &[Point], x: &[f32], y: &[u8]) {
    for Point {
        epoch,
        candidate,
        weights,
    } in points
    {
        assert_eq!(candidate.check(), Ok(()));
        let program = IntegerProgram::freeze(candidate, weights).unwrap();
        let codes = program.input_codes(x);
        let classes = program.classify(&codes).unwrap();
        let right = classes.iter().zip(y).filter(|(a, b)| a == b).count();
        assert_eq!(right as f64 / y.len() as f64, epoch.validation_accuracy);
        assert_eq!(program_ebops(&program), epoch.ebops);
        // Promise P1: floats and integers, and the circuit.
        let unit = 2f64.powi(-program.output_fraction);
        let integers: Vec<f64> = program
            .logits(&codes)
            .iter()
            .map(|z| *z as f64 * unit)
            .collect();
        let precision = forward_precision(candidate, weights);
        assert_eq!(forward(candidate, weights, x, precision), integers);
        Circuit::build(&program)
            .unwrap()
            .check_against(&program)
            .unwrap();
        // Weights lie on their grids: quantizing changes none.
        for (layer, values) in candidate.layers.iter().zip(&weights.layers) {
            if let Operation::Dense {
                units: columns,
                kernel,
                ..
            }
            | Operation::Conv {
                filters: columns,
                kernel,
                ..
            } = &layer.operation
            {
                let own = values.part(Part::Kernel);
                let mut quantized = vec![0.0; own.len()];
                kernel.quantize(own, *columns, &mut quantized);
                assert_eq!(quantized, own, "{}", layer.name);
            }
        }
    }
}

/// The bits of all weights of points.
pub(crate) fn bits(points: &[Point]) -> Vec<u32> {
    let weights = points.iter().flat_map(|point| &point.weights.layers);
    let values = weights.flat_map(|layer| layer.parts.values().flatten());
    values.map(|value| value.to_bits()).collect()
}
