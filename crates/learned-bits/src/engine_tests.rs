//! Gradients of chains beside differences of the loss, prices beside products counted one by one, and what steps allocate.

use allocation_counter::measure;
use bitfront_kernel::{AdamStep, Buffer, Kernels};
use bitfront_network::{
    Candidate, Head, Layer, Link, Operation, Padding, SCALE_BITS, Weights, Window,
};
use bitfront_quantizer::Quantizer;

use crate::engine::{Engine, Rows, Step};
use crate::formats::Format;
use crate::layer::{Beginning, channel_price, row_price};
use crate::settings::Granularity;

const ROWS: usize = 60;
const SIDE: usize = 6;
const FEATURES: usize = SIDE * SIDE * 2;
/// Most fraction bits: values move by little when they are rounded.
const FINE: f32 = 12.0;
/// By how much a weight is moved either way.
const MOVE: f32 = 1.0 / 128.0;

fn candidate() -> Candidate {
    let window = |size, stride, padding| Window {
        size: vec![size, size],
        strides: vec![stride, stride],
        dilation: vec![1, 1],
        padding,
    };
    let (kernel, bias) = (Quantizer::Float, Some(Quantizer::Float));
    let conv = |filters, window| Operation::Conv {
        filters,
        window,
        kernel,
        bias,
        fold: None,
    };
    let dense = |units| Operation::Dense {
        units,
        kernel,
        bias,
        fold: None,
    };
    let relu = || Operation::Activation {
        quantizer: Quantizer::Relu,
    };
    let operations = [
        conv(3, window(3, 1, Padding::Same)),
        relu(),
        Operation::MaxPool {
            window: window(2, 2, Padding::Valid),
        },
        conv(5, window(2, 2, Padding::Same)),
        relu(),
        Operation::Flatten,
        dense(4),
        relu(),
        dense(3),
    ];
    let named = |(at, operation)| Layer::new(format!("layer{at}"), operation);
    Candidate {
        input_shape: vec![SIDE, SIDE, 2],
        input_quantizer: Quantizer::Float,
        layers: operations.into_iter().enumerate().map(named).collect(),
        head: Head::ARG_MAX,
        scale_bits: SCALE_BITS,
    }
}

/// Numbers from -1 to 1.
fn noise() -> impl FnMut() -> f32 {
    let mut state = 3_u32;
    move || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as f32 / (1 << 23) as f32 - 1.0
    }
}

/// An engine of the network in micro-batches of seven, with as many fraction bits, and its rows.
fn engine(fraction_bits: f32) -> (Engine, Vec<Link>, Buffer, Vec<u8>) {
    let candidate = candidate();
    let mut noise = noise();
    let weights = Weights::build(&candidate, |tensor| {
        let count = tensor.shape.iter().product();
        (0..count).map(|_| 0.6 * noise()).collect()
    });
    let x: Vec<f32> = (0..ROWS * FEATURES).map(|_| noise()).collect();
    let (x, y) = (Buffer::padded(&x, FEATURES), [0, 1, 2].repeat(ROWS / 3));
    let chain = candidate.chain().unwrap();
    let start = Beginning {
        weights: &weights,
        finest: Format::FREE,
        signed: true,
        fraction_bits,
        granularity: Granularity::Weight,
    };
    let engine = Engine::new(Kernels::detect(), &chain, start, 7, rows(&x, &y));
    (engine, chain, x, y)
}

fn rows<'a>(x: &'a [f32], y: &'a [u8]) -> Rows<'a> {
    Rows {
        x,
        y,
        teacher: None,
        count: ROWS,
    }
}

