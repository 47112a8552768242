//! It must survive: kills, restarts and drains on real processes (promises P2, P3, P4).

#[path = "../../crates/hardware/tests/common/skipped.rs"]
mod skipped;
mod support;

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;
use skipped::skipped;
use support::{
    Process, Service, bitfront, run, scratch, search_file, served, wait_for, write_data,
};

/// Epochs that keep a worker busy for seconds: long enough to be seen and killed in the middle.
const LONG: u32 = 3000;

fn attempts(trial: &Value) -> Vec<(u64, String)> {
    let list = trial["attempts"].as_array().expect("attempts");
    list.iter()
        .map(|attempt| {
            let end = attempt["end_reason"]
                .as_str()
                .unwrap_or("running")
                .to_owned();
            (attempt["attempt"].as_u64().expect("a number"), end)
        })
        .collect()
}

/// Of several attempts the last one completed. A machine under load may take the second worker's lease too: how often is no
/// promise, that one attempt counts is.
fn assert_last_counts(trial: &Value) {
    let attempts = attempts(trial);
    let (last, lost) = attempts.split_last().expect("attempts");
    assert_eq!(last.1, "completed", "{attempts:?}");
    assert!(
        !lost.is_empty() && lost.iter().all(|(_, end)| end != "completed"),
        "{attempts:?}"
    );
}

/// A trial that a worker has trained for at least one epoch and not finished.
fn mid_trial(service: &Service, search: &str) -> Value {
    wait_for("a trial in the middle", || {
        let leased = service
            .trials(search)
            .into_iter()
            .find(|trial| trial["state"] == "leased")?;
        let trial = service.trial(leased["id"].as_str()?);
        let begun = !trial["curve"].as_array()?.is_empty();
        (begun && trial["state"] == "leased").then_some(trial)
    })
}

#[test]
fn a_trial_of_a_killed_worker_ends_on_another_attempt_once() {
    let service = Service::start();
    let mut file = search_file(2, 3 * LONG, 0);
    // Small batches: a trial of several heartbeats, so that it is seen in the middle.
    file["training"]["batch_size"] = 16.into();
    let search = service.submit(&file);
    let mut first = service.worker("first");
    let trial = mid_trial(&service, &search);
    first.kill();

    let second = service.worker("second");
    service.wait_until_finished(&search);
    second.assert_runs();
    let ended = service.trial(trial["id"].as_str().expect("an id"));
    assert_eq!(ended["state"], "completed");
    assert_last_counts(&ended);
    assert_eq!(ended["worker"], "second");
    let all = service.trials(&search);
    assert_eq!(all.len(), 2);
    assert!(all.iter().all(|trial| trial["state"] == "completed"));
}

#[test]
fn a_synthesis_job_of_a_killed_worker_ends_on_another_attempt_once() {
    if !bitfront_worker::tools().can_synthesise() {
        skipped(&bitfront_worker::tools().missing().join(", "));
        return;
    }
    let service = Service::start();
    let search = service.submit(&search_file(3, 3, 1));
    let mut first = service.worker("first");
    let job = |state: &str| {
        let trials = service.trials(&search);
        let trial = trials
            .iter()
            .find(|trial| trial["synthesis"]["state"] == state)?;
        let detail = service.trial(trial["id"].as_str()?);
        detail["synthesis_jobs"].as_array()?.first().cloned()
    };
    let leased = wait_for("a synthesis job in the middle", || job("leased"));
    first.kill();

    let _second = service.worker("second");
    service.wait_until_finished(&search);
    let ended = job("completed").expect("the job");
    assert_eq!(ended["id"], leased["id"]);
    assert!(
        ended["attempt"].as_u64() > leased["attempt"].as_u64(),
        "{ended}"
    );
    assert_eq!(ended["worker"], "second");
    assert!(
        ended["result"]["vectors_checked"]
            .as_u64()
            .expect("vectors")
            >= 2000,
        "{ended}"
    );
    assert!(ended["result"]["lut_measured"].as_u64().expect("LUTs") > 0);
}

