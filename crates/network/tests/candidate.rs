//! What a candidate's check, digest and summary say.

use bitfront_network::{
    Candidate, DenseStack, Head, Layer, Operation, Padding, StackLayer, Window,
};

fn candidate(json: &str) -> Candidate {
    serde_json::from_str(json).unwrap_or_else(|e| panic!("{e}: {json}"))
}

/// A network of layers over an input of a shape, given as JSON; layers as `"name" ["inputs"] {...}`.
fn network(shape: &str, layers: &[(&str, &[&str], &str)], head: &str) -> Candidate {
    let layers: Vec<String> = layers
        .iter()
        .map(|(name, inputs, operation)| {
            let inputs = serde_json::to_string(inputs).expect("names");
            format!(r#"{{"name":"{name}","inputs":{inputs},"operation":{operation}}}"#)
        })
        .collect();
    candidate(&format!(
        r#"{{"input_shape":{shape},"input_quantizer":"quantized_bits(8,3,alpha=1.0)",
            "layers":[{}],"head":{head}}}"#,
        layers.join(",")
    ))
}

const LINEAR: &str = r#"{"kind":"linear"}"#;
const SOFTMAX: &str = r#"{"kind":"softmax"}"#;
const RELU: &str = r#"{"kind":"activation","quantizer":"quantized_relu(4,0)"}"#;

fn dense(units: usize) -> String {
    format!(
        r#"{{"kind":"dense","units":{units},"kernel":"ternary(alpha=1.0)",
            "bias":"quantized_bits(4,0,alpha=1.0)","fold":null}}"#
    )
}

fn window(size: &str, strides: &str, padding: &str) -> String {
    let ones = size
        .replace(|c: char| c.is_ascii_digit(), "1")
        .replace("11", "1");
    format!(r#"{{"size":{size},"strides":{strides},"dilation":{ones},"padding":"{padding}"}}"#)
}

fn conv(filters: usize, size: &str) -> String {
    let strides = size.replace(|c: char| c.is_ascii_digit(), "1");
    format!(
        r#"{{"kind":"conv","filters":{filters},"window":{},"kernel":"ternary(alpha=1.0)",
            "bias":null,"fold":null}}"#,
        window(size, &strides, "valid")
    )
}

fn faults(candidate: &Candidate) -> Vec<String> {
    let faults = candidate.check().expect_err("faults");
    faults.iter().map(ToString::to_string).collect()
}

/// Asserts what each fault starts with, in order.
#[track_caller]
fn assert_faults(candidate: &Candidate, expected: &[&str]) {
    let faults = faults(candidate);
    assert_eq!(faults.len(), expected.len(), "{faults:#?}");
    for (fault, expected) in faults.iter().zip(expected) {
        assert!(
            fault.starts_with(expected),
            "`{fault}` should start with `{expected}`"
        );
    }
}

#[test]
fn faults_of_a_layers_own_are_told_where_what_it_reads_is_unknown() {
    let bad = network(
        "[8, 2]",
        &[
            (
                "a",
                &["nowhere"],
                r#"{"kind":"dense","units":0,"kernel":"binary()","bias":null,"fold":null}"#,
            ),
            (
                "b",
                &["a"],
                r#"{"kind":"max_pool","window":{"size":[2],"strides":[0],"dilation":[1],"padding":"valid"}}"#,
            ),
            (
                "c",
                &["b"],
                r#"{"kind":"conv","filters":5000,"window":{"size":[2],"strides":[1],"dilation":[1],
                    "padding":"same"},"kernel":"binary()","bias":null,"fold":null}"#,
            ),
        ],
        SOFTMAX,
    );
    assert_faults(
        &bad,
        &[
            "a: reads `nowhere`, which is no layer",
            "a: has 0 units; accepted are 1 to 4096",
            "b: has the strides 0; accepted are 1 to 4096",
            "c: has 5000 channels; accepted are 1 to 4096",
        ],
    );
}

