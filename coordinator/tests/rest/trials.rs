//! One trial, the front, logs, and synthesis of a trial.

use crate::support::{JOB, SEARCH, Server, problem, trial};
use serde_json::{Value, json};

#[tokio::test]
async fn a_trial_shows_its_layers_curve_attempts_and_synthesis() {
    let server = Server::with_rows().await;
    let it = server.read(&format!("/trials/{}", trial(2))).await;
    assert_eq!(it["layers"][0]["name"], "fc1");
    assert_eq!(it["layers"][0]["reads"], serde_json::json!(["input"]));
    assert_eq!(it["layers"][0]["output_shape"], serde_json::json!([8]));
    assert_eq!(it["layers"][0]["multiplications"], 16 * 8);
    assert_eq!(it["layers"][0]["kernel"]["bits"], 6);
    assert_eq!(it["layers"][0]["parameter_bits"], 16 * 8 * 6 + 8 * 8);
    assert_eq!(it["layers"][0]["activation"], Value::Null);
    assert_eq!(it["layers"][1]["kind"], "activation");
    assert_eq!(it["layers"][1]["reads"], serde_json::json!(["fc1"]));
    assert_eq!(it["layers"][1]["kernel"], Value::Null);
    assert_eq!(it["layers"][1]["activation"]["bits"], 4);
    assert_eq!(it["layers"][2]["kernel"]["bits"], 2);
    assert_eq!(it["curve"].as_array().map(Vec::len), Some(3));
    assert_eq!(
        it["curve"][1]["train_loss"],
        Value::Null,
        "a loss that is not finite is absent"
    );
    assert_eq!(it["attempts"][0]["end_reason"], "completed");
    assert_eq!(it["classes"], json!(["g", "q", "W", "Z", "t"]));
    assert_eq!(it["synthesis_jobs"][0]["result"]["lut_measured"], 180);
    assert_eq!(it["seed"], u64::MAX.to_string(), "all 64 bits, unsigned");
    assert_eq!(
        it["front_neighbours"],
        json!({ "previous": trial(1), "next": trial(3) })
    );
    assert_eq!(
        server.read(&format!("/trials/{}", trial(0))).await["layers"][0]["kernel"]["quantizer"],
        "float"
    );
}

#[tokio::test]
async fn the_front_lists_members_by_cost_with_its_baselines() {
    let server = Server::with_rows().await;
    let front = server.read(&format!("/searches/{SEARCH}/front")).await;
    let numbers = |key: &str| -> Vec<i64> {
        let rows = front[key].as_array().expect("rows");
        rows.iter()
            .map(|row| row["number"].as_i64().expect("a number"))
            .collect()
    };
    assert_eq!(numbers("members"), [1, 2, 3, 4, 5, 7, 8]);
    assert_eq!(numbers("baselines"), [0, 1]);
    assert_eq!(front["baselines"][0]["label"], "float");
    assert_eq!(
        front["members"][1]["synthesis"]["result"]["lut_measured"],
        180
    );
}

#[tokio::test]
async fn each_count_stands_beside_what_the_device_has() {
    let server = Server::with_rows().await;
    let it = server.read(&format!("/trials/{}", trial(2))).await;
    let device = json!({"part": "xc7a35t", "clock_mhz": 200.0,
        "resources": {"lut": 20_800, "ff": 41_600, "dsp": 90, "bram": 50}});
    assert_eq!(it["device"], device);
    let lut = json!({"resource": "lut", "estimate": 200, "measured": 180, "available": 20_800,
        "estimate_percent": 100.0 * 200.0 / 20_800.0, "measured_percent": 100.0 * 180.0 / 20_800.0});
    assert_eq!(it["usage"][0], lut);
    assert_eq!(it["usage"][2]["resource"], "dsp");
    assert_eq!(it["usage"][2]["available"], 90);
    let front = server.read(&format!("/searches/{SEARCH}/front")).await;
    assert_eq!(front["device"], device);
    assert_eq!(front["members"][1]["usage"], it["usage"]);
    assert_eq!(front["unmeasured"], 0, "it reads no measurement");
    let float = server.read(&format!("/trials/{}", trial(0))).await;
    assert_eq!(float["usage"], json!([]));
    assert_eq!(server.read("/searches").await["items"][0]["device"], device);
}

