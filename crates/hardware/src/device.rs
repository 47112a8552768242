//! Devices: what a part holds, and how much of it a circuit takes.
//!
//! The rule this module keeps: a table of devices is taken whole or refused. A field that is not
//! known, a part that stands twice and a count that is not positive are errors that name the part, so
//! that no share is ever computed against a slip of the pen.
//!
//! ```
//! use bitfront_hardware::device::{Devices, Resource};
//!
//! let devices = Devices::known();
//! let device = devices.find("xcvu9p-flgb2104-2-i").unwrap();
//! assert_eq!(device.resources.get(Resource::Lut), Some(1_182_240));
//! assert_eq!(device.resources.percent(Resource::Lut, 59_112), Some(5.0));
//! ```

use serde::{Deserialize, Serialize};
use std::sync::LazyLock;

/// The table that comes with the program.
const TABLE: &str = include_str!("../devices.toml");

static KNOWN: LazyLock<Devices> = LazyLock::new(|| {
    // A test reads the table; it cannot change afterwards.
    Devices::parse(TABLE).unwrap_or_default()
});

/// A kind of resource that devices have a number of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Resource {
    /// Look-up tables of six inputs.
    Lut,
    /// Flip-flops.
    Ff,
    /// DSP blocks.
    Dsp,
    /// Block RAMs of 36 Kb.
    Bram,
    /// `UltraRAM`s of 288 Kb.
    Uram,
}

impl Resource {
    /// Every kind, in the order of tables.
    pub const ALL: [Self; 5] = [Self::Lut, Self::Ff, Self::Dsp, Self::Bram, Self::Uram];

    /// The name in files, columns and pages.
    pub fn name(self) -> &'static str {
        match self {
            Self::Lut => "lut",
            Self::Ff => "ff",
            Self::Dsp => "dsp",
            Self::Bram => "bram",
            Self::Uram => "uram",
        }
    }
}

/// How many of each resource a device holds; a kind it lacks is absent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Resources {
    /// Look-up tables of six inputs.
    pub lut: u64,
    /// Flip-flops.
    pub ff: u64,
    /// DSP blocks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dsp: Option<u64>,
    /// Block RAMs of 36 Kb.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bram: Option<u64>,
    /// `UltraRAM`s of 288 Kb.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uram: Option<u64>,
}

impl Resources {
    /// How many there are of a kind; `None` where the device has none or does not say.
    pub fn get(&self, resource: Resource) -> Option<u64> {
        match resource {
            Resource::Lut => Some(self.lut),
            Resource::Ff => Some(self.ff),
            Resource::Dsp => self.dsp,
            Resource::Bram => self.bram,
            Resource::Uram => self.uram,
        }
    }

    /// `used` in percent of what there is; above 100 where it does not fit.
    pub fn percent(&self, resource: Resource, used: u64) -> Option<f64> {
        let available = self.get(resource).filter(|count| *count > 0)?;
        Some(100.0 * used as f64 / available as f64)
    }

    /// The first kind whose count is zero.
    pub fn zero(&self) -> Option<Resource> {
        Resource::ALL
            .into_iter()
            .find(|kind| self.get(*kind) == Some(0))
    }
}

/// A device of the table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KnownDevice {
    /// Its name in search files: small letters, without package and speed.
    pub part: String,
    /// Its family.
    pub family: String,
    /// The full name that a vendor's tool is given where a search says no more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tool_part: Option<String>,
    /// Speed grade of `tool_part`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub speed: Option<String>,
    /// What it holds.
    #[serde(flatten)]
    pub resources: Resources,
    /// Where the figures are from.
    pub source: String,
}

/// A table of devices, ordered as written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Devices {
    devices: Vec<KnownDevice>,
}

/// Why a table of devices was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DevicesError {
    /// Not TOML, or a field that is unknown, missing or of a wrong type.
    #[error("line {line}: {message}")]
    Syntax {
        /// From 1.
        line: usize,
        /// What is wrong and what is accepted.
        message: String,
    },
    /// A part's name is empty or has blanks or capitals.
    #[error(
        "part `{0}` is no name: accepted are small letters, digits, `-`, `_` and `.`, at most 64"
    )]
    Name(String),
    /// A part stands twice.
    #[error("part `{0}` stands twice: each part has one entry")]
    Twice(String),
    /// A count that is not positive.
    #[error(
        "part `{part}` has {count} {}: accepted is 1 or more, or no such field where it has none",
        .resource.name()
    )]
    Count {
        /// The part.
        part: String,
        /// Of what.
        resource: Resource,
        /// How many.
        count: i64,
    },
    /// No device at all.
    #[error("has no device: each begins with a line `[[device]]`")]
    Empty,
}

