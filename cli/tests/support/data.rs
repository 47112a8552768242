//! A small data set that can be learned, and a small search over it.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use serde_json::{Value, json};

/// Four features, three overlapping classes, 3000 rows, always the same.
pub fn write_data(path: &Path) {
    let mut text = String::from("a,b,c,d,class\n");
    let mut state: u64 = 7;
    let mut uniform = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f64 / f64::from(1 << 24)
    };
    for row in 0..3000 {
        let class = row % 3;
        let mut feature = |shift: f64| shift + (0..4).map(|_| uniform()).sum::<f64>() - 2.0;
        let shift = f64::from(class) - 1.0;
        let features = [
            feature(shift),
            feature(-shift),
            feature(0.5 * shift * shift),
            feature(0.0),
        ];
        let columns: Vec<String> = features.iter().map(|value| format!("{value:.6}")).collect();
        let _ = writeln!(
            text,
            "{},{}",
            columns.join(","),
            ["red", "green", "blue"][class as usize]
        );
    }
    fs::write(path, text).expect("the data file");
}

/// A search of `trials` trials of `epochs` epochs; the sampler looks at outcomes after the first few.
pub fn search_file(trials: u32, epochs: u32, circuits: u32) -> Value {
    let synthesis = if circuits == 0 {
        json!({"policy": "none"})
    } else {
        json!({"policy": "front", "count": circuits, "max_accuracy_drop": 1.0})
    };
    json!({
        "apiVersion": "v1",
        "kind": "Search",
        "name": "points",
        "dataset": "points",
        "model": {"mlp": [4, 8, 3]},
        "search_space": {"seed_trials": [{"float": true}, {"uniform_bits": 6}]},
        "training": {"epochs": epochs, "batch_size": 128},
        "objectives": ["accuracy", "lut_estimate"],
        "sampler": {"name": "evolution", "population": 6, "warmup": 3},
        "budget": {"trials": trials, "parallel": 4},
        "synthesis": synthesis,
        "seed": 11,
    })
}
