//! What a trial's circuit takes of its device: used, available and the share, resource by resource.

use bitfront_hardware::device::{Resource, Resources};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

/// What a circuit takes of one resource of its device.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = Usage)]
pub struct UsageView {
    /// `lut`, `ff`, `dsp`, `bram` or `uram`.
    #[schema(example = "lut")]
    pub resource: String,
    /// Estimated from the trained weights.
    pub estimate: Option<u64>,
    /// Measured by synthesis.
    pub measured: Option<u64>,
    /// What the device has; absent where it has none or does not say.
    pub available: Option<u64>,
    /// The estimate in percent of what the device has.
    pub estimate_percent: Option<f64>,
    /// The measurement in percent of what the device has.
    pub measured_percent: Option<f64>,
}

/// One row for each resource that is counted in the costs of `scores` (`lut_estimate`) or in what synthesis `measured`
/// (`lut_measured`), against `device` as a search stores it.
pub(super) fn usage(
    scores: Option<&Value>,
    measured: Option<&Value>,
    device: Option<&Value>,
) -> Vec<UsageView> {
    let resources = device
        .and_then(|device| device.get("resources"))
        .and_then(|resources| Resources::deserialize(resources).ok());
    let costs = scores.and_then(|scores| scores.get("costs"));
    let count = |of: Option<&Value>, resource: Resource, kind: &str| {
        of?.get(format!("{}_{kind}", resource.name()))?.as_u64()
    };
    let row = |resource| {
        let estimate = count(costs, resource, "estimate");
        let measured = count(measured, resource, "measured");
        let percent = |used: Option<u64>| resources?.percent(resource, used?);
        (estimate.is_some() || measured.is_some()).then(|| UsageView {
            resource: resource.name().to_owned(),
            estimate,
            measured,
            available: resources.and_then(|resources| resources.get(resource)),
            estimate_percent: percent(estimate),
            measured_percent: percent(measured),
        })
    };
    Resource::ALL.into_iter().filter_map(row).collect()
}

#[cfg(test)]
mod tests {
    use super::usage;
    use serde_json::json;

    #[test]
    fn each_count_stands_beside_what_there_is() {
        let scores = json!({"costs": {"lut_estimate": 528, "dsp_estimate": 0, "bits": 9}});
        let measured = json!({"lut_measured": 480, "ff_measured": 7920});
        let device =
            json!({"part": "b", "clock_mhz": 200.0, "resources": {"lut": 5280, "ff": 5280}});
        let rows = usage(Some(&scores), Some(&measured), Some(&device));
        let rows = serde_json::to_value(rows).expect("JSON");
        let expected = json!([
            {"resource": "lut", "estimate": 528, "measured": 480, "available": 5280,
             "estimate_percent": 10.0, "measured_percent": 100.0 * 480.0 / 5280.0},
            {"resource": "ff", "estimate": null, "measured": 7920, "available": 5280,
             "estimate_percent": null, "measured_percent": 150.0},
            {"resource": "dsp", "estimate": 0, "measured": null, "available": null,
             "estimate_percent": null, "measured_percent": null},
        ]);
        assert_eq!(rows, expected);
    }

    #[test]
    fn nothing_is_said_of_what_is_not_counted() {
        assert!(usage(None, None, None).is_empty());
        let float = json!({"accuracy_validation": 0.7});
        assert!(usage(Some(&float), None, None).is_empty());
        // A search from before devices were known.
        let scores = json!({"costs": {"lut_estimate": 528}});
        let device = json!({"part": "xcvu9p", "clock_mhz": 200.0});
        let rows = usage(Some(&scores), None, Some(&device));
        assert_eq!((rows[0].estimate, rows[0].available), (Some(528), None));
    }
}