/// The same search twice: its trials are trained twice (promise P2: to the same bits), its circuit is built once.
#[test]
fn equal_circuits_of_two_searches_are_built_once_though_their_worker_is_killed() {
    if !bitfront_worker::tools().can_synthesise() {
        skipped(&bitfront_worker::tools().missing().join(", "));
        return;
    }
    let service = Service::start();
    let file = search_file(3, 3, 1);
    let searches = [service.submit(&file), service.submit(&file)];
    let jobs = |state: &str| -> Vec<Value> {
        let trials = searches.iter().flat_map(|search| service.trials(search));
        let trials = trials.filter(|trial| trial["synthesis"]["state"] == state);
        trials
            .map(|trial| {
                let detail = service.trial(trial["id"].as_str().expect("an id"));
                let mut job = detail["synthesis_jobs"][0].clone();
                job["circuit_digest"] = detail["scores"]["circuit_digest"].clone();
                job
            })
            .collect()
    };
    let mut first = service.worker("first");
    wait_for("a synthesis job in the middle", || {
        (!jobs("leased").is_empty()).then_some(())
    });
    first.kill();

    let _second = service.worker("second");
    for search in &searches {
        service.wait_until_finished(search);
    }
    let ended = jobs("completed");
    let [one, two] = &ended[..] else {
        panic!("two jobs: {ended:?}");
    };
    let (built, shared) = if one["shared_from"].is_null() {
        (one, two)
    } else {
        (two, one)
    };
    assert!(built["shared_from"].is_null(), "{ended:?}");
    assert_eq!(built["worker"], "second");
    assert_eq!(shared["shared_from"], built["id"]);
    assert_eq!(shared["result"], built["result"]);
    // What the trials' workers wrote is what the job built.
    for job in &ended {
        assert_eq!(job["circuit_digest"], built["result"]["rtl_digest"]);
    }
}

#[test]
fn a_killed_coordinator_loses_nothing_and_its_workers_go_on() {
    let mut service = Service::start();
    let search = service.submit(&search_file(8, 60, 0));
    let worker = service.worker("steady");
    let completed = |service: &Service| -> BTreeMap<u64, String> {
        let trials = service.trials(&search);
        let done = trials.iter().filter(|trial| trial["state"] == "completed");
        done.map(|trial| {
            (
                trial["number"].as_u64().expect("a number"),
                trial["scores"].to_string(),
            )
        })
        .collect()
    };
    let before = wait_for("some acknowledged trials", || {
        Some(completed(&service)).filter(|done| done.len() >= 2)
    });
    service.crash_coordinator();

    let after = completed(&service);
    for (number, scores) in &before {
        assert_eq!(
            after.get(number),
            Some(scores),
            "trial {number} was acknowledged"
        );
    }
    service.wait_until_finished(&search);
    worker.assert_runs();
    let all = completed(&service);
    assert_eq!(all.len(), 8);
    assert!(before.iter().all(|(number, scores)| all[number] == *scores));
}

/// Everything that must be equal in two runs of the same search.
fn fingerprint(service: &Service, search: &str) -> Vec<Value> {
    let trials = service.trials(search);
    let of = |trial: &Value| {
        let detail = service.trial(trial["id"].as_str().expect("an id"));
        let weights = detail["artifacts"]
            .as_array()
            .and_then(|artifacts| {
                artifacts
                    .iter()
                    .rev()
                    .find(|artifact| artifact["kind"] == "weights")
            })
            .map(|artifact| artifact["digest"].clone());
        serde_json::json!({
            "number": trial["number"],
            "state": trial["state"],
            "on_front": trial["on_front"],
            "scores": trial["scores"],
            "candidate": detail["candidate_digest"],
            "seed": detail["seed"],
            "weights": weights,
        })
    };
    trials.iter().map(of).collect()
}

