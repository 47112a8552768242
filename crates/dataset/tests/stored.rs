//! Prepared data in a file: what comes back, and what is refused.

use std::path::Path;

use bitfront_dataset::{Aim, Dataset, Prepared, SplitSpec, StoredError};

/// A stored file of a test, which nobody writes to once it is mapped.
#[expect(unsafe_code, reason = "a map's contract")]
fn map(path: &Path, key: &str) -> Result<Prepared, StoredError> {
    // SAFETY: as said above.
    unsafe { Prepared::map(path, key) }
}

fn small() -> (Dataset, Prepared) {
    let rows = (0..40_usize).map(|row| format!("{row},{}.5,{}", row * row, ["w", "z"][row % 2]));
    let text = format!("a,b,label\n{}\n", rows.collect::<Vec<_>>().join("\n"));
    let data = Dataset::parse(text.as_bytes(), "f.csv").unwrap();
    let prepared = data.prepare(&SplitSpec::default()).unwrap();
    (data, prepared)
}

#[test]
fn the_same_bits_come_back() {
    let (data, prepared) = small();
    let key = Prepared::key(&data.digest, &Aim::default(), &SplitSpec::default());
    let file = tempfile::NamedTempFile::new().unwrap();
    prepared.store(&key, file.as_file()).unwrap();
    let mapped = map(file.path(), &key).unwrap();
    assert_eq!(mapped, prepared);
    let bits = |x: &[f32]| x.iter().map(|v| v.to_bits()).collect::<Vec<_>>();
    assert_eq!(bits(&mapped.train.x), bits(&prepared.train.x));
    // A file without a name stays as long as somebody maps it.
    drop(file);
    assert_eq!(mapped, prepared);
}

#[test]
fn every_changed_or_missing_byte_is_seen() {
    let (data, prepared) = small();
    let key = Prepared::key(&data.digest, &Aim::default(), &SplitSpec::default());
    let file = tempfile::NamedTempFile::new().unwrap();
    prepared.store(&key, file.as_file()).unwrap();
    let whole = std::fs::read(file.path()).unwrap();
    let copy = tempfile::NamedTempFile::new().unwrap();
    for at in 0..whole.len() {
        let mut bytes = whole.clone();
        bytes[at] ^= 4;
        std::fs::write(copy.path(), &bytes).unwrap();
        assert!(map(copy.path(), &key).is_err(), "byte {at}");
    }
    for length in [0, 1, 31, 32, 40, whole.len() - 1] {
        std::fs::write(copy.path(), &whole[..length]).unwrap();
        assert!(map(copy.path(), &key).is_err(), "length {length}");
    }
    let other = SplitSpec {
        seed: 1,
        ..SplitSpec::default()
    };
    let error = map(
        file.path(),
        &Prepared::key(&data.digest, &Aim::default(), &other),
    )
    .unwrap_err();
    assert_eq!(error.to_string(), "damaged: it is of other data");
}