#[tokio::test]
async fn what_another_part_takes_is_no_share_of_the_device() {
    let server = Server::with_rows().await;
    let path = format!("/trials/{}", trial(2));
    let it = server.read(&path).await;
    let job = &it["synthesis_jobs"][0];
    assert_eq!(job["usage"], it["usage"], "Yosys counts for the device");
    let percent = 100.0 * 180.0 / 20_800.0;
    assert_eq!(job["usage"][0]["measured_percent"], percent);
    for statement in [
        "update synthesis_jobs set tool = 'yosys-nextpnr-ice40', part = 'hx8k-ct256',
         result = result || '{\"tool\": \"yosys-nextpnr-ice40\", \"part\": \"hx8k-ct256\"}'",
        "update searches set resolved = jsonb_set(resolved, '{synthesis_target}',
         '{\"engine\": \"yosys-nextpnr-ice40\", \"part\": \"hx8k-ct256\"}')",
    ] {
        sqlx::query(statement)
            .execute(&server.pool)
            .await
            .expect("a job of another engine");
    }
    let it = server.read(&path).await;
    let lut = json!({"resource": "lut", "estimate": 200, "measured": 180, "available": 20_800,
        "estimate_percent": 100.0 * 200.0 / 20_800.0, "measured_percent": null});
    assert_eq!(it["usage"][0], lut);
    let lut = json!({"resource": "lut", "estimate": 200, "measured": 180, "available": null,
        "estimate_percent": null, "measured_percent": null});
    assert_eq!(it["synthesis_jobs"][0]["usage"][0], lut);
}

#[tokio::test]
async fn a_front_may_be_shown_by_what_was_measured() {
    let server = Server::with_rows().await;
    let numbers = |front: &Value| -> Vec<i64> {
        let members = front["members"].as_array().expect("members");
        let number = |row: &Value| row["number"].as_i64().expect("a number");
        members.iter().map(number).collect()
    };
    let path = format!("/searches/{SEARCH}/front?cost=lut_measured");
    sqlx::query("update scores set measured = null")
        .execute(&server.pool)
        .await
        .expect("as before there were measurements");
    let front = server.read(&path).await;
    assert_eq!(numbers(&front), Vec::<i64>::new());
    assert_eq!(front["unmeasured"], 8, "all but the float network");

    // What the migration does for jobs from before: trial 2's. Then two more, one of them dominated.
    let migration = include_str!("../../../migrations/0003_measured.sql");
    let (_, update) = migration
        .split_once("update scores")
        .expect("the second statement");
    let update: &'static str = Box::leak(format!("update scores{update}").into_boxed_str());
    for statement in [
        update,
        "update scores set measured = '{\"lut_measured\": 150}' where trial_id::text like '%103'",
        "update scores set measured = '{\"lut_measured\": 500}' where trial_id::text like '%105'",
    ] {
        sqlx::query(statement)
            .execute(&server.pool)
            .await
            .expect("measured");
    }
    let front = server.read(&path).await;
    assert_eq!(numbers(&front), [3, 5]);
    assert_eq!(front["unmeasured"], 5);
    assert_eq!(front["objectives"][1]["metric"], "lut_measured");
    assert_eq!(front["members"][0]["usage"][0]["measured"], 150);
    let it = server.read(&format!("/trials/{}", trial(2))).await;
    let measured = json!({"lut_measured": 180, "ff_measured": 90, "dsp_measured": 0});
    assert_eq!(it["measured"], measured);
    // The search's own front stays what it was, and lists sort by measurements too.
    let own = server.read(&format!("/searches/{SEARCH}/front")).await;
    assert_eq!(numbers(&own), [1, 2, 3, 4, 5, 7, 8]);
    let list = server
        .read(&format!(
            "/searches/{SEARCH}/trials?sort=-lut_measured&page_size=3"
        ))
        .await;
    let sorted: Vec<_> = (0..3)
        .map(|row| list["items"][row]["number"].clone())
        .collect();
    assert_eq!(sorted, [json!(5), json!(2), json!(3)]);

    let by_bits = server
        .read(&format!("/searches/{SEARCH}/front?cost=bits"))
        .await;
    assert_eq!(numbers(&by_bits), [8], "the best is the smallest");
    let refused = server
        .get(&format!("/api/v1/searches/{SEARCH}/front?cost=accuracy"))
        .await;
    let refused = problem(refused).await;
    assert!(refused.to_string().contains("lut_measured"), "{refused}");
}

