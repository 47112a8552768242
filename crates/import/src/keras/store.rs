//! Where the weights of a Keras layer stand in its HDF5 file.
//!
//! Two forms: by names (Keras 2, and `.h5` of Keras 3), one group a top-level layer with a list of
//! its weights; and by position (`.keras`), one group a layer named after its type and a count.

use std::collections::HashMap;

use crate::array::Array;
use crate::error::ImportError;
use crate::hdf5::Hdf5;

/// The weights file of a model.
pub(crate) struct Store {
    file: Hdf5,
    form: Form,
}

enum Form {
    /// The group with one group a layer.
    Names(String),
    /// The name of the group with a model's layers.
    Positions(&'static str),
}

/// Where the layers of a model stand.
#[derive(Clone, Debug)]
pub(crate) struct Scope {
    /// By name: the top-level layer that holds this model.
    outer: Option<String>,
    /// By position: the path of the model.
    path: String,
    /// By position: how many layers of each type there were.
    counts: HashMap<String, usize>,
}

/// Where one layer's weights stand.
#[derive(Debug)]
pub(crate) struct Place {
    outer: Option<String>,
    name: String,
    path: String,
    group: String,
}

/// A layer's arrays, with their names where the file has names.
#[derive(Debug, Default)]
pub(crate) struct Arrays(Vec<(Option<String>, Array)>);

impl Store {
    /// Opens a weights file, and says which version of Keras wrote it if it says so.
    pub(crate) fn open(bytes: &[u8]) -> Result<(Self, Header), ImportError> {
        let file = Hdf5::open(bytes)?;
        let mut texts = file.texts("/")?;
        let header = Header {
            model: texts.one("model_config"),
            version: texts.one("keras_version"),
        };
        let form = if texts.list("layer_names").is_some() {
            Form::Names(String::new())
        } else if file.has_group("/model_weights") {
            Form::Names("/model_weights".into())
        } else if file.has_group("/layers") {
            Form::Positions("layers")
        } else if file.has_group("/_layer_checkpoint_dependencies") {
            Form::Positions("_layer_checkpoint_dependencies")
        } else {
            let problem = "it has no weights of a Keras model: none of the attribute `layer_names` \
                           and the groups `model_weights` and `layers`";
            return Err(ImportError::damaged("HDF5 file", problem));
        };
        Ok((Self { file, form }, header))
    }

    /// The weights of a layer.
    pub(crate) fn arrays(&mut self, place: &Place) -> Result<Arrays, ImportError> {
        match &self.form {
            Form::Names(root) => {
                let top = place.outer.as_ref().unwrap_or(&place.name);
                let group = format!("{root}/{top}");
                let names = self
                    .file
                    .texts(&group)?
                    .list("weight_names")
                    .ok_or_else(|| {
                        ImportError::damaged(&group, "it has no attribute `weight_names`")
                    })?;
                let inside = |name: &&String| {
                    place.outer.is_none() || name.split('/').any(|part| part == place.name)
                };
                let mut arrays = Vec::new();
                for name in names.iter().filter(inside) {
                    let last = name.rsplit('/').next().unwrap_or(name);
                    let last = last.split(':').next().unwrap_or(last);
                    let array = self.file.array(&format!("{group}/{name}"))?;
                    arrays.push((Some(last.to_owned()), array));
                }
                Ok(Arrays(arrays))
            }
            Form::Positions(layers) => {
                let group = format!("{}/{layers}/{}/vars", place.path, place.group);
                if !self.file.has_group(&group) {
                    return Ok(Arrays::default());
                }
                if let Some(name) = self.file.texts(&group)?.one("name")
                    && name != place.name
                {
                    let problem = format!("it holds `{name}`, not `{}`", place.name);
                    return Err(ImportError::damaged(group, problem));
                }
                let count = self.file.arrays_of(&group)?.len();
                let arrays = (0..count).map(|at| {
                    let array = self.file.array(&format!("{group}/{at}"))?;
                    Ok((None, array))
                });
                Ok(Arrays(arrays.collect::<Result<_, ImportError>>()?))
            }
        }
    }

    fn layers(&self) -> &'static str {
        match self.form {
            Form::Names(_) => "",
            Form::Positions(layers) => layers,
        }
    }
}

