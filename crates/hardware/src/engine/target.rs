//! What measures a circuit: an engine, the part it places for, and the options that decide about its figures.
//!
//! The rule this module keeps: circuits whose RTL, engine, part and options are equal measure the same, by the same
//! version of the programs; where one differs, nothing is shared and nothing is compared.

use super::{Engine, nextpnr, vitis, vivado};
use crate::circuit::{BuildOptions, Multipliers, OutputForm, Ranges};
use crate::design::{DesignOptions, Layout};
use crate::device::Devices;
use crate::synthesis_report;
use serde::{Deserialize, Serialize};

/// An engine and the part that it places for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Target {
    /// The engine.
    pub engine: Engine,
    /// Its part; `None` for an engine that places nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub part: Option<String>,
}

impl Default for Target {
    fn default() -> Self {
        Self {
            engine: Engine::Yosys,
            part: None,
        }
    }
}

/// Why a part was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PartError {
    /// The engine places nothing.
    #[error("engine `{0}` places nothing, so that it takes no part; leave it out")]
    NotPlaced(Engine),
    /// The router has no such device, or the package is no word.
    #[error(
        "part `{part}` is none of engine `{engine}`; accepted: DEVICE-PACKAGE like `{example}`, with device {devices}"
    )]
    Router {
        /// The engine.
        engine: Engine,
        /// What was given.
        part: String,
        /// Its default.
        example: &'static str,
        /// Its devices.
        devices: String,
    },
    /// No vendor's part name.
    #[error(
        "part `{0}` is no part's full name; accepted: letters, digits and `-`, like `xcvu9p-flgb2104-2-i`"
    )]
    Vendor(String),
    /// A vendor's tool needs a full name, and the device has none.
    #[error(
        "engine `{engine}` needs a part: no full name of device `{device}` is known; accepted: one like `xcvu9p-flgb2104-2-i`"
    )]
    Needed {
        /// The engine.
        engine: Engine,
        /// The search's device.
        device: String,
    },
}

/// Why an engine does not take a circuit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DesignError {
    /// A streamed one.
    #[error("engine `{0}` takes no streamed circuits yet; accepted: `yosys`")]
    Streamed(Engine),
    /// One with products in DSP blocks.
    #[error(
        "engine `{0}` puts the registers around a product into its DSP block, a setting that the netlist's simulators do not know; accepted with it: multipliers `luts`"
    )]
    Blocks(Engine),
    /// One with products in DSP blocks, for an engine that takes none.
    #[error(
        "engine `{0}` puts no product that the circuit means for one into a DSP block, so that its counts would be of another circuit; accepted with it: multipliers `luts`"
    )]
    NoBlocks(Engine),
}

impl Target {
    /// An engine with a part, or with the one it has where none is given: the router's usual board, or for a vendor's tool the
    /// full name of `device`.
    ///
    /// # Errors
    /// [`PartError`] for a part that the engine cannot place for, and where a part is needed.
    pub fn new(
        engine: Engine,
        part: Option<&str>,
        device: &str,
        devices: &Devices,
    ) -> Result<Self, PartError> {
        let part = match engine {
            Engine::Yosys => match part {
                Some(_) => return Err(PartError::NotPlaced(engine)),
                None => None,
            },
            Engine::Ice40 | Engine::Ecp5 => Some(routed(engine, part)?),
            Engine::Vivado | Engine::Vitis => Some(match part {
                Some(part) => part.to_owned(),
                None => full_name(device, devices).ok_or_else(|| PartError::Needed {
                    engine,
                    device: device.to_owned(),
                })?,
            }),
        };
        let plain = |part: &&String| {
            !(1..=64).contains(&part.len())
                || !part.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
        };
        match part.as_ref().filter(plain) {
            Some(part) => Err(PartError::Vendor(part.clone())),
            None => Ok(Self { engine, part }),
        }
    }

    /// The options that decide about the figures of a circuit built with `design`, as they are stored with a result.
    pub fn options(&self, design: &DesignOptions) -> String {
        let options = self.options_of(&design.circuit);
        let options = match design.circuit.output {
            OutputForm::Logits => options,
            output => format!("ends in {}; {options}", output.name()),
        };
        let options = if design.circuit.valid {
            format!("flags of valid rows; {options}")
        } else {
            options
        };
        let options = match design.circuit.ranges {
            Ranges::Proven => options,
            Ranges::Data => format!("ranges of the train rows; {options}"),
        };
        match design.layout {
            Layout::Unrolled => options,
            // Ratios of measurements to estimates are never of both layouts.
            Layout::Streamed { .. } => format!("streamed circuit; {options}"),
        }
    }

    /// Whether the engine takes circuits built so.
    ///
    /// # Errors
    /// [`DesignError`] where every job of such a circuit would fail.
    pub fn check(&self, design: &DesignOptions) -> Result<(), DesignError> {
        let engine = self.engine;
        if design.layout != Layout::Unrolled && engine != Engine::Yosys {
            return Err(DesignError::Streamed(engine));
        }
        match (design.circuit.multipliers, engine) {
            (Multipliers::Luts, _) | (_, Engine::Yosys) => Ok(()),
            (_, Engine::Vivado) => Err(DesignError::Blocks(engine)),
            (_, Engine::Ice40 | Engine::Ecp5 | Engine::Vitis) => Err(DesignError::NoBlocks(engine)),
        }
    }

