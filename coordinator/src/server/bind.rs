//! Which addresses a coordinator may serve (promise P7): off loopback nothing starts without TLS and
//! tokens.

use crate::Config;
use std::net::{IpAddr, SocketAddr};

/// Why an address is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("serve on {bind}: off loopback it needs {}", .missing.join(" and "))]
pub struct Insecure {
    /// The address.
    pub bind: SocketAddr,
    /// What is missing.
    pub missing: Vec<&'static str>,
}

/// Refuses an address off loopback unless there is TLS and tokens are required.
///
/// # Errors
/// [`Insecure`] names everything that is missing.
pub fn refuse_insecure(config: &Config) -> Result<(), Insecure> {
    if is_loopback(config.bind.ip()) {
        return Ok(());
    }
    let mut missing = Vec::new();
    if config.tls.is_none() {
        missing.push("TLS (a certificate and its key)");
    }
    if !config.tokens_required {
        missing.push("tokens");
    }
    if missing.is_empty() {
        Ok(())
    } else {
        Err(Insecure {
            bind: config.bind,
            missing,
        })
    }
}

/// Whether only this machine reaches the address.
fn is_loopback(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => ip.is_loopback(),
        IpAddr::V6(ip) => {
            ip.is_loopback() || ip.to_ipv4_mapped().is_some_and(|ip| ip.is_loopback())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::refuse_insecure;
    use crate::Config;
    use crate::config::Tls;

    #[test]
    fn off_loopback_it_takes_both() {
        let loopback = [
            "127.0.0.1:0",
            "127.8.9.1:80",
            "[::1]:0",
            "[::ffff:127.0.0.1]:1",
        ];
        let open = [
            "0.0.0.0:0",
            "[::]:443",
            "10.0.0.7:80",
            "192.168.1.1:80",
            "[fe80::1]:80",
            "[::ffff:10.0.0.1]:80",
        ];
        for (address, is_open) in loopback
            .map(|a| (a, false))
            .into_iter()
            .chain(open.map(|a| (a, true)))
        {
            for (tls, tokens) in [(false, false), (false, true), (true, false), (true, true)] {
                let mut config =
                    Config::new(address.parse().expect("an address"), "postgres://", "/tmp");
                config.tokens_required = tokens;
                config.tls = tls.then(|| Tls {
                    certificate: "c".into(),
                    key: "k".into(),
                });
                let answer = refuse_insecure(&config);
                assert_eq!(
                    answer.is_ok(),
                    !is_open || (tls && tokens),
                    "{address} tls {tls} tokens {tokens}"
                );
                if let Err(refusal) = answer {
                    let text = refusal.to_string();
                    assert_eq!(text.contains("TLS"), !tls, "{text}");
                    assert_eq!(text.contains("tokens"), !tokens, "{text}");
                }
            }
        }
    }
}
