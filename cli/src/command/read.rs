//! Commands that only read: `ls`, `show`, `front`, `trials`, `trial`, `device`, `estimator`, `workers`.

use serde::Deserialize;
use serde_json::Value;

use crate::args::{self, Global, TrialLogs, Trials};
use crate::client::{Client, Front, Search, Trial};
use crate::exit::{Exit, Failure, Outcome};
use crate::view;

/// One of the API's objects as the tables read it.
fn typed<T: for<'de> Deserialize<'de>>(value: &Value) -> Outcome<T> {
    T::deserialize(value).map_err(|error| {
        Failure::general(format!("failed to read the coordinator's answer: {error}"))
    })
}

/// Prints objects as JSON or through their view.
fn show<T: for<'de> Deserialize<'de>>(
    global: &Global,
    value: &Value,
    view: impl Fn(&T) -> String,
) -> Outcome {
    if global.json {
        view::json(value);
    } else {
        view::print(&view(&typed(value)?));
    }
    Ok(Exit::Ok)
}

/// `bitfront ls`.
pub(super) async fn searches(global: &Global, state: Option<&str>) -> Outcome {
    let query: Vec<(&str, &str)> = state.map(|state| ("state", state)).into_iter().collect();
    let items = Client::new(global)?
        .pages("/api/v1/searches", &query, 10_000)
        .await?;
    if items.is_empty() && !global.json && !global.quiet {
        eprintln!("no searches yet: `bitfront submit FILE` starts one");
        return Ok(Exit::Ok);
    }
    show(global, &Value::Array(items), |items: &Vec<Search>| {
        view::searches(items)
    })
}

/// `bitfront show`.
pub(super) async fn search(global: &Global, name: &str) -> Outcome {
    let client = Client::new(global)?;
    let id = client.search_id(name).await?;
    let value: Value = client.get(&format!("/api/v1/searches/{id}"), &[]).await?;
    show(global, &value, view::search)
}

/// `bitfront front`.
pub(super) async fn front(global: &Global, options: &args::Front) -> Outcome {
    let client = Client::new(global)?;
    let id = client.search_id(&options.search.search).await?;
    let query: Vec<(&str, &str)> = options
        .by
        .as_deref()
        .map(|cost| ("cost", cost))
        .into_iter()
        .collect();
    let value: Value = client
        .get(&format!("/api/v1/searches/{id}/front"), &query)
        .await?;
    show(global, &value, |front: &Front| view::front(front))
}

/// `bitfront trials`.
pub(super) async fn trials(global: &Global, options: &Trials) -> Outcome {
    let client = Client::new(global)?;
    let id = client.search_id(&options.search.search).await?;
    let mut query = vec![("sort", options.sort.as_str())];
    query.extend(options.state.as_deref().map(|state| ("state", state)));
    let items = client
        .pages(
            &format!("/api/v1/searches/{id}/trials"),
            &query,
            options.limit,
        )
        .await?;
    show(global, &Value::Array(items), |items: &Vec<Trial>| {
        view::trials(items)
    })
}

/// `bitfront trial show`.
pub(super) async fn trial(global: &Global, name: &str) -> Outcome {
    let client = Client::new(global)?;
    let id = client.trial_id(name).await?;
    let value: Value = client.get(&format!("/api/v1/trials/{id}"), &[]).await?;
    show(global, &value, |value: &Value| view::trial(value))
}

/// `bitfront trial logs`.
pub(super) async fn logs(global: &Global, options: &TrialLogs) -> Outcome {
    let client = Client::new(global)?;
    let id = client.trial_id(&options.trial.trial).await?;
    let attempt = if let Some(attempt) = options.attempt {
        u64::from(attempt)
    } else {
        let trial: Trial = client.get(&format!("/api/v1/trials/{id}"), &[]).await?;
        if trial.attempt == 0 {
            return Err(Failure::new(
                Exit::NotFound,
                "the trial has had no attempt yet",
            ));
        }
        trial.attempt
    };
    let text = client
        .text(&format!("/api/v1/trials/{id}/attempts/{attempt}/log"))
        .await?;
    if global.json {
        view::json(&serde_json::json!({ "trial": id, "attempt": attempt, "log": text }));
    } else {
        view::print(&text);
    }
    Ok(Exit::Ok)
}

/// `bitfront device ls`.
pub(super) async fn devices(global: &Global) -> Outcome {
    let value: Value = Client::new(global)?.get("/api/v1/devices", &[]).await?;
    show(global, &value["items"], |items: &Vec<Value>| {
        view::devices(items)
    })
}

/// `bitfront estimator ls`.
pub(super) async fn estimators(global: &Global) -> Outcome {
    let value: Value = Client::new(global)?.get("/api/v1/estimators", &[]).await?;
    show(global, &value, view::estimators)
}

/// `bitfront workers`.
pub(super) async fn workers(global: &Global) -> Outcome {
    let items = Client::new(global)?
        .pages("/api/v1/workers", &[], 10_000)
        .await?;
    show(global, &Value::Array(items), |items: &Vec<Value>| {
        view::workers(items)
    })
}
