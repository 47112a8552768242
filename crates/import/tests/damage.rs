//! Damaged files are refused or read, and never make the import panic or take memory that stands in
//! no relation to them.
//!
//! Deterministic mutations of every file in `testdata/models`: flipped bits, foreign bytes, words of
//! extreme numbers, cut ends, repeated stretches. The allocator of this test has a limit, beyond
//! which an allocation fails and ends the process.

use std::alloc::System;
use std::io::{Cursor, Read as _};
use std::path::PathBuf;

use bitfront_import::{ImportError, Imported, read, read_keras_json};
use cap::Cap;

/// What a file of up to 100 kB may take at any time, beyond what the test itself holds.
const MOST_BYTES: usize = 96 << 20;

#[global_allocator]
static ALLOCATOR: Cap<System> = Cap::new(System, usize::MAX);

/// Mutations of each file.
const ROUNDS: usize = 200;

/// A small random generator (xorshift): the test draws the same mutations each time.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, most: usize) -> usize {
        (self.next() % most.max(1) as u64) as usize
    }
}

fn mutated(bytes: &[u8], random: &mut Random) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for _ in 0..=random.below(4) {
        let at = random.below(bytes.len());
        match random.below(7) {
            0 | 1 => bytes[at] ^= 1 << random.below(8),
            2 => bytes[at] = random.next() as u8,
            3 => {
                let at = at.min(bytes.len().saturating_sub(8));
                let extremes = [0, u64::MAX, 1 << 31, 1 << 40, at as u64, u64::MAX >> 1];
                let word = extremes[random.below(extremes.len())].to_le_bytes();
                let end = bytes.len().min(at + 8);
                bytes[at..end].copy_from_slice(&word[..end - at]);
            }
            4 => {
                let length = random.below(64).min(bytes.len() - at);
                let stretch = bytes[at..at + length].to_vec();
                let to = random.below(bytes.len() - length + 1);
                bytes[to..to + length].copy_from_slice(&stretch);
            }
            5 if bytes[at].is_ascii_digit() => bytes[at] = b'0' + random.below(10) as u8,
            5 => bytes[at] = 0,
            _ if random.below(8) == 0 => bytes.truncate(at.max(1)),
            _ => bytes[at] = bytes[at].wrapping_add(1),
        }
    }
    bytes
}

/// The parts of a `.keras` file.
fn parts(bytes: &[u8]) -> (Vec<u8>, Vec<u8>) {
    let mut zip = zip::ZipArchive::new(Cursor::new(bytes)).unwrap();
    let mut part = |name: &str| {
        let mut bytes = Vec::new();
        zip.by_name(name).unwrap().read_to_end(&mut bytes).unwrap();
        bytes
    };
    (part("config.json"), part("model.weights.h5"))
}

/// How many were read and how many refused.
#[derive(Debug, Default)]
struct Counts {
    read: usize,
    refused: usize,
}

impl Counts {
    fn add(&mut self, result: &Result<Imported, ImportError>) {
        match result {
            Ok(imported) => {
                // What is read is whole.
                imported.candidate.check_shapes().unwrap();
                assert_eq!(imported.weights.shape_fault(&imported.candidate), None);
                self.read += 1;
            }
            Err(error) => {
                assert!(!error.to_string().is_empty());
                self.refused += 1;
            }
        }
    }
}

#[test]
fn damaged_files_are_refused_or_read() {
    let folder = PathBuf::from(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../testdata/models"
    ));
    let mut names: Vec<String> = std::fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| !name.contains("expected") && name != "README.md")
        .collect();
    names.sort();
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let mut counts = Counts::default();
    let held = ALLOCATOR.allocated();
    ALLOCATOR.set_limit(held + MOST_BYTES).unwrap();
    for name in &names {
        let bytes = std::fs::read(folder.join(name)).unwrap();
        let file = |name: &str| std::fs::read(folder.join(name)).unwrap();
        for _ in 0..ROUNDS {
            let damaged = mutated(&bytes, &mut random);
            let result = if let Some(stem) = name.strip_suffix(".weights.h5") {
                read_keras_json(&file(&format!("{stem}.json")), &damaged)
            } else if let Some(stem) = name.strip_suffix(".json") {
                read_keras_json(&damaged, &file(&format!("{stem}.weights.h5")))
            } else {
                read(&damaged, Some(name))
            };
            counts.add(&result);
        }
        // The checksums of a zip hide what stands in it.
        if name.strip_suffix(".keras").is_some() {
            let (json, weights) = parts(&bytes);
            for _ in 0..ROUNDS {
                counts.add(&read_keras_json(&json, &mutated(&weights, &mut random)));
                counts.add(&read_keras_json(&mutated(&json, &mut random), &weights));
            }
        }
        for length in [
            0,
            1,
            7,
            8,
            9,
            64,
            100,
            512,
            bytes.len() / 2,
            bytes.len() - 1,
        ] {
            counts.add(&read(&bytes[..length.min(bytes.len())], Some(name)));
        }
    }
    ALLOCATOR.set_limit(usize::MAX).unwrap();
    println!("{} files, {counts:?}", names.len());
    // Mutations that miss everything, or break everything, would show nothing.
    assert!(counts.read > 1000 && counts.refused > 1000, "{counts:?}");
}
