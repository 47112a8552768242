//! Lists the trials of a search: pages, filter by state, sort by number or any score.

use super::view::TrialView;
use crate::ids::SearchId;
use crate::problem::{Problem, ProblemBody};
use crate::rest::extract::{Path, Query};
use crate::rest::paging::{self, Page};
use crate::state::State;
use crate::store::read::{TrialFilter, TrialOrder, TrialRow};
use axum::Json;
use axum::extract::State as Shared;
use bitfront_search::Metric;
use bitfront_search::life::UnitState;
use serde::Deserialize;
use utoipa::IntoParams;

/// Which trials, in which order.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct TrialsQuery {
    /// Only those in these states, separated by commas.
    #[param(example = "completed,leased")]
    pub state: Option<String>,
    /// Only members of the front.
    #[serde(default)]
    pub front: bool,
    /// `number`, or a score (`accuracy`, `accuracy_test`, `lut_estimate`, `lut_measured`, ...); `-` in front: largest
    /// first. Trials without the score come last.
    #[param(example = "-accuracy")]
    pub sort: Option<String>,
    /// Rows at most, 1 to 1000 (50 if absent).
    pub page_size: Option<u32>,
    /// `next_page_token` of the page before; `sort` must be the same.
    pub page_token: Option<String>,
}

/// Lists the trials of a search.
#[utoipa::path(get, path = "/searches/{id}/trials", tag = "trials", operation_id = "list_trials", params(("id" = Uuid, Path, description = "The search"), TrialsQuery), responses((status = 200, description = "A page of trials", body = Page<TrialView>), (status = "default", description = "A problem", body = ProblemBody, content_type = "application/problem+json")))]
pub(crate) async fn list(
    Shared(state): Shared<State>,
    Path(id): Path<SearchId>,
    Query(query): Query<TrialsQuery>,
) -> Result<Json<Page<TrialView>>, Problem> {
    let sort = query.sort.as_deref().unwrap_or("number");
    let (by, descending) = sort_of(sort)?;
    let size = paging::size(query.page_size)?;
    let after = query
        .page_token
        .as_deref()
        .map(|token| read_token(token, sort))
        .transpose()?;
    let filter = TrialFilter {
        search: Some(id),
        states: query.state.as_deref().map(states).transpose()?,
        on_front: query.front,
        ..TrialFilter::default()
    };
    let order = TrialOrder {
        by,
        descending,
        after,
        limit: size as i64 + 1,
    };
    let rows = state.store.list_trials(&filter, &order).await?;
    if rows.is_empty() && state.store.find_search(id).await?.is_none() {
        return Err(Problem::not_found("search", id));
    }
    let token = |row: &TrialRow| write_token(sort, row.sort_key, row.number);
    Ok(Json(Page::cut(rows, size, token, TrialView::from)))
}

/// The sort names beside the metrics'.
const OTHER: [&str; 3] = ["number", "accuracy_test", "mean_squared_error_test"];

/// What `sort` names: a name that the statement knows, and whether the largest come first.
fn sort_of(sort: &str) -> Result<(&'static str, bool), Problem> {
    let (name, descending) = match sort.strip_prefix('-') {
        Some(name) => (name, true),
        None => (sort, false),
    };
    let names = || {
        OTHER
            .into_iter()
            .chain(Metric::ALL.into_iter().map(Metric::name))
    };
    if let Some(known) = names().find(|known| *known == name) {
        return Ok((known, descending));
    }
    let accepted: Vec<_> = names().collect();
    let detail = format!(
        "{name:?} is not a score: accepted are {}, with - for largest first",
        accepted.join(", ")
    );
    Err(Problem::parameter("sort", detail))
}

fn states(list: &str) -> Result<Vec<String>, Problem> {
    list.split(',')
        .map(|name| {
            let known = UnitState::from_name(name).ok_or_else(|| {
                let accepted: Vec<_> = UnitState::ALL.iter().map(|state| state.name()).collect();
                let detail = format!(
                    "{name:?} is not a state: accepted are {}",
                    accepted.join(", ")
                );
                Problem::parameter("state", detail)
            })?;
            Ok(known.name().to_owned())
        })
        .collect()
}

/// A token: the sort it belongs to, the last row's key bit for bit, and its number.
fn write_token(sort: &str, key: f64, number: i32) -> String {
    format!("{sort}~{:016x}~{number}", key.to_bits())
}

fn read_token(token: &str, sort: &str) -> Result<(f64, i32), Problem> {
    let refused = || {
        Problem::parameter(
            "page_token",
            "this is not a token of this list with this sort",
        )
    };
    let mut parts = token.split('~');
    let (Some(of), Some(key), Some(number), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Err(refused());
    };
    let key = u64::from_str_radix(key, 16)
        .map(f64::from_bits)
        .map_err(|_| refused())?;
    let number = number.parse().map_err(|_| refused())?;
    if of == sort && !key.is_nan() {
        Ok((key, number))
    } else {
        Err(refused())
    }
}

#[cfg(test)]
mod tests {
    use super::{read_token, sort_of, states, write_token};

    #[test]
    fn a_token_comes_back_whole_and_only_for_its_own_sort() {
        for key in [0.0, -0.731_25, 1e300, f64::INFINITY] {
            let token = write_token("-accuracy", key, 7);
            assert_eq!(
                read_token(&token, "-accuracy").expect("its own token"),
                (key, 7)
            );
            assert!(read_token(&token, "accuracy").is_err());
        }
        for token in [
            "",
            "~",
            "-accuracy~zz~1",
            "-accuracy~0~1~2",
            "-accuracy~7ff8000000000000~1",
        ] {
            assert!(read_token(token, "-accuracy").is_err(), "{token}");
        }
    }

    #[test]
    fn only_known_words_are_taken() {
        assert_eq!(
            sort_of("-lut_estimate").expect("a metric"),
            ("lut_estimate", true)
        );
        assert!(
            sort_of("id; drop table trials")
                .expect_err("no score")
                .to_string()
                .contains("accuracy")
        );
        assert_eq!(
            states("completed,failed").expect("states"),
            ["completed", "failed"]
        );
        assert!(states("completed,done").is_err());
    }
}
