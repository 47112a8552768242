//! The commands against a real service: what they print, and their exit codes.

mod support;

use std::process::Command;

use serde_json::Value;
use support::{Process, Service, bitfront, run, search_file, served, wait_for};

impl Service {
    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = bitfront();
        command.args(arguments).args(["--url", &self.url]);
        command
    }

    /// Stdout of a command that must succeed.
    fn text(&self, arguments: &[&str]) -> String {
        let (code, stdout, stderr) = run(self.command(arguments));
        assert_eq!(code, 0, "bitfront {}: {stderr}", arguments.join(" "));
        stdout
    }

    /// Exit code and stderr of a command that must fail.
    fn refused(&self, arguments: &[&str]) -> (i32, String) {
        let (code, _, stderr) = run(self.command(arguments));
        assert_ne!(code, 0, "bitfront {}", arguments.join(" "));
        (code, stderr)
    }
}

#[test]
fn a_finished_search_is_read_by_every_command() {
    let service = Service::start();
    let id = service.submit(&search_file(6, 3, 0));
    let _worker = service.worker("reader");
    let (code, front, progress) = run(service.command(&["watch", "points"]));
    assert_eq!(code, 0, "{progress}");
    assert!(progress.contains("6/6 trials"), "{progress}");
    assert!(
        front.starts_with("front (") && front.contains("\nbaselines\n#0 float"),
        "{front}"
    );
    assert_eq!(service.text(&["front", &id]), front, "by id as by name");

    assert!(service.text(&["ls"]).contains("finished"));
    assert_eq!(
        service.json(&["ls", "--state", "running"]),
        serde_json::json!([])
    );
    let shown = service.text(&["show", "points"]);
    assert!(
        shown.contains("6 of 6 ended: 6 completed") && shown.contains("reproducible  yes"),
        "{shown}"
    );

    let trials = service.json(&["trials", "points", "--sort", "-accuracy", "--limit", "4"]);
    let accuracies: Vec<f64> = trials
        .as_array()
        .expect("a list")
        .iter()
        .map(|trial| {
            trial["scores"]["accuracy_validation"]
                .as_f64()
                .expect("an accuracy")
        })
        .collect();
    assert_eq!(accuracies.len(), 4);
    assert!(accuracies.is_sorted_by(|a, b| a >= b), "{accuracies:?}");

    let trial = service.text(&["trial", "show", "points#1"]);
    assert!(trial.contains("trial 1 of points (completed)"), "{trial}");
    assert!(
        trial.contains("quantized_bits(6,0") && trial.contains("lut_estimate"),
        "{trial}"
    );
    assert!(!service.text(&["trial", "logs", "points#1"]).is_empty());
    let device = trial.split_once("\ndevice xcvu9p\n").expect("a device").1;
    assert!(device.starts_with("resource  estimate"), "{device}");
    let lut = device
        .lines()
        .find(|line| line.starts_with("LUT"))
        .expect("LUTs");
    assert!(lut.contains("1 182 240") && lut.contains(" %"), "{lut}");
    assert!(
        front.contains("for xcvu9p: 1 182 240 LUT, 2 364 480 FF, 6 840 DSP"),
        "{front}"
    );
    let devices = service.text(&["device", "ls"]);
    assert!(devices.contains("xc7a35t   Artix-7"), "{devices}");
    assert_eq!(service.json(&["device", "ls"])[0]["uram"], 960);
    let fits = service.text(&["estimator", "ls"]);
    assert!(fits.contains("no synthesis job has ended yet"), "{fits}");
    assert_eq!(service.json(&["estimator", "ls"])["fewest"], 9);
    // Nothing was synthesised, so nothing stands on a front of measurements.
    let measured = service.json(&["front", "points", "--by", "lut_measured"]);
    assert_eq!(measured["members"], serde_json::json!([]));
    assert_eq!(measured["unmeasured"], 5, "all but the float network");
    let (code, stderr) = service.refused(&["front", "points", "--by", "luts"]);
    assert_eq!(code, 2, "{stderr}");
    assert!(stderr.contains("lut_measured"), "{stderr}");
    assert!(service.text(&["workers"]).contains("reader"));
    assert!(service.text(&["dataset", "ls"]).contains("points.csv"));

    let folder = service.path("exported");
    let out = folder.to_str().expect("a plain path");
    let written = service.text(&["export", "points#1", "--to", "json", "--out", out]);
    assert!(written.ends_with("network.json\n"), "{written}");
    let text = std::fs::read_to_string(written.trim()).expect("the file");
    let network: Value = serde_json::from_str(&text).expect("JSON");
    let digest = &service.json(&["trial", "show", "points#1"])["candidate_digest"];
    assert_eq!(&network["candidate_digest"], digest);
    let (code, stderr) = service.refused(&["export", "points#1", "--to", "gif"]);
    assert!(
        code == 2 && stderr.contains("accepted are verilog"),
        "{stderr}"
    );

    // The same bytes again are the same data set.
    let path = service.path("points.csv");
    service.text(&["dataset", "add", path.to_str().expect("a plain path")]);
    assert_eq!(
        service.json(&["dataset", "ls"]).as_array().map(Vec::len),
        Some(1)
    );
}

