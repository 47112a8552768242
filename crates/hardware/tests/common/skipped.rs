//! What a test does without the tools it needs: it says so and passes, or fails where the tools are required.

/// Says that a test is left out because `tools` are not on PATH.
///
/// # Panics
/// With `BITFRONT_REQUIRE_TOOLS=1`, as `./test` has it once it has installed all of them: there a test that is left out is a gate
/// that is not there.
pub(crate) fn skipped(tools: &str) {
    let required = std::env::var("BITFRONT_REQUIRE_TOOLS");
    assert!(
        !matches!(required.as_deref(), Ok(value) if value != "0"),
        "BITFRONT_REQUIRE_TOOLS is set, and not on PATH: {tools}"
    );
    eprintln!("skipped: not on PATH: {tools}");
}
