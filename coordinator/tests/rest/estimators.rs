//! Estimates fitted to what synthesis jobs measured, on made-up jobs.

use crate::support::{Server, trial};
use bitfront_hardware::circuit::Multipliers;
use bitfront_hardware::synthesis_report::options;
use serde_json::{Value, json};

/// A made-up job of the fixture's search, for a trial of its own with an estimate of 1,000 LUTs and 100 flip-flops.
struct Job {
    tool: &'static str,
    version: &'static str,
    options: &'static str,
    /// Names its circuit.
    circuit: u32,
    lut: u32,
    /// It took the result of the job with this number.
    shared_from: Option<u32>,
    worker: Worker,
}

/// The version of Bitfront that estimated.
#[derive(Clone, Copy)]
enum Worker {
    Present,
    Older,
}

impl Default for Job {
    fn default() -> Self {
        Self {
            tool: "yosys",
            version: "0.23",
            options: options(Multipliers::Luts),
            circuit: 0,
            lut: 1_000,
            shared_from: None,
            worker: Worker::Present,
        }
    }
}

/// Stores job number `n` as it is once it has ended.
async fn store(server: &Server, n: u32, job: &Job) {
    let id = |kind: u32, n: u32| format!("01900000-0000-7000-8000-0000{kind:04}{n:04}");
    let worker = match job.worker {
        Worker::Present => id(0, 2),
        Worker::Older => id(0, 3),
    };
    let versions = match job.tool {
        "yosys" => json!({"yosys": job.version}),
        _ => json!({"yosys": "0.23", "nextpnr-ice40": job.version}),
    };
    let result = json!({"tool": job.tool, "tool_version": job.version, "tool_versions": versions, "lut_measured": job.lut,
        "ff_measured": 100, "dsp_measured": 0, "carry_measured": 50});
    let source = job
        .shared_from
        .map_or("null".to_owned(), |n| format!("'{}'", id(5, n)));
    let attempt = if job.shared_from.is_some() {
        "null"
    } else {
        "1"
    };
    let (trial, unit, search) = (id(4, n), id(5, n), id(0, 3));
    let statements = format!(
        "insert into workers (id, name, version, slots, kinds) values ('{}', 'older', '0.0.1', 1, '{{trial}}') on conflict do nothing;
         insert into units (id, kind, search_id, state, attempt, ended_at)
         values ('{trial}', 'trial', '{search}', 'completed', 1, now()), ('{unit}', 'synthesis', '{search}', 'completed', 1, now());
         insert into attempts (unit_id, attempt, worker_id, ended_at, end_reason)
         values ('{trial}', 1, '{worker}', now(), 'completed'), ('{unit}', 1, '{worker}', now(), 'completed');
         insert into trials (id, search_id, number, candidate, candidate_digest, origin, seed)
         values ('{trial}', '{search}', 100 + {n}, '{{}}', '{n}', '{{}}', 0);
         insert into scores (trial_id, attempt, search_id, scores) values ('{trial}', 1, '{search}',
             '{{\"accuracy_validation\": 0.7, \"costs\": {{\"lut_estimate\": 1000, \"ff_estimate\": 100}}}}');
         insert into synthesis_jobs (id, search_id, trial_id, requested_by, tool, options, vectors, weights_digest, result, result_attempt,
             circuit_digest, shared_from)
         values ('{unit}', '{search}', '{trial}', 'policy', '{}', '{}', 2000, repeat('a', 64), '{result}', {attempt},
             lpad('{}', 64, '0'), {source});",
        id(0, 3), job.tool, job.options, job.circuit
    );
    sqlx::raw_sql(sqlx::AssertSqlSafe(statements))
        .execute(&server.pool)
        .await
        .expect("rows that fit the schema");
}

/// Jobs 1 to `lut.len()`, of distinct circuits, that measured these LUTs.
async fn store_all(server: &Server, lut: &[u32]) {
    for (n, lut) in (1..).zip(lut) {
        let job = Job {
            circuit: n,
            lut: *lut,
            ..Job::default()
        };
        store(server, n, &job).await;
    }
}

/// The fit of the jobs that [`Job::default`] makes; the fixture's own job says no version of its tool.
async fn estimator(server: &Server) -> Value {
    let list = server.read("/estimators").await;
    let items = list["items"].as_array().expect("fits");
    let key = json!(["yosys", "0.23", options(Multipliers::Luts), ""]);
    let found = items.iter().find(|item| {
        let of = ["engine", "tool_version", "options", "estimator_version"];
        json!(of.map(|name| &item[name])) == key
    });
    found.expect("its jobs").clone()
}

const LUT: [u32; 9] = [1100, 900, 950, 1050, 1000, 1200, 800, 1075, 1025];

