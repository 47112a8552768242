//! Names people type into ids the API takes: a search by name, a trial by `search#number`.

use uuid::Uuid;

use super::Client;
use crate::exit::{Exit, Failure, Outcome};

impl Client {
    /// The id of a search given by id or by name (the newest of that name).
    pub(crate) async fn search_id(&self, name: &str) -> Outcome<String> {
        if let Ok(id) = Uuid::parse_str(name) {
            return Ok(id.to_string());
        }
        let searches = self.pages("/api/v1/searches", &[], 10_000).await?;
        searches
            .iter()
            .find(|search| search["name"] == name)
            .and_then(|search| search["id"].as_str())
            .map(str::to_owned)
            .ok_or_else(|| {
                Failure::new(Exit::NotFound, format!("no search is called `{name}`"))
                    .detail("`bitfront ls` lists them")
            })
    }

    /// The id of a trial given by id or as `search#number`.
    pub(crate) async fn trial_id(&self, name: &str) -> Outcome<String> {
        if let Ok(id) = Uuid::parse_str(name) {
            return Ok(id.to_string());
        }
        let parts = name
            .rsplit_once('#')
            .and_then(|(search, number)| Some((search, number.parse::<u64>().ok()?)));
        let Some((search, number)) = parts else {
            return Err(Failure::usage(format!(
                "`{name}` is no trial; write its id, or search and number: jets#17"
            )));
        };
        let search_id = self.search_id(search).await?;
        let path = format!("/api/v1/searches/{search_id}/trials");
        let trials = self.pages(&path, &[("sort", "number")], usize::MAX).await?;
        trials
            .iter()
            .find(|trial| trial["number"] == number)
            .and_then(|trial| trial["id"].as_str())
            .map(str::to_owned)
            .ok_or_else(|| {
                Failure::new(
                    Exit::NotFound,
                    format!("search {search} has no trial {number} yet"),
                )
            })
    }
}