#[test]
fn every_refusal_has_its_exit_code() {
    let service = Service::start();
    let id = service.submit(&search_file(4, 3, 0));
    assert_eq!(service.refused(&["show", "nothing"]).0, 3);
    assert_eq!(
        service
            .refused(&["show", "01900000-0000-7000-8000-000000000000"])
            .0,
        3
    );
    assert_eq!(service.refused(&["trial", "show", "points#77"]).0, 3);
    assert_eq!(service.refused(&["trial", "show", "points"]).0, 2);
    assert_eq!(
        service.refused(&["trials", "points", "--sort", "beauty"]).0,
        2
    );

    // No worker: nothing moves.
    let (code, message) = service.refused(&["watch", &id, "--timeout", "300ms"]);
    assert_eq!(code, 7, "{message}");
    let watching = Process::start(service.command(&["watch", &id]), &service.path("watch.log"));
    wait_for("progress", || {
        watching.log().contains("0/4 trials").then_some(())
    });
    watching.ctrl_c();
    let mut watching = watching;
    assert_eq!(watching.wait().code(), Some(130));
    assert!(
        watching.log().contains("the search goes on"),
        "{}",
        watching.log()
    );

    assert_eq!(service.text(&["pause", &id]), "points is paused\n");
    assert_eq!(service.text(&["resume", &id]), "points is running\n");
    assert_eq!(service.text(&["cancel", &id]), "points is cancelled\n");
    assert_eq!(service.refused(&["resume", &id]).0, 5);
    assert_eq!(service.refused(&["watch", &id]).0, 8);
}

#[test]
fn a_search_says_which_engine_version_it_waits_for_and_goes_on_with_the_one_that_is_here() {
    let service = Service::start();
    let id = service.submit(&search_file(4, 3, 0));
    // Chosen before the first trial: as if a worker that is gone had begun.
    let resume = |version| service.text(&["resume", &id, "--engine-version", version]);
    assert_eq!(resume("99"), "points is running\n");
    let _worker = service.worker("other");
    wait_for("a worker of another version", || {
        service
            .text(&["show", &id])
            .contains("waiting for a worker of engine version 99; those here are of 1 (")
            .then_some(())
    });
    let waits = "it waits for a worker of engine version 98; those here are of 1\n";
    assert_eq!(resume("98"), format!("points is running\n{waits}"));
    assert_eq!(resume("1"), "points is running\n");
    let (code, _, progress) = run(service.command(&["watch", &id]));
    assert_eq!(code, 0, "{progress}");
    let shown = service.text(&["show", &id]);
    assert!(
        shown.contains("engine        version 1\n") && shown.contains("reproducible  yes"),
        "{shown}"
    );
    let trial = service.text(&["trial", "show", "points#1"]);
    assert!(trial.contains(", engine version 1\n"), "{trial}");
    assert_eq!(service.json(&["workers"])[0]["engine_version"], 1);
}

