//! Keyset pages: a page token names the last row of the page before it, so that no row is skipped or
//! shown twice while rows are added, and no page costs more than the first.

use crate::problem::Problem;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

const DEFAULT: u32 = 50;
const MOST: u32 = 1000;

/// Which page.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct PageQuery {
    /// Rows at most, 1 to 1000 (50 if absent).
    pub page_size: Option<u32>,
    /// `next_page_token` of the page before.
    pub page_token: Option<String>,
}

/// One page of a list.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Page<T> {
    /// The rows.
    pub items: Vec<T>,
    /// Names the next page; absent on the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_page_token: Option<String>,
}

/// Rows asked for.
///
/// # Errors
/// The size is not from 1 to 1000.
pub fn size(page_size: Option<u32>) -> Result<usize, Problem> {
    match page_size.unwrap_or(DEFAULT) {
        size @ 1..=MOST => Ok(size as usize),
        size => Err(Problem::parameter(
            "page_size",
            format!("{size} is not from 1 to {MOST}"),
        )),
    }
}

impl PageQuery {
    /// Rows asked for.
    ///
    /// # Errors
    /// The size is not from 1 to 1000.
    pub fn size(&self) -> Result<usize, Problem> {
        size(self.page_size)
    }

    /// The id that the token names, where lists are sorted by id.
    ///
    /// # Errors
    /// The token is not one of such a list.
    pub fn after<I: From<Uuid>>(&self) -> Result<Option<I>, Problem> {
        let Some(token) = &self.page_token else {
            return Ok(None);
        };
        token
            .parse::<Uuid>()
            .map(|id| Some(I::from(id)))
            .map_err(|_| Problem::parameter("page_token", "this is not a token of this list"))
    }
}

impl<T> Page<T> {
    /// A page of at most `size` rows from `size + 1` that were asked for, the last of which only tells that
    /// there is a next page.
    pub fn cut<R>(
        mut rows: Vec<R>,
        size: usize,
        token: impl Fn(&R) -> String,
        show: impl FnMut(R) -> T,
    ) -> Self {
        let more = rows.len() > size;
        rows.truncate(size);
        let next_page_token = rows.last().filter(|_| more).map(token);
        Self {
            items: rows.into_iter().map(show).collect(),
            next_page_token,
        }
    }
}

impl<T, E> Page<Result<T, E>> {
    /// A page whose rows were all read, or the first that was not.
    ///
    /// # Errors
    /// That of the first row that has one.
    pub fn transpose(self) -> Result<Page<T>, E> {
        Ok(Page {
            items: self.items.into_iter().collect::<Result<_, _>>()?,
            next_page_token: self.next_page_token,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::Page;

    #[test]
    fn the_token_names_the_last_row_shown_and_only_where_more_follow() {
        let page = Page::cut(vec![1, 2, 3], 2, ToString::to_string, |row| row * 10);
        assert_eq!(
            (page.items, page.next_page_token.as_deref()),
            (vec![10, 20], Some("2"))
        );
        let last = Page::cut(vec![1, 2], 2, ToString::to_string, |row| row * 10);
        assert_eq!((last.items, last.next_page_token), (vec![10, 20], None));
    }
}
