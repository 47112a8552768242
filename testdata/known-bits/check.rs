//! Holds the bits of known runs against stored ones, for the tests of every room that results come from.
//!
//! The rule this file keeps (promise P2): what is stored for an engine version is never written over. A file says which
//! version its hashes are of; bits that differ are a new version, and `BITFRONT_BLESS=1` stores them under no other.
//! The version is part of every hash, and no message has the new one, so that none is put in by hand without a thought.

use std::fs;
use std::path::Path;

use bitfront_training::ENGINE_VERSION;

/// FNV-1a.
fn hash(words: impl IntoIterator<Item = u32>) -> u64 {
    words
        .into_iter()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, word| {
            (hash ^ u64::from(word)).wrapping_mul(0x100_0000_01b3)
        })
}

/// Panics where one of the cases of `name` has other bits than are stored for this engine version. New cases come last.
pub(crate) fn check<Words: IntoIterator<Item = u32>>(
    name: &str,
    cases: impl IntoIterator<Item = Words>,
) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .ancestors()
        .map(|folder| folder.join("testdata/known-bits"))
        .find(|folder| folder.is_dir())
        .expect("testdata/known-bits is above every room");
    let bless = std::env::var_os("BITFRONT_BLESS").is_some();
    let cases = cases.into_iter().map(hash).collect::<Vec<_>>();
    if let Err(refused) = compare(&folder.join(name), ENGINE_VERSION, &cases, bless) {
        panic!("{name}: {refused}");
    }
}

/// Compares with the file, or writes what it lacks when `bless` is set.
///
/// # Errors
/// The file has other bits for `version`, those of a later version, or lacks some that may not be written.
pub(crate) fn compare(file: &Path, version: u32, cases: &[u64], bless: bool) -> Result<(), String> {
    let text = fs::read_to_string(file).unwrap_or_default();
    let mut lines = text.lines();
    let stored = lines
        .next()
        .and_then(|line| line.strip_prefix("engine version "))
        .and_then(|number| number.parse::<u32>().ok());
    let found: Vec<String> = cases
        .iter()
        .map(|case| {
            format!(
                "{:016x}",
                hash([version, *case as u32, (*case >> 32) as u32])
            )
        })
        .collect();
    match stored {
        Some(stored) if stored > version => {
            return Err(format!(
                "its bits are of engine version {stored}, this is {version}: ENGINE_VERSION never falls"
            ));
        }
        Some(stored) if stored == version => {
            let known: Vec<&str> = lines.collect();
            if let Some(case) =
                (0..known.len()).find(|at| found.get(*at).map(String::as_str) != Some(known[*at]))
            {
                return Err(format!(
                    "case {case} has other bits than engine version {version} gives: take the change back, or raise ENGINE_VERSION \
                     in crates/training/src/version.rs and run every test of known bits with BITFRONT_BLESS=1"
                ));
            }
            if known.len() == found.len() {
                return Ok(());
            }
        }
        _ => {}
    }
    if !bless {
        return Err(format!(
            "not all of its cases are stored for engine version {version}: run with BITFRONT_BLESS=1"
        ));
    }
    let text = format!("engine version {version}\n{}\n", found.join("\n"));
    fs::write(file, text).map_err(|error| format!("failed to store them: {error}"))
}
