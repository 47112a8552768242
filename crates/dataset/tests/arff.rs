//! ARFF files good and bad: what is read, and what the errors say.

use std::fmt::Write as _;
use std::io::{Cursor, Write as _};
use std::path::PathBuf;

use bitfront_dataset::Dataset;
use npyz::WriterBuilder as _;
use proptest::prelude::*;
use zip::write::SimpleFileOptions;

fn parse(text: &str) -> Result<Dataset, String> {
    Dataset::parse(text.as_bytes(), "f.arff").map_err(|e| e.to_string())
}

#[test]
fn quotes_comments_and_the_labels_place() {
    let text = "\u{feff}% a comment, with a comma\r\n\r\n@Relation 'two words'\r\n\
        @ATTRIBUTE 'jet mass' REAL\n@attribute kind{ w , \"z, b\", 'it\\'s'}\n\t@attribute\tn\tInteger\n\
        % another\n@DATA\n80.4, w, 3\n 91e0 ,'z, b', -4 \n% one more\n\n1,it's,0\n";
    let data = parse(text).unwrap();
    assert_eq!(data.features, ["jet mass", "n"]);
    assert_eq!(data.classes, ["w", "z, b", "it's"]);
    assert_eq!(data.train.x, [80.4, 3.0, 91.0, -4.0, 1.0, 0.0]);
    assert_eq!(data.train.y, [0, 1, 2]);
    assert_eq!((data.train.rows, data.train.columns), (3, 2));
    assert!(data.test.is_none());
}

#[test]
fn the_same_table_as_from_npz() {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../testdata/jets/jets_small.npz");
    let jets = Dataset::open(root).unwrap();
    let (rows, columns) = (2000, jets.features.len());
    let (x, y) = (&jets.train.x[..rows * columns], &jets.train.y[..rows]);

    // The layout of OpenML 42468.
    let mut text = String::from("@RELATION hls4ml_lhc_jets_hlf\n\n");
    for name in &jets.features {
        writeln!(text, "@ATTRIBUTE {name} REAL").unwrap();
    }
    let classes = jets.classes.join(", ");
    writeln!(text, "@ATTRIBUTE jet_type {{{classes}}}\n\n@DATA").unwrap();
    for (row, label) in x.chunks_exact(columns).zip(y) {
        for value in row {
            write!(text, "{value},").unwrap();
        }
        writeln!(text, "{}", jets.classes[usize::from(*label)]).unwrap();
    }

    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default();
    zip.start_file("x.npy", options).unwrap();
    let mut array = npyz::WriteOptions::new()
        .default_dtype()
        .shape(&[rows as u64, columns as u64])
        .writer(&mut zip)
        .begin_nd()
        .unwrap();
    array.extend(x.iter().copied()).unwrap();
    array.finish().unwrap();
    zip.start_file("y.npy", options).unwrap();
    let header = format!("{{'descr': '|u1', 'fortran_order': False, 'shape': ({rows},), }}\n");
    zip.write_all(b"\x93NUMPY\x01\x00").unwrap();
    zip.write_all(&(header.len() as u16).to_le_bytes()).unwrap();
    zip.write_all(header.as_bytes()).unwrap();
    zip.write_all(y).unwrap();
    let npz = zip.finish().unwrap().into_inner();

    let arff = parse(&text).unwrap();
    let npz = Dataset::parse(&npz, "f.npz").unwrap();
    assert_eq!(arff.train, npz.train);
    assert_eq!(
        (&arff.features, &arff.classes),
        (&jets.features, &jets.classes)
    );
    assert_ne!(arff.digest, npz.digest);
    let spec = bitfront_dataset::SplitSpec::default();
    let (arff, npz) = (arff.prepare(&spec).unwrap(), npz.prepare(&spec).unwrap());
    assert_eq!(
        (arff.train, arff.test, arff.mean),
        (npz.train, npz.test, npz.mean)
    );
}

