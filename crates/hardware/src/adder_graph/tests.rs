//! Graphs of random matrices: the coefficients are the matrix's, the values its products, the price what the
//! parts add up to.

use super::{
    Adder, AdderGraph, Effort, GraphError, Matrix, MatrixError, Options, Output, Range,
    adder_price, solve,
};
use proptest::prelude::*;

/// Ranges of all kinds: signed, unsigned, lopsided, constant, zero; steps of all sizes.
fn range() -> impl Strategy<Value = Range> {
    let ends = prop_oneof![
        4 => (0_u32..12).prop_map(|bits| (-(1_i128 << bits), (1 << bits) - 1)),
        2 => (0_u32..12).prop_map(|bits| (0, (1 << bits) - 1)),
        2 => (-300_i128..300, 0_i128..300).prop_map(|(low, size)| (low, low + size)),
        1 => Just((0, 0)),
    ];
    (ends, -6_i32..6).prop_map(|((low, high), exponent)| Range::new(low, high, exponent))
}

fn entry() -> impl Strategy<Value = i64> {
    prop_oneof![
        3 => Just(0),
        6 => -128_i64..128,
        2 => (0_u32..20, any::<bool>()).prop_map(|(bits, negative)| {
            if negative { -(1 << bits) } else { 1 << bits }
        }),
        1 => -(1_i64 << 48)..=1 << 48,
    ]
}

fn matrix() -> impl Strategy<Value = Matrix> {
    let shape = prop_oneof![
        (1_usize..9, 1_usize..9),
        Just((1, 24)),
        Just((24, 1)),
        Just((3, 17))
    ];
    shape.prop_flat_map(|(rows, columns)| {
        (
            prop::collection::vec(entry(), rows * columns),
            prop::collection::vec(range(), rows),
            prop_oneof![Just(vec![]), prop::collection::vec(-9_i32..9, rows)],
            prop_oneof![Just(vec![]), prop::collection::vec(-9_i32..9, columns)],
        )
            .prop_map(
                move |(entries, inputs, row_exponents, column_exponents)| Matrix {
                    rows,
                    columns,
                    entries,
                    row_exponents,
                    column_exponents,
                    inputs,
                },
            )
    })
}

fn options() -> impl Strategy<Value = Options> {
    let depth = prop_oneof![Just(None), (0_u32..4).prop_map(Some)];
    let effort = prop_oneof![Just(Effort::Quick), Just(Effort::Normal)];
    (depth, effort).prop_map(|(extra_depth, effort)| Options {
        extra_depth,
        effort,
    })
}

/// The products in units of `2^-30`: fine enough for all ranges and exponents of these tests.
fn products(matrix: &Matrix, vector: &[i64]) -> Vec<i128> {
    (0..matrix.columns)
        .map(|column| {
            (0..matrix.rows)
                .filter(|&row| vector[row] != 0)
                .map(|row| {
                    let shift = 30 + matrix.exponent(row, column) + matrix.inputs[row].exponent;
                    (i128::from(matrix.entry(row, column)) * i128::from(vector[row])) << shift
                })
                .sum()
        })
        .collect()
}

fn agrees(graph: &AdderGraph, matrix: &Matrix, vector: &[i64]) -> Result<(), TestCaseError> {
    let (values, unit) = graph.evaluate(vector)?;
    for (&value, expected) in values.iter().zip(products(matrix, vector)) {
        prop_assert!(unit >= -30);
        prop_assert_eq!(value << (unit + 30), expected);
    }
    Ok(())
}

/// Vectors at the ends of the ranges, and between them.
fn vectors(inputs: &[Range], seed: u64) -> Vec<Vec<i64>> {
    let mut state = seed | 1;
    let mut draw = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    (0..12)
        .map(|kind| {
            let value = |range: &Range| match kind {
                0 => range.low,
                2..=5 if draw() % 2 == 0 => range.low,
                1..=5 => range.high,
                _ => range.low + i128::from(draw()) % (range.high - range.low + 1),
            };
            inputs.iter().map(value).map(|value| value as i64).collect()
        })
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(120))]

    #[test]
    fn coefficients_and_values_are_the_matrix(
        matrix in matrix(),
        options in options(),
        seed in any::<u64>(),
    ) {
        let graph = solve(&matrix, &options)?;
        graph.verify(&matrix)?;
        for vector in vectors(&matrix.inputs, seed) {
            agrees(&graph, &matrix, &vector)?;
        }
        prop_assert_eq!(&solve(&matrix, &options)?, &graph, "the same graph again");
    }

    #[test]
    fn a_bound_on_depth_holds(matrix in matrix(), extra in 0_u32..3) {
        let bounded = Options { extra_depth: Some(extra), effort: Effort::Quick };
        let graph = solve(&matrix, &bounded)?;
        let longest = (0..matrix.columns).map(|column| {
            (0..matrix.rows)
                .filter(|&row| !matrix.inputs[row].is_zero())
                .map(|row| super::digits::digit_count(matrix.entry(row, column)))
                .sum::<u32>()
        }).max().unwrap_or(0);
        let least = longest.max(1).next_power_of_two().ilog2();
        prop_assert!(graph.depth()? <= least + extra);
    }

    #[test]
    fn more_effort_never_costs_more(matrix in matrix()) {
        let price = |effort| solve(&matrix, &Options { effort, extra_depth: None })?.price();
        let [quick, normal] = [price(Effort::Quick)?, price(Effort::Normal)?];
        prop_assert!(normal <= quick, "{normal} after {quick}");
    }

    #[test]
    fn a_changed_graph_is_refused(matrix in matrix(), place in any::<prop::sample::Index>()) {
        let graph = solve(&matrix, &Options { effort: Effort::Quick, extra_depth: None })?;
        // Outputs of something that isn't zero: an adder's change shows in one of them.
        prop_assume!(!graph.adders.is_empty());
        let mut changed = graph.clone();
        let place = place.index(graph.adders.len());
        changed.adders[place].subtract ^= true;
        prop_assert!(changed.verify(&matrix).is_err());
        let mut changed = graph.clone();
        changed.adders[place].shift += 1;
        prop_assert!(changed.verify(&matrix).is_err());
    }
}

