//! The C++ header and the Rust file of random networks, compiled, give the integers of inference,
//! bit for bit: every layer, every quantizer family, logits, classes, probabilities, input codes.

#[path = "../../network/tests/common/mod.rs"]
#[allow(dead_code)]
mod common;

use std::fmt::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use bitfront_export::{ExportError, Format, Trained, export};
use bitfront_hardware::circuit::BuildOptions;
use bitfront_network::{Candidate, Head, IntegerProgram, Weights};
use common::Random;

const NETWORKS: usize = 40;
const ROWS: usize = 60;

struct Network {
    program: IntegerProgram,
    cpp: String,
    rust: String,
    /// Standardised rows and their codes.
    rows: Vec<f32>,
    codes: Vec<i32>,
}

impl Network {
    fn rounds_inputs(&self) -> bool {
        self.program.candidate.input_quantizer.is_uniform()
    }

    fn head(&self) -> (bool, bool) {
        match self.program.candidate.head {
            Head::Softmax { tables } => (true, tables.is_some()),
            _ => (false, false),
        }
    }

    /// A line a row: logits, class, probabilities, input codes of the standardised row.
    fn expected(&self) -> String {
        let program = &self.program;
        let (classes, tables) = self.head();
        let mut text = String::new();
        let (inputs, outputs) = (program.inputs(), program.outputs());
        let logits = program.logits(&self.codes);
        let rows = self.codes.chunks(inputs).zip(logits.chunks(outputs));
        for ((codes, logits), row) in rows.zip(self.rows.chunks(inputs)) {
            for logit in logits {
                write!(text, "{logit} ").unwrap();
            }
            if classes {
                write!(text, "c{} ", program.classify(codes).unwrap()[0]).unwrap();
            }
            if tables {
                for p in program.probabilities(codes).unwrap() {
                    write!(text, "{p} ").unwrap();
                }
            }
            if self.rounds_inputs() {
                for code in program.input_codes(row) {
                    write!(text, "{code} ").unwrap();
                }
            }
            text.push('\n');
        }
        text
    }

    fn given(&self) -> String {
        let inputs = self.program.inputs();
        let mut text = String::new();
        for (codes, row) in self.codes.chunks(inputs).zip(self.rows.chunks(inputs)) {
            for code in codes {
                write!(text, "{code} ").unwrap();
            }
            for value in row {
                write!(text, "{} ", value.to_bits()).unwrap();
            }
            text.push('\n');
        }
        text
    }
}

fn text(format: Format, candidate: &Candidate, weights: &Weights) -> Result<String, ExportError> {
    let files = export(
        format,
        &Trained {
            candidate,
            weights,
            circuit: BuildOptions::default(),
        },
    )?;
    assert_eq!(files.len(), 1);
    Ok(String::from_utf8(files[0].bytes.clone()).unwrap())
}

fn networks() -> (Vec<Network>, usize) {
    let mut random = Random(20_261_124);
    let (mut found, mut refused) = (Vec::new(), 0);
    while found.len() < NETWORKS {
        let candidate = common::graph::candidate(&mut random);
        let weights = common::weights(&mut random, &candidate);
        let Ok(program) = IntegerProgram::freeze(&candidate, &weights) else {
            continue;
        };
        let rows = common::rows(&mut random, &candidate, ROWS);
        let mut codes = program.input_codes(&rows);
        // The corners of the input box, and random codes.
        let range = program.input.hull();
        let inputs = program.inputs();
        for (at, code) in codes.iter_mut().enumerate() {
            let width = (range.hi - range.lo + 1) as usize;
            match at / inputs {
                0 => *code = range.lo as i32,
                1 => *code = range.hi as i32,
                2..20 => *code = (range.lo + random.below(width) as i64) as i32,
                _ => {}
            }
        }
        match text(Format::Cpp, &candidate, &weights) {
            Ok(cpp) => found.push(Network {
                program,
                cpp,
                rust: text(Format::Rust, &candidate, &weights).unwrap(),
                rows,
                codes,
            }),
            Err(ExportError::Refused { refusals, .. }) => {
                assert!(refusals.iter().all(|r| r.reason.contains("accepted")));
                refused += 1;
            }
            Err(other) => panic!("{other}"),
        }
    }
    (found, refused)
}

fn run(folder: &Path, program: &str, arguments: &[&str], input: Option<&Path>) -> String {
    let input = input.map_or(Stdio::null(), |path| {
        std::fs::File::open(path).unwrap().into()
    });
    let output = Command::new(program)
        .args(arguments)
        .current_dir(folder)
        .stdin(input)
        .output()
        .unwrap_or_else(|e| panic!("{program}: {e}"));
    let log = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {arguments:?}: {log}");
    String::from_utf8(output.stdout).unwrap()
}

