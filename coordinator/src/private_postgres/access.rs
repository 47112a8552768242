//! Where data may live: the default folder, and whether the server's user can get there.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::PrivatePostgresError;
use super::user::User;

/// The data folder when none is named: `/var/lib/bitfront` for root (Postgres runs as another user
/// and could not pass root's home), else `$XDG_DATA_HOME/bitfront` or `~/.local/share/bitfront`.
///
/// # Errors
/// [`PrivatePostgresError::NoHome`].
pub fn default_data_folder() -> Result<PathBuf, PrivatePostgresError> {
    if rustix::process::geteuid().is_root() {
        return Ok(PathBuf::from("/var/lib/bitfront"));
    }
    let absolute = |name| {
        std::env::var_os(name)
            .map(PathBuf::from)
            .filter(|path| path.is_absolute())
    };
    absolute("XDG_DATA_HOME")
        .or_else(|| absolute("HOME").map(|home| home.join(".local/share")))
        .map(|folder| folder.join("bitfront"))
        .ok_or(PrivatePostgresError::NoHome)
}

/// Checks that `user` may pass every folder above `folder` (and `folder` itself).
///
/// Reads permission bits, not access lists: a folder opened to the user by an ACL alone is refused.
///
/// # Errors
/// [`PrivatePostgresError::Unreachable`] naming the closed folder.
pub(super) fn check_reachable(folder: &Path, user: &User) -> Result<(), PrivatePostgresError> {
    for ancestor in folder.ancestors().collect::<Vec<_>>().into_iter().rev() {
        let Ok(metadata) = fs::metadata(ancestor) else {
            continue;
        };
        if !may_pass(metadata.mode(), (metadata.uid(), metadata.gid()), user) {
            return Err(PrivatePostgresError::Unreachable {
                folder: folder.to_owned(),
                ancestor: ancestor.to_owned(),
                mode: metadata.mode() & 0o7777,
                user: user.name.clone(),
            });
        }
    }
    Ok(())
}

fn may_pass(mode: u32, (owner, group): (u32, u32), user: &User) -> bool {
    let bit = if owner == user.uid {
        0o100
    } else if group == user.gid {
        0o010
    } else {
        0o001
    };
    mode & bit != 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_matching_class_of_permission_bits_decides() {
        let user = User {
            name: "ada".to_owned(),
            uid: 7,
            gid: 8,
        };
        for (mode, owner, passes) in [
            (0o700, (0, 0), false),
            (0o755, (0, 0), true),
            (0o710, (0, 8), true),
            (0o701, (0, 8), false),
            (0o677, (7, 8), false),
            (0o100, (7, 0), true),
        ] {
            assert_eq!(
                may_pass(mode, owner, &user),
                passes,
                "mode {mode:o} of {owner:?}"
            );
        }
    }
}
