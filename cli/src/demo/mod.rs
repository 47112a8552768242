//! The demo: bundled jets (generated data) and their search file, submitted over REST as any client does.

mod report;

use serde_json::Value;

use crate::client::Client;
use crate::document::Document;
use crate::exit::{Failure, Outcome};

pub(crate) use report::{Clock, Report};

/// The bundled sample. It is generated, not measured: no figure on it compares with published ones.
pub(crate) const JETS: &[u8] = include_bytes!("../../../testdata/jets/jets_small.npz");
/// What it is registered as: the name in the search file, with the extension that names the format.
pub(crate) const JETS_FILE: &str = "jets-demo.npz";
/// The demo's search file.
const SEARCH: &str = include_str!("../../../examples/jets.yaml");

/// Said wherever figures on the jets are shown.
pub(crate) const GENERATED: &str =
    "The jets are generated data: these accuracies do not compare with published ones.";

/// Uploads the jets and submits the search; returns the search's id.
pub(crate) async fn submit(client: &Client) -> Outcome<String> {
    let digest = bitfront_dataset::Dataset::parse(JETS, JETS_FILE)
        .map_err(|error| Failure::general(format!("failed to open the bundled jets: {error}")))?
        .digest;
    client
        .upload("/api/v1/datasets", JETS_FILE, &digest, JETS.to_vec())
        .await?;
    let document = Document::parse("examples/jets.yaml", SEARCH)?;
    let search: Value = client.submit(&document.value, false).await?;
    search["id"].as_str().map(str::to_owned).ok_or_else(|| {
        Failure::general("failed to read the coordinator's answer: a search without an id")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use bitfront_dataset::Dataset;
    use bitfront_search::file::{DatasetInfo, dataset_name, read};

    #[test]
    fn the_bundled_search_fits_the_bundled_jets() {
        let dataset = Dataset::parse(JETS, JETS_FILE).unwrap();
        let document = Document::parse("examples/jets.yaml", SEARCH).unwrap();
        assert_eq!(
            dataset_name(&document.value),
            JETS_FILE.strip_suffix(".npz")
        );
        let info = DatasetInfo {
            inputs: dataset.features.len(),
            classes: dataset.classes.len(),
            digest: dataset.digest,
            ..DatasetInfo::default()
        };
        let search = read(&document.value, Some(&info)).unwrap();
        assert!(search.budget.trials >= 100 && search.training.epochs >= 3);
        let labels: Vec<&str> = search
            .seed_trials
            .iter()
            .map(|seed| seed.label.as_str())
            .collect();
        assert!(
            labels.contains(&"float") && labels.contains(&"uniform-6"),
            "{labels:?}"
        );
    }
}