fn compare(networks: &[Network], answered: &str) {
    let mut lines = answered.lines();
    for network in networks {
        for (row, expected) in network.expected().lines().enumerate() {
            let own = lines.next().unwrap_or("nothing");
            assert_eq!(
                own.trim(),
                expected.trim(),
                "row {row} of {}",
                serde_json::to_string(&network.program.candidate).unwrap()
            );
        }
    }
    assert_eq!(lines.next(), None);
}

#[test]
fn compiled_cpp_and_rust_equal_integer_inference() {
    let (networks, refused) = networks();
    assert!(refused * 4 < NETWORKS, "{refused} refused");
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let given: String = networks.iter().map(Network::given).collect();
    std::fs::write(folder.join("given"), given).unwrap();

    let mut main = String::new();
    let mut body = String::new();
    for (at, network) in networks.iter().enumerate() {
        let name = format!("network{at}");
        let header = network.cpp.replace("bitfront_network", &name);
        std::fs::write(folder.join(format!("{name}.hpp")), header).unwrap();
        writeln!(main, "#include \"{name}.hpp\"").unwrap();
        let (classes, tables) = network.head();
        write!(body, "for (int r = 0; r < {ROWS}; r++) {{ using namespace {name}; auto c = codes({name}::inputs); auto x = floats({name}::inputs); for (auto v : logits(c.data())) put(v);").unwrap();
        if classes {
            body.push_str(" std::printf(\"c%d \", classify(c.data()));");
        }
        if tables {
            body.push_str(" for (auto v : probabilities(c.data())) put(v);");
        }
        if network.rounds_inputs() {
            body.push_str(" for (auto v : x) put(input_code(v));");
        }
        body.push_str(" std::puts(\"\"); }\n");
    }
    main.push_str(
        "#include <cstdio>
#include <cstring>
static std::vector<std::int32_t> codes(int n) { std::vector<std::int32_t> c(n); for (auto& v : c) if (std::scanf(\"%d\", &v) != 1) std::exit(3); return c; }
static std::vector<float> floats(int n) { std::vector<float> x(n); for (auto& v : x) { unsigned b; if (std::scanf(\"%u\", &b) != 1) std::exit(3); std::memcpy(&v, &b, 4); } return x; }
static void put(long long v) { std::printf(\"%lld \", v); }
int main() {\n",
    );
    main.push_str(&body);
    main.push_str("}\n");
    std::fs::write(folder.join("main.cpp"), main).unwrap();
    let flags = "-std=c++14 -O0 -Wall -Wextra -Werror -Wno-unused-variable -Wno-unused-const-variable -fsanitize=undefined -fno-sanitize-recover=all -o cpp main.cpp";
    run(folder, "g++", &flags.split(' ').collect::<Vec<_>>(), None);
    compare(
        &networks,
        &run(folder, "./cpp", &[], Some(&folder.join("given"))),
    );

    let mut main = String::from("use std::fmt::Write as _;\n");
    let mut body = String::new();
    for (at, network) in networks.iter().enumerate() {
        let name = format!("network{at}");
        std::fs::write(folder.join(format!("{name}.rs")), &network.rust).unwrap();
        writeln!(main, "mod {name};").unwrap();
        let (classes, tables) = network.head();
        write!(body, "for _ in 0..{ROWS} {{ let line = lines.next().unwrap(); let (c, x) = row(line, {name}::INPUTS); for v in {name}::logits(&c) {{ write!(out, \"{{v}} \").unwrap(); }}").unwrap();
        if classes {
            write!(
                body,
                " write!(out, \"c{{}} \", {name}::classify(&c)).unwrap();"
            )
            .unwrap();
        }
        if tables {
            write!(
                body,
                " for v in {name}::probabilities(&c) {{ write!(out, \"{{v}} \").unwrap(); }}"
            )
            .unwrap();
        }
        if network.rounds_inputs() {
            write!(
                body,
                " for v in x {{ write!(out, \"{{}} \", {name}::input_code(v)).unwrap(); }}"
            )
            .unwrap();
        } else {
            body.push_str(" let _ = x;");
        }
        body.push_str(" out.push('\\n'); }\n");
    }
    main.push_str(
        "fn row(line: &str, n: usize) -> (Vec<i32>, Vec<f32>) {
    let all: Vec<i64> = line.split_whitespace().map(|w| w.parse().unwrap()).collect();
    (all[..n].iter().map(|c| *c as i32).collect(), all[n..].iter().map(|b| f32::from_bits(*b as u32)).collect())
}
fn main() {
    let text = std::io::read_to_string(std::io::stdin()).unwrap();
    let mut lines = text.lines();
    let mut out = String::new();\n",
    );
    main.push_str(&body);
    main.push_str("print!(\"{out}\");\n}\n");
    std::fs::write(folder.join("main.rs"), main).unwrap();
    let flags = "--edition=2021 -Coverflow-checks=on -Dwarnings -o rust main.rs";
    run(folder, "rustc", &flags.split(' ').collect::<Vec<_>>(), None);
    compare(
        &networks,
        &run(folder, "./rust", &[], Some(&folder.join("given"))),
    );
}