#[test]
fn the_same_search_gives_the_same_bits_with_one_worker_with_three_and_disturbed() {
    const TRIALS: u32 = 14;
    let mut service = Service::start();
    let file = search_file(TRIALS, 12, 0);

    let one = service.submit(&file);
    let mut worker = service.worker("alone");
    service.wait_until_finished(&one);
    worker.kill();
    let expected = fingerprint(&service, &one);
    assert_eq!(expected.len(), TRIALS as usize);
    assert!(
        expected
            .iter()
            .all(|trial| trial["state"] == "completed" && trial["weights"].is_string()),
        "{expected:?}"
    );
    assert!(
        expected
            .iter()
            .filter(|trial| trial["on_front"] == true)
            .count()
            >= 2
    );

    let three = service.submit(&file);
    let mut workers: Vec<Process> = (1..=3)
        .map(|number| service.worker(&format!("w{number}")))
        .collect();
    service.wait_until_finished(&three);
    assert_eq!(fingerprint(&service, &three), expected);

    let disturbed = service.submit(&file);
    for (round, enough) in [2, 5, 8].into_iter().enumerate() {
        wait_for("progress to disturb", || {
            let done = service.search(&disturbed)["trials"]["completed"].as_u64()?;
            (done >= enough).then_some(())
        });
        workers[round].kill();
        if round == 1 {
            service.crash_coordinator();
        }
        workers.push(service.worker(&format!("x{round}")));
    }
    service.wait_until_finished(&disturbed);
    assert_eq!(fingerprint(&service, &disturbed), expected);
}

fn up(folder: &Path, log: &str) -> Process {
    let mut command = bitfront();
    command
        .args([
            "up",
            "--bind",
            "127.0.0.1:0",
            "--workers",
            "2",
            "--lease-ttl",
            support::LEASE_TTL,
            "--data",
        ])
        .arg(folder.join("data"));
    Process::start(command, &folder.join(log))
}

fn json(url: &str, arguments: &[&str]) -> Value {
    let mut command = bitfront();
    command.args(arguments).args(["--json", "--url", url]);
    let (code, stdout, stderr) = run(command);
    assert_eq!(code, 0, "bitfront {}: {stderr}", arguments.join(" "));
    serde_json::from_str(&stdout).expect("JSON")
}

fn submit_to(url: &str, folder: &Path, file: &Value) -> String {
    let (data, search) = (folder.join("points.csv"), folder.join("search.json"));
    write_data(&data);
    std::fs::write(&search, file.to_string()).expect("the search file");
    json(
        url,
        &["dataset", "add", data.to_str().expect("a plain path")],
    );
    json(url, &["submit", search.to_str().expect("a plain path")])["id"]
        .as_str()
        .expect("an id")
        .to_owned()
}

/// Processes whose command line or working folder names `folder`.
fn processes_of(folder: &Path) -> Vec<String> {
    let name = folder.to_str().expect("a plain path");
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc").expect("/proc").flatten() {
        let read = |file: &str| std::fs::read(entry.path().join(file)).unwrap_or_default();
        let line = String::from_utf8_lossy(&read("cmdline")).replace('\0', " ");
        if line.contains(name) {
            found.push(line);
        }
    }
    found
}

