//! Who runs the server, and who may connect to it.

use std::fs;
use std::process::{Command, Stdio};

use super::PrivatePostgresError;

/// A user of this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct User {
    pub(super) name: String,
    pub(super) uid: u32,
    pub(super) gid: u32,
}

impl User {
    /// The user this process runs as.
    ///
    /// # Errors
    /// [`PrivatePostgresError::NamelessUser`] when neither /etc/passwd nor `id -un` knows the id: Postgres' peer
    /// authentication compares names.
    pub(super) fn current() -> Result<Self, PrivatePostgresError> {
        let uid = rustix::process::geteuid().as_raw();
        let gid = rustix::process::getegid().as_raw();
        if let Some(user) = by_uid(&passwd(), uid) {
            return Ok(Self { gid, ..user });
        }
        // Directory services (LDAP, sssd) are not in the file; `id` asks them.
        let name = Command::new("id")
            .arg("-un")
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .output()
            .ok()
            .filter(|output| output.status.success())
            .and_then(|output| String::from_utf8(output.stdout).ok())
            .map(|name| name.trim().to_owned())
            .filter(|name| !name.is_empty())
            .ok_or(PrivatePostgresError::NamelessUser { uid })?;
        Ok(Self { name, uid, gid })
    }

    /// Whether this is root.
    pub(super) fn is_root(&self) -> bool {
        self.uid == 0
    }
}

/// Who runs the server: the current user, or when that is root the owner of an existing cluster,
/// else `postgres`, else `nobody`.
///
/// # Errors
/// [`PrivatePostgresError::NoUnprivilegedUser`].
pub(super) fn server_user(
    current: &User,
    cluster_owner: Option<u32>,
) -> Result<User, PrivatePostgresError> {
    if !current.is_root() {
        return Ok(current.clone());
    }
    choose_for_root(&passwd(), cluster_owner).ok_or(PrivatePostgresError::NoUnprivilegedUser)
}

fn choose_for_root(passwd: &str, cluster_owner: Option<u32>) -> Option<User> {
    cluster_owner
        .filter(|uid| *uid != 0)
        .and_then(|uid| by_uid(passwd, uid))
        .or_else(|| by_name(passwd, "postgres"))
        .or_else(|| by_name(passwd, "nobody"))
        .filter(|user| user.uid != 0)
}

fn passwd() -> String {
    fs::read_to_string("/etc/passwd").unwrap_or_default()
}

fn by_uid(passwd: &str, uid: u32) -> Option<User> {
    entries(passwd).find(|user| user.uid == uid)
}

fn by_name(passwd: &str, name: &str) -> Option<User> {
    entries(passwd).find(|user| user.name == name)
}

fn entries(passwd: &str) -> impl Iterator<Item = User> + '_ {
    passwd.lines().filter_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?.to_owned();
        let uid = fields.nth(1)?.parse().ok()?;
        let gid = fields.next()?.parse().ok()?;
        Some(User { name, uid, gid })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASSWD: &str = "root:x:0:0:root:/root:/bin/bash\nnobody:x:65534:65533::/:/bin/false\n# comment\n\
                          postgres:x:101:104:,,,:/var/lib/postgresql:/bin/bash\nada:x:1000:1000::/home/ada:/bin/sh\n";

    #[test]
    fn root_runs_postgres_as_the_owner_of_the_cluster_then_postgres_then_nobody() {
        let chosen = |passwd, owner| {
            choose_for_root(passwd, owner).map(|user| (user.name, user.uid, user.gid))
        };
        assert_eq!(
            chosen(PASSWD, Some(1000)),
            Some(("ada".to_owned(), 1000, 1000))
        );
        assert_eq!(
            chosen(PASSWD, Some(0)),
            Some(("postgres".to_owned(), 101, 104))
        );
        assert_eq!(
            chosen(PASSWD, None),
            Some(("postgres".to_owned(), 101, 104))
        );
        let without = PASSWD.replace("postgres:x", "other:x");
        assert_eq!(
            chosen(&without, None),
            Some(("nobody".to_owned(), 65534, 65533))
        );
        assert_eq!(chosen("root:x:0:0::/:/bin/sh\n", None), None);
    }

    #[test]
    fn a_postgres_user_that_is_root_is_refused() {
        assert_eq!(choose_for_root("postgres:x:0:0::/:/bin/sh\n", None), None);
    }
}