#[test]
fn faults_the_coordinator_finds_are_shown_at_their_lines() {
    let service = Service::start();
    let path = service.path("search.yaml");
    let mut file = search_file(4, 3, 0);
    file["dataset"] = "elsewhere".into();
    file["model"] = serde_json::json!({"mlp": [5, 8, 3]});
    std::fs::write(&path, serde_json::to_string_pretty(&file).expect("JSON")).expect("the file");
    let (code, message) = service.refused(&["submit", path.to_str().expect("a plain path")]);
    assert_eq!(code, 2);
    assert!(
        message.contains("/dataset: data set `elsewhere` is not registered"),
        "{message}"
    );
    assert_eq!(
        message.matches("the search file has").count(),
        1,
        "{message}"
    );
    let line = message
        .lines()
        .find(|line| line.contains("/dataset:"))
        .expect("a line");
    assert!(
        line.trim_start()
            .starts_with(path.to_str().expect("a plain path")),
        "{line}"
    );

    // A data set of four features cannot feed five inputs, whatever the file says otherwise.
    let set = [
        "submit",
        path.to_str().expect("a plain path"),
        "--dry-run",
        "--set",
        "dataset=points",
    ];
    let (code, message) = service.refused(&set);
    assert_eq!(code, 2);
    assert!(message.contains("/model"), "{message}");
    let right = [&set[..], &["--set", "model.mlp=[4, 8, 3]"]].concat();
    let dry: Value = serde_json::from_str(&service.text(&right)).expect("JSON");
    assert_eq!(dry["resolved"]["name"], "points");
    assert_eq!(
        service.json(&["ls"]),
        serde_json::json!([]),
        "a dry run stores nothing"
    );
}

#[test]
fn tokens_open_what_their_scope_says() {
    let service = Service::start();
    let database = ["--database-url", service.database_url()];
    let mut command = bitfront();
    command
        .args([
            "coordinator",
            "--bind",
            "127.0.0.1:0",
            "--tokens-required",
            "--data",
        ])
        .arg(service.path("artifacts"))
        .args(database);
    let closed = Process::start(command, &service.path("closed.log"));
    let url = served(&closed);
    let file = service.path("user.token");
    let file = file.to_str().expect("a plain path");
    let create = |scope: &str, more: &[&str]| {
        let mut command = bitfront();
        command
            .args(["token", "create", "--scope", scope, "--name", scope])
            .args(database)
            .args(more);
        run(command)
    };
    let (code, stdout, _) = create("user", &["--output", file]);
    assert_eq!(
        (code, stdout.as_str()),
        (0, ""),
        "the text goes to the file alone"
    );
    let (_, worker_token, _) = create("worker", &[]);
    assert!(worker_token.starts_with("bf_"));

    let ls = |change: &dyn Fn(&mut Command)| {
        let mut command = bitfront();
        command.args(["ls", "--json", "--url", &url]);
        change(&mut command);
        run(command).0
    };
    assert_eq!(ls(&|_| ()), 4, "no token");
    assert_eq!(
        ls(&|command| {
            command.args(["--token-file", file]);
        }),
        0
    );
    assert_eq!(
        ls(&|command| {
            command.env("BITFRONT_TOKEN", worker_token.trim());
        }),
        4,
        "the wrong scope"
    );

    let list = || {
        let mut command = bitfront();
        command.args(["token", "ls", "--json"]).args(database);
        let (_, stdout, _) = run(command);
        assert!(!stdout.contains("bf_"), "texts are not kept");
        serde_json::from_str::<Value>(&stdout).expect("JSON")
    };
    let user = list()
        .as_array()
        .expect("a list")
        .iter()
        .find(|token| token["scope"] == "user")
        .expect("it")["id"]
        .as_str()
        .expect("an id")
        .to_owned();
    let mut revoke = bitfront();
    revoke.args(["token", "revoke", &user]).args(database);
    assert_eq!(run(revoke).0, 0);
    assert_eq!(
        ls(&|command| {
            command.args(["--token-file", file]);
        }),
        4,
        "revoked"
    );
}

