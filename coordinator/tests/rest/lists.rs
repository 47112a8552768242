//! Lists: pages, filters, sorting.

use crate::support::{SEARCH, Server};
use serde_json::Value;

/// Trial numbers of all pages of `size`.
async fn walk(server: &Server, query: &str, size: usize) -> Vec<i64> {
    let mut numbers = Vec::new();
    let mut token = String::new();
    loop {
        let page = server
            .read(&format!(
                "/searches/{SEARCH}/trials?page_size={size}&{query}{token}"
            ))
            .await;
        let items = page["items"].as_array().expect("items");
        assert!(items.len() <= size);
        numbers.extend(
            items
                .iter()
                .map(|trial| trial["number"].as_i64().expect("a number")),
        );
        match page["next_page_token"].as_str() {
            Some(next) => token = format!("&page_token={next}"),
            None => return numbers,
        }
    }
}

#[tokio::test]
async fn pages_of_any_size_show_every_trial_once_in_order() {
    let server = Server::with_rows().await;
    for (query, order) in [
        ("sort=number", vec![0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]),
        ("sort=-number", vec![11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0]),
        // 5 and 6 are equal: the smaller number first. Without a score: last, in both directions.
        ("sort=-accuracy", vec![8, 7, 5, 6, 4, 3, 2, 1, 0, 9, 10, 11]),
        ("sort=accuracy", vec![0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]),
        (
            "sort=-lut_estimate",
            vec![8, 7, 6, 5, 4, 3, 2, 1, 0, 9, 10, 11],
        ),
        ("sort=bits", vec![8, 7, 6, 5, 4, 3, 2, 1, 0, 9, 10, 11]),
        (
            "sort=-accuracy_test",
            vec![6, 5, 4, 3, 2, 1, 0, 7, 8, 9, 10, 11],
        ),
        // A figure of every class sorts by its mean.
        ("sort=auc", vec![8, 7, 6, 5, 4, 3, 2, 0, 1, 9, 10, 11]),
        (
            "sort=-background_efficiency_50",
            vec![8, 7, 6, 5, 4, 3, 0, 1, 2, 9, 10, 11],
        ),
        // Shares: 0, 3 and 4 of 400, 700 and 800 rows, and 60 of each.
        (
            "sort=unseen_different",
            vec![4, 7, 8, 0, 1, 2, 3, 5, 6, 9, 10, 11],
        ),
        (
            "sort=-unseen_outside",
            vec![4, 7, 8, 0, 1, 2, 3, 5, 6, 9, 10, 11],
        ),
        (
            "sort=lut_measured",
            vec![2, 0, 1, 3, 4, 5, 6, 7, 8, 9, 10, 11],
        ),
        ("state=failed,leased", vec![9, 10]),
        ("front=true&sort=-accuracy", vec![8, 7, 5, 4, 3, 2, 1]),
        ("state=pruned", vec![]),
    ] {
        for size in [1, 5, 12, 1000] {
            assert_eq!(walk(&server, query, size).await, order, "{query} by {size}");
        }
    }
}

#[tokio::test]
async fn a_search_shows_its_counts() {
    let server = Server::with_rows().await;
    let list = server.read("/searches").await;
    let search = &list["items"][0];
    assert_eq!(search["name"], "<img src=x onerror=alert(1)>");
    assert_eq!(search["description"], "<script>alert(2)</script>");
    assert_eq!(search["front_size"], 7);
    assert_eq!(search["best_accuracy_validation"], 0.68);
    assert_eq!(search["smallest_lut_estimate"], 100.0);
    assert_eq!(search["trials"]["completed"], 9);
    assert_eq!(search["trials"]["failed"], 1);
    assert_eq!(search["synthesis"]["completed"], 1);
    let one = server.read(&format!("/searches/{SEARCH}")).await;
    assert_eq!(one["file"]["name"], "as submitted");
    assert_eq!(one["trials"], search["trials"]);
    assert_eq!(
        server.read("/searches?state=paused").await["items"],
        Value::Array(vec![])
    );
}

#[tokio::test]
async fn an_archived_search_shows_only_when_asked_for() {
    let server = Server::with_rows().await;
    sqlx::query("update searches set state = 'archived', ended_at = now()")
        .execute(&server.pool)
        .await
        .expect("archived");
    assert_eq!(
        server.read("/searches").await["items"]
            .as_array()
            .map(Vec::len),
        Some(0)
    );
    assert_eq!(
        server.read("/searches?state=archived").await["items"]
            .as_array()
            .map(Vec::len),
        Some(1)
    );
    assert_eq!(
        server.read(&format!("/searches/{SEARCH}")).await["state"],
        "archived"
    );
}

#[tokio::test]
async fn searches_come_newest_first_page_by_page() {
    let server = Server::with_rows().await;
    sqlx::query(
        "insert into searches (id, name, file, resolved, dataset_id, budget, parallel)
         select ('01900000-0000-7000-8000-0000000009' || lpad(n::text, 2, '0'))::uuid, 'more-' || n, '{}', '{}',
             '01900000-0000-7000-8000-000000000001', 1, 1
         from generate_series(1, 4) n",
    )
    .execute(&server.pool)
    .await
    .expect("more searches");
    let first = server.read("/searches?page_size=3").await;
    let token = first["next_page_token"].as_str().expect("a next page");
    let second = server
        .read(&format!("/searches?page_size=3&page_token={token}"))
        .await;
    let names: Vec<_> = [&first, &second]
        .iter()
        .flat_map(|page| page["items"].as_array().expect("items"))
        .map(|search| search["name"].as_str().expect("a name"))
        .collect();
    assert_eq!(
        names,
        [
            "more-4",
            "more-3",
            "more-2",
            "more-1",
            "<img src=x onerror=alert(1)>"
        ]
    );
    assert!(second.get("next_page_token").is_none());
}

#[tokio::test]
async fn workers_and_synthesis_jobs_are_listed() {
    let server = Server::with_rows().await;
    let workers = server.read("/workers").await;
    let worker = &workers["items"][0];
    assert_eq!(worker["name"], "node <b>1</b>");
    assert_eq!(
        (&worker["leased"], &worker["completed"], &worker["failed"]),
        (&1.into(), &10.into(), &1.into())
    );
    assert_eq!(worker["lost"], false);
    let jobs = server
        .read(&format!("/searches/{SEARCH}/synthesis-jobs"))
        .await;
    assert_eq!(jobs["items"][0]["result"]["lut_measured"], 180);
    assert_eq!(jobs["items"][0]["estimate"]["lut_estimate"], 200);
}
