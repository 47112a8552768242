//! `bitfront ready`: one question to a coordinator, for health checks and scripts that wait.

use crate::args::Global;
use crate::client::Client;
use crate::exit::{Exit, Outcome};
use crate::view;

/// Exit code 0 when the coordinator takes work, 6 when it does not answer.
pub(super) async fn run(global: &Global) -> Outcome {
    let answer = Client::new(global)?.text("/readyz").await?;
    if global.json {
        view::json(&serde_json::json!({ "ready": true }));
    } else {
        view::line(answer.trim());
    }
    Ok(Exit::Ok)
}
