//! Models of other tools: what is imported is a sound network with all of its weights.

use std::fs;
use std::path::Path;

use bitfront_import::{ImportError, Imported};
use bitfront_network::Weights;

/// What holds for every imported model; whether there is one.
pub(crate) fn is_sound(imported: Result<Imported, ImportError>) -> bool {
    let imported = match imported {
        Ok(imported) => imported,
        Err(error) => {
            assert!(!error.to_string().is_empty());
            return false;
        }
    };
    let (candidate, weights) = (&imported.candidate, &imported.weights);
    assert_eq!(candidate.check_shapes(), Ok(()));
    assert_eq!(weights.shape_fault(candidate), None);
    let again = Weights::from_bytes(candidate, &weights.to_bytes(candidate));
    assert_eq!(again.ok().as_ref(), Some(weights));
    true
}

/// Endings of the names of models that are refused.
const REFUSED: [&str; 2] = ["_unsupported", "_curved"];

/// The files of `testdata/models` with this ending that can be imported, by name.
pub(crate) fn models(ending: &str) -> Vec<(String, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../testdata/models");
    let files = fs::read_dir(folder).expect("the folder is there");
    let mut models = Vec::new();
    for file in files {
        let path = file.expect("readable").path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if let Some(stem) = name.strip_suffix(ending)
            && !REFUSED.iter().any(|refused| stem.ends_with(refused))
        {
            models.push((stem.to_owned(), fs::read(&path).expect("readable")));
        }
    }
    models.sort_unstable();
    models
}
