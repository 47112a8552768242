//! `bitfront quantizer show` and `apply`: what people read, what scripts get, and what is refused.

#[allow(unused_imports, reason = "other test binaries use the rest")]
mod support;

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::Stdio;

use serde_json::{Value, json};
use support::{bitfront, run, scratch};

/// Runs `bitfront quantizer` with `input` on stdin: exit code, stdout, stderr.
fn quantizer(folder: &Path, arguments: &[&str], input: &str) -> (i32, String, String) {
    let mut command = bitfront();
    command
        .arg("quantizer")
        .args(arguments)
        .current_dir(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().expect("the binary starts");
    let mut stdin = child.stdin.take().expect("a pipe");
    // Who refuses the arguments reads nothing and closes the pipe.
    let _ = stdin.write_all(input.as_bytes());
    drop(stdin);
    let output = child.wait_with_output().expect("it ends");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
    (
        output.status.code().expect("an exit code"),
        text(output.stdout),
        text(output.stderr),
    )
}

/// What a run that must succeed prints.
fn printed(arguments: &[&str], input: &str) -> String {
    let (code, stdout, stderr) = quantizer(scratch().path(), arguments, input);
    assert_eq!((code, stderr.as_str()), (0, ""), "{arguments:?}");
    stdout
}

fn json_of(arguments: &[&str], input: &str) -> Value {
    serde_json::from_str(&printed(arguments, input)).expect("JSON")
}

/// What a run that must be refused as wrong usage says; it prints nothing.
fn refused(arguments: &[&str], input: &str) -> String {
    let (code, stdout, stderr) = quantizer(scratch().path(), arguments, input);
    assert_eq!((code, stdout.as_str()), (2, ""), "{arguments:?}: {stderr}");
    stderr
}

#[test]
fn show_tells_what_a_quantizer_is() {
    let shown: Vec<String> = [
        "quantized_bits(4,0,alpha=1.0)",
        "quantized_bits(3,5,alpha='auto')",
        "quantized_relu(8,1,negative_slope=0.25)",
        "quantized_ulaw(4,0)",
        "quantized_hswish(6,1)",
        "quantized_po2(4,max_value=1)",
        "quantized_po2(8)",
        "binary(alpha=0.5)",
        "binary(use_01=True)",
        "bernoulli",
        "stochastic_ternary(alpha='auto_po2')",
        "ap_fixed<10,3>",
        "float",
    ]
    .into_iter()
    .map(|text| printed(&["show", text], ""))
    .collect();
    insta::assert_snapshot!(shown.join("\n"));
}

#[test]
fn show_echoes_the_canonical_string_of_other_spellings() {
    for (spelling, canonical) in [
        (
            "quantized_bits(6, 0, alpha=1)",
            "quantized_bits(6,0,alpha=1.0)",
        ),
        ("fixed<8,3,RND,SAT>", "ap_fixed<8,3,AP_RND,AP_SAT>"),
        ("ufixed<4,2>", "ap_ufixed<4,2>"),
        ("kif(1,2,3)", "ap_fixed<6,3,AP_RND>"),
        ("kbi(1,5,2)", "ap_fixed<6,3,AP_RND,AP_SAT_SYM>"),
        ("brevitas(4,0.25)", "quantized_bits(4,1,alpha=1.0)"),
        (
            "Int8WeightPerTensorFixedPoint(0.0078125)",
            "quantized_bits(8,0,symmetric=1,alpha=1.0)",
        ),
        (
            "Uint8ActPerTensorFixedPoint(scale=0.00390625)",
            "quantized_bits(8,0,keep_negative=0,alpha=1.0)",
        ),
    ] {
        let shown = printed(&["show", spelling], "");
        assert_eq!(shown.lines().next(), Some(canonical), "{spelling}");
        assert_eq!(
            json_of(&["show", spelling, "--json"], "")["quantizer"],
            canonical
        );
    }
}

#[test]
fn show_as_json_has_the_same_in_fields() {
    let shown = json_of(&["show", "quantized_relu(2,1)", "--json"], "");
    assert_eq!(
        shown,
        json!({
            "quantizer": "quantized_relu(2,1)",
            "bits": 2,
            "signed": false,
            "hardware": "multiply",
            "levels": [0.0, 0.5, 1.0, 1.5],
            "true_min": 0.0,
            "true_max": 1.5,
            "reported_min": 0.0,
            "reported_max": 2.0,
            "grid": {"fraction": 1, "lowest_code": 0, "highest_code": 3},
            "automatic_scale": false,
            "monotone": true,
            "stochastic_training": false,
            "exact": {
                "input": {"exact": true, "reason": null},
                "kernel": {"exact": true, "reason": null},
                "bias": {"exact": true, "reason": null},
                "activation": {"exact": true, "reason": null},
            },
        })
    );
    let shown = json_of(&["show", "float", "--json"], "");
    for field in ["levels", "true_min", "true_max", "reported_min", "grid"] {
        assert_eq!(shown[field], Value::Null, "{field}");
    }
    for (text, hardware) in [
        ("quantized_po2(4)", "shift"),
        ("ternary", "mux"),
        ("binary", "mux"),
        ("bernoulli", "and"),
        ("quantized_ulaw", "table"),
        ("relu", "float multiply"),
    ] {
        assert_eq!(json_of(&["show", text, "--json"], "")["hardware"], hardware);
    }
}

#[test]
fn an_unknown_family_is_refused_with_the_nearest_one() {
    for action in ["show", "apply"] {
        let said = refused(&[action, "quantised_bits(6,0)"], "1\n");
        assert!(
            said.contains("unknown family `quantised_bits`; did you mean `quantized_bits`?")
                && said.contains("stochastic_ternary")
                && said.contains("kif"),
            "{said}"
        );
    }
    let said = refused(&["show", "quantized_bits(6,intger=0)"], "");
    assert!(
        said.contains("unknown argument `intger`; did you mean `integer`?"),
        "{said}"
    );
    let said = refused(&["show", "quantized_bits(33,0)"], "");
    assert!(
        said.contains("bits is `33`; accepted is a whole number from 1 to 32"),
        "{said}"
    );
}

#[test]
fn apply_reads_a_file_or_stdin() {
    let folder = scratch();
    let numbers = "# two channels\n0.3,-0.06\n\n 1e3 , -0   # a bound, and a zero\n0.0625,2\n";
    fs::write(folder.path().join("numbers.csv"), numbers).expect("the file");
    let mapped = "0.25,0\n0.875,0\n0,0.875\n";
    let text = "quantized_bits(4,0,alpha=1.0)";
    for (arguments, input) in [
        (vec!["apply", text, "numbers.csv"], ""),
        (vec!["apply", text, "-"], numbers),
        (vec!["apply", text], numbers),
        (vec!["apply", text], &numbers.replace('\n', "\r\n")),
    ] {
        let (code, stdout, stderr) = quantizer(folder.path(), &arguments, input);
        assert_eq!(
            (code, stdout.as_str()),
            (0, mapped),
            "{arguments:?}: {stderr}"
        );
    }
}

#[test]
fn every_column_has_its_own_scale() {
    let rows = "1,10\n-1,-30\n1,20\n";
    // The scales are a hair below 1 and 20, which 12 significant bits do not hold.
    assert_eq!(
        printed(&["apply", "binary(alpha='auto')", "--codes"], rows),
        "# fraction 0,-2\n# multiplier 1,5\n1,1\n-1,-1\n1,1\n"
    );
    assert_eq!(
        printed(&["apply", "binary(alpha='auto_po2')"], rows),
        "1,16\n-1,-16\n1,16\n"
    );
    assert_eq!(
        printed(&["apply", "binary(alpha='auto_po2')", "--codes"], rows),
        "# fraction 0,-4\n1,1\n-1,-1\n1,1\n"
    );
}

#[test]
fn codes_times_their_step_are_the_values() {
    let numbers = "-9\n-1.5\n-0.3\n0\n0.1\n0.34\n0.7\n2.5\n70\n";
    for text in [
        "quantized_bits(4,1,alpha=0.5)",
        "quantized_linear(5,2)",
        "quantized_relu(4,2,negative_slope=0.5)",
        "quantized_tanh(5,use_real_tanh=True)",
        "quantized_sigmoid(5)",
        "quantized_hswish(6,2)",
        "quantized_po2(4,max_value=4)",
        "quantized_relu_po2(4,max_value=4)",
        "binary(use_01=True)",
        "ternary",
        "ap_fixed<6,3,AP_RND_CONV,AP_WRAP>",
    ] {
        let values = printed(&["apply", text], numbers);
        let codes = printed(&["apply", text, "--codes"], numbers);
        let (head, codes) = codes.split_once('\n').expect("a head");
        let fraction: i32 = head
            .strip_prefix("# fraction ")
            .and_then(|fraction| fraction.parse().ok())
            .expect("one fraction");
        let read = |text: &str| -> Vec<f64> {
            let numbers = text.lines().map(|line| line.parse().expect("a number"));
            numbers.collect()
        };
        let products: Vec<f64> = read(codes)
            .iter()
            .map(|code| {
                assert_eq!(code.fract(), 0.0, "{text}");
                code * 2f64.powi(-fraction)
            })
            .collect();
        assert_eq!(products, read(&values), "{text}");
        assert_eq!(products.len(), 9);
    }
}

#[test]
fn apply_as_json_has_values_scales_and_codes() {
    let rows = "1,-3\n0.2,3\n";
    assert_eq!(
        json_of(&["apply", "quantized_bits(4,2,alpha=0.5)", "--json"], rows),
        json!({
            "quantizer": "quantized_bits(4,2,alpha=0.5)",
            "values": [[0.5, -1.5], [0.0, 1.5]],
            "scale": [0.5],
            "integer": {
                "codes": [[2, -6], [0, 6]],
                "fraction": [2],
                "multiplier": [1],
            },
            "not_exact": null,
        })
    );
    let drawn = json_of(&["apply", "bernoulli", "--json"], rows);
    assert_eq!(drawn["values"], json!([[1.0, 0.0], [1.0, 1.0]]));
    assert_eq!(drawn["integer"], Value::Null);
    let reason = drawn["not_exact"].as_str().expect("a reason");
    assert!(reason.contains("draws at random"), "{reason}");
}

#[test]
fn codes_of_what_is_not_exact_are_refused() {
    for arguments in [
        &["apply", "bernoulli", "--codes"][..],
        &["apply", "bernoulli", "--codes", "--json"],
    ] {
        let said = refused(arguments, "1\n");
        assert!(
            said.contains("bernoulli()") && said.contains("accepted is `binary(use_01=True)`"),
            "{said}"
        );
    }
}

#[test]
fn what_is_no_finite_number_is_refused_at_its_line_and_column() {
    for (input, place, word) in [
        ("1,2\n\n# more\n3,NaN\n", "line 4, column 2", "NaN"),
        ("nan\n", "line 1, column 1", "nan"),
        ("1\ninf\n", "line 2, column 1", "inf"),
        ("1\n-Infinity\n", "line 2, column 1", "-Infinity"),
        // Beyond f32.
        ("1,2,1e39\n", "line 1, column 3", "1e39"),
        ("x,y\n1,2\n", "line 1, column 1", "x"),
        ("1,,2\n", "line 1, column 2", ""),
        ("1,2,\n", "line 1, column 3", ""),
        ("1 2\n", "line 1, column 1", "1 2"),
    ] {
        let said = refused(&["apply", "quantized_bits(4,0,alpha=1.0)"], input);
        assert!(
            said.contains(&format!(
                "stdin, {place}: `{word}` is not a number within f32"
            )),
            "{input:?}: {said}"
        );
        assert!(said.contains("accepted are finite numbers"), "{said}");
    }
    let folder = scratch();
    fs::write(folder.path().join("weights.csv"), "1\n2\nNaN\n").expect("the file");
    let arguments = ["apply", "float", "weights.csv"];
    let (code, stdout, said) = quantizer(folder.path(), &arguments, "");
    assert_eq!((code, stdout.as_str()), (2, ""));
    assert!(
        said.contains("weights.csv, line 3, column 1: `NaN`"),
        "{said}"
    );
}

#[test]
fn ragged_rows_and_empty_files_are_refused() {
    for (input, line, here, before) in [("1,2\n3\n", 2, 1, 2), ("1\n\n1\n1,2,3\n", 4, 3, 1)] {
        let said = refused(&["apply", "quantized_relu(4,0)"], input);
        assert!(
            said.contains(&format!(
                "stdin, line {line}: columns are {here}, but {before} in the lines before it"
            )),
            "{said}"
        );
    }
    for input in ["", "\n\n", "# nothing\n"] {
        let said = refused(&["apply", "quantized_relu(4,0)"], input);
        assert!(said.contains("stdin holds no numbers"), "{said}");
    }
    let said = refused(&["apply", "float", "missing.csv"], "");
    assert!(said.contains("failed to read missing.csv"), "{said}");
}

#[test]
fn a_scale_that_leaves_f32_is_refused() {
    // The nearest power of two is 2^128.
    let input = "1,3.4e38\n-1,-3.4e38\n";
    for arguments in [
        &["apply", "binary(alpha='auto_po2')"][..],
        &["apply", "binary(alpha='auto_po2')", "--json"],
        &["apply", "binary(alpha='auto_po2')", "--codes"],
    ] {
        let said = refused(arguments, input);
        assert!(
            said.contains("a value of column 2 came out as inf"),
            "{said}"
        );
    }
    assert_eq!(
        printed(&["apply", "binary(alpha='auto_po2')"], "1\n-1\n"),
        "1\n-1\n"
    );
}

#[test]
fn the_help_names_both_actions() {
    let mut command = bitfront();
    command.args(["quantizer", "--help"]);
    let (code, stdout, _) = run(command);
    assert_eq!(code, 0);
    assert!(
        stdout.contains("show") && stdout.contains("apply"),
        "{stdout}"
    );
}