/// The table as written, before it is checked.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    #[serde(default)]
    device: Vec<WrittenDevice>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenDevice {
    part: String,
    family: String,
    tool_part: Option<String>,
    speed: Option<String>,
    lut: i64,
    ff: i64,
    dsp: Option<i64>,
    bram: Option<i64>,
    uram: Option<i64>,
    source: String,
}

impl WrittenDevice {
    fn checked(self) -> Result<KnownDevice, DevicesError> {
        if !is_name(&self.part) {
            return Err(DevicesError::Name(self.part));
        }
        let count = |resource, written: i64| match u64::try_from(written) {
            Ok(count) if count > 0 => Ok(count),
            _ => Err(DevicesError::Count {
                part: self.part.clone(),
                resource,
                count: written,
            }),
        };
        let perhaps = |resource, written: Option<i64>| {
            written.map(|written| count(resource, written)).transpose()
        };
        let resources = Resources {
            lut: count(Resource::Lut, self.lut)?,
            ff: count(Resource::Ff, self.ff)?,
            dsp: perhaps(Resource::Dsp, self.dsp)?,
            bram: perhaps(Resource::Bram, self.bram)?,
            uram: perhaps(Resource::Uram, self.uram)?,
        };
        Ok(KnownDevice {
            part: self.part,
            family: self.family,
            tool_part: self.tool_part,
            speed: self.speed,
            resources,
            source: self.source,
        })
    }
}

/// What a part may be called.
fn is_name(part: &str) -> bool {
    let letter = |byte: u8| {
        byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'_' | b'.')
    };
    (1..=64).contains(&part.len()) && part.bytes().all(letter)
}

impl Devices {
    /// The devices that come with the program, `devices.toml`.
    pub fn known() -> &'static Self {
        &KNOWN
    }

    /// Reads a table of devices, TOML as in `devices.toml`.
    ///
    /// # Errors
    /// The first [`DevicesError`].
    pub fn parse(text: &str) -> Result<Self, DevicesError> {
        let written: Written = toml::from_str(text).map_err(|error| {
            let at = error.span().map_or(0, |span| span.start).min(text.len());
            DevicesError::Syntax {
                line: 1 + text
                    .get(..at)
                    .map_or(0, |before| before.matches('\n').count()),
                message: error.message().replace('\n', " "),
            }
        })?;
        let mut devices = Self::default();
        for device in written.device {
            devices.add(device.checked()?)?;
        }
        if devices.devices.is_empty() {
            return Err(DevicesError::Empty);
        }
        Ok(devices)
    }

    /// These devices, then those of `more`.
    ///
    /// # Errors
    /// A part stands in both.
    pub fn and(&self, more: Self) -> Result<Self, DevicesError> {
        let mut all = self.clone();
        for device in more.devices {
            all.add(device)?;
        }
        Ok(all)
    }

    fn add(&mut self, device: KnownDevice) -> Result<(), DevicesError> {
        if self.devices.iter().any(|other| other.part == device.part) {
            return Err(DevicesError::Twice(device.part));
        }
        self.devices.push(device);
        Ok(())
    }

    /// All of them, as written.
    pub fn all(&self) -> &[KnownDevice] {
        &self.devices
    }

    /// The device that a part's name means: its own, or a vendor's longer one that adds a package and a
    /// speed grade (`xcvu9p-flgb2104-2-i`, `xc7a35tcpg236-1`). Capitals do not matter.
    pub fn find(&self, part: &str) -> Option<&KnownDevice> {
        let part = part.trim().to_ascii_lowercase();
        let exact = self.devices.iter().find(|device| device.part == part);
        exact.or_else(|| {
            let begins =
                |device: &&KnownDevice| part.strip_prefix(&device.part).is_some_and(is_package);
            let longest = |device: &&KnownDevice| device.part.len();
            self.devices.iter().filter(begins).max_by_key(longest)
        })
    }
}

/// Whether what follows a part's name names a package: `-flgb2104-2-i` or, of older families,
/// `cpg236-1`.
fn is_package(rest: &str) -> bool {
    let name = rest.strip_prefix('-').unwrap_or(rest);
    let letters = name.bytes().take_while(u8::is_ascii_lowercase).count();
    let pins = name[letters..]
        .bytes()
        .take_while(u8::is_ascii_digit)
        .count();
    letters >= 2 && pins >= 2 && matches!(name.as_bytes().get(letters + pins), None | Some(b'-'))
}

