//! The HDF5 file that Keras 2 loads weights from: one group a layer, with the names of its arrays.

use hdf5_pure::{AttrValue, FileBuilder};

use super::KerasLayer;

/// The version of Keras whose layout the file has.
pub(super) const KERAS: &str = "2.15.0";

/// Who computes.
pub(super) const BACKEND: &str = "tensorflow";

/// The file's bytes.
///
/// # Errors
/// What the format cannot hold, as a sentence's end.
pub(super) fn file(layers: &[KerasLayer]) -> Result<Vec<u8>, String> {
    let mut file = FileBuilder::new();
    let names = layers.iter().map(|layer| layer.name.clone()).collect();
    file.set_attr("layer_names", AttrValue::StringArray(names));
    file.set_attr("backend", AttrValue::String(BACKEND.into()));
    file.set_attr("keras_version", AttrValue::String(KERAS.into()));
    for layer in layers {
        let mut group = file.create_group(&layer.name);
        let names = layer.weights.iter().map(|(part, ..)| array(part));
        let paths: Vec<String> = names.map(|name| format!("{}/{name}", layer.name)).collect();
        let listed = if paths.is_empty() {
            // An empty list of names, whose type is no matter.
            AttrValue::F64Array(Vec::new())
        } else {
            AttrValue::StringArray(paths)
        };
        group.set_attr("weight_names", listed);
        if !layer.weights.is_empty() {
            let mut inner = group.create_group(&layer.name);
            for (part, shape, values) in &layer.weights {
                let shape: Vec<u64> = shape.iter().map(|axis| *axis as u64).collect();
                let dataset = inner.create_dataset(&array(part));
                dataset.with_f32_data(values).with_shape(&shape);
            }
            group.add_group(inner.finish());
        }
        file.add_group(group.finish());
    }
    let problem = |error| format!("has no HDF5 form: {error}");
    file.finish().map_err(problem)
}

fn array(part: &str) -> String {
    format!("{part}:0")
}