#[tokio::test]
async fn a_log_is_text_whatever_it_says() {
    let server = Server::with_rows().await;
    let answer = server
        .get(&format!("/api/v1/trials/{}/attempts/1/log", trial(2)))
        .await;
    assert_eq!(
        answer.headers()["content-type"],
        "text/plain; charset=utf-8"
    );
    assert_eq!(answer.headers()["x-content-type-options"], "nosniff");
    assert_eq!(answer.headers()["x-log"], "tail");
    assert_eq!(
        answer.text().await.expect("text"),
        "epoch 1 <i>loss</i> 0.9\n"
    );
    let none = problem(
        server
            .get(&format!("/api/v1/trials/{}/attempts/9/log", trial(2)))
            .await,
    )
    .await;
    assert_eq!(none["code"], "not-found");
    let log = server
        .get(&format!("/api/v1/synthesis-jobs/{JOB}/attempts/1/log"))
        .await;
    assert_eq!(log.text().await.expect("text"), "yosys done");
}

#[tokio::test]
async fn only_a_trial_with_weights_is_synthesised_and_once() {
    let server = Server::with_rows().await;
    let ask = async |number: u32| {
        let path = format!("/trials/{}/synthesis-jobs", trial(number));
        server.post(&path, &json!({})).await
    };
    // It has one: the same again.
    let known = ask(2).await;
    assert_eq!(known.status(), 200);
    assert_eq!(known.json::<Value>().await.expect("JSON")["id"], JOB);
    // Not completed, and completed without weights.
    assert_eq!(problem(ask(11).await).await["code"], "conflict");
    assert_eq!(problem(ask(3).await).await["code"], "conflict");
    sqlx::query(
        "with kept as (insert into artifacts (digest, bytes) values (repeat('b', 64), 5) returning digest)
         insert into unit_artifacts (unit_id, attempt, kind, digest)
         select '01900000-0000-7000-8000-000000000103', 1, 'weights', digest from kept",
    )
    .execute(&server.pool)
    .await
    .expect("weights");
    let queued = ask(3).await;
    assert_eq!(queued.status(), 202);
    let job: Value = queued.json().await.expect("JSON");
    assert_eq!(
        (&job["state"], &job["requested_by"]),
        (&json!("queued"), &json!("user"))
    );
    assert_eq!(ask(3).await.status(), 200);
    // Cancelled at once, because it waits; again: the same. That looks at the whole search: it must be a real one.
    let file = crate::submit::file();
    let dry: Value = server
        .post("/searches?dry_run=true", &file)
        .await
        .json()
        .await
        .expect("JSON");
    sqlx::query("update searches set resolved = $1")
        .bind(&dry["resolved"])
        .execute(&server.pool)
        .await
        .expect("a real search");
    let id = job["id"].as_str().expect("an id");
    for _ in 0..2 {
        let cancelled: Value = server
            .post(&format!("/synthesis-jobs/{id}/cancel"), &json!({}))
            .await
            .json()
            .await
            .expect("JSON");
        assert_eq!(cancelled["state"], "cancelled");
    }
}