#[cfg(test)]
mod tests {
    use super::{Devices, DevicesError, Resource, TABLE};

    const SMALL: &str = "[[device]]\npart = \"up5k\"\nfamily = \"iCE40\"\nlut = 5280\nff = 5280\n\
        dsp = 8\nbram = 30\nsource = \"board notes\"\n";

    #[test]
    fn the_table_is_good_and_has_the_parts_it_promises() {
        let devices = Devices::parse(TABLE).expect("the table");
        assert_eq!(&devices, Devices::known());
        let rows: Vec<_> = ["xcvu9p", "xcvu13p", "xcku115", "xczu7ev", "xc7a35t"]
            .map(|part| devices.find(part).expect("a part of the table").resources)
            .map(|has| (has.lut, has.ff, has.dsp, has.bram, has.uram))
            .into();
        assert_eq!(
            rows,
            [
                (1_182_240, 2_364_480, Some(6_840), Some(2_160), Some(960)),
                (1_728_000, 3_456_000, Some(12_288), Some(2_688), Some(1_280)),
                (663_360, 1_326_720, Some(5_520), Some(2_160), None),
                (230_400, 460_800, Some(1_728), Some(312), Some(96)),
                (20_800, 41_600, Some(90), Some(50), None),
            ]
        );
        for device in devices.all() {
            // Every family of the table has two flip-flops for each look-up table.
            assert_eq!(
                device.resources.ff,
                2 * device.resources.lut,
                "{}",
                device.part
            );
            let tool_part = device.tool_part.as_deref().expect("a full name");
            assert_eq!(devices.find(tool_part), Some(device));
            assert!(tool_part.contains(device.speed.as_deref().expect("a speed grade")));
            assert!(!device.source.is_empty());
        }
    }

    #[test]
    fn longer_names_find_their_part_and_other_parts_find_nothing() {
        let devices = Devices::known();
        let found = |name: &str| devices.find(name).map(|device| device.part.as_str());
        assert_eq!(found(" XCVU9P-flgb2104-2L-e "), Some("xcvu9p"));
        assert_eq!(found("xc7a35ticsg324-1L"), Some("xc7a35t"));
        assert_eq!(found("xc7a100tcsg324-1"), Some("xc7a100t"));
        for other in ["xcvu19p", "xcvu9", "xcvu9px", "xcvu9p-", "xc7a35", ""] {
            assert_eq!(found(other), None, "{other}");
        }
    }

    #[test]
    fn shares_are_of_what_there_is() {
        let has = Devices::parse(SMALL).expect("good").all()[0].resources;
        assert_eq!(has.percent(Resource::Lut, 528), Some(10.0));
        assert_eq!(has.percent(Resource::Dsp, 16), Some(200.0));
        assert_eq!(has.percent(Resource::Uram, 1), None);
    }

    #[test]
    fn slips_are_refused_with_the_part_and_what_is_accepted() {
        let refused = |text: &str| Devices::parse(text).expect_err("refused").to_string();
        let with = |from: &str, to: &str| {
            assert!(SMALL.contains(from));
            refused(&SMALL.replace(from, to))
        };
        let unknown = with("dsp = 8", "dsps = 8");
        assert!(
            unknown.starts_with("line 6: unknown field `dsps`"),
            "{unknown}"
        );
        assert!(with("lut = 5280", "lut = 0").starts_with("part `up5k` has 0 lut: accepted is 1"));
        assert!(with("bram = 30", "bram = -1").starts_with("part `up5k` has -1 bram"));
        assert!(with("ff = 5280\n", "").contains("missing field `ff`"));
        assert!(with("\"up5k\"", "\"Up 5k\"").starts_with("part `Up 5k` is no name"));
        assert!(with("lut = 5280", "lut = \"many\"").starts_with("line 4: "));
        assert_eq!(
            Devices::parse(&format!("{SMALL}{SMALL}")),
            Err(DevicesError::Twice("up5k".to_owned()))
        );
        assert_eq!(Devices::parse(""), Err(DevicesError::Empty));
        let own = Devices::parse(SMALL).expect("good");
        let both = Devices::known().and(own).expect("another part");
        assert!(both.find("up5k").is_some() && both.find("xcvu9p").is_some());
        let again = Devices::parse(&SMALL.replace("up5k", "xcvu9p")).expect("good");
        assert!(Devices::known().and(again).is_err());
    }
}