#[test]
fn check_finds_every_fault_in_order() {
    let mut bad = network(
        "[0]",
        &[
            (
                "fc1",
                &[],
                r#"{"kind":"dense","units":4,"kernel":"quantized_bits(6,0,alpha='auto')",
                    "bias":"quantized_bits(6,0)","fold":null}"#,
            ),
            (
                "fc1",
                &[],
                r#"{"kind":"dense","units":0,"kernel":"binary()",
                    "bias":"quantized_bits(6,0,alpha=0.3)","fold":null}"#,
            ),
            (
                "the last",
                &[],
                r#"{"kind":"activation","quantizer":"quantized_relu(13,0,use_sigmoid=1)"}"#,
            ),
        ],
        SOFTMAX,
    );
    bad.input_quantizer = "quantized_bits(8,3,alpha='auto_po2')"
        .parse()
        .expect("accepted");
    bad.scale_bits = 25;
    assert_faults(
        &bad,
        &[
            "network: has 0 inputs in an axis; accepted are 1 to 4096",
            "network: has scale_bits 25; accepted are 1 to 24",
            "fc1: the name `fc1` is used twice",
            "fc1: has 0 units; accepted are 1 to 4096",
            "the last: the name `the last` is not accepted",
            "input: quantized_bits(8,3,alpha='auto_po2') has no exact",
            "fc1.bias: quantized_bits(6,0,alpha=0.3) has no exact",
            "the last: quantized_relu(13,0,use_sigmoid=1) has no exact",
        ],
    );
    // Training needs the shapes alone.
    let shapes = bad.check_shapes().expect_err("faults");
    assert_eq!(shapes.len(), 5, "{shapes:#?}");
    let none = network("[1]", &[], LINEAR);
    assert_faults(&none, &["network: has no layers; accepted is at least one"]);
    for shape in ["[]", "[2,2,2,2]"] {
        let axes = network(shape, &[("a", &[], RELU)], LINEAR);
        assert!(
            faults(&axes)[0].starts_with("network: has an input of"),
            "{shape}"
        );
    }
}

