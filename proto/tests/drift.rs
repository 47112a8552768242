//! The checked-in Rust is what the `.proto` generates.

use std::path::Path;

#[test]
fn generated_code_matches_the_proto() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let descriptors = protox::compile(["bitfront/worker/v1/worker.proto"], [root])
        .expect("worker.proto compiles");
    let out = tempfile::tempdir().expect("a temporary folder");
    tonic_prost_build::configure()
        .out_dir(out.path())
        .compile_fds(descriptors)
        .expect("code is generated");
    let name = "bitfront.worker.v1.rs";
    let fresh = std::fs::read_to_string(out.path().join(name)).expect("the generated file");
    let kept = root.join("src/generated").join(name);
    if std::env::var_os("BITFRONT_BLESS").is_some() {
        std::fs::write(&kept, &fresh).expect("the generated file is written");
    }
    let stored = std::fs::read_to_string(&kept).unwrap_or_default();
    assert!(
        stored == fresh,
        "{} is not what worker.proto generates; run with BITFRONT_BLESS=1",
        kept.display()
    );
}