    /// Whether its counts are of this device: its part is the device, by its own name or a longer one, or it has none and counts
    /// cells for the device of the search.
    pub fn is_on(&self, device: &str, devices: &Devices) -> bool {
        let Some(part) = &self.part else {
            return true;
        };
        let known = |name| devices.find(name);
        if known(part).is_some() || known(device).is_some() {
            return known(part) == known(device);
        }
        let (part, device) = (part.to_ascii_lowercase(), device.to_ascii_lowercase());
        let package = part.strip_prefix(&device);
        package.is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
    }

    fn options_of(&self, build: &BuildOptions) -> String {
        let part = self.part.as_deref().unwrap_or_default();
        let period_ps = build.delays.period_ps;
        match self.engine {
            Engine::Yosys => synthesis_report::options(build.multipliers).to_owned(),
            Engine::Ice40 => nextpnr::ICE40.options(part, period_ps),
            Engine::Ecp5 => nextpnr::ECP5.options(part, period_ps),
            Engine::Vivado => vivado::options(period_ps),
            Engine::Vitis => vitis::options(period_ps),
        }
    }
}

fn routed(engine: Engine, part: Option<&str>) -> Result<String, PartError> {
    let family = match engine {
        Engine::Ecp5 => &nextpnr::ECP5,
        _ => &nextpnr::ICE40,
    };
    let part = part.unwrap_or(family.default_part);
    if family.has(part) {
        return Ok(part.to_owned());
    }
    Err(PartError::Router {
        engine,
        part: part.to_owned(),
        example: family.default_part,
        devices: family.devices.join(", "),
    })
}

