//! What people read and scripts rely on: help, faults, exit codes. Snapshots of the real binary's output.

mod support;

use std::fs;
use std::path::Path;
use std::process::Command;

use support::{bitfront, run, scratch, search_file};

/// Exit code, stdout and stderr in one text, with the test's own paths taken out.
fn transcript(mut command: Command, folder: &Path) -> String {
    command.current_dir(folder);
    let (code, stdout, stderr) = run(command);
    let text = format!("exit code: {code}\n--- stdout\n{stdout}--- stderr\n{stderr}");
    text.replace(folder.to_str().expect("a plain path"), "FOLDER")
}

fn with(arguments: &[&str]) -> Command {
    let mut command = bitfront();
    command.args(arguments);
    command
}

#[test]
fn help_lists_the_commands_and_the_exit_codes() {
    let folder = scratch();
    insta::assert_snapshot!(transcript(with(&["--help"]), folder.path()));
}

#[test]
fn help_of_up() {
    let folder = scratch();
    insta::assert_snapshot!(transcript(with(&["up", "--help"]), folder.path()));
}

#[test]
fn validate_shows_the_size_of_the_space() {
    let folder = scratch();
    fs::write(
        folder.path().join("search.json"),
        search_file(20, 3, 0).to_string(),
    )
    .expect("the file");
    insta::assert_snapshot!(transcript(
        with(&["validate", "search.json"]),
        folder.path()
    ));
}

#[test]
fn validate_shows_every_fault_at_its_line() {
    let folder = scratch();
    let text = "apiVersion: v1\n\
                kind: Search\n\
                name: Not A Name\n\
                dataset: points\n\
                model: {mlp: [4, 8, 3]}\n\
                search_space:\n  \
                  pools:\n    \
                    kernel:\n      \
                      - quantized_bits(4,0,alpha=1.0)\n      \
                      - quantised_bits(6,0)\n\
                objectives: [accuracy, luts]\n\
                seeed: 3\n\
                budget: {trials: many}\n";
    fs::write(folder.path().join("search.yaml"), text).expect("the file");
    insta::assert_snapshot!(transcript(
        with(&["validate", "search.yaml"]),
        folder.path()
    ));
}

#[test]
fn set_changes_the_file_and_is_checked_like_it() {
    let folder = scratch();
    fs::write(
        folder.path().join("search.json"),
        search_file(20, 3, 0).to_string(),
    )
    .expect("the file");
    let right = with(&[
        "validate",
        "search.json",
        "--set",
        "budget.trials=7",
        "--json",
    ]);
    let (code, stdout, _) = run({
        let mut command = right;
        command.current_dir(folder.path());
        command
    });
    let value: serde_json::Value = serde_json::from_str(&stdout).expect("JSON");
    assert_eq!(
        (code, &value["resolved"]["budget"]["trials"]),
        (0, &serde_json::json!(7))
    );
    insta::assert_snapshot!(transcript(
        with(&["validate", "search.json", "--set", "budget.trials=none"]),
        folder.path()
    ));
}

#[test]
fn a_file_that_is_not_there_and_one_that_is_no_yaml() {
    let folder = scratch();
    fs::write(folder.path().join("broken.yaml"), "a: [1, 2\nb: }\n").expect("the file");
    let missing = transcript(with(&["validate", "missing.yaml"]), folder.path());
    assert!(
        missing.starts_with("exit code: 2\n") && missing.contains("failed to read missing.yaml"),
        "{missing}"
    );
    let broken = transcript(with(&["validate", "broken.yaml"]), folder.path());
    assert!(
        broken.starts_with("exit code: 2\n") && broken.contains("broken.yaml is not YAML or JSON"),
        "{broken}"
    );
}

#[test]
fn an_absent_coordinator_is_exit_code_6_and_says_what_to_do() {
    let folder = scratch();
    // Port 1 on loopback: nobody listens.
    insta::assert_snapshot!(transcript(
        with(&["ls", "--url", "http://127.0.0.1:1"]),
        folder.path()
    ));
}

#[test]
fn off_loopback_nothing_starts_open() {
    let folder = scratch();
    let up = transcript(
        with(&[
            "up",
            "--bind",
            "0.0.0.0:0",
            "--data",
            "data",
            "--database-url",
            "postgres:///none",
        ]),
        folder.path(),
    );
    assert!(
        up.starts_with("exit code: 2\n") && up.contains("`up` serves loopback only"),
        "{up}"
    );
    let mut coordinator = with(&["coordinator", "--bind", "0.0.0.0:0", "--data", "data"]);
    coordinator.env("BITFRONT_DATABASE_URL", "postgres:///none");
    let coordinator = transcript(coordinator, folder.path());
    assert!(coordinator.starts_with("exit code: 2\n"), "{coordinator}");
    assert!(
        coordinator.contains("TLS") && coordinator.contains("tokens"),
        "{coordinator}"
    );
}

