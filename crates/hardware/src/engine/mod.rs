//! Synthesis engines: what each is called, which programs it needs, how far it goes, its scripts and
//! the reading of its reports. This room starts no processes.
//!
//! The rule this module keeps: a figure says which engine made it and at which stage. Figures of two
//! engines, or of two stages, never stand in one ranking.

pub mod nextpnr;
mod target;
pub mod vitis;
pub mod vivado;

pub use target::{DesignError, PartError, Target};

use crate::synthesis_report;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// An engine that synthesis jobs may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Engine {
    /// Yosys for `UltraScale+`: cells are mapped, nothing is placed. The default.
    #[serde(rename = "yosys")]
    Yosys,
    /// Yosys and nextpnr on an iCE40 HX8K: placed and routed, for small circuits and relative clocks.
    #[serde(rename = "yosys-nextpnr-ice40")]
    Ice40,
    /// Yosys and nextpnr on an ECP5 of 85,000 LUTs.
    #[serde(rename = "yosys-nextpnr-ecp5")]
    Ecp5,
    /// Vivado out of context, after routing.
    #[serde(rename = "vivado")]
    Vivado,
    /// Vitis HLS on an hls4ml project: the tool's own estimate of its own circuit.
    #[serde(rename = "vitis-hls")]
    Vitis,
}

/// How far an engine goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// A tool's own estimate before synthesis.
    Estimate,
    /// Mapped to cells, not placed.
    Synthesis,
    /// Placed and routed.
    PostRoute,
}

impl Engine {
    /// All of them, the default first.
    pub const ALL: [Self; 5] = [
        Self::Yosys,
        Self::Ice40,
        Self::Ecp5,
        Self::Vivado,
        Self::Vitis,
    ];

    /// Its name in search files, rows and results.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Yosys => "yosys",
            Self::Ice40 => "yosys-nextpnr-ice40",
            Self::Ecp5 => "yosys-nextpnr-ecp5",
            Self::Vivado => "vivado",
            Self::Vitis => "vitis-hls",
        }
    }

    /// Programs it needs on PATH, beside the simulator; the last one gives the figures.
    pub const fn programs(self) -> &'static [&'static str] {
        match self {
            Self::Yosys => &["yosys"],
            Self::Ice40 => &["yosys", "nextpnr-ice40"],
            Self::Ecp5 => &["yosys", "nextpnr-ecp5"],
            Self::Vivado => &["vivado"],
            Self::Vitis => &["hls4ml", "vitis-run"],
        }
    }

    /// How far its figures go.
    pub const fn stage(self) -> Stage {
        match self {
            Self::Yosys => Stage::Synthesis,
            Self::Ice40 | Self::Ecp5 | Self::Vivado => Stage::PostRoute,
            Self::Vitis => Stage::Estimate,
        }
    }

    /// Whether this project has run the real tool, not only read reports written in its format.
    pub const fn is_tested_on_the_tool(self) -> bool {
        matches!(self, Self::Yosys | Self::Ice40)
    }

    /// Whether all its programs are there.
    pub fn is_here(self, mut has: impl FnMut(&str) -> bool) -> bool {
        self.programs().iter().all(|program| has(program))
    }
}

impl fmt::Display for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A name that no engine has.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "engine {0:?}: accepted are \"yosys\", \"yosys-nextpnr-ice40\", \"yosys-nextpnr-ecp5\", \"vivado\" and \"vitis-hls\""
)]
pub struct UnknownEngine(String);

impl FromStr for Engine {
    type Err = UnknownEngine;

    fn from_str(text: &str) -> Result<Self, UnknownEngine> {
        let found = Self::ALL.into_iter().find(|engine| engine.name() == text);
        found.ok_or_else(|| UnknownEngine(text.to_owned()))
    }
}

/// What an engine measured; what it does not measure is `None`.
#[derive(Clone, Debug, PartialEq)]
pub struct Measured {
    /// Look-up tables of the engine's architecture (six inputs in `UltraScale+`, four in iCE40 and ECP5).
    pub lut: u64,
    /// Flip-flops.
    pub ff: u64,
    /// Carry cells.
    pub carry: u64,
    /// DSP blocks.
    pub dsp: u64,
    /// Block RAMs of 36 Kb, a half one counted whole.
    pub bram: Option<u64>,
    /// `UltraRAM`s of 288 Kb.
    pub uram: Option<u64>,
    /// Worst slack of the clock in ns.
    pub slack_ns: Option<f64>,
    /// Highest clock in MHz.
    pub fmax_mhz: Option<f64>,
}

/// Why a vendor's or a router's report was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReportError {
    /// Yosys' statistics, or a cell among them.
    #[error(transparent)]
    Cells(#[from] synthesis_report::ReportError),
    /// Something that belongs into the report is missing.
    #[error("no {0} in the report")]
    Missing(String),
    /// No number where there should be one.
    #[error("{what} is {found:?}: accepted is a number")]
    Number {
        /// Of what.
        what: String,
        /// What stands there.
        found: String,
    },
}

fn number<T: FromStr>(what: &str, text: &str) -> Result<T, ReportError> {
    text.trim().parse().map_err(|_| ReportError::Number {
        what: what.to_owned(),
        found: text.trim().to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn engines_parse_as_they_print_and_are_here_with_all_their_programs() {
        for engine in Engine::ALL {
            assert_eq!(engine.to_string().parse(), Ok(engine));
            assert_eq!(serde_json::to_value(engine).unwrap(), engine.name());
            assert!(engine.is_here(|_| true));
            let last = *engine.programs().last().unwrap();
            assert!(!engine.is_here(|program| program != last));
        }
        let message = "quartus".parse::<Engine>().unwrap_err().to_string();
        for engine in Engine::ALL {
            assert!(message.contains(engine.name()), "{message}");
        }
    }
}