#[test]
fn gradients_are_differences_of_the_loss() {
    let (mut engine, chain, x, y) = engine(FINE);
    let order: Vec<u32> = (0..ROWS as u32).collect();
    engine.quantize();
    engine.gradients(rows(&x, &y), &order);
    let loss = |engine: &mut Engine| {
        engine.quantize();
        engine.evaluate(rows(&x, &y)).loss / ROWS as f64
    };
    for (index, link) in chain.iter().enumerate() {
        for bias in [false, true] {
            let count = if bias { 1 } else { link.rows() };
            let (mut error, mut size) = (0.0, 0.0);
            for at in (0..count * link.outputs).step_by(if bias { 1 } else { 3 }) {
                let tensor = |engine: &mut Engine, by: f32| {
                    let layer = &mut engine.layers[index];
                    let tensor = if bias {
                        &mut layer.bias
                    } else {
                        &mut layer.kernel
                    };
                    let at = at / link.outputs * 16 + at % link.outputs;
                    tensor.weights.values[at] += by;
                    f64::from(tensor.weights.gradient[at])
                };
                tensor(&mut engine, MOVE);
                let above = loss(&mut engine);
                tensor(&mut engine, -2.0 * MOVE);
                let below = loss(&mut engine);
                let gradient = tensor(&mut engine, MOVE);
                let difference = (above - below) / f64::from(2.0 * MOVE);
                error += (gradient - difference).powi(2);
                size += difference.powi(2);
            }
            assert!(size > 1e-4, "layer {index}, bias {bias}: {size}");
            // Values round, and rectifiers and maxima have kinks.
            assert!(
                error < 2e-2 * size,
                "layer {index}, bias {bias}: {error} of {size}"
            );
        }
    }
}

/// EBOPs of a layer, product by product, of weights and channels of these widths.
fn products(
    link: &Link,
    width: impl Fn(usize) -> f64,
    weight: impl Fn(usize, usize) -> f64,
) -> f64 {
    let mut sum = 0.0;
    let channels = link.product()[1];
    for position in 0..link.positions() {
        let taps = link.window.map_or(1, |window| window.taps());
        for tap in 0..taps {
            let inside = link
                .window
                .is_none_or(|w| w.source(position, tap).is_some());
            for channel in (0..channels).filter(|_| inside) {
                for output in 0..link.outputs {
                    let read = channel % link.read[1];
                    sum += width(read) * weight(tap * channels + channel, output);
                }
            }
        }
    }
    sum
}

#[test]
fn prices_are_products_counted_one_by_one() {
    let (mut engine, chain, ..) = engine(4.0);
    engine.quantize();
    for (layer, link) in engine.layers.iter().zip(&chain) {
        let (kernel, uses, formats) = (&layer.kernel, &layer.uses, &layer.formats);
        let found = |price: f32| f64::from(price);
        let weight = |row: usize, output: usize| f64::from(layer.kernel.widths[row * 16 + output]);
        // By the widths without signs, and a bias once a position.
        let sign = f64::from(u8::from(layer.formats.signed));
        let width = |channel| f64::from(layer.formats.width(channel)) - sign;
        let bias = f64::from(layer.bias.row_width(0)) * link.positions() as f64;
        let all = products(link, width, weight) + bias;
        assert_eq!(layer.ebops_by_widths(), all);
        for channel in 0..link.read[1] {
            let bit = |read| f64::from(u8::from(read == channel));
            let price = products(link, bit, weight);
            assert_eq!(
                found(channel_price(kernel, uses, formats.channels, channel)),
                price
            );
        }
        let width = |channel| f64::from(layer.formats.width(channel));
        for row in 0..link.rows() {
            let bit = |at, output| f64::from(u8::from(at == row && output == 0));
            let price = products(link, width, bit);
            assert_eq!(found(row_price(formats, uses, row)), price);
        }
    }
}

#[test]
fn steps_allocate_nothing() {
    let (mut engine, _, x, y) = engine(FINE);
    let adam = AdamStep {
        rate: 1e-3,
        beta1: 0.9,
        beta2: 0.999,
        epsilon: 1e-8,
        limit: f32::INFINITY,
    };
    let step = Step {
        weights: adam,
        bits: adam,
        keep: 0.9,
        beta: 1e-6,
    };
    let order: Vec<u32> = (0..ROWS as u32).rev().collect();
    let seen = measure(|| {
        engine.quantize();
        engine.gradients(rows(&x, &y), &order);
        assert_eq!(engine.step(step), None);
    });
    assert_eq!(seen.count_total, 0);
}
