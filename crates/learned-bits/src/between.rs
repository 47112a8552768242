//! What lies between the quantized values that a layer reads and its product: a maximum pooling and a flatten.

use bitfront_kernel::{Buffer, Kernels, LANES, stride};
use bitfront_network::Link;
use bitfront_training::passes::{MaxPooling, flatten, unflatten};

/// Values of a step, and the gradient by them.
struct Values {
    values: Buffer,
    gradient: Buffer,
}

impl Values {
    fn new(len: usize) -> Self {
        Self {
            values: Buffer::zeroed(len),
            gradient: Buffer::zeroed(len),
        }
    }
}

/// The steps from what is read to what is multiplied.
pub(crate) struct Between {
    pool: Option<(MaxPooling, Values)>,
    /// Positions and channels that are flattened; a flatten that moves nothing is left out.
    flatten: Option<([usize; 2], Values)>,
}

impl Between {
    /// Of a layer, for at most `capacity` samples.
    pub(crate) fn new(link: &Link, capacity: usize) -> Self {
        let channels = link.read[1];
        let pool = link.pool.as_ref().map(|geometry| {
            let pooled = capacity * geometry.positions() * stride(channels);
            let pool = MaxPooling::new(geometry, channels, capacity);
            (pool, Values::new(pooled))
        });
        let flatten = moved(link).map(|from| {
            let flat = capacity * stride(from[0] * from[1]);
            (from, Values::new(flat))
        });
        Self { pool, flatten }
    }

    /// Bytes of [`Between::new`], at most.
    pub(crate) fn bytes(link: &Link, capacity: usize) -> usize {
        let channels = link.read[1];
        let twice = |values: usize| 2 * capacity.saturating_mul(values * size_of::<f32>());
        let pool = link.pool.as_ref().map_or(0, |geometry| {
            twice(geometry.positions() * stride(channels))
                + MaxPooling::bytes(geometry, channels, capacity)
        });
        pool + moved(link).map_or(0, |from| twice(stride(from[0] * from[1])))
    }

    /// Finds what is multiplied, from the values read.
    pub(crate) fn forward(&mut self, kernels: Kernels, samples: usize, read: &[f32]) {
        let mut x = read;
        if let Some((pool, pooled)) = &mut self.pool {
            pool.forward(kernels, samples, x, &mut pooled.values);
            x = &pooled.values;
        }
        if let Some((from, flat)) = &mut self.flatten {
            flatten(*from, samples, x, &mut flat.values);
        }
    }

    /// What is multiplied, and where the gradient by it goes, of the values read and the gradient by these.
    pub(crate) fn ends<'a>(
        &'a mut self,
        read: &'a [f32],
        by_read: &'a mut [f32],
    ) -> (&'a [f32], &'a mut [f32]) {
        let last = match (&mut self.flatten, &mut self.pool) {
            (Some((_, flat)), _) => flat,
            (None, Some((_, pooled))) => pooled,
            (None, None) => return (read, by_read),
        };
        (&last.values, &mut last.gradient)
    }

    /// The gradient by the values read, from that by what is multiplied.
    pub(crate) fn backward(&mut self, kernels: Kernels, samples: usize, by_read: &mut [f32]) {
        if let Some((from, flat)) = &mut self.flatten {
            let to = match &mut self.pool {
                Some((_, pooled)) => &mut *pooled.gradient,
                None => &mut *by_read,
            };
            unflatten(*from, samples, &flat.gradient, to);
        }
        if let Some((pool, pooled)) = &self.pool {
            pool.backward(kernels, samples, &pooled.gradient, by_read);
        }
    }
}

/// Positions and channels that a flatten moves; rows without padding lie as they should.
fn moved(link: &Link) -> Option<[usize; 2]> {
    let [positions, channels] = link.read;
    let positions = link.pool.map_or(positions, |pool| pool.positions());
    let moves = link.flattened && positions > 1 && !channels.is_multiple_of(LANES);
    moves.then_some([positions, channels])
}
