//! ARFF data sets: a header with attributes, then rows.

use bitfront_dataset::{Fingerprint, fingerprint};

use crate::Target;
use crate::csv::read;

/// Bytes of an ARFF file.
pub const TARGET: Target = Target {
    name: "arff",
    run,
    seeds,
};

fn run(bytes: &[u8]) -> bool {
    // Bytes of other kinds have a target of their own.
    fingerprint(bytes) == Fingerprint::Arff && read(bytes)
}

fn seeds() -> Vec<Vec<u8>> {
    let mut long =
        String::from("@RELATION jets\n@ATTRIBUTE mass REAL\n@ATTRIBUTE kind {w, z, t}\n@DATA\n");
    for row in 0..24 {
        long.push_str(["80.4,w\n", "-2e-3,z\n", "1e3,t\n"][row % 3]);
    }
    vec![
        b"@relation r\n@attribute a numeric\n@attribute y {0,1}\n@data\n1,0\n2,1\n".to_vec(),
        b"\xef\xbb\xbf% jets\r\n@relation 'a b'\r\n@attribute y {'one, two',\"b\\\"c\"}\r\n@attribute 'x y' integer\r\n@data\r\n% rows\r\n 'one, two' , 3\r\n\"b\\\"c\",.5\r\n".to_vec(),
        long.into_bytes(),
    ]
}
