//! What kind of file some bytes are, so that a wrong file is named and not just refused.

use crate::idx_file::is_part;

/// The kind of a file, judged by its first bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fingerprint {
    /// A zip whose first entry is a numpy array.
    Npz,
    /// Lines of text with commas.
    Csv,
    /// Text that begins with `@relation`, perhaps behind comments.
    Arff,
    /// A zip of idx files, images and labels.
    Idx,
    /// An HDF5 file.
    Hdf5,
    /// A Parquet file.
    Parquet,
    /// Something else, by name.
    Other(&'static str),
}

/// Judges a file by its first bytes (a few hundred are enough).
///
/// ```
/// use bitfront_dataset::{Fingerprint, fingerprint};
/// assert_eq!(fingerprint(b"mass,label\n80.4,w\n"), Fingerprint::Csv);
/// assert_eq!(fingerprint(b"PAR1...."), Fingerprint::Parquet);
/// ```
#[must_use]
pub fn fingerprint(bytes: &[u8]) -> Fingerprint {
    const KNOWN: [(&[u8], &str); 10] = [
        (b"\x93NUMPY", "a single numpy array (npy)"),
        (b"\x1f\x8b", "a gzip file"),
        (b"BZh", "a bzip2 file"),
        (b"\x28\xb5\x2f\xfd", "a zstd file"),
        (b"\xfd7zXZ\0", "an xz file"),
        (b"root", "a ROOT file"),
        (b"ARROW1", "an Arrow file"),
        (b"\x80\x03", "a pickle"),
        (b"\x80\x04", "a pickle"),
        (b"\x80\x05", "a pickle"),
    ];
    if bytes.is_empty() {
        return Fingerprint::Other("an empty file");
    }
    if bytes.starts_with(b"PK\x03\x04") || bytes.starts_with(b"PK\x05\x06") {
        // A local header: its name begins at byte 30, with its length at byte 26.
        let name = bytes
            .get(26..28)
            .map_or(0, |n| usize::from(u16::from_le_bytes([n[0], n[1]])));
        let name = bytes.get(30..30 + name).unwrap_or_default();
        return if name.ends_with(b".npy") {
            Fingerprint::Npz
        } else if str::from_utf8(name).is_ok_and(is_part) {
            Fingerprint::Idx
        } else {
            Fingerprint::Other("a zip file without numpy arrays")
        };
    }
    if bytes.starts_with(b"\x89HDF\r\n\x1a\n") {
        return Fingerprint::Hdf5;
    }
    if bytes.starts_with(b"PAR1") {
        return Fingerprint::Parquet;
    }
    if bytes.starts_with(b"\0\0\x08") {
        return Fingerprint::Other("a single idx array (name the folder of all its files)");
    }
    if let Some((_, name)) = KNOWN.iter().find(|(magic, _)| bytes.starts_with(magic)) {
        return Fingerprint::Other(name);
    }
    let head = &bytes[..bytes.len().min(4096)];
    if head.contains(&0) {
        return Fingerprint::Other("a binary file of an unknown kind");
    }
    let text = String::from_utf8_lossy(head);
    let text = text.trim_start_matches('\u{feff}').trim_start();
    let lower = text.to_ascii_lowercase();
    if is_arff(bytes) {
        Fingerprint::Arff
    } else if lower.starts_with("<!doctype") || lower.starts_with("<html") {
        Fingerprint::Other("an HTML page, perhaps of a failed download")
    } else if lower.starts_with("version https://git-lfs") {
        Fingerprint::Other("a git LFS pointer, not the file itself")
    } else if lower.starts_with('{') || lower.starts_with('[') {
        Fingerprint::Other("JSON")
    } else if text.lines().next().is_some_and(|line| line.contains(',')) {
        Fingerprint::Csv
    } else {
        Fingerprint::Other("text without commas in its first line")
    }
}

/// Whether the first line that is neither empty nor a comment is the first one of an ARFF header.
fn is_arff(bytes: &[u8]) -> bool {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let first = bytes
        .split(|byte| *byte == b'\n')
        .map(<[u8]>::trim_ascii_start)
        .find(|line| !line.is_empty() && line[0] != b'%');
    first.is_some_and(|line| {
        line.get(..9)
            .is_some_and(|word| word.eq_ignore_ascii_case(b"@relation"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_what_it_sees() {
        let mut zip = b"PK\x03\x04".to_vec();
        zip.extend([0; 22]);
        zip.extend([11, 0, 0, 0]);
        zip.extend(b"x_train.npy");
        assert_eq!(fingerprint(&zip), Fingerprint::Npz);
        zip.truncate(zip.len() - 1);
        assert_eq!(
            fingerprint(&zip),
            Fingerprint::Other("a zip file without numpy arrays")
        );
        assert_eq!(fingerprint(b"% jets\n\n@RELATION jets"), Fingerprint::Arff);
        let long = [b"%".repeat(9000), b"\n@relation x".to_vec()].concat();
        assert_eq!(fingerprint(&long), Fingerprint::Arff);
        assert_eq!(fingerprint(b"\x89HDF\r\n\x1a\n\0"), Fingerprint::Hdf5);
        let cases: [(&[u8], &str); 4] = [
            (b"", "an empty file"),
            (
                b"<!DOCTYPE html>",
                "an HTML page, perhaps of a failed download",
            ),
            (
                b"version https://git-lfs.github.com/spec/v1",
                "a git LFS pointer, not the file itself",
            ),
            (b"a b c", "text without commas in its first line"),
        ];
        for (bytes, name) in cases {
            assert_eq!(fingerprint(bytes), Fingerprint::Other(name));
        }
    }
}
