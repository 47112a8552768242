//! `bitfront certificate`: an authority of its own and a coordinator's certificate, for a closed network.
//!
//! The rule this module keeps: nothing that exists is overwritten, and keys are readable by their owner alone.

use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};

use crate::args::Certificate;
use crate::exit::{Context as _, Exit, Failure, Outcome};
use crate::view;

/// Writes `ca.pem`, `coordinator.pem` and `coordinator.key` to the output folder.
pub(super) fn run(options: &Certificate) -> Outcome {
    let authority_key = KeyPair::generate().failed_to("make the authority's key")?;
    let mut authority = CertificateParams::default();
    authority.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    authority.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    authority
        .distinguished_name
        .push(DnType::CommonName, "bitfront authority");
    let authority_pem = authority
        .self_signed(&authority_key)
        .failed_to("sign the authority's certificate")?
        .pem();

    let key = KeyPair::generate().failed_to("make the coordinator's key")?;
    let mut params = CertificateParams::new(options.hosts.clone())
        .map_err(|error| Failure::usage(format!("failed to read --host: {error}")))?;
    params
        .distinguished_name
        .push(DnType::CommonName, "bitfront coordinator");
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let issuer = Issuer::new(authority, authority_key);
    let pem = params
        .signed_by(&key, &issuer)
        .failed_to("sign the coordinator's certificate")?
        .pem();

    for (name, mode, text) in [
        ("coordinator.key", 0o600, key.serialize_pem()),
        ("coordinator.pem", 0o644, pem),
        ("ca.pem", 0o644, authority_pem),
    ] {
        write_new(&options.output.join(name), mode, &text)?;
        view::line(&options.output.join(name).display().to_string());
    }
    // The authority's key is dropped: no second certificate can ever be signed with it.
    Ok(Exit::Ok)
}

fn write_new(path: &Path, mode: u32, text: &str) -> Outcome<()> {
    let file = std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(mode)
        .open(path);
    file.and_then(|mut file| file.write_all(text.as_bytes()))
        .failed_to(format!("write {}", path.display()))
}
