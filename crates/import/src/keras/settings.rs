//! Settings of Keras layers: numbers, sizes, windows.

use bitfront_network::{Padding, Window};
use serde_json::Value;

/// Settings of one layer.
#[derive(Clone, Copy)]
pub(crate) struct Settings<'a>(pub(crate) &'a Value);

impl<'a> Settings<'a> {
    /// The value of a setting; null if there is none.
    pub(crate) fn get(self, key: &str) -> &'a Value {
        &self.0[key]
    }

    /// A switch with its default.
    pub(crate) fn flag(self, key: &str, default: bool) -> bool {
        self.get(key).as_bool().unwrap_or(default)
    }

    /// A count.
    pub(crate) fn count(self, key: &str) -> Result<usize, String> {
        let value = self.get(key);
        count(value).ok_or_else(|| {
            format!(
                "has {key} = {}; accepted is a positive number",
                short(value)
            )
        })
    }

    /// A real number with its default.
    pub(crate) fn number(self, key: &str, default: f32) -> Result<f32, String> {
        match self.get(key) {
            Value::Null => Ok(default),
            value => value
                .as_f64()
                .map(|number| number as f32)
                .filter(|number| number.is_finite())
                .ok_or_else(|| format!("has {key} = {}; accepted is a number", short(value))),
        }
    }

    /// Refuses a setting that has another value than the one accepted.
    pub(crate) fn only(self, key: &str, accepted: &[Value]) -> Result<(), String> {
        let value = self.get(key);
        if value.is_null() || accepted.contains(value) {
            return Ok(());
        }
        if accepted.is_empty() {
            return Err(format!("has {key}; accepted are layers without it"));
        }
        let accepted: Vec<String> = accepted.iter().map(Value::to_string).collect();
        let accepted = accepted.join(" or ");
        Err(format!(
            "has {key} = {}; accepted is {accepted}",
            short(value)
        ))
    }

    /// One count an axis; a single number holds for all axes.
    pub(crate) fn counts(
        self,
        key: &str,
        axes: usize,
        default: Option<&[usize]>,
    ) -> Result<Vec<usize>, String> {
        let value = self.get(key);
        let counts = match value {
            Value::Null => default.map(<[usize]>::to_vec),
            Value::Array(list) => list.iter().map(count).collect(),
            single => count(single).map(|count| vec![count; axes]),
        };
        counts.filter(|counts| counts.len() == axes).ok_or_else(|| {
            format!(
                "has {key} = {}; accepted is one positive number for each of {axes} axes",
                short(value)
            )
        })
    }

    /// Refuses channels before the spatial axes.
    pub(crate) fn channels_last(self) -> Result<(), String> {
        self.only("data_format", &["channels_last".into()])
    }

    /// Window of a convolution, and the border that causal padding puts before it.
    pub(crate) fn convolution(self, axes: usize) -> Result<(Window, Option<usize>), String> {
        self.channels_last()?;
        let size = self.counts("kernel_size", axes, None)?;
        let strides = self.counts("strides", axes, Some(&vec![1; axes]))?;
        let dilation = self.counts("dilation_rate", axes, Some(&vec![1; axes]))?;
        let mut causal = None;
        let padding = match self.get("padding").as_str() {
            Some("valid") | None => Padding::Valid,
            Some("same") => Padding::Same,
            Some("causal") if axes == 1 => {
                causal = Some((size[0] - 1).saturating_mul(dilation[0]));
                Padding::Valid
            }
            Some(other) => {
                return Err(format!(
                    "has the padding `{other}`; accepted are {PADDINGS}"
                ));
            }
        };
        let window = Window {
            size,
            strides,
            dilation,
            padding,
        };
        Ok((window, causal))
    }

    /// Window of a pooling layer.
    pub(crate) fn pooling(self, axes: usize) -> Result<Window, String> {
        self.channels_last()?;
        let size = self.counts("pool_size", axes, None)?;
        let strides = self.counts("strides", axes, Some(&size))?;
        let padding = match self.get("padding").as_str() {
            Some("valid") | None => Padding::Valid,
            Some("same") => Padding::Same,
            Some(other) => {
                return Err(format!(
                    "has the padding `{other}`; accepted are {PADDINGS}"
                ));
            }
        };
        Ok(Window {
            dilation: vec![1; axes],
            size,
            strides,
            padding,
        })
    }

    /// Zeros around each axis: `1`, `[1, 2]` or `[[1, 2], [3, 4]]`.
    pub(crate) fn border(self, axes: usize) -> Result<Vec<[usize; 2]>, String> {
        let value = self.get("padding");
        let pair = |value: &Value| {
            let pair = value.as_array()?;
            let ends: Vec<usize> = pair.iter().map(natural).collect::<Option<_>>()?;
            <[usize; 2]>::try_from(ends).ok()
        };
        let border = match value {
            Value::Array(list) if axes == 1 && list.iter().all(Value::is_number) => {
                pair(value).map(|ends| vec![ends])
            }
            Value::Array(list) => list
                .iter()
                .map(|entry| pair(entry).or_else(|| natural(entry).map(|n| [n, n])))
                .collect(),
            single => natural(single).map(|n| vec![[n, n]; axes]),
        };
        border.filter(|border| border.len() == axes).ok_or_else(|| {
            format!(
                "has padding = {}; accepted are numbers for {axes} axes",
                short(value)
            )
        })
    }
}

const PADDINGS: &str = "`valid`, `same`, and `causal` in one dimension";

/// A number of elements that is used as a size: beyond 2^32 nothing is accepted anywhere.
fn natural(value: &Value) -> Option<usize> {
    usize::try_from(u32::try_from(value.as_u64()?).ok()?).ok()
}

fn count(value: &Value) -> Option<usize> {
    natural(value).filter(|count| *count > 0)
}

/// A value for a message: its text, as far as it is short.
fn short(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(80) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text,
    }
}