/// The full name that a vendor's tool is given for a device of the tables; a device may be named by it.
fn full_name(device: &str, devices: &Devices) -> Option<String> {
    let known = devices.find(device)?;
    if device.eq_ignore_ascii_case(&known.part) {
        known.tool_part.clone()
    } else {
        Some(device.to_ascii_lowercase())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(engine: Engine, part: Option<&str>, device: &str) -> Result<Target, PartError> {
        Target::new(engine, part, device, Devices::known())
    }

    #[test]
    fn each_engine_has_a_part_or_none() {
        let part = |engine, part, device| target(engine, part, device).unwrap().part;
        assert_eq!(part(Engine::Yosys, None, "xcvu9p"), None);
        assert_eq!(
            part(Engine::Ice40, None, "xcvu9p").as_deref(),
            Some("hx8k-ct256")
        );
        assert_eq!(
            part(Engine::Ice40, Some("up5k-sg48"), "xcvu9p").as_deref(),
            Some("up5k-sg48")
        );
        assert_eq!(
            part(Engine::Ecp5, None, "xcvu9p").as_deref(),
            Some("85k-CABGA756")
        );
        let known = Devices::known().find("xcvu9p").unwrap().tool_part.clone();
        assert_eq!(part(Engine::Vivado, None, "xcvu9p"), known);
        assert_eq!(part(Engine::Vitis, None, "xcvu9p"), known);
        let longer = "xcvu9p-flga2104-3-e";
        assert_eq!(part(Engine::Vivado, None, longer).as_deref(), Some(longer));
        assert_eq!(
            part(Engine::Vivado, Some("xc7z020clg400-1"), "xcvu9p").as_deref(),
            Some("xc7z020clg400-1")
        );
        assert_eq!(target(Engine::Yosys, None, "xcvu9p"), Ok(Target::default()));
    }

    #[test]
    fn a_part_that_cannot_be_is_named_with_what_is_accepted() {
        for (engine, part, device, says) in [
            (Engine::Yosys, Some("hx8k-ct256"), "xcvu9p", "takes no part"),
            (
                Engine::Ice40,
                Some("xcvu9p"),
                "xcvu9p",
                "`hx8k-ct256`, with device",
            ),
            (Engine::Ice40, Some("hx9k-ct256"), "xcvu9p", "hx8k, "),
            (Engine::Ice40, Some("hx8k-"), "xcvu9p", "`hx8k-`"),
            (
                Engine::Ice40,
                Some("hx8k-ct 256"),
                "xcvu9p",
                "`hx8k-ct 256`",
            ),
            (Engine::Ecp5, Some("hx8k-ct256"), "xcvu9p", "`85k-CABGA756`"),
            // What is written into a script is a plain word.
            (
                Engine::Vivado,
                Some("a; exec rm"),
                "xcvu9p",
                "letters, digits",
            ),
            (Engine::Vivado, Some(""), "xcvu9p", "letters, digits"),
            (Engine::Vivado, None, "my-board", "device `my-board`"),
        ] {
            let message = target(engine, part, device).unwrap_err().to_string();
            assert!(message.contains(says), "{part:?}: {message}");
        }
    }

    #[test]
    fn counts_are_of_the_device_where_the_part_is() {
        let is_on = |engine, part: Option<&str>, device| {
            let target = Target {
                engine,
                part: part.map(str::to_owned),
            };
            target.is_on(device, Devices::known())
        };
        for (engine, part, device, expected) in [
            (Engine::Yosys, None, "xcvu9p", true),
            (Engine::Yosys, None, "my-board", true),
            (Engine::Ice40, Some("hx8k-ct256"), "xcvu9p", false),
            (Engine::Ice40, Some("hx8k-ct256"), "my-board", false),
            (Engine::Ice40, Some("hx8k-ct256"), "HX8K", true),
            (Engine::Ice40, Some("hx8k-ct256"), "hx8", false),
            (Engine::Ecp5, Some("85k-CABGA756"), "xcvu9p", false),
            (Engine::Vivado, Some("xcvu9p-flgb2104-2-i"), "xcvu9p", true),
            (
                Engine::Vivado,
                Some("xcvu9p-flga2104-3-e"),
                "XCVU9P-flgb2104-2-i",
                true,
            ),
            (Engine::Vivado, Some("xc7z020clg400-1"), "xcvu9p", false),
            (
                Engine::Vitis,
                Some("xcvu9p-flgb2104-2-i"),
                "my-board",
                false,
            ),
            (
                Engine::Vivado,
                Some("xcvu9z-flgb2104-2-i"),
                "xcvu9z-flgb2104-2-i",
                true,
            ),
        ] {
            assert_eq!(is_on(engine, part, device), expected, "{part:?} {device}");
        }
    }

    #[test]
    fn options_tell_apart_what_measures_differently() {
        let fast = BuildOptions::new(400.0, Some(1));
        let slow = BuildOptions::new(200.0, Some(1));
        let of = |engine, part, build: &BuildOptions| {
            let design = DesignOptions {
                circuit: *build,
                layout: Layout::Unrolled,
            };
            target(engine, part, "xcvu9p").unwrap().options(&design)
        };
        // Nothing is placed: the clock is no option.
        assert_eq!(
            of(Engine::Yosys, None, &fast),
            of(Engine::Yosys, None, &slow)
        );
        let blocks = BuildOptions {
            multipliers: Multipliers::Dsps,
            ..slow
        };
        let yosys = of(Engine::Yosys, None, &blocks);
        assert!(!yosys.contains("-nodsp") && of(Engine::Yosys, None, &slow).contains("-nodsp"));
        assert_eq!(
            of(Engine::Ice40, None, &slow),
            "synth_ice40; --hx8k --package ct256 --pcf-allow-unconstrained --seed 1 --freq 200.000 --timing-allow-fail"
        );
        for engine in [Engine::Ice40, Engine::Ecp5, Engine::Vivado, Engine::Vitis] {
            assert_ne!(of(engine, None, &fast), of(engine, None, &slow), "{engine}");
        }
        let streamed = DesignOptions {
            circuit: slow,
            layout: Layout::Streamed { reuse: 4 },
        };
        let yosys = target(Engine::Yosys, None, "xcvu9p").unwrap();
        let unrolled = of(Engine::Yosys, None, &slow);
        assert_eq!(
            yosys.options(&streamed),
            format!("streamed circuit; {unrolled}")
        );
        for (output, name) in [
            (OutputForm::ArgMax, "argmax"),
            (OutputForm::Softmax, "softmax"),
        ] {
            let build = BuildOptions { output, ..slow };
            assert_eq!(
                of(Engine::Yosys, None, &build),
                format!("ends in {name}; {unrolled}")
            );
        }
        let flags = BuildOptions {
            valid: true,
            ..slow
        };
        assert_eq!(
            of(Engine::Yosys, None, &flags),
            format!("flags of valid rows; {unrolled}")
        );
        let check =
            |engine, design: &DesignOptions| target(engine, None, "xcvu9p").unwrap().check(design);
        for engine in Engine::ALL {
            let expected = match engine {
                Engine::Yosys => Ok(()),
                _ => Err(DesignError::Streamed(engine)),
            };
            assert_eq!(check(engine, &streamed), expected);
        }
        // Vivado would absorb the pipeline's registers into blocks; others have none, or a circuit of their own.
        for multipliers in [Multipliers::Dsps, Multipliers::Auto { luts_per_dsp: 55 }] {
            let design = |multipliers| DesignOptions {
                circuit: BuildOptions {
                    multipliers,
                    ..slow
                },
                layout: Layout::Unrolled,
            };
            for engine in Engine::ALL {
                let expected = match engine {
                    Engine::Yosys => Ok(()),
                    Engine::Vivado => Err(DesignError::Blocks(engine)),
                    _ => Err(DesignError::NoBlocks(engine)),
                };
                assert_eq!(check(engine, &design(multipliers)), expected);
                assert_eq!(check(engine, &design(Multipliers::Luts)), Ok(()));
            }
        }
        let other = of(Engine::Ice40, Some("up5k-sg48"), &slow);
        assert!(other.contains("--up5k --package sg48"), "{other}");
    }
}
