//! How a quantizer is carried out in the training loop: by a vector kernel, or by its own definition.
//!
//! The rule this module keeps: a plan gives the values and gradients of [`Quantizer::quantize`] and
//! [`Quantizer::straight_through`], bit for bit; kernels only make them fast.

use bitfront_kernel::{Kernels, Uniform};
use bitfront_quantizer::{Alpha, Noise, QuantizedBits, QuantizedRelu, Quantizer, Workspace};

/// A quantizer, ready for padded buffers.
#[derive(Clone, Debug)]
pub(crate) enum Plan {
    /// `float`: a copy, gradient 1.
    Identity,
    /// `relu`.
    Rectifier,
    /// A uniform grid with gradient 1.
    Grid(Uniform),
    /// A rectified uniform grid: gradient 1 above zero, up to the bound.
    RectifiedGrid(Uniform, f32),
    /// Anything else, with the memory that it works in.
    Other(Quantizer, Box<Workspace>),
}

impl Plan {
    /// The plan of a quantizer.
    pub(crate) fn of(quantizer: &Quantizer) -> Self {
        match quantizer {
            Quantizer::Float => Some(Self::Identity),
            Quantizer::Relu => Some(Self::Rectifier),
            Quantizer::QuantizedBits(q) => grid(q),
            Quantizer::QuantizedRelu(q) => rectified_grid(q),
            _ => None,
        }
        .unwrap_or_else(|| Self::Other(*quantizer, Box::default()))
    }

    /// `y = quantized x`, both padded matrices of `columns` (padded) columns.
    pub(crate) fn forward(&mut self, kernels: Kernels, columns: usize, x: &[f32], y: &mut [f32]) {
        match self {
            Self::Identity => y.copy_from_slice(x),
            Self::Rectifier => kernels.rectify(x, y),
            Self::Grid(grid) | Self::RectifiedGrid(grid, _) => {
                kernels.quantize_uniform(*grid, x, y);
            }
            Self::Other(quantizer, memory) => quantizer.quantize_in(x, columns, y, memory),
        }
    }

    /// Multiplies `gradient` by dq/dx at `x`.
    pub(crate) fn backward(
        &self,
        kernels: Kernels,
        columns: usize,
        x: &[f32],
        gradient: &mut [f32],
    ) {
        match self {
            Self::Identity | Self::Grid(_) => {}
            Self::Rectifier => kernels.mask_gradient(x, 0.0, f32::INFINITY, gradient),
            Self::RectifiedGrid(_, bound) => kernels.mask_gradient(x, 0.0, *bound, gradient),
            Self::Other(quantizer, _) => quantizer.straight_through(x, columns, gradient),
        }
    }

    /// Its grid, where values and codes are all there is to it.
    pub(crate) fn uniform(&self) -> Option<Uniform> {
        match self {
            Self::Grid(grid) | Self::RectifiedGrid(grid, _) => Some(*grid),
            _ => None,
        }
    }

    /// Whether padding that is zero stays zero.
    pub(crate) fn keeps_zero(&self) -> bool {
        !matches!(self, Self::Other(..))
    }
}

fn grid(q: &QuantizedBits) -> Option<Plan> {
    let alpha = match q.alpha {
        Alpha::None => 1.0,
        Alpha::Constant(alpha) => alpha,
        Alpha::Auto | Alpha::AutoPo2 => return None,
    };
    let magnitude_bits = q.bits - u32::from(q.keep_negative);
    if q.noise != Noise::default() || !(1..=23).contains(&magnitude_bits) {
        return None;
    }
    let levels = (1_u32 << magnitude_bits) as f32;
    let fraction = magnitude_bits as i32 - q.integer;
    let low = if q.keep_negative {
        f32::from(u8::from(q.symmetric)) - levels
    } else {
        0.0
    };
    Some(Plan::Grid(uniform(fraction, low, levels - 1.0, alpha)?))
}

fn rectified_grid(q: &QuantizedRelu) -> Option<Plan> {
    let plain = !q.use_sigmoid
        && q.negative_slope == 0.0
        && q.noise == Noise::default()
        && q.is_quantized_clip
        && (1..=23).contains(&q.bits);
    if !plain {
        return None;
    }
    let high = ((1_u32 << q.bits) - 1) as f32;
    let grid = uniform(q.bits as i32 - q.integer, 0.0, high, 1.0)?;
    Some(Plan::RectifiedGrid(grid, high * grid.step))
}

/// A grid with a step of `alpha * 2^-fraction`; `None` where f32 does not hold its factors.
fn uniform(fraction: i32, low: f32, high: f32, alpha: f32) -> Option<Uniform> {
    let power = |exponent: i32| {
        let biased = u32::try_from(exponent + 127)
            .ok()
            .filter(|e| (1..=254).contains(e));
        biased.map(|biased| f32::from_bits(biased << 23))
    };
    Some(Uniform {
        inverse_step: power(fraction)?,
        low,
        high,
        step: alpha * power(-fraction)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const QUANTIZERS: [&str; 16] = [
        "float",
        "relu",
        "quantized_bits(6,0,alpha=1.0)",
        "quantized_bits(8,3,0,1,alpha=1.0)",
        "quantized_bits(4,1,1,alpha=1.0)",
        "quantized_bits(5,2,0,0,alpha=1.0)",
        "quantized_bits(6,0,alpha=0.3)",
        "quantized_bits(1,0,alpha=1.0)",
        "quantized_bits(2,1,1,alpha=1.0)",
        "quantized_bits(4,0,1,alpha='auto_po2')",
        "quantized_relu(6)",
        "quantized_relu(4,2)",
        "quantized_relu(8,0,negative_slope=0.25)",
        "ternary()",
        "binary(alpha=1.0)",
        "quantized_po2(4)",
    ];

    proptest! {
        #[test]
        fn plans_are_the_quantizers(
            which in 0..QUANTIZERS.len(),
            x in prop::collection::vec(prop_oneof![-9.0_f32..9.0, -1.0_f32..1.0, Just(0.0), Just(-0.0)], 64),
            halves in prop::collection::vec(-40_i32..40, 16),
            g in prop::collection::vec(-2.0_f32..2.0, 80),
        ) {
            let quantizer: Quantizer = QUANTIZERS[which].parse().unwrap();
            let mut x = x;
            x.extend(halves.iter().map(|h| *h as f32 / 32.0));
            let mut expected = vec![0.0; 80];
            quantizer.quantize(&x, 16, &mut expected);
            let mut slope = g.clone();
            quantizer.straight_through(&x, 16, &mut slope);
            let mut plan = Plan::of(&quantizer);
            let mut y = vec![0.0; 80];
            plan.forward(Kernels::detect(), 16, &x, &mut y);
            let mut gradient = g;
            plan.backward(Kernels::detect(), 16, &x, &mut gradient);
            for i in 0..80 {
                prop_assert_eq!(y[i].to_bits(), expected[i].to_bits(), "{} of {}", QUANTIZERS[which], x[i]);
                prop_assert_eq!(gradient[i], slope[i], "gradient of {} at {}", QUANTIZERS[which], x[i]);
            }
        }
    }

    #[test]
    fn the_common_families_have_kernels() {
        for text in [
            "quantized_bits(6,0,alpha=1.0)",
            "quantized_relu(6)",
            "quantized_bits(6,0,alpha=0.3)",
        ] {
            assert!(Plan::of(&text.parse().unwrap()).keeps_zero(), "{text}");
        }
    }
}
