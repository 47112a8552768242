//! Outside tools: which are on PATH, and in which version.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use bitfront_hardware::engine::Engine;

/// Every program that synthesis may use, with the option that makes it print its version.
const PROGRAMS: [(&str, &str); 8] = [
    ("verilator", "--version"),
    ("g++", "-dumpfullversion"),
    ("yosys", "-V"),
    ("nextpnr-ice40", "--version"),
    ("nextpnr-ecp5", "--version"),
    ("vivado", "-version"),
    ("hls4ml", "--version"),
    ("vitis-run", "--version"),
];

/// What a program is called by older releases: its name, the older one, and the option for its version.
const OLDER: [(&str, &str, &str); 1] = [("vitis-run", VITIS_HLS, "-version")];

/// C synthesis of Vitis up to 2024.
pub(crate) const VITIS_HLS: &str = "vitis_hls";

/// The simulator of the RTL, which every engine needs.
const SIMULATOR: [&str; 2] = ["verilator", "g++"];

/// The tools of the default engine, in the order they are used.
pub const SYNTHESIS_TOOLS: [&str; 3] = ["verilator", "g++", "yosys"];

/// A program found on PATH.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tool {
    /// The file.
    pub path: PathBuf,
    /// Its version, `5.006`.
    pub version: String,
}

/// What this machine has for synthesis jobs.
#[derive(Clone, Debug, Default)]
pub struct Tools {
    found: HashMap<&'static str, Tool>,
    /// `prlimit` of util-linux; the shell's `ulimit` stands in for it.
    pub(crate) prlimit: Option<PathBuf>,
    /// `setpriv` of util-linux: ends a tool with this process, even when this process is killed.
    pub(crate) setpriv: Option<PathBuf>,
}

/// The tools found on this machine, for `bitfront doctor`; runs each for its version.
pub fn tools() -> Tools {
    Tools::find()
}

impl Tools {
    /// Looks on PATH and asks each tool for its version. Blocks for some tens of milliseconds.
    pub(crate) fn find() -> Self {
        Self {
            found: found(on_path, version),
            prlimit: on_path("prlimit"),
            setpriv: on_path("setpriv"),
        }
    }

    /// A tool by its name.
    pub fn get(&self, name: &str) -> Option<&Tool> {
        self.found.get(name)
    }

    #[cfg(test)]
    pub(crate) fn put(&mut self, name: &'static str, tool: Tool) {
        self.found.insert(name, tool);
    }

    /// Those of [`SYNTHESIS_TOOLS`] that are not here.
    pub fn missing(&self) -> Vec<&'static str> {
        SYNTHESIS_TOOLS
            .into_iter()
            .filter(|name| !self.found.contains_key(name))
            .collect()
    }

    /// Whether synthesis jobs of any engine can run here.
    pub fn can_synthesise(&self) -> bool {
        !self.engines().is_empty()
    }

    /// Engines whose programs are all here, the default first; none without the simulator.
    pub fn engines(&self) -> Vec<Engine> {
        let has = |name: &str| self.found.contains_key(name);
        if !SIMULATOR.into_iter().all(has) {
            return Vec::new();
        }
        let here = |engine: &Engine| engine.is_here(has);
        Engine::ALL.into_iter().filter(here).collect()
    }

    /// Name to version, as it is reported to the coordinator.
    pub fn versions(&self) -> HashMap<String, String> {
        self.found
            .iter()
            .map(|(name, tool)| ((*name).to_owned(), tool.version.clone()))
            .collect()
    }
}

/// The programs that are there by their names; one by its older name only where it has no other.
fn found(
    on_path: impl Fn(&str) -> Option<PathBuf>,
    version: impl Fn(&Path, &str) -> Option<String>,
) -> HashMap<&'static str, Tool> {
    let tool = |file: &str, flag: &str| {
        let path = on_path(file)?;
        let version = version(&path, flag)?;
        Some(Tool { path, version })
    };
    let named = |(name, flag)| Some((name, tool(name, flag)?));
    let mut found: HashMap<_, _> = PROGRAMS.into_iter().filter_map(named).collect();
    for (name, older, flag) in OLDER {
        if !found.contains_key(name) {
            found.extend(tool(older, flag).map(|tool| (name, tool)));
        }
    }
    found
}

