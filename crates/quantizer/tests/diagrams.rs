//! The diagrams and tables of `docs/quantizers.md` are what the quantizers give:
//! `BITFRONT_BLESS=1 cargo test -p bitfront-quantizer --test diagrams` writes them anew.

#[allow(
    dead_code,
    unreachable_pub,
    reason = "the example's own `main` stands in it"
)]
#[path = "../examples/diagrams.rs"]
mod diagrams;

use std::collections::BTreeSet;
use std::fs;

#[test]
fn diagrams_and_tables_are_those_of_the_code() {
    let page = fs::read_to_string(diagrams::docs().join("quantizers.md")).expect("the page");
    let files = diagrams::documents(&page).unwrap_or_else(|e| panic!("{e}"));
    let bless = std::env::var_os("BITFRONT_BLESS").is_some();
    let mut stale = Vec::new();
    for (path, text) in files {
        if fs::read_to_string(&path).is_ok_and(|found| found == text) {
            continue;
        }
        if bless {
            fs::write(&path, text).expect("a file of docs");
        } else {
            stale.push(path.file_name().expect("a name").to_owned());
        }
    }
    assert!(
        stale.is_empty(),
        "out of date in docs: {stale:?}; run with BITFRONT_BLESS=1"
    );
}

#[test]
fn the_page_has_a_section_and_a_diagram_for_every_family() {
    let page = fs::read_to_string(diagrams::docs().join("quantizers.md")).expect("the page");
    let mut names = BTreeSet::new();
    for figure in &diagrams::FIGURES {
        let family = figure.family;
        assert!(figure.quantizer.starts_with(family), "{family}");
        assert!(
            page.contains(&format!("](quantizers/{family}.svg)")),
            "no diagram of {family}"
        );
        let heading = page
            .lines()
            .any(|line| line.starts_with("### ") && line.contains(&format!("`{family}`")));
        assert!(heading, "no section on {family}");
        names.insert(format!("{family}.svg"));
    }
    // What a family no longer draws does not stay behind.
    let folder = fs::read_dir(diagrams::docs().join("quantizers")).expect("the folder");
    let found: BTreeSet<String> = folder
        .map(|entry| {
            let name = entry.expect("an entry").file_name();
            name.into_string().expect("a plain name")
        })
        .collect();
    assert_eq!(found, names);
    // Every family that parses has its place: the list is what an unknown one is told.
    let refused = "no_such_family()".parse::<bitfront_quantizer::Quantizer>();
    let message = refused.expect_err("unknown").to_string();
    let accepted = message
        .split("accepted families are ")
        .nth(1)
        .expect("the list");
    for word in accepted.split([',', ' ']).filter(|word| !word.is_empty()) {
        if !["and", "the", "aliases"].contains(&word) {
            assert!(
                page.contains(&format!("`{word}")),
                "{word} is not on the page"
            );
        }
    }
}