#[test]
fn wires_of_one_column_serve_its_multiples() {
    // Twice, minus and eight times the first column, and nothing.
    let entries = vec![5, 10, -5, 40, 0, 3, 6, -3, 24, 0];
    let matrix = Matrix::new(2, 5, entries, vec![Range::new(-128, 127, 0); 2]);
    let graph = solve(&matrix, &Options::default()).unwrap();
    graph.verify(&matrix).unwrap();
    let wires: Vec<_> = graph.outputs.iter().map(|output| output.wire).collect();
    assert!(wires[..4].iter().all(|&wire| wire == wires[0]));
    assert_eq!(wires[4], None);
    assert_eq!(graph.adders.len(), 3);
}

#[test]
fn big_matrices_are_shared_in_parts() {
    // 2,700 digits in a column: far more pairs than are counted at once.
    let entries = (0..900 * 12_i64)
        .map(|n| (n * 7919 + n * n % 613) % 255 - 127)
        .collect();
    let matrix = Matrix::new(900, 12, entries, vec![Range::new(-8, 7, 0); 900]);
    let quick = Options {
        effort: Effort::Quick,
        extra_depth: None,
    };
    let graph = solve(&matrix, &quick).unwrap();
    graph.verify(&matrix).unwrap();
    let digits: u32 = matrix
        .entries
        .iter()
        .map(|&e| super::digits::digit_count(e))
        .sum();
    assert!(graph.adders.len() < digits as usize / 2);
}

#[test]
fn prices_worked_out_by_hand() {
    let price = |a: [i128; 2], ea, b: [i128; 2], eb, subtract| {
        adder_price(
            &Range::new(a[0], a[1], ea),
            &Range::new(b[0], b[1], eb),
            subtract,
        )
    };
    // Sign and 7 bits; and 8 bits without a sign.
    assert_eq!(price([-128, 127], 0, [-128, 127], 0, false), 8);
    assert_eq!(price([0, 255], 0, [0, 127], 0, false), 8);
    // Up to bit 11, from bit 4 of the coarser operand.
    assert_eq!(price([-128, 127], 0, [-128, 127], 4, false), 8);
    // 256 needs nine magnitude bits to be added, and eight to be subtracted: -256 is what enters.
    assert_eq!(price([-128, 127], 0, [-254, 256], 0, false), 10);
    assert_eq!(price([-128, 127], 0, [-254, 256], 0, true), 9);
    // Fractions count as bits do.
    assert_eq!(price([-128, 127], -3, [-382, 383], -5, false), 8);

    let graph = AdderGraph {
        inputs: vec![Range::new(-128, 127, 0); 2],
        adders: vec![
            Adder {
                a: 0,
                b: 1,
                shift: 1,
                subtract: true,
            },
            Adder {
                a: 2,
                b: 0,
                shift: 0,
                subtract: false,
            },
        ],
        outputs: vec![Output {
            wire: Some(3),
            shift: 0,
            negative: true,
        }],
    };
    // -382..=383 takes a sign and nine bits.
    assert_eq!(graph.price(), Ok(8 + 10));
    assert_eq!(graph.depth(), Ok(2));
    assert_eq!(graph.coefficients().unwrap(), (vec![vec![-2, 2]], 0));
    assert_eq!(graph.evaluate(&[3, -4]).unwrap(), (vec![-14], 0));
}

#[test]
fn malformed_ones_are_refused() {
    let matrix = Matrix::new(2, 1, vec![1, 2, 3], vec![Range::new(0, 1, 0); 2]);
    let lengths = MatrixError::Length {
        what: "entries",
        found: 3,
        expected: 2,
    };
    assert_eq!(
        solve(&matrix, &Options::default()),
        Err(GraphError::Matrix(lengths))
    );

    let matrix = Matrix::new(1, 1, vec![1], vec![Range::new(2, 1, 0)]);
    let refused = solve(&matrix, &Options::default()).unwrap_err();
    assert!(refused.to_string().contains("range of input 0 is 2..=1"));

    let matrix = Matrix::new(1, 1, vec![i64::MIN], vec![Range::new(0, 1, 0)]);
    let refused = solve(&matrix, &Options::default()).unwrap_err();
    assert!(refused.to_string().contains("entry (0, 0)"));

    let matrix = Matrix::new(1, 1, vec![3], vec![Range::new(0, 1, 0)]);
    let mut graph = solve(&matrix, &Options::default()).unwrap();
    assert_eq!(
        graph.evaluate(&[2]),
        Err(GraphError::Outside {
            wire: 0,
            value: 2,
            low: 0,
            high: 1
        })
    );
    graph.adders[0].b = 7;
    assert!(matches!(
        graph.verify(&matrix),
        Err(GraphError::Wire { wire: 7, .. })
    ));
}

#[test]
fn matrices_without_rows_or_columns_have_graphs() {
    for (rows, columns) in [(0, 3), (3, 0), (0, 0)] {
        let matrix = Matrix::new(rows, columns, vec![], vec![Range::new(-8, 7, 0); rows]);
        let graph = solve(&matrix, &Options::default()).unwrap();
        graph.verify(&matrix).unwrap();
        assert_eq!(graph.outputs.len(), columns);
    }
}
