//! Layers that only move elements: flatten, dropout, concatenation, padding.

use bitfront_network::{IntegerOperation, TensorFormat};

/// What a moving operation hands on, of elements of the tensors it reads; `None` for others.
pub(crate) fn moved<T: Copy>(
    operation: &IntegerOperation,
    formats: &[&TensorFormat],
    read: &[&[T]],
    zero: T,
) -> Option<Vec<T>> {
    match operation {
        IntegerOperation::Reshape => Some(read.first()?.to_vec()),
        IntegerOperation::Concatenate => {
            let positions = formats.first()?.size() / formats.first()?.channels();
            let slice = |position: usize, (format, values): (&&TensorFormat, &&[T])| {
                let channels = format.channels();
                values[position * channels..(position + 1) * channels].to_vec()
            };
            let joined = (0..positions).flat_map(|position| {
                let tensors = formats.iter().zip(read);
                tensors.flat_map(move |tensor| slice(position, tensor))
            });
            Some(joined.collect())
        }
        IntegerOperation::ZeroPadding { border } => {
            let (format, values) = (formats.first()?, read.first()?);
            let axes = &format.shape[..format.shape.len() - 1];
            // One-dimensional tensors are rows of height 1.
            let [height, width] = match *axes {
                [width] => [1, width],
                [height, width] => [height, width],
                _ => return None,
            };
            let [vertical, horizontal] = match border[..] {
                [horizontal] => [[0, 0], horizontal],
                [vertical, horizontal] => [vertical, horizontal],
                _ => return None,
            };
            let channels = format.channels();
            let line = (width + horizontal[0] + horizontal[1]) * channels;
            let mut padded = vec![zero; vertical[0] * line];
            for row in values.chunks(width * channels).take(height) {
                padded.extend(std::iter::repeat_n(zero, horizontal[0] * channels));
                padded.extend_from_slice(row);
                padded.extend(std::iter::repeat_n(zero, horizontal[1] * channels));
            }
            padded.extend(std::iter::repeat_n(zero, vertical[1] * line));
            Some(padded)
        }
        _ => None,
    }
}
