//! Float layers that networks of tests are made of.

use bitfront_network::{Operation, Padding, Window};
use bitfront_quantizer::Quantizer;

/// A window without dilation, with the same stride along each axis.
pub(crate) fn window(size: &[usize], stride: usize, padding: Padding) -> Window {
    Window {
        size: size.to_vec(),
        strides: vec![stride; size.len()],
        dilation: vec![1; size.len()],
        padding,
    }
}

pub(crate) fn conv(filters: usize, window: Window) -> Operation {
    Operation::Conv {
        filters,
        window,
        kernel: Quantizer::Float,
        bias: Some(Quantizer::Float),
        fold: None,
    }
}

pub(crate) fn dense(units: usize) -> Operation {
    Operation::Dense {
        units,
        kernel: Quantizer::Float,
        bias: Some(Quantizer::Float),
        fold: None,
    }
}

pub(crate) fn relu() -> Operation {
    Operation::Activation {
        quantizer: Quantizer::Relu,
    }
}