#[tokio::test]
async fn nine_circuits_make_a_fit_and_each_finished_job_refits() {
    let server = Server::with_rows().await;
    store_all(&server, &LUT[..8]).await;
    let before = estimator(&server).await;
    assert_eq!(
        (&before["circuits"], &before["lut"]),
        (&json!(8), &Value::Null)
    );
    let ninth = Job {
        circuit: 9,
        lut: LUT[8],
        ..Job::default()
    };
    store(&server, 9, &ninth).await;
    let fit = estimator(&server).await;
    assert_eq!(fit["part"], Value::Null);
    let lut = &fit["lut"];
    assert_eq!((&lut["jobs"], &lut["ratio"]), (&json!(9), &json!(1.025)));
    assert_eq!(lut["ratio_interval"], json!([0.9, 1.1]));
    assert_eq!(
        (&lut["next_interval"], &lut["next_level"]),
        (&json!([0.8, 1.2]), &json!(0.8))
    );
    assert_eq!(fit["ff"]["ratio"], 1.0);
    assert_eq!(fit["carry"], Value::Null, "carry cells were not estimated");
    // Eight more at the upper end move the median there.
    for n in 10..18 {
        let job = Job {
            circuit: n,
            lut: 1_300,
            ..Job::default()
        };
        store(&server, n, &job).await;
    }
    let refitted = estimator(&server).await;
    assert_eq!(refitted["lut"]["jobs"], 17);
    assert_eq!(refitted["lut"]["ratio"], 1.2);
}

#[tokio::test]
async fn a_circuit_counts_once_and_different_tools_options_and_estimators_never_mix() {
    let server = Server::with_rows().await;
    store_all(&server, &LUT).await;
    let fit = estimator(&server).await;
    let others = [
        // The same circuit taken over, and built again.
        Job {
            circuit: 1,
            lut: 9_000,
            shared_from: Some(1),
            ..Job::default()
        },
        Job {
            circuit: 1,
            lut: 9_000,
            ..Job::default()
        },
        Job {
            circuit: 51,
            lut: 9_000,
            tool: "yosys-nextpnr-ice40",
            ..Job::default()
        },
        Job {
            circuit: 52,
            lut: 9_000,
            options: "-dsp",
            ..Job::default()
        },
        Job {
            circuit: 53,
            lut: 9_000,
            version: "0.40",
            ..Job::default()
        },
    ];
    for (n, job) in (20..).zip(&others) {
        store(&server, n, job).await;
    }
    let mut again = estimator(&server).await;
    again["last_ended_at"] = fit["last_ended_at"].clone();
    assert_eq!(again, fit);
    let older = Job {
        circuit: 54,
        lut: 9_000,
        worker: Worker::Older,
        ..Job::default()
    };
    store(&server, 30, &older).await;
    let list = server.read("/estimators").await;
    let keys: Vec<_> = list["items"]
        .as_array()
        .expect("fits")
        .iter()
        .map(|item| {
            let word = |key: &str| item[key].as_str().expect("text").to_owned();
            (
                [
                    word("engine"),
                    word("tool_version"),
                    word("options").replace(options(Multipliers::Luts), "OPTIONS"),
                    word("estimator_version"),
                ]
                .join("|"),
                item["circuits"].as_u64().expect("a count"),
            )
        })
        .collect();
    for key in [
        ("yosys|0.23|OPTIONS|", 9),
        ("yosys|0.23|OPTIONS|0.0.1", 1),
        ("yosys|0.40|OPTIONS|", 1),
        ("yosys|0.23|-dsp|", 1),
        (
            "yosys-nextpnr-ice40|nextpnr-ice40 0.23, yosys 0.23|OPTIONS|",
            1,
        ),
        ("yosys|||", 1),
    ] {
        assert!(
            keys.contains(&(key.0.to_owned(), key.1)),
            "{key:?}: {keys:?}"
        );
    }
    assert_eq!(keys.len(), 6);
}

#[tokio::test]
async fn a_trial_shows_what_the_fits_predict_beside_its_estimate() {
    let server = Server::with_rows().await;
    store_all(&server, &LUT).await;
    let older = Job {
        circuit: 54,
        worker: Worker::Older,
        ..Job::default()
    };
    store(&server, 30, &older).await;
    let vivado = Job {
        circuit: 55,
        tool: "vivado",
        ..Job::default()
    };
    store(&server, 31, &vivado).await;
    // Trial 4 has an estimate of 400 LUTs and 200 flip-flops.
    let it = server.read(&format!("/trials/{}", trial(4))).await;
    assert_eq!(it["scores"]["costs"]["lut_estimate"], 400, "as it was");
    let predictions = it["predictions"].as_array().expect("predictions");
    // Of its search's engine and options, with estimates of the version that made its own.
    assert_eq!(predictions.len(), 1, "{predictions:?}");
    let fitted = &predictions[0];
    assert_eq!(
        (&fitted["tool_version"], &fitted["circuits"]),
        (&json!("0.23"), &json!(9))
    );
    let lut = &fitted["lut_predicted"];
    assert_eq!(
        [&lut["value"], &lut["low"], &lut["high"], &lut["jobs"]],
        [&json!(410), &json!(320), &json!(480), &json!(9)]
    );
    assert_eq!(lut["level"], 0.8);
    let error = estimator(&server).await["lut"]["median_error"].clone();
    assert_eq!(lut["median_error"], error);
    assert_eq!(fitted["ff_predicted"]["value"], 200);
    assert_eq!(fitted["carry_predicted"], Value::Null);
    // A float network has no circuit.
    let float = server.read(&format!("/trials/{}", trial(0))).await;
    assert_eq!(float["predictions"], json!([]));
}
