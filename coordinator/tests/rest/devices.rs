//! Devices: the table, and one of the coordinator's own.

use crate::support::Server;
use bitfront_hardware::device::Devices;
use serde_json::{Value, json};

const OWN: &str = "[[device]]\npart = \"up5k\"\nfamily = \"iCE40\"\nlut = 5280\nff = 5280\ndsp = 8\n\
    bram = 30\nsource = \"board notes\"\n";

#[tokio::test]
async fn the_known_devices_are_listed_with_what_they_hold() {
    let server = Server::start().await;
    let list = server.read("/devices").await;
    let items = list["items"].as_array().expect("items");
    let parts: Vec<_> = items.iter().map(|item| item["part"].as_str()).collect();
    for part in ["xcvu9p", "xcvu13p", "xcku115", "xczu7ev", "xc7a35t"] {
        assert!(parts.contains(&Some(part)), "{part}: {parts:?}");
    }
    let vu9p = &items[0];
    assert_eq!(
        (&vu9p["part"], &vu9p["lut"], &vu9p["ff"], &vu9p["dsp"]),
        (
            &json!("xcvu9p"),
            &json!(1_182_240),
            &json!(2_364_480),
            &json!(6_840)
        )
    );
}

#[tokio::test]
async fn a_coordinator_may_know_more_devices_and_searches_may_name_them() {
    let devices = Devices::known()
        .and(Devices::parse(OWN).expect("a table"))
        .expect("a new part");
    let server = Server::with(|config| config.devices = devices).await;
    let list = server.read("/devices").await;
    let last = list["items"].as_array().and_then(|items| items.last());
    assert_eq!(last.expect("a device")["part"], "up5k");
    let mut file = crate::submit::file();
    file["device"] = json!("up5k@200MHz");
    let faults = |server: Server, file: Value| async move {
        let answer = server.post("/searches?dry_run=true", &file).await;
        let body: Value = answer.json().await.expect("JSON");
        let errors = body["errors"].as_array().expect("faults").clone();
        let pointers = errors.iter().map(|fault| fault["pointer"].clone());
        pointers.collect::<Vec<_>>()
    };
    // Only the data set is missing here; elsewhere the device is unknown too.
    assert_eq!(faults(server, file.clone()).await, [json!("/dataset")]);
    let plain = faults(Server::start().await, file).await;
    assert_eq!(plain, [json!("/dataset"), json!("/device")]);
}
