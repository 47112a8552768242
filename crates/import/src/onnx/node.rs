//! Attributes of an ONNX node, and windows among them.

use bitfront_network::{Padding, Window};

use bitfront_onnx::{Attribute, Node};

/// Attributes of a node.
pub(crate) struct Attributes<'a>(&'a [Attribute]);

impl<'a> Attributes<'a> {
    pub(crate) fn of(node: &'a Node) -> Self {
        Self(&node.attribute)
    }

    pub(crate) fn find(&self, name: &str) -> Option<&'a Attribute> {
        self.0.iter().find(|attribute| attribute.name == name)
    }

    pub(crate) fn integer(&self, name: &str, default: i64) -> i64 {
        self.find(name).and_then(|a| a.i).unwrap_or(default)
    }

    pub(crate) fn real(&self, name: &str, default: f32) -> f32 {
        self.find(name).and_then(|a| a.f).unwrap_or(default)
    }

    pub(crate) fn integers(&self, name: &str) -> Option<&'a [i64]> {
        self.find(name).map(|a| a.ints.as_slice())
    }

    pub(crate) fn text(&self, name: &str) -> Option<&'a str> {
        let bytes = self.find(name)?.s.as_deref()?;
        std::str::from_utf8(bytes).ok()
    }

    /// Refuses an integer that is not what is accepted.
    pub(crate) fn only(&self, name: &str, accepted: i64) -> Result<(), String> {
        match self.integer(name, accepted) {
            value if value == accepted => Ok(()),
            value => Err(format!("has {name} = {value}; accepted is {accepted}")),
        }
    }

    /// One positive number an axis.
    fn counts(&self, name: &str, axes: usize, default: usize) -> Result<Vec<usize>, String> {
        let Some(list) = self.integers(name) else {
            return Ok(vec![default; axes]);
        };
        let counts: Option<Vec<usize>> = list
            .iter()
            .map(|n| {
                u32::try_from(*n)
                    .ok()
                    .filter(|n| *n > 0)
                    .map(|n| n as usize)
            })
            .collect();
        counts.filter(|counts| counts.len() == axes).ok_or_else(|| {
            format!(
                "has {name} = {list:?}; accepted is one positive number for each of {axes} axes"
            )
        })
    }

    /// The window of a convolution or pooling node of kernel `size` over the spatial axes
    /// `extents`, and the zeros that have to stand around the input first.
    ///
    /// # Errors
    /// What is wrong and what is accepted, as a sentence's end.
    pub(crate) fn window(
        &self,
        size: Option<&[usize]>,
        extents: &[usize],
    ) -> Result<(Window, Vec<[usize; 2]>), String> {
        let axes = extents.len();
        let size = match size {
            Some(size) => size.to_vec(),
            None => self.counts("kernel_shape", axes, 0)?,
        };
        if self.find("kernel_shape").is_some() && self.counts("kernel_shape", axes, 0)? != size {
            return Err("has a kernel of another shape than `kernel_shape`".into());
        }
        let mut window = Window {
            size,
            strides: self.counts("strides", axes, 1)?,
            dilation: self.counts("dilations", axes, 1)?,
            padding: Padding::Same,
        };
        let same = window.over(extents)?;
        let same = match axes {
            1 => vec![same.columns],
            _ => vec![same.rows, same.columns],
        };
        // The border that `same` has: all of it, and what stands before.
        let reach = |at: usize| (window.size[at] - 1) * window.dilation[at] + 1;
        let all = |at: usize| {
            ((same[at].output - 1) * window.strides[at] + reach(at)).saturating_sub(extents[at])
        };
        let border: Vec<[usize; 2]> = match self.text("auto_pad").unwrap_or("NOTSET") {
            "SAME_UPPER" => return Ok((window, vec![[0, 0]; axes])),
            "SAME_LOWER" => (0..axes)
                .map(|at| [all(at).div_ceil(2), all(at) / 2])
                .collect(),
            "VALID" => vec![[0, 0]; axes],
            "NOTSET" | "" => self.pads(axes)?,
            other => return Err(format!("has auto_pad = {other}, which is unknown")),
        };
        // The same outputs from the same places: the same window.
        let is_same = (0..axes).all(|at| {
            let padded = (extents[at] + border[at][0]).saturating_add(border[at][1]);
            let outputs = padded
                .checked_sub(reach(at))
                .map(|n| n / window.strides[at] + 1);
            outputs == Some(same[at].output) && border[at][0] == same[at].before
        });
        if is_same {
            return Ok((window, vec![[0, 0]; axes]));
        }
        window.padding = Padding::Valid;
        Ok((window, border))
    }

    /// `[before, before, behind, behind]` as one pair an axis.
    fn pads(&self, axes: usize) -> Result<Vec<[usize; 2]>, String> {
        match self.integers("pads") {
            None => Ok(vec![[0, 0]; axes]),
            Some(list) => pairs(list, axes),
        }
    }
}

/// `[before, before, behind, behind]` as one pair an axis.
pub(crate) fn pairs(list: &[i64], axes: usize) -> Result<Vec<[usize; 2]>, String> {
    let natural = |n: &i64| u16::try_from(*n).ok().map(usize::from);
    let numbers: Option<Vec<usize>> = list.iter().map(natural).collect();
    let numbers = numbers
        .filter(|numbers| numbers.len() == 2 * axes)
        .ok_or_else(|| {
            format!(
                "has pads = {list:?}; accepted are {} numbers, none below 0",
                2 * axes
            )
        })?;
    let (before, behind) = numbers.split_at(axes);
    Ok(before.iter().zip(behind).map(|(a, b)| [*a, *b]).collect())
}