#[test]
fn off_loopback_with_tls_and_tokens_a_worker_and_a_user_get_through() {
    let service = Service::start();
    let folder = service.path("certificates");
    std::fs::create_dir(&folder).expect("a folder");
    let mut make = bitfront();
    make.args(["certificate", "--host", "127.0.0.1", "--output"])
        .arg(&folder);
    assert_eq!(run(make).0, 0);
    let database = ["--database-url", service.database_url()];
    let token = |scope: &str| {
        let file = service.path(&format!("{scope}.token"));
        let mut create = bitfront();
        create
            .args([
                "token", "create", "--scope", scope, "--name", scope, "--output",
            ])
            .arg(&file)
            .args(database);
        assert_eq!(run(create).0, 0);
        file
    };
    let (user, worker) = (token("user"), token("worker"));

    let mut command = bitfront();
    command
        .args([
            "coordinator",
            "--bind",
            "0.0.0.0:0",
            "--tokens-required",
            "--data",
        ])
        .arg(service.path("artifacts"))
        .arg("--tls-certificate")
        .arg(folder.join("coordinator.pem"))
        .arg("--tls-key")
        .arg(folder.join("coordinator.key"))
        .args(database);
    let open = Process::start(command, &service.path("open.log"));
    let url = served(&open).replace("0.0.0.0", "127.0.0.1");
    assert!(url.starts_with("https://"), "{url}");
    let as_user = |arguments: &[&str]| {
        let mut command = bitfront();
        command
            .args(arguments)
            .args(["--url", &url, "--token-file"])
            .arg(&user)
            .arg("--ca")
            .arg(folder.join("ca.pem"));
        run(command)
    };
    let mut without_ca = bitfront();
    without_ca
        .args(["ls", "--url", &url, "--token-file"])
        .arg(&user);
    assert_eq!(run(without_ca).0, 6, "an unknown authority is refused");

    let mut command = bitfront();
    command
        .args([
            "worker",
            "--slots",
            "1",
            "--name",
            "remote",
            "--url",
            &url,
            "--token-file",
        ])
        .arg(&worker)
        .arg("--ca")
        .arg(folder.join("ca.pem"))
        .arg("--cache")
        .arg(service.path("remote-cache"));
    let _worker = Process::start(command, &service.path("remote.log"));
    let path = service.path("search.json");
    std::fs::write(&path, search_file(3, 3, 0).to_string()).expect("the file");
    let (code, front, log) = as_user(&["submit", path.to_str().expect("a plain path"), "--watch"]);
    assert_eq!(code, 0, "{log}");
    assert!(front.starts_with("front ("), "{front}");
}