#[tokio::test]
async fn another_engine_is_asked_for_by_name_and_says_what_it_waits_for() {
    let server = Server::with_rows().await;
    let ask = async |query: &str| {
        let path = format!("/trials/{}/synthesis-jobs{query}", trial(2));
        server.post(&path, &json!({})).await
    };
    for (query, says) in [
        ("?engine=quartus", "\"yosys-nextpnr-ice40\""),
        ("?engine=yosys-nextpnr-ice40&part=xcvu9p", "`hx8k-ct256`"),
        ("?engine=yosys&part=hx8k-ct256", "places nothing"),
        ("?part=hx8k-ct256", "places nothing"),
    ] {
        let refused = problem(ask(query).await).await;
        let detail = refused["detail"].as_str().expect("text");
        assert!(detail.contains(says), "{query}: {detail}");
    }
    sqlx::query(
        "with kept as (insert into artifacts (digest, bytes) values (repeat('b', 64), 5) returning digest)
         insert into unit_artifacts (unit_id, attempt, kind, digest)
         select '01900000-0000-7000-8000-000000000102', 1, 'weights', digest from kept",
    )
    .execute(&server.pool)
    .await
    .expect("weights");
    // The fixture's worker announced no engine; its search is Yosys', whose job trial 2 has.
    let job: Value = ask("?engine=yosys-nextpnr-ice40")
        .await
        .json()
        .await
        .expect("JSON");
    assert_eq!(
        (&job["tool"], &job["part"], &job["state"]),
        (
            &json!("yosys-nextpnr-ice40"),
            &json!("hx8k-ct256"),
            &json!("queued")
        )
    );
    let waits_for = json!("a worker with yosys, nextpnr-ice40, verilator and g++ on PATH");
    assert_eq!(job["waits_for"], waits_for);
    assert_eq!(ask("?engine=yosys-nextpnr-ice40").await.status(), 200);
    let search = server.read(&format!("/searches/{SEARCH}")).await;
    assert_eq!(
        search["synthesis_target"],
        json!({"engine": "yosys", "part": null})
    );
    assert_eq!(search["synthesis"]["waiting"], 1);
    let it = server.read(&format!("/trials/{}", trial(2))).await;
    assert_eq!(it["synthesis_jobs"].as_array().map(Vec::len), Some(2));
    assert_eq!(it["synthesis"]["id"], JOB, "its search's engine");
    sqlx::query("update workers set engines = '{yosys-nextpnr-ice40}'")
        .execute(&server.pool)
        .await
        .expect("a worker that has it");
    let id = job["id"].as_str().expect("an id");
    let job = server.read(&format!("/synthesis-jobs/{id}")).await;
    assert_eq!(job["waits_for"], Value::Null);
    let workers = server.read("/workers").await;
    assert_eq!(
        workers["items"][0]["engines"],
        json!(["yosys-nextpnr-ice40"])
    );
}

#[tokio::test]
async fn what_trained_a_trial_is_said_and_what_a_search_waits_for() {
    let server = Server::with_rows().await;
    let it = server.read(&format!("/trials/{}", trial(2))).await;
    assert_eq!(it["engine_version"], 3);
    let queued = server.read(&format!("/trials/{}", trial(11))).await;
    assert_eq!(queued["engine_version"], Value::Null, "nothing has");
    assert_eq!(
        server.read("/workers").await["items"][0]["engine_version"],
        3
    );
    let path = format!("/searches/{SEARCH}");
    let search = server.read(&path).await;
    assert_eq!(
        (&search["engine_version"], &search["waits_for"]),
        (&json!(3), &Value::Null)
    );

    sqlx::query("update workers set engine_version = 4")
        .execute(&server.pool)
        .await
        .expect("another build");
    let search = server.read(&path).await;
    assert_eq!(
        search["waits_for"],
        "a worker of engine version 3; those here are of 4"
    );
    let resume = async |query: &str| {
        let path = format!("{path}/resume{query}");
        server.post(&path, &json!({})).await
    };
    for query in ["?engine_version=-1", "?engine_version=new", "?engine=4"] {
        problem(resume(query).await).await;
    }
    // Without a version it still waits.
    let same: Value = resume("").await.json().await.expect("JSON");
    assert_eq!(
        (&same["engine_version"], &same["reproducible"]),
        (&json!(3), &json!(true))
    );
    let goes_on: Value = resume("?engine_version=4")
        .await
        .json()
        .await
        .expect("JSON");
    assert_eq!(goes_on["waits_for"], Value::Null);
    assert_eq!(
        (
            &goes_on["engine_version"],
            &goes_on["engine_changed"],
            &goes_on["reproducible"]
        ),
        (&json!(4), &json!(true), &json!(false))
    );
}
