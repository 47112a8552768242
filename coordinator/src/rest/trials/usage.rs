//! What a trial's circuit takes of its device: used, available and the share, resource by resource.

use bitfront_hardware::device::{Devices, Resource, Resources};
use bitfront_hardware::engine::Target;
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
    /// The measurement in percent of what the device has; absent where another part was measured.
    pub measured_percent: Option<f64>,
}

/// Whether counts of an engine (by default Yosys) for a part are of `device` as a search stores it: others are shares of
/// another part, or counts of tables of other sizes.
pub(in crate::rest) fn is_of_device(
    engine: Option<&str>,
    part: Option<&str>,
    device: Option<&Value>,
) -> bool {
    let name = device.and_then(|device| device.get("part")?.as_str());
    let engine = engine.map_or(Ok(Target::default().engine), str::parse);
    let (Some(name), Ok(engine)) = (name, engine) else {
        return false;
    };
    let part = part.map(str::to_owned);
    Target { engine, part }.is_on(name, Devices::known())
}

/// One row for each resource that is counted in `costs` (`lut_estimate`) or in what synthesis `measured` (`lut_measured`), against
/// `device` as a search stores it; the second only if it `is_of_device`.
pub(in crate::rest) fn usage(
    costs: Option<&Value>,
    (measured, is_of_device): (Option<&Value>, bool),
    device: Option<&Value>,
) -> Vec<UsageView> {
    let resources = device
        .and_then(|device| device.get("resources"))
        .and_then(|resources| Resources::deserialize(resources).ok());
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
            measured_percent: percent(measured.filter(|_| is_of_device)),
        })
    };
    Resource::ALL.into_iter().filter_map(row).collect()
}

#[cfg(test)]
mod tests {
    use super::{UsageView, is_of_device, usage};
    use serde_json::json;

    #[test]
    fn each_count_stands_beside_what_there_is() {
        let costs = json!({"lut_estimate": 528, "dsp_estimate": 0, "bits": 9});
        let measured = json!({"lut_measured": 480, "ff_measured": 7920});
        let device =
            json!({"part": "b", "clock_mhz": 200.0, "resources": {"lut": 5280, "ff": 5280}});
        let rows = usage(Some(&costs), (Some(&measured), true), Some(&device));
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
        // What another part takes is no share of this one; the estimate's is.
        let rows = usage(Some(&costs), (Some(&measured), false), Some(&device));
        let percents = |row: &UsageView| (row.estimate_percent, row.measured_percent);
        let percents: Vec<_> = rows.iter().map(percents).collect();
        assert_eq!(percents, [(Some(10.0), None), (None, None), (None, None)]);
        assert_eq!(
            (rows[0].measured, rows[0].available),
            (Some(480), Some(5280))
        );
    }

    #[test]
    fn a_table_of_another_part_is_none_of_the_device() {
        let device = json!({"part": "xcvu9p", "clock_mhz": 200.0});
        let is_of = |engine, part| is_of_device(engine, part, Some(&device));
        assert!(is_of(None, None) && is_of(Some("yosys"), None));
        assert!(is_of(Some("vivado"), Some("xcvu9p-flgb2104-2-i")));
        assert!(!is_of(Some("vivado"), Some("xc7z020clg400-1")));
        assert!(!is_of(Some("yosys-nextpnr-ice40"), Some("hx8k-ct256")));
        assert!(!is_of(Some("of a newer coordinator"), None));
        assert!(!is_of_device(Some("yosys"), None, None));
    }

    #[test]
    fn nothing_is_said_of_what_is_not_counted() {
        assert!(usage(None, (None, true), None).is_empty());
        // A search from before devices were known.
        let costs = json!({"lut_estimate": 528});
        let device = json!({"part": "xcvu9p", "clock_mhz": 200.0});
        let rows = usage(Some(&costs), (None, true), Some(&device));
        assert_eq!((rows[0].estimate, rows[0].available), (Some(528), None));
    }
}
