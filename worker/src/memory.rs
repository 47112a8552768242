//! How much memory a worker may take: what its control group and the machine allow, or what it is told.

use std::path::{Path, PathBuf};

/// Bytes that this process may use: the least of what its control groups allow and the machine has.
/// 0 where neither can be read.
#[must_use]
pub fn available_memory() -> u64 {
    let machine = rustix::system::sysinfo();
    let physical = (machine.totalram as u64).saturating_mul(machine.mem_unit.into());
    let groups = std::fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    match group_limit(Path::new("/sys/fs/cgroup"), &groups) {
        Some(limit) => limit.min(physical),
        None => physical,
    }
}

/// The least limit of a process's control groups and of those above them; `groups` is its
/// `/proc/PID/cgroup`, `root` where they are mounted (version 2, or the memory controller of version 1).
fn group_limit(root: &Path, groups: &str) -> Option<u64> {
    let limits = groups.lines().flat_map(|line| {
        let mut fields = line.splitn(3, ':').skip(1);
        let (controllers, path) = (fields.next().unwrap_or(""), fields.next().unwrap_or("/"));
        let (mount, file) = match controllers {
            "" => (root.to_path_buf(), "memory.max"),
            list if list.split(',').any(|c| c == "memory") => {
                (root.join("memory"), "memory.limit_in_bytes")
            }
            _ => return Vec::new(),
        };
        folders(&mount, path)
            .into_iter()
            .filter_map(|folder| std::fs::read_to_string(folder.join(file)).ok())
            // `max` is no limit.
            .filter_map(|text| text.trim().parse().ok())
            .collect::<Vec<u64>>()
    });
    limits.min()
}

/// A group's folder and those above it; within a container the group's own is the mount.
fn folders(mount: &Path, path: &str) -> Vec<PathBuf> {
    let own = mount.join(path.trim_start_matches('/'));
    own.ancestors()
        .take_while(|folder| folder.starts_with(mount))
        .map(Path::to_path_buf)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_least_limit_on_the_way_up_counts() {
        let root = tempfile::tempdir().unwrap();
        let write = |folder: &str, file: &str, text: &str| {
            let folder = root.path().join(folder);
            std::fs::create_dir_all(&folder).unwrap();
            std::fs::write(folder.join(file), text).unwrap();
        };
        write("jobs/one", "memory.max", "max\n");
        write("jobs", "memory.max", "1073741824\n");
        write("memory/old", "memory.limit_in_bytes", "4096\n");
        let limit = |groups| group_limit(root.path(), groups);
        assert_eq!(limit("0::/jobs/one\n"), Some(1 << 30));
        assert_eq!(limit("0::/\n"), None);
        assert_eq!(limit("5:cpu:/old\n"), None);
        assert_eq!(limit("5:cpu:/old\n3:hugetlb,memory:/old\n"), Some(4096));
        assert_eq!(limit("0::/not/mounted/here\n"), None);
    }

    #[test]
    fn this_machine_has_memory() {
        assert!(available_memory() > 1 << 20);
    }
}
