//! Csv data sets: text through the data set's reader and its split.

use bitfront_dataset::{Dataset, Fingerprint, SplitSpec, fingerprint};

use crate::Target;

/// Bytes of a csv file.
pub const TARGET: Target = Target {
    name: "csv",
    run,
    seeds,
};

fn run(bytes: &[u8]) -> bool {
    // Bytes of other kinds have a target of their own.
    fingerprint(bytes) == Fingerprint::Csv && read(bytes)
}

/// Reads a data set of any format and splits it; whether it was read.
pub(crate) fn read(bytes: &[u8]) -> bool {
    let Ok(dataset) = Dataset::parse(bytes, "fuzzed") else {
        return false;
    };
    for table in [Some(&dataset.train), dataset.test.as_ref()] {
        let Some(table) = table else { continue };
        assert_eq!(table.columns, dataset.features.len());
        assert_eq!(table.x.len(), table.rows * table.columns);
        let targets = dataset.targets.len();
        let labels = if targets == 0 { table.rows } else { 0 };
        assert_eq!(table.y.len(), labels);
        assert_eq!(table.values.len(), table.rows * targets);
        assert!(table.values.iter().all(|value| value.is_finite()));
        assert!(table.x.iter().all(|x| x.is_finite()));
        let classes = dataset.classes.len();
        assert!(table.y.iter().all(|y| usize::from(*y) < classes));
    }
    if let Ok(prepared) = dataset.prepare(&SplitSpec::default()) {
        assert_eq!(prepared.train.columns, dataset.features.len());
        assert!(prepared.train.x.iter().all(|x| x.is_finite()));
    }
    true
}

fn seeds() -> Vec<Vec<u8>> {
    let mut long = String::from("mass,width,label\n");
    for row in 0..24 {
        long.push_str(["1.5,-2e-3,w\n", "0.25,7,z\n", "-80.4,1e3,t\n"][row % 3]);
    }
    vec![
        b"mass,label\n80.4,0\n91.2,1\n".to_vec(),
        b"\xef\xbb\xbfa,b,label\r\n# a comment\r\n1,2,\"one, quoted\"\r\n3,4,two\r\n".to_vec(),
        b"a,b,mass\n1,2,80.4\n3,4,91\n5,6,-0.5\n7,8,1e3\n".to_vec(),
        b" a , b ,y\n 1e-30 , -3 , 2 \n0,0,1\n.5,5.,0\n".to_vec(),
        long.into_bytes(),
    ]
}