#[test]
fn faults_are_named() {
    const HEAD: &str = "@relation r\n@attribute m real\n@attribute y {a, b}\n@data\n";
    let long = "9".repeat(9000);
    let many: Vec<String> = (0..257).map(|class| class.to_string()).collect();
    let many = format!("@relation r\n@attribute y {{{}}}\n", many.join(","));
    let row = |row: &str| format!("{HEAD}1,a\n{row}\n2,b\n");
    let header = |line: &str| format!("@relation r\n{line}\n@data\n1,a\n");
    let cases = [
        (
            row("?,a"),
            "f.arff: arff, line 6, column m: \"?\" is not accepted; accepted: finite numbers",
        ),
        (row("1e39,a"), "line 6, column m: \"1e39\""),
        (row(&format!("{long}e999,a")), "999...\" is not accepted"),
        (row("1,c"), "line 6, column y: \"c\""),
        (row("1,?"), "line 6, column y: \"?\""),
        (row("1"), "line 6: fewer values than the 2 attributes"),
        (row("1,a,{5}"), "line 6: more values than the 2 attributes"),
        (row("{0 1, 1 a}"), "line 6: a sparse row"),
        (row("1,'a"), "line 6: a quote without its end"),
        (row("1,'a\\"), "line 6: a quote without its end"),
        (row("1,'a' b"), "line 6: text behind a closing quote"),
        (HEAD.to_owned(), "array header: no rows below @data"),
        ("@relation r\n".to_owned(), "no line @data"),
        (
            header("@attribute t string"),
            "line 2: t has the type string",
        ),
        (header("@attribute t date 'yyyy'"), "the type date 'yyyy'"),
        (
            header("@attribute t"),
            "line 2: an attribute without a name or a type",
        ),
        (
            header("@attribute t {a"),
            "the classes of t have no closing brace",
        ),
        (
            header("@attribute t {a,,b}"),
            "line 2: t has a class without a name",
        ),
        (many, "more than 256 classes"),
        (
            header("@attribute t {a,b}\n@attribute u {c,d}"),
            "line 3: u is nominal, and t is so already",
        ),
        (header("@attribute t {a,b}"), "no numeric attribute"),
        (
            header("@attribute t real"),
            "1 attributes, none of them nominal",
        ),
        (header("nonsense"), "line 2: nonsense"),
        (
            format!("@relation r\n@attribute m real\n{}", &HEAD[12..]) + "1,1,a\n",
            "feature m appears twice (columns 0 and 1)",
        ),
        (format!("{HEAD}1,a\n"), "train rows: class b has 0 rows"),
    ];
    for (text, part) in cases {
        let error = parse(&text).unwrap_err();
        assert!(error.contains(part), "{part:?} is not in {error}");
        assert!(error.len() < 400, "{} bytes: {part}", error.len());
    }
    let latin = [HEAD.as_bytes(), b"1,\xe9\n"].concat();
    let error = Dataset::parse(&latin, "f.arff").unwrap_err().to_string();
    assert!(error.contains("line 5: not UTF-8"), "{error}");
}

#[test]
fn without_a_nominal_attribute_the_last_one_is_a_value() {
    const HEAD: &str = "@relation r\n@attribute n real\n@attribute 'jet mass' numeric\n@data\n";
    let data = parse(&format!("{HEAD}1,80.4\n2,91\n")).unwrap();
    assert_eq!(
        (&*data.features, &*data.targets),
        (&["n".to_owned()][..], &["jet mass".to_owned()][..])
    );
    assert!(data.classes.is_empty() && data.train.y.is_empty());
    assert_eq!((data.train.rows, &*data.train.x), (2, &[1.0, 2.0][..]));
    assert_eq!(data.train.values, [80.4, 91.0]);
    // Whole numbers too: this format has a type for classes.
    assert_eq!(
        parse(&format!("{HEAD}1,0\n2,1\n")).unwrap().train.values,
        [0.0, 1.0]
    );
    for value in ["?", "w", "inf"] {
        let error = parse(&format!("{HEAD}1,80.4\n2,{value}\n")).unwrap_err();
        let expected = format!(
            "f.arff: arff, line 6, column jet mass: {value:?} is not accepted; accepted: finite numbers"
        );
        assert_eq!(error, expected);
    }
    assert!(parse(HEAD).unwrap_err().contains("no rows below @data"));
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused(body in "[@a-z{},'\"\\\\%?\n 0-9.é]{0,80}", rows: bool) {
        let head = if rows { "@attribute m real\n@attribute y {a, b}\n@data\n1,a\n2,b\n" } else { "" };
        if let Ok(data) = parse(&format!("@relation r\n{head}{body}\n")) {
            prop_assert_eq!(data.train.x.len(), data.train.rows * data.train.columns);
            prop_assert_eq!(data.train.y.len() + data.train.values.len(), data.train.rows);
        }
    }
}

#[test]
fn the_published_layout() {
    let data = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../testdata");
    let jets = Dataset::open(data.join("jets/jets_small.npz")).unwrap();
    let arff = Dataset::open(data.join("data/openml.arff")).unwrap();
    let bare: Vec<&str> = jets.features.iter().map(|name| &name[2..]).collect();
    assert_eq!(arff.features, bare);
    assert_eq!(arff.classes, ["g", "q", "t", "w", "z"]);
    // Eight jets of each class in turn, classes told by name.
    assert_eq!(arff.train.y[..5], [0, 1, 3, 4, 2]);
    assert_eq!(arff.train.rows, 40);
    let first = |class: u8| {
        let row = jets.train.y.iter().position(|y| *y == class).unwrap();
        jets.train.row(row)
    };
    for row in 0..5 {
        assert_eq!(arff.train.row(row), first(row as u8));
    }
}