#[test]
fn a_token_is_never_an_argument() {
    let folder = scratch();
    let shown = transcript(with(&["ls", "--token", "bf_secret"]), folder.path());
    assert!(
        shown.starts_with("exit code: 2\n") && shown.contains("unexpected argument '--token'"),
        "{shown}"
    );
}

#[test]
fn train_scores_a_candidate_without_a_service() {
    let folder = scratch();
    support::write_data(&folder.path().join("points.csv"));
    let train = |arguments: &[&str]| -> serde_json::Value {
        let mut command = with(&["train", "--data", "points.csv", "--epochs", "20"]);
        command.args(arguments).current_dir(folder.path());
        let (code, stdout, stderr) = run(command);
        assert_eq!(code, 0, "{stderr}");
        serde_json::from_str(&stdout).expect("JSON")
    };
    let first = train(&["--uniform", "6", "--seed", "3"]);
    let again = train(&["--uniform", "6", "--seed", "3"]);
    assert_eq!(first["scores"], again["scores"]);
    assert!(
        first["scores"]["accuracy_validation"]
            .as_f64()
            .expect("an accuracy")
            > 0.5,
        "{first}"
    );
    assert!(
        first["scores"]["costs"]["lut_estimate"]
            .as_u64()
            .expect("LUTs")
            > 0
    );
    assert!(train(&["--float"])["scores"].get("costs").is_none());

    // A candidate from a file, as it was printed.
    fs::write(
        folder.path().join("candidate.json"),
        first["candidate"].to_string(),
    )
    .expect("the file");
    let mut from_file = with(&[
        "train",
        "candidate.json",
        "--data",
        "points.csv",
        "--epochs",
        "20",
        "--seed",
        "3",
    ]);
    from_file.current_dir(folder.path());
    let (code, stdout, stderr) = run(from_file);
    assert_eq!(code, 0, "{stderr}");
    let from_file: serde_json::Value = serde_json::from_str(&stdout).expect("JSON");
    assert_eq!(from_file["scores"], first["scores"]);

    // A recipe from a file, as it was printed, and its faults.
    let mut recipe = first["recipe"].clone();
    recipe["schedule"] = "constant".into();
    recipe["optimizer"] = serde_json::json!({"adamw": {"weight_decay": 0.125}});
    let write = |recipe: &serde_json::Value| {
        fs::write(folder.path().join("recipe.json"), recipe.to_string()).expect("the file");
    };
    write(&recipe);
    let arguments = ["--uniform", "6", "--seed", "3", "--recipe", "recipe.json"];
    let decayed = train(&arguments);
    assert_eq!(decayed["recipe"], recipe);
    assert_ne!(decayed["scores"], first["scores"]);
    for (key, value, told) in [
        (
            "learning_rate",
            0.into(),
            "/learning_rate is 0; accepted: above 0",
        ),
        (
            "rate",
            1.into(),
            "recipe.json is not a recipe: unknown field `rate`",
        ),
        (
            "distillation",
            serde_json::json!({"temperature": 2, "weight": 0.5}),
            "/distillation has no teacher here",
        ),
    ] {
        let mut broken = recipe.clone();
        broken[key] = value;
        write(&broken);
        let mut command = with(&["train", "--data", "points.csv"]);
        command.args(arguments).current_dir(folder.path());
        let (code, _, stderr) = run(command);
        assert_eq!(code, 2, "{stderr}");
        assert!(stderr.contains(told), "{stderr}");
    }

    fs::write(folder.path().join("values.csv"), "a,b\n1,0.5\n2,1\n").expect("the file");
    let mut values = with(&["train", "--uniform", "6", "--data", "values.csv"]);
    values.current_dir(folder.path());
    let (code, _, stderr) = run(values);
    assert_eq!(code, 2, "{stderr}");
    assert!(
        stderr.contains("the data has values to predict"),
        "{stderr}"
    );
}

#[test]
fn validate_resolves_an_import_by_its_file() {
    let folder = scratch();
    let mut file = search_file(20, 3, 0);
    file["model"] = serde_json::json!({"import": "qkeras_mlp"});
    file["search_space"] = serde_json::json!({"seed_trials": [{"imported": true}]});
    fs::write(folder.path().join("search.json"), file.to_string()).expect("the file");
    insta::assert_snapshot!(
        "validate_without_the_model",
        transcript(with(&["validate", "search.json"]), folder.path())
    );
    let model = format!(
        "{}/../testdata/models/qkeras_mlp.h5",
        env!("CARGO_MANIFEST_DIR")
    );
    insta::assert_snapshot!(
        "validate_with_the_model",
        transcript(
            with(&["validate", "search.json", "--model", &model]),
            folder.path()
        )
    );
    // The data of the search has four features, the model reads sixteen.
    support::write_data(&folder.path().join("points.csv"));
    let unfit = transcript(
        with(&[
            "validate",
            "search.json",
            "--model",
            &model,
            "--data",
            "points.csv",
        ]),
        folder.path(),
    );
    assert!(
        unfit.starts_with("exit code: 2\n") && unfit.contains("/model/import: "),
        "{unfit}"
    );
}
