//! Prints the search file's JSON schema: `cargo run -p bitfront-search --example schema >
//! examples/search.schema.json`.

fn main() {
    print!("{}", bitfront_search::file::json_schema_text());
}
