//! Finding Postgres server binaries: PATH, `pg_config --bindir`, the distribution's versioned folders.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::PrivatePostgresError;

/// A folder with `initdb` and `postgres` of one version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Installation {
    /// The folder, symbolic links resolved.
    pub bin: PathBuf,
    /// Major version as `PG_VERSION` has it: `15`, `9.6`.
    pub major: String,
    /// Full version: `15.13`.
    pub version: String,
}

impl Installation {
    /// Every installation found, in the order PATH, `pg_config`, `/usr/lib/postgresql` newest first.
    pub fn find_all() -> Vec<Self> {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let mut folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
        folders.extend(from_pg_config());
        folders.extend(versioned_folders(Path::new("/usr/lib/postgresql")));
        let mut found: Vec<Self> = Vec::new();
        for folder in folders {
            // The server is looked for beside initdb's real place: a PATH folder often has links only.
            let Some(bin) = fs::canonicalize(folder.join("initdb"))
                .ok()
                .and_then(|p| p.parent().map(Path::to_owned))
            else {
                continue;
            };
            if found.iter().any(|known| known.bin == bin) {
                continue;
            }
            found.extend(Self::open(&bin));
        }
        found
    }

    fn open(bin: &Path) -> Option<Self> {
        if !bin.join("initdb").is_file() {
            return None;
        }
        let output = Command::new(bin.join("postgres"))
            .arg("--version")
            .stdin(Stdio::null())
            .output()
            .ok()?;
        let text = String::from_utf8(output.stdout).ok()?;
        let (major, version) = parse_version(&text)?;
        Some(Self {
            bin: bin.to_owned(),
            major,
            version,
        })
    }

    /// The installation for a cluster: the one of its version, or for a new cluster the first found.
    ///
    /// # Errors
    /// [`PrivatePostgresError::NotInstalled`] and [`PrivatePostgresError::Version`].
    pub(super) fn choose(
        found: Vec<Self>,
        folder: &Path,
        cluster: Option<&str>,
    ) -> Result<Self, PrivatePostgresError> {
        if found.is_empty() {
            return Err(PrivatePostgresError::NotInstalled);
        }
        let installed = found
            .iter()
            .map(|one| one.version.as_str())
            .collect::<Vec<_>>()
            .join(", ");
        let mut found = found.into_iter();
        match cluster {
            None => found.next(),
            Some(version) => found.find(|one| one.major == version),
        }
        .ok_or_else(|| PrivatePostgresError::Version {
            folder: folder.to_owned(),
            cluster: cluster.unwrap_or_default().to_owned(),
            installed,
        })
    }

    /// The path of one of its programs.
    pub(super) fn program(&self, name: &str) -> PathBuf {
        self.bin.join(name)
    }
}

fn from_pg_config() -> Option<PathBuf> {
    let output = Command::new("pg_config")
        .arg("--bindir")
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .ok()?;
    let folder = String::from_utf8(output.stdout).ok()?;
    output
        .status
        .success()
        .then(|| PathBuf::from(folder.trim()))
}

fn versioned_folders(root: &Path) -> Vec<PathBuf> {
    let mut folders: Vec<(Vec<u32>, PathBuf)> = fs::read_dir(root)
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| {
            let name = entry.file_name();
            let numbers = name
                .to_string_lossy()
                .split('.')
                .map_while(|part| part.parse().ok())
                .collect();
            (numbers, entry.path().join("bin"))
        })
        .collect();
    folders.sort_by(|a, b| b.cmp(a));
    folders.into_iter().map(|(_, folder)| folder).collect()
}

/// `postgres (PostgreSQL) 15.13 (Debian 15.13-0+deb12u1)` is (`15`, `15.13`); before 10 the major version has two parts.
fn parse_version(text: &str) -> Option<(String, String)> {
    let version = text
        .split_whitespace()
        .find(|word| word.starts_with(|c: char| c.is_ascii_digit()))?;
    let numeric: String = version
        .chars()
        .take_while(|c| c.is_ascii_digit() || *c == '.')
        .collect();
    let mut parts = numeric.split('.');
    let first = parts.next()?.to_owned();
    let major = if first.parse::<u32>().ok()? >= 10 {
        first
    } else {
        format!("{first}.{}", parts.next()?)
    };
    Some((major, version.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_as_pg_version_writes_them() {
        let parsed =
            |text| parse_version(text).map(|(major, version)| format!("{major} {version}"));
        assert_eq!(
            parsed("postgres (PostgreSQL) 15.13 (Debian 15.13-0+deb12u1)\n").as_deref(),
            Some("15 15.13")
        );
        assert_eq!(
            parsed("postgres (PostgreSQL) 9.6.24").as_deref(),
            Some("9.6 9.6.24")
        );
        assert_eq!(
            parsed("postgres (PostgreSQL) 18beta1").as_deref(),
            Some("18 18beta1")
        );
        assert_eq!(parsed("something else"), None);
    }

    #[test]
    fn versioned_folders_are_newest_first_by_number_not_by_letter() {
        let root = tempfile::tempdir().unwrap();
        for name in ["9.6", "10", "15", "2x"] {
            fs::create_dir(root.path().join(name)).unwrap();
        }
        let names: Vec<String> = versioned_folders(root.path())
            .iter()
            .map(|bin| {
                bin.parent()
                    .unwrap()
                    .file_name()
                    .unwrap()
                    .to_string_lossy()
                    .into_owned()
            })
            .collect();
        assert_eq!(names, ["15", "10", "9.6", "2x"]);
    }

    #[test]
    fn a_cluster_gets_the_installation_that_made_it() {
        let one = |major: &str| Installation {
            bin: PathBuf::from(format!("/usr/lib/postgresql/{major}/bin")),
            major: major.to_owned(),
            version: format!("{major}.1"),
        };
        let folder = Path::new("/data/postgres");
        let choose = |found: Vec<Installation>, cluster| {
            Installation::choose(found, folder, cluster)
                .map(|i| i.major)
                .map_err(|e| e.to_string())
        };
        assert_eq!(
            choose(vec![one("17"), one("15")], None),
            Ok("17".to_owned())
        );
        assert_eq!(
            choose(vec![one("17"), one("15")], Some("15")),
            Ok("15".to_owned())
        );
        let error = choose(vec![one("17"), one("15")], Some("14")).unwrap_err();
        assert_eq!(
            error,
            "use /data/postgres: Postgres 14 made it, this machine has 17.1, 15.1; install Postgres 14 or choose \
             another folder with --data"
        );
        let error = choose(Vec::new(), None).unwrap_err();
        assert!(error.contains("apt-get install postgresql"), "{error}");
    }
}