#[test]
fn ctrl_c_drains_up_and_the_next_up_goes_on() {
    let folder = scratch();
    let mut first = up(folder.path(), "up-1.log");
    let url = served(&first);
    let search = submit_to(&url, folder.path(), &search_file(4, 2 * LONG, 0));
    wait_for("work under way", || {
        let running = json(&url, &["show", &search])["trials"]["leased"].as_u64()?;
        (running >= 2).then_some(())
    });
    first.ctrl_c();
    wait_for("the drain to begin", || {
        first.log().contains("draining").then_some(())
    });
    // Once more, as impatient people do: what runs is handed back at once instead of being given some seconds.
    first.ctrl_c();
    let status = first.wait();
    assert_eq!(status.code(), Some(0), "{}", first.log());
    assert_eq!(processes_of(folder.path()), Vec::<String>::new());
    assert!(!folder.path().join("data/postgres/postmaster.pid").exists());

    let mut second = up(folder.path(), "up-2.log");
    let url = served(&second);
    let finished = wait_for("the search to finish", || {
        let search = json(&url, &["show", &search]);
        (search["state"] == "finished").then_some(search)
    });
    assert_eq!(finished["trials"]["completed"], 4);
    // Drained in order: while Postgres still stood, every attempt was ended or handed back by its worker.
    let mut handed_back = 0;
    for trial in json(&url, &["trials", &search]).as_array().expect("a list") {
        let trial = json(
            &url,
            &["trial", "show", trial["id"].as_str().expect("an id")],
        );
        for (_, end) in attempts(&trial) {
            assert!(
                ["completed", "released"].contains(&end.as_str()),
                "{}",
                trial["attempts"]
            );
            handed_back += usize::from(end == "released");
        }
    }
    assert!(handed_back > 0, "nothing was in the middle");
    second.ctrl_c();
    assert_eq!(second.wait().code(), Some(0), "{}", second.log());
}

#[test]
fn a_killed_up_leaves_nothing_that_the_next_cannot_take_over() {
    let folder = scratch();
    let mut first = up(folder.path(), "up-1.log");
    let url = served(&first);
    let search = submit_to(&url, folder.path(), &search_file(4, LONG, 0));
    wait_for("work under way", || {
        let running = json(&url, &["show", &search])["trials"]["leased"].as_u64()?;
        (running >= 1).then_some(())
    });
    first.kill();

    // Postgres of the killed run may still live; its workers notice by themselves.
    let mut second = up(folder.path(), "up-2.log");
    let url = served(&second);
    let finished = wait_for("the search to finish", || {
        let search = json(&url, &["show", &search]);
        (search["state"] == "finished").then_some(search)
    });
    assert_eq!(finished["trials"]["completed"], 4);
    second.ctrl_c();
    assert_eq!(second.wait().code(), Some(0), "{}", second.log());
    wait_for("the first run's workers to end", || {
        processes_of(folder.path()).is_empty().then_some(())
    });
}

#[test]
fn a_run_of_a_killed_worker_leaves_the_same_points_once() {
    let service = Service::start();
    let mut file = search_file(1, 3, 0);
    file.as_object_mut()
        .expect("a mapping")
        .remove("search_space");
    // Small batches: a run of several heartbeats, so that it is seen in the middle.
    file["sampler"] =
        serde_json::json!({"name": "learned_bits", "epochs": 3 * LONG, "batch_size": 16});
    let undisturbed = service.submit(&file);
    let mut alone = service.worker("alone");
    service.wait_until_finished(&undisturbed);
    alone.kill();
    let expected = fingerprint(&service, &undisturbed);
    // The run, and what it left behind.
    assert!(expected.len() > 2, "{expected:?}");
    assert!(expected.iter().all(|trial| trial["state"] == "completed"));

    let search = service.submit(&file);
    let mut first = service.worker("first");
    let run = wait_for("a run that learns bit widths", || {
        let leased = service
            .trials(&search)
            .into_iter()
            .find(|trial| trial["state"] == "leased")?;
        let trial = service.trial(leased["id"].as_str()?);
        let epoch = trial["curve"].as_array()?.last()?["epoch"].as_u64()?;
        (epoch > 3 && trial["state"] == "leased").then_some(trial)
    });
    first.kill();
    assert_eq!(
        service.trials(&search).len(),
        1,
        "points of a run that has not ended"
    );

    let second = service.worker("second");
    service.wait_until_finished(&search);
    second.assert_runs();
    assert_eq!(fingerprint(&service, &search), expected);
    let ended = service.trial(run["id"].as_str().expect("an id"));
    assert_last_counts(&ended);
}