#[test]
fn wrong_wiring_is_named() {
    let fc = dense(2);
    let wired = network(
        "[3]",
        &[
            ("fc1", &["fc2"], &fc),
            ("fc2", &["nowhere"], &fc),
            ("fc3", &["fc3"], &fc),
            ("fc4", &["input"], &fc),
            ("input", &["input"], &fc),
            ("fc5", &["input", "input"], &fc),
            ("sum", &["input"], r#"{"kind":"add"}"#),
            ("sum2", &["input", "fc4"], r#"{"kind":"add"}"#),
            ("last", &["input"], &fc),
        ],
        LINEAR,
    );
    assert_faults(
        &wired,
        &[
            "fc1: reads `fc2`, which is not an earlier layer",
            "fc2: reads `nowhere`, which is no layer of the network",
            "fc3: reads `fc3`, which is not an earlier layer",
            "input: the name `input` is used twice",
            "fc5: reads 2 tensors; accepted is one",
            "sum: reads 1 tensors; accepted are two or more",
            "sum2: adds tensors of shapes [3] and [2]",
            "fc1: is read by no layer",
            "fc2: is read by no layer",
            "fc3: is read by no layer",
            "input: is read by no layer",
            "fc5: is read by no layer",
            "sum: is read by no layer",
            "sum2: is read by no layer",
        ],
    );
}

#[test]
fn shapes_that_do_not_fit_are_named() {
    let pool = |size: &str| {
        format!(
            r#"{{"kind":"max_pool","window":{}}}"#,
            window(size, "[1,1]", "valid")
        )
    };
    let cases: [(&str, &str, String, &str); 11] = [
        ("[5]", "conv", conv(2, "[3]"), "reads a tensor of 1 axes"),
        (
            "[5,5,1]",
            "conv",
            conv(2, "[3]"),
            "has 1 entries of size for an input of 2 spatial axes",
        ),
        (
            "[5,5,1]",
            "conv",
            conv(2, "[6,3]"),
            "has a window of 6 over an input of 5",
        ),
        (
            "[5,5,1]",
            "conv",
            conv(2, "[0,3]"),
            "has the size 0; accepted are 1 to 4096",
        ),
        (
            "[5,5,1]",
            "conv",
            conv(0, "[3,3]"),
            "has 0 channels; accepted are 1 to 4096",
        ),
        (
            "[5,5,1]",
            "conv",
            conv(5000, "[3,3]"),
            "has 5000 channels; accepted are 1 to 4096",
        ),
        (
            "[4096,4096,2]",
            "conv",
            conv(2, "[1,1]"),
            "has values of shape [4096, 4096, 2]; accepted are at most 2^24",
        ),
        ("[5,1]", "pool", pool("[2,2]"), "has 2 entries of size"),
        (
            "[5]",
            "mean",
            r#"{"kind":"global_average_pool","reciprocal_bits":8}"#.into(),
            "reads a tensor of 1 axes",
        ),
        (
            "[5,1]",
            "zeros",
            r#"{"kind":"zero_padding","border":[[1,1],[1,1]]}"#.into(),
            "pads 2 axes of an input of 1 spatial axes",
        ),
        (
            "[5,1]",
            "drop",
            r#"{"kind":"dropout","rate":0.5}"#.into(),
            "is the last layer and drops outputs",
        ),
    ];
    for (shape, name, operation, expected) in cases {
        let found = faults(&network(shape, &[(name, &[], &operation)], LINEAR));
        let expected = format!("{name}: {expected}");
        assert!(
            found.iter().any(|fault| fault.starts_with(&expected)),
            "{found:?} should have `{expected}`"
        );
    }
}

#[test]
fn joins_and_sizes_that_do_not_fit_are_named() {
    let flatten = r#"{"kind":"flatten"}"#;
    let wide = dense(4096);
    let tall = network(
        "[100,100,1]",
        &[("flat", &[], flatten), ("fc1", &[], &wide)],
        LINEAR,
    );
    assert_faults(
        &tall,
        &["fc1: needs a kernel of shape [10000, 4096]; accepted are at most 2^24 values"],
    );
    let (thin, kernel) = (conv(2, "[3,3]"), conv(2, "[1,1]"));
    let joined = network(
        "[5,5,1]",
        &[
            ("a", &["input"], &thin),
            ("b", &["input"], &kernel),
            ("c", &["a", "b"], r#"{"kind":"concatenate"}"#),
        ],
        LINEAR,
    );
    assert_faults(
        &joined,
        &["c: joins tensors of shapes [3, 3, 2] and [5, 5, 2], which differ beside their channels"],
    );
}

#[test]
fn settings_out_of_range_are_named() {
    let pooled =
        window("[2,2]", "[1,1]", "same").replace(r#""dilation":[1,1]"#, r#""dilation":[2,1]"#);
    let cases = [
        (
            r#"{"kind":"batch_norm","epsilon":0.0,"momentum":1.5,"scale_bits":0,"offset_bits":25}"#
                .to_owned(),
            &[
                "has scale_bits 0; accepted are 1 to 24",
                "has offset_bits 25; accepted are 1 to 24",
                "has the epsilon 0; accepted is above 0, at most 1",
                "has the momentum 1.5; accepted is 0 to 1",
            ][..],
        ),
        (
            r#"{"kind":"dropout","rate":1.0}"#.into(),
            &["has the rate 1; accepted is at least 0, below 1"],
        ),
        (
            r#"{"kind":"global_average_pool","reciprocal_bits":0}"#.into(),
            &["has reciprocal_bits 0; accepted are 1 to 24"],
        ),
        (
            format!(r#"{{"kind":"max_pool","window":{pooled}}}"#),
            &["has a dilation; accepted for pooling is 1"],
        ),
        (
            dense(2)
                .replace(r#""quantized_bits(4,0,alpha=1.0)""#, "null")
                .replace(
                    r#""fold":null"#,
                    r#""fold":{"epsilon":0.001,"momentum":0.99}"#,
                ),
            &["folds a batch normalisation, which makes a bias, and has no quantizer for it"],
        ),
        (
            conv(2, "[2,2]").replace(
                r#""fold":null"#,
                r#""fold":{"epsilon":2.0,"momentum":0.99}"#,
            ),
            &[
                "folds a batch normalisation, which makes a bias, and has no quantizer for it",
                "has the epsilon 2; accepted is above 0, at most 1",
            ],
        ),
    ];
    for (operation, expected) in cases {
        let network = network(
            "[6,6,2]",
            &[("a", &[], &operation), ("b", &[], RELU)],
            LINEAR,
        );
        let expected: Vec<String> = expected.iter().map(|e| format!("a: {e}")).collect();
        let expected: Vec<&str> = expected.iter().map(String::as_str).collect();
        assert_faults(&network, &expected);
    }
}

#[test]
fn heads_and_names_that_do_not_fit_are_named() {
    let (one, many) = (dense(1), dense(257));
    for operation in [&one, &many] {
        let few = network("[3]", &[("fc1", &[], operation)], SOFTMAX);
        let found = faults(&few);
        assert!(
            found[0].contains("accepted for a softmax head are 2 to 256 classes in one axis"),
            "{found:?}"
        );
    }
    let three = dense(3);
    let positions = network("[3,3]", &[("fc1", &[], &three)], SOFTMAX);
    assert!(faults(&positions)[0].contains("shape [3, 3]"));
    let tables = r#"{"kind":"softmax","tables":{"address_bits":3,"address_fraction":13,
        "exp_fraction":25,"inverse_fraction":3,"output_fraction":0}}"#;
    assert_faults(
        &network("[3]", &[("fc1", &[], &three)], tables),
        &[
            "network: has softmax tables with address_bits 3; accepted are 4 to 16",
            "network: has softmax tables with address_fraction 13; accepted are 0 to 12",
            "network: has softmax tables with exp_fraction 25; accepted are 4 to 24",
            "network: has softmax tables with inverse_fraction 3; accepted are 4 to 24",
            "network: has softmax tables with output_fraction 0; accepted are 1 to 24",
        ],
    );
    for name in [
        "",
        "1st",
        "a b",
        "network",
        "input",
        "a-b",
        "\u{e4}",
        &"a".repeat(65),
    ] {
        let named = network("[3]", &[(name, &[], RELU)], LINEAR);
        assert_eq!(faults(&named).len(), 1, "{name}");
    }
    let deep = Candidate {
        layers: vec![named_relu("a"); 513],
        ..network("[3]", &[], LINEAR)
    };
    assert_faults(
        &deep,
        &["network: has 513 layers; accepted are at most 512"],
    );
}

fn named_relu(name: &str) -> Layer {
    let quantizer = "quantized_relu(4,0)".parse().expect("accepted");
    Layer::new(name, Operation::Activation { quantizer })
}

#[test]
fn the_digest_is_of_the_canonical_candidate() {
    let small = |text: &str| -> Candidate { candidate(text) };
    let one = small(
        r#"{"input_shape":[3],"input_quantizer":"quantized_bits(8,3,alpha=1.0)","layers":[
        {"name":"fc1","operation":{"kind":"dense","units":4,"kernel":"quantized_bits(6,0,alpha=1.0)",
         "bias":"quantized_bits(6,0)","fold":null}},
        {"name":"relu1","operation":{"kind":"activation","quantizer":"quantized_relu(6,0)"}}],
        "head":{"kind":"softmax"}}"#,
    );
    let other = small(
        r#"{"head":{"tables":null,"kind":"softmax"},"scale_bits":12,"layers":[
        {"operation":{"kind":"dense","fold":null,"units":4,"bias":"quantized_bits(6)",
         "kernel":"quantized_bits(bits=6,alpha=1)"},"name":"fc1","inputs":[]},
        {"name":"relu1","operation":{"quantizer":"quantized_relu(6)","kind":"activation"}}],
        "input_quantizer":"quantized_bits(8, 3, alpha=1.0)","input_shape":[3]}"#,
    );
    assert_eq!(one, other);
    assert_eq!(one.digest(), other.digest());
    assert_eq!(one.digest().len(), 64);
    let json = serde_json::to_string(&one).expect("serializes");
    assert_eq!(small(&json), one);
    let mut changed = [one.clone(), one.clone(), one.clone(), one.clone()];
    changed[0].layers[0].name = "fc".into();
    changed[1].scale_bits = 11;
    changed[2].head = Head::Linear;
    changed[3].layers[1].inputs = vec!["fc1".into()];
    for changed in changed {
        assert_ne!(one.digest(), changed.digest());
    }
    // What is null may be left out; everything else is written.
    let short = r#"{"input_shape":[3],"input_quantizer":"binary()","head":{"kind":"linear"},
        "layers":[{"name":"a","operation":{"kind":"dense","units":4,"kernel":"binary()"}}]}"#;
    let long = short.replace("units", r#"bias":null,"fold":null,"units"#);
    assert_eq!(candidate(short).digest(), candidate(&long).digest());
    for wrong in [
        short.replace(r#""name""#, r#""x":1,"name""#),
        short.replace(r#""head""#, r#""x":1,"head""#),
        short.replace(r#""units""#, r#""x":1,"units""#),
        short.replace(r#""units":4,"#, ""),
        short.replace(r#","kernel":"binary()""#, ""),
        short.replace("dense", "gru"),
        short.replace("linear", "argmax"),
        short.replace("[3]", "[-3]"),
    ] {
        assert!(
            serde_json::from_str::<Candidate>(&wrong).is_err(),
            "{wrong}"
        );
    }
}

#[test]
fn a_stack_is_a_view_of_a_candidate() {
    let stack = DenseStack {
        inputs: 3,
        input_quantizer: "quantized_bits(8,3,alpha=1.0)".parse().expect("accepted"),
        layers: vec![
            StackLayer {
                name: "fc1".into(),
                inputs: 3,
                units: 4,
                kernel: "ternary(alpha=1.0)".parse().expect("accepted"),
                bias: "quantized_bits(4,0)".parse().expect("accepted"),
                activation: Some((
                    "relu1".into(),
                    "quantized_relu(4,0)".parse().expect("accepted"),
                )),
            },
            StackLayer {
                name: "fc2".into(),
                inputs: 4,
                units: 2,
                kernel: "binary()".parse().expect("accepted"),
                bias: "quantized_bits(4,0)".parse().expect("accepted"),
                activation: None,
            },
        ],
        positions: vec![0, 2],
    };
    let candidate = stack.candidate();
    assert_eq!(candidate.check(), Ok(()));
    assert_eq!(candidate.dense_stack(), Ok(stack));
    let mut ends_in_relu = candidate.clone();
    ends_in_relu.layers.pop();
    assert!(ends_in_relu.dense_stack().is_err());
    let mut wired = candidate;
    wired.layers[2].inputs = vec!["fc1".into()];
    assert_eq!(
        wired.dense_stack(),
        Err("`fc2` names what it reads".to_owned())
    );
}

#[test]
fn a_chain_says_what_each_layer_of_weights_reads() {
    let quantizer = |text: &str| text.parse().expect("accepted");
    let window = |size, stride| Window {
        size: vec![size, size],
        strides: vec![stride, stride],
        dilation: vec![1, 1],
        padding: Padding::Same,
    };
    let (kernel, bias) = (quantizer("float"), Some(quantizer("float")));
    let conv = |filters, window| Operation::Conv {
        filters,
        window,
        kernel,
        bias,
        fold: None,
    };
    let relu = || Operation::Activation {
        quantizer: quantizer("relu"),
    };
    let dense = Operation::Dense {
        units: 2,
        kernel,
        bias,
        fold: None,
    };
    let pool = Operation::MaxPool {
        window: window(2, 2),
    };
    let network = |operations: Vec<Operation>| {
        let named = |(at, operation)| Layer::new(format!("l{at}"), operation);
        Candidate {
            input_shape: vec![4, 4, 3],
            input_quantizer: quantizer("float"),
            layers: operations.into_iter().enumerate().map(named).collect(),
            head: Head::ARG_MAX,
            scale_bits: 12,
        }
    };
    let operations = vec![
        conv(5, window(3, 1)),
        relu(),
        pool.clone(),
        Operation::Flatten,
        dense.clone(),
    ];
    let links = network(operations).chain().expect("a chain");
    let [first, last] = &links[..] else {
        panic!("{links:?}")
    };
    assert_eq!((first.layer, first.activation), (0, Some(1)));
    assert_eq!(
        (first.read, first.product(), first.rows(), first.positions()),
        ([16, 3], [16, 3], 27, 16)
    );
    // A corner of the kernel misses a row and a column of the output, an edge one of them.
    assert_eq!(first.uses(), [9, 12, 9, 12, 16, 12, 9, 12, 9]);
    assert_eq!((last.layer, last.activation, last.outputs), (4, None, 2));
    assert!(last.flattened && last.pool.is_some() && last.window.is_none());
    assert_eq!(
        (last.read, last.product(), last.rows(), last.uses()),
        ([16, 5], [1, 20], 20, vec![1; 4])
    );
    for (operations, problem) in [
        (
            vec![dense.clone(), relu(), Operation::Flatten, dense.clone()],
            "`l0` reads positions",
        ),
        (
            vec![relu(), Operation::Flatten, dense.clone()],
            "`l0` is activation here",
        ),
        (
            vec![
                conv(5, window(3, 1)),
                pool,
                relu(),
                Operation::Flatten,
                dense.clone(),
            ],
            "`l1` is max_pool before an activation",
        ),
        (
            vec![Operation::Flatten, dense, relu()],
            "`l2` is the last layer and activation, not dense",
        ),
    ] {
        let found = network(operations).chain().expect_err("no chain");
        assert!(found.starts_with(problem), "{found}");
    }
}