/// The first executable file of that name on PATH.
fn on_path(name: &str) -> Option<PathBuf> {
    use std::os::unix::fs::PermissionsExt as _;
    let runs = |path: &Path| {
        path.metadata()
            .is_ok_and(|data| data.is_file() && data.permissions().mode() & 0o111 != 0)
    };
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .filter(|folder| folder.is_absolute())
        .map(|folder| folder.join(name))
        .find(|candidate| runs(candidate))
}

fn version(path: &Path, flag: &str) -> Option<String> {
    let output = Command::new(path)
        .arg(flag)
        .stdin(Stdio::null())
        .output()
        .ok()
        .filter(|output| output.status.success())?;
    // nextpnr speaks on the other stream.
    version_in(&String::from_utf8_lossy(&output.stdout))
        .or_else(|| version_in(&String::from_utf8_lossy(&output.stderr)))
}

/// The first word that starts with a digit, after a `v` or not: "Yosys 0.23 (git sha1 ...)" has "0.23".
fn version_in(text: &str) -> Option<String> {
    text.split_whitespace()
        .map(|word| word.trim_matches(['(', ')']))
        .map(|word| word.strip_prefix('v').unwrap_or(word))
        .find(|word| word.starts_with(|first: char| first.is_ascii_digit()))
        .map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_from_what_the_tools_print() {
        let read = |text| version_in(text).unwrap();
        assert_eq!(read("Yosys 0.23 (git sha1 7ce5011c24b)"), "0.23");
        assert_eq!(read("Verilator 5.006 2023-01-22 rev (Debian)"), "5.006");
        assert_eq!(read("12.2.0\n"), "12.2.0");
        let nextpnr = "nextpnr-ice40 -- Next Generation Place and Route (Version 0.4-1+b1)";
        assert_eq!(read(nextpnr), "0.4-1+b1");
        assert_eq!(read("vivado v2023.2 (64-bit)"), "2023.2");
        assert_eq!(version_in("no version"), None);
    }

    #[test]
    fn without_tools_synthesis_is_not_offered() {
        let none = Tools::default();
        assert_eq!(none.missing(), SYNTHESIS_TOOLS);
        assert!(!none.can_synthesise() && none.versions().is_empty());
        assert_eq!(none.engines(), []);
    }

    #[test]
    fn an_engine_needs_its_programs_and_the_simulator() {
        let with = |names: &[&'static str]| {
            let tool = || Tool {
                path: PathBuf::new(),
                version: "1".to_owned(),
            };
            let found = names.iter().map(|name| (*name, tool())).collect();
            Tools {
                found,
                ..Tools::default()
            }
        };
        assert_eq!(with(&["yosys", "vivado", "g++"]).engines(), []);
        let vendor = with(&["verilator", "g++", "vivado"]);
        assert_eq!(vendor.engines(), [Engine::Vivado]);
        assert!(vendor.can_synthesise());
        let open = with(&["verilator", "g++", "yosys", "nextpnr-ice40"]);
        assert_eq!(open.engines(), [Engine::Yosys, Engine::Ice40]);
    }

    #[test]
    fn a_program_may_have_its_older_name() {
        let with = |names: &[&str]| {
            let there = |name: &str| names.contains(&name).then(|| PathBuf::from(name));
            found(there, |_, flag| Some(flag.to_owned()))
        };
        let path = |names| with(names).get("vitis-run").map(|tool| tool.path.clone());
        assert_eq!(path(&["hls4ml"]), None);
        assert_eq!(path(&["vitis_hls"]), Some("vitis_hls".into()));
        assert_eq!(path(&["vitis_hls", "vitis-run"]), Some("vitis-run".into()));
        assert_eq!(with(&["vitis_hls"])["vitis-run"].version, "-version");
    }

    #[test]
    fn programs_are_found_on_the_path() {
        assert!(on_path("sh").unwrap().ends_with("sh"));
        assert_eq!(on_path("no-such-program-here"), None);
    }
}