/// A file of the repository.
fn kept_file(path: &str) -> String {
    format!("{}/../{path}", env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn a_search_starts_from_a_trained_model() {
    let service = Service::start();
    service.json(&["dataset", "add", &kept_file("testdata/jets/jets_small.npz")]);
    let listed = service.text(&["dataset", "ls"]);
    assert!(listed.contains("jets_small.npz"), "{listed}");

    // Told here, layer by layer, and nothing is sent.
    let unsupported = kept_file("testdata/models/keras3_unsupported.keras");
    let (code, message) = service.refused(&["model", "add", &unsupported]);
    assert_eq!(code, 2, "{message}");
    assert!(
        message.contains("the model has 2 unsupported layers")
            && message.contains("/layers/table: Embedding: ")
            && message.contains("/layers/memory: GRU: "),
        "{message}"
    );
    assert_eq!(service.json(&["model", "ls"]), serde_json::json!([]));

    let file = kept_file("testdata/models/qkeras_mlp.h5");
    let added = service.text(&["model", "add", &file, "--name", "tagger"]);
    assert!(
        added.starts_with("model tagger\n") && added.contains("tagger.h5"),
        "{added}"
    );
    assert_eq!(
        service.text(&["model", "add", &file]),
        added,
        "the same bytes keep their first name"
    );
    for name in ["tagger", "tagger.h5"] {
        assert_eq!(service.text(&["model", "show", name]), added);
    }
    assert!(
        added.contains("source      Keras 2.15.0 with QKeras .h5")
            && added.contains("ternary(alpha=1.0)"),
        "{added}"
    );
    assert!(service.text(&["model", "ls"]).contains("tagger.h5"));
    assert_eq!(service.refused(&["model", "show", "nothing"]).0, 3);

    let id = service.submit(&serde_json::json!({
        "apiVersion": "v1",
        "kind": "Search",
        "name": "tuned",
        "dataset": "jets_small",
        "model": {"import": "tagger"},
        "search_space": {"seed_trials": [{"float": true}, {"imported": true}]},
        "training": {"epochs": 1, "batch_size": 1024},
        "objectives": ["accuracy", "lut_estimate"],
        "budget": {"trials": 2, "parallel": 2},
    }));
    let _worker = service.worker("tuner");
    service.wait_until_finished(&id);
    let trials = service.trials(&id);
    for trial in &trials {
        assert_eq!(trial["state"], "completed", "{trial}");
    }
    let log = service.text(&["trial", "logs", "tuned#1"]);
    assert!(log.contains("starting weights: model tagger"), "{log}");
    let shown = service.text(&["trial", "show", "tuned#1"]);
    assert!(shown.contains("ternary(alpha=1.0)"), "{shown}");
}

#[test]
fn a_coordinator_takes_a_table_of_more_devices() {
    let own = "[[device]]\npart = \"up5k\"\nfamily = \"iCE40\"\nlut = 5280\nff = 5280\nsource = \"notes\"\n";
    let folder = support::scratch();
    let path = folder.path().join("devices.toml");
    let file = path.to_str().expect("a plain path");
    let refusal = |text: &str| {
        std::fs::write(&path, text).expect("the table");
        let mut command = bitfront();
        command.args([
            "coordinator",
            "--database-url",
            "postgres://127.0.0.1:1/none",
            "--bind",
            "127.0.0.1:0",
        ]);
        command.args([
            "--data",
            folder.path().to_str().expect("a plain path"),
            "--devices",
            file,
        ]);
        let (code, _, stderr) = run(command);
        (code, stderr)
    };
    let (code, stderr) = refusal(&own.replace("lut = 5280", "lut = 0"));
    assert_eq!(code, 2, "{stderr}");
    assert!(stderr.contains("part `up5k` has 0 lut"), "{stderr}");
    let (code, stderr) = refusal(&own.replace("up5k", "xcvu9p"));
    assert_eq!(code, 2, "{stderr}");
    assert!(stderr.contains("`xcvu9p` stands twice"), "{stderr}");
    let search = folder.path().join("search.json");
    let mut wanted = search_file(6, 3, 0);
    wanted["device"] = "up5k".into();
    std::fs::write(&search, wanted.to_string()).expect("the search file");
    std::fs::write(&path, own).expect("the table");
    let validate = |more: &[&str]| {
        let mut command = bitfront();
        command.arg("validate").arg(&search).args(more);
        run(command)
    };
    assert_eq!(validate(&["--devices", file]).0, 0);
    let (code, _, stderr) = validate(&[]);
    assert!(
        code == 2 && stderr.contains("`up5k` is no known device"),
        "{code}: {stderr}"
    );
    // A good table is read, and then the database is missing.
    let (code, stderr) = refusal(own);
    assert_eq!(code, 6, "{stderr}");
}