/// What a weights file says about itself.
#[derive(Debug)]
pub(crate) struct Header {
    /// The model's description.
    pub(crate) model: Option<String>,
    /// Version of Keras.
    pub(crate) version: Option<String>,
}

impl Scope {
    /// The model of the file.
    pub(crate) fn root() -> Self {
        Self {
            outer: None,
            path: String::new(),
            counts: HashMap::new(),
        }
    }

    /// The place of a model's next layer; layers have to be asked for in the file's order.
    pub(crate) fn place(&mut self, class: &str, name: &str) -> Place {
        let class = snake_case(class);
        let count = self.counts.entry(class.clone()).or_default();
        let group = match *count {
            0 => class,
            n => format!("{class}_{n}"),
        };
        *count += 1;
        Place {
            outer: self.outer.clone(),
            name: name.to_owned(),
            path: self.path.clone(),
            group,
        }
    }

    /// The model that stands at a place.
    pub(crate) fn inside(place: &Place, store: &Store) -> Self {
        Self {
            outer: Some(place.outer.clone().unwrap_or_else(|| place.name.clone())),
            path: format!("{}/{}/{}", place.path, store.layers(), place.group),
            counts: HashMap::new(),
        }
    }
}

impl Arrays {
    /// The arrays of the given names, in their order. Each name may have alternatives behind `|`.
    ///
    /// # Errors
    /// What is missing or too much, as a sentence's end.
    pub(crate) fn take(mut self, names: &[&str]) -> Result<Vec<Array>, String> {
        // The step counter of a folded batch normalisation is no weight.
        self.0.retain(|(name, array)| {
            !(array.shape.is_empty() && name.as_ref().is_none_or(|name| name == "iteration"))
        });
        let have = self.0.len();
        if have != names.len() {
            return Err(format!(
                "has {have} arrays of weights in the file; its settings need {}: {}",
                names.len(),
                names.join(", ")
            ));
        }
        if self.0.iter().all(|(name, _)| name.is_none()) {
            return Ok(self.0.into_iter().map(|(_, array)| array).collect());
        }
        let mut find = |wanted: &&str| {
            let fits = |name: &str| wanted.split('|').any(|wanted| wanted == name);
            let at = self
                .0
                .iter()
                .position(|(name, _)| name.as_deref().is_some_and(fits));
            at.map(|at| self.0.swap_remove(at).1)
                .ok_or_else(|| format!("has no weights named `{wanted}` in the file"))
        };
        names.iter().map(&mut find).collect()
    }
}

/// `MaxPooling2D` as `max_pooling2d`: how Keras names groups after types.
fn snake_case(class: &str) -> String {
    let letters: Vec<char> = class
        .chars()
        .filter(|c| c.is_alphanumeric() || *c == '_')
        .collect();
    let lower = |at: usize| {
        letters
            .get(at)
            .is_some_and(|c: &char| c.is_ascii_lowercase())
    };
    let mut name = String::with_capacity(class.len() + 8);
    for (at, letter) in letters.iter().enumerate() {
        // A capital starts a word if small letters follow it, or stand before it.
        let starts = letter.is_ascii_uppercase() && at > 0 && (lower(at + 1) || lower(at - 1));
        if starts {
            name.push('_');
        }
        name.extend(letter.to_lowercase());
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_are_named_as_keras_names_them() {
        for (class, name) in [
            ("Dense", "dense"),
            ("Conv2D", "conv2d"),
            ("MaxPooling2D", "max_pooling2d"),
            ("ReLU", "re_lu"),
            ("LeakyReLU", "leaky_re_lu"),
            ("GlobalAveragePooling2D", "global_average_pooling2d"),
            ("BatchNormalization", "batch_normalization"),
            ("QConv2DBatchnorm", "q_conv2d_batchnorm"),
            ("Sequential", "sequential"),
        ] {
            assert_eq!(snake_case(class), name);
        }
        let mut scope = Scope::root();
        let groups = ["a", "b", "c"].map(|name| scope.place("Dense", name).group);
        assert_eq!(groups, ["dense", "dense_1", "dense_2"]);
    }
}
