//! Arrays of weights: a shape with row-major values.

/// A row-major array.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Array {
    pub(crate) shape: Vec<usize>,
    pub(crate) values: Vec<f32>,
}

impl Array {
    pub(crate) fn new(shape: Vec<usize>, values: Vec<f32>) -> Self {
        debug_assert_eq!(shape.iter().product::<usize>(), values.len());
        Self { shape, values }
    }

    /// The same values in one axis.
    pub(crate) fn vector(values: Vec<f32>) -> Self {
        Self {
            shape: vec![values.len()],
            values,
        }
    }

    /// The same values, shaped otherwise; nothing if their number differs.
    pub(crate) fn reshaped(mut self, shape: &[usize]) -> Option<Self> {
        let size = shape
            .iter()
            .try_fold(1usize, |n, axis| n.checked_mul(*axis));
        (size == Some(self.values.len())).then(|| {
            self.shape = shape.to_vec();
            self
        })
    }

    /// Axes in another order: axis `n` of the result is axis `order[n]`.
    ///
    /// # Panics
    /// If `order` is no permutation of the axes.
    pub(crate) fn transposed(&self, order: &[usize]) -> Self {
        assert_eq!(order.len(), self.shape.len(), "one entry an axis");
        let mut strides = vec![1; self.shape.len()];
        for axis in (1..self.shape.len()).rev() {
            strides[axis - 1] = strides[axis] * self.shape[axis];
        }
        let shape: Vec<usize> = order.iter().map(|axis| self.shape[*axis]).collect();
        let steps: Vec<usize> = order.iter().map(|axis| strides[*axis]).collect();
        let mut at = vec![0; shape.len()];
        let mut from = 0;
        let mut values = Vec::with_capacity(self.values.len());
        for _ in 0..self.values.len() {
            values.push(self.values[from]);
            for axis in (0..shape.len()).rev() {
                at[axis] += 1;
                from += steps[axis];
                if at[axis] < shape[axis] {
                    break;
                }
                from -= steps[axis] * shape[axis];
                at[axis] = 0;
            }
        }
        Self { shape, values }
    }

    /// Rows (first axis) in another order: row `n` of the result is row `order[n]`.
    ///
    /// # Panics
    /// If `order` has another length than the first axis, or names rows that are not there.
    pub(crate) fn rows_reordered(&self, order: &[usize]) -> Self {
        assert_eq!(Some(&order.len()), self.shape.first(), "one entry a row");
        let width = self.values.len().checked_div(order.len()).unwrap_or(0);
        let row = |row: &usize| self.values[row * width..(row + 1) * width].iter().copied();
        Self {
            shape: self.shape.clone(),
            values: order.iter().flat_map(row).collect(),
        }
    }

    /// The one value, if all values are equal.
    pub(crate) fn uniform(&self) -> Option<f32> {
        let first = *self.values.first()?;
        self.values.iter().all(|v| *v == first).then_some(first)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn transposing_moves_every_value() {
        let array = Array::new(vec![2, 3, 4], (0..24u8).map(f32::from).collect());
        let moved = array.transposed(&[2, 0, 1]);
        assert_eq!(moved.shape, [4, 2, 3]);
        for (i, j, k) in
            (0..2).flat_map(|i| (0..3).flat_map(move |j| (0..4).map(move |k| (i, j, k))))
        {
            let value = array.values[(i * 3 + j) * 4 + k];
            assert_eq!(moved.values[(k * 2 + i) * 3 + j], value);
        }
        assert_eq!(moved.transposed(&[1, 2, 0]), array);
    }

    #[test]
    fn rows_move_whole() {
        let array = Array::new(vec![3, 2], vec![0.0, 1.0, 10.0, 11.0, 20.0, 21.0]);
        let moved = array.rows_reordered(&[2, 0, 1]);
        assert_eq!(moved.values, [20.0, 21.0, 0.0, 1.0, 10.0, 11.0]);
    }
}
