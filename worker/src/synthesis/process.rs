//! Runs an outside tool within limits.
//!
//! The rule this module keeps: no process outlives the job. Each tool leads a process group of its
//! own, which is killed when the tool ends, when the job is stopped or fails, and (where `setpriv`
//! is installed) when the worker itself is killed. The group is signalled before its leader is
//! reaped, so that its number cannot have passed to anyone else.
//!
//! CPU time and address space are the limits (`RLIMIT_CPU`, `RLIMIT_AS`, for the tool and each process it
//! starts); wall time is a net far behind them ([`Limits`]). Whatever ends a tool, the failure has the
//! last lines it printed.
//!
//! A tool's environment is empty but for PATH, and the job's folder is its home; a vendor's tool has the worker's
//! licence and home ([`Run::vendor_tool`]).

use std::ffi::OsString;
use std::fs::File;
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};

use crate::config::Limits;
use crate::error::{Ended, Failure};
use crate::tools::Tools;

/// How often a running tool is looked after.
const LOOK: Duration = Duration::from_millis(10);
/// Largest file a tool may write, bytes.
const FILE_SIZE: u64 = 1 << 30;
/// Text of a failed tool that goes into the message, bytes.
const TAIL: usize = 2000;
/// Variables of the worker that say where a vendor's licence is, directly or by files below the home folder.
const LICENCE: [&str; 3] = ["XILINXD_LICENSE_FILE", "LM_LICENSE_FILE", "HOME"];

/// A tool's variable beside the common ones.
type Variable = (&'static str, OsString);

/// Those of [`LICENCE`] that are set.
fn licence(variable: impl Fn(&str) -> Option<OsString>) -> Vec<Variable> {
    let set = |name| Some((name, variable(name)?));
    LICENCE.into_iter().filter_map(set).collect()
}

/// One run of a tool.
pub(super) struct Run<'a> {
    pub(super) tools: &'a Tools,
    pub(super) limits: Limits,
    /// The working folder; also its TMPDIR, and its HOME but of a vendor's tool.
    pub(super) folder: &'a Path,
    /// Asked while it runs: true ends it.
    pub(super) stopped: &'a dyn Fn() -> bool,
}

impl Run<'_> {
    /// Runs a program to its end; what it prints goes to `<label>.log` in the folder, whose path is
    /// returned. Any exit code but 0 fails.
    pub(super) fn tool(
        &self,
        label: &str,
        program: &Path,
        arguments: &[OsString],
    ) -> Result<PathBuf, Ended> {
        self.tool_with_codes(label, program, arguments, &[0])
    }

    /// The same for a vendor's tool: with the licence and the home folder of the worker, within [`Limits::for_vendors`].
    pub(super) fn vendor_tool(
        &self,
        label: &str,
        program: &Path,
        arguments: &[OsString],
    ) -> Result<PathBuf, Ended> {
        let wide = Run {
            limits: self.limits.for_vendors(),
            ..*self
        };
        wide.run_in(
            &licence(|name| std::env::var_os(name)),
            label,
            program,
            arguments,
            &[0],
        )
    }

    /// The same as [`Self::tool`] for a program that speaks through its exit code.
    pub(super) fn tool_with_codes(
        &self,
        label: &str,
        program: &Path,
        arguments: &[OsString],
        accepted: &[i32],
    ) -> Result<PathBuf, Ended> {
        self.run_in(&[], label, program, arguments, accepted)
    }

    fn run_in(
        &self,
        environment: &[Variable],
        label: &str,
        program: &Path,
        arguments: &[OsString],
        accepted: &[i32],
    ) -> Result<PathBuf, Ended> {
        let log = self.folder.join(format!("{label}.log"));
        let broken =
            |what: &str, e: std::io::Error| Failure::internal(format!("{what} {label}: {e}"));
        let out = File::create(&log).map_err(|e| broken("write the log of", e))?;
        let err = out.try_clone().map_err(|e| broken("write the log of", e))?;
        let mut command = self.wrapped(program, arguments);
        command
            .current_dir(self.folder)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.folder)
            .env("TMPDIR", self.folder)
            .env("LC_ALL", "C")
            .envs(environment.iter().cloned())
            .stdin(Stdio::null())
            .stdout(out)
            .stderr(err)
            .process_group(0);
        let child = command.spawn().map_err(|e| broken("start", e))?;
        let mut group = Group { child: Some(child) };
        let status = self.wait(label, &mut group)?;
        if status.code().is_some_and(|code| accepted.contains(&code)) {
            return Ok(log);
        }
        let tail = tail_of(&log);
        Err(Ended::Failed(why(label, status, &tail, self.limits)))
    }

    /// The command line behind the limits. The soft CPU limit lies below the hard one, so that the
    /// tool dies of a signal that says why.
    fn wrapped(&self, program: &Path, arguments: &[OsString]) -> Command {
        let Limits {
            cpu_s,
            address_space,
            ..
        } = self.limits;
        let mut line: Vec<OsString> = Vec::new();
        if let Some(setpriv) = &self.tools.setpriv {
            line.extend([setpriv.into(), "--pdeathsig".into(), "KILL".into()]);
        }
        if let Some(prlimit) = &self.tools.prlimit {
            line.push(prlimit.into());
            line.push(format!("--cpu={cpu_s}:{}", cpu_s + 5).into());
            line.push(format!("--as={address_space}").into());
            line.push(format!("--fsize={FILE_SIZE}").into());
            line.push("--core=0".into());
        } else {
            let kib = address_space / 1024;
            let blocks = FILE_SIZE / 512;
            line.extend(["sh".into(), "-c".into()]);
            line.push(
                format!(
                    "ulimit -S -t {cpu_s} && ulimit -H -t {} && ulimit -v {kib} && \
                     ulimit -f {blocks} && ulimit -c 0 && exec \"$@\"",
                    cpu_s + 5
                )
                .into(),
            );
            line.push("sh".into());
        }
        line.push(program.into());
        line.extend(arguments.iter().cloned());
        let mut command = Command::new(&line[0]);
        command.args(&line[1..]);
        command
    }

    fn wait(&self, label: &str, group: &mut Group) -> Result<ExitStatus, Ended> {
        let start = Instant::now();
        loop {
            if group.has_ended() {
                return group
                    .end()
                    .map_err(|e| Failure::internal(format!("wait for {label}: {e}")).into());
            }
            if (self.stopped)() {
                return Err(Ended::Stopped);
            }
            if start.elapsed() > self.limits.wall {
                let _ = group.end();
                let tail = tail_of(&self.folder.join(format!("{label}.log")));
                return Err(Failure::passing(
                    "time-limit",
                    format!(
                        "{label} did not end within {} s, and used less than its {} s of CPU: {tail}",
                        self.limits.wall.as_secs(),
                        self.limits.cpu_s
                    ),
                )
                .into());
            }
            std::thread::sleep(LOOK);
        }
    }
}

/// A child and its process group; both are gone when this is dropped.
struct Group {
    child: Option<Child>,
}

impl Group {
    /// Whether the leader has ended; it is not reaped yet.
    fn has_ended(&self) -> bool {
        let Some(pid) = self.pid() else { return true };
        let look = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        !matches!(waitid(WaitId::Pid(pid), look), Ok(None))
    }

    /// Kills what is left of the group and reaps the leader.
    fn end(&mut self) -> std::io::Result<ExitStatus> {
        if let Some(pid) = self.pid() {
            let _ = kill_process_group(pid, Signal::KILL);
        }
        match self.child.take() {
            Some(mut child) => child.wait(),
            None => Ok(ExitStatus::default()),
        }
    }

    fn pid(&self) -> Option<Pid> {
        self.child
            .as_ref()
            .and_then(|child| Pid::from_raw(child.id() as i32))
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if self.child.is_some() {
            let _ = self.end();
        }
    }
}

/// What a tool's end means.
fn why(label: &str, status: ExitStatus, tail: &str, limits: Limits) -> Failure {
    const SIGXCPU: i32 = 24;
    const SIGKILL: i32 = 9;
    // A compiler's driver survives its parts, and says what became of them.
    let is_over_time = tail.contains("CPU time limit exceeded");
    match status.signal() {
        signal if signal == Some(SIGXCPU) || is_over_time => Failure::lasting(
            "time-limit",
            format!("{label} used more than {} s of CPU: {tail}", limits.cpu_s),
        ),
        signal if signal == Some(SIGKILL) || tail.contains("Killed signal terminated") => {
            Failure::passing(
                "out-of-memory",
                format!(
                    "{label} was killed from outside, as a machine short of memory does: {tail}"
                ),
            )
        }
        _ if [
            "bad_alloc",
            "out of memory",
            "out of space",
            "memory exhausted",
            "cannot allocate memory",
        ]
        .iter()
        .any(|words| tail.to_lowercase().contains(words)) =>
        {
            // The same tool meets the same limit on every machine.
            Failure::lasting(
                "out-of-memory",
                format!(
                    "{label} needed more than {} MiB: {tail}",
                    limits.address_space >> 20
                ),
            )
        }
        _ => Failure::lasting(
            "tool-failed",
            format!("{label} ended with {status}: {tail}"),
        ),
    }
}

/// The last lines a tool printed.
fn tail_of(log: &Path) -> String {
    let bytes = std::fs::read(log).unwrap_or_default();
    let start = bytes.len().saturating_sub(TAIL);
    String::from_utf8_lossy(&bytes[start..]).trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    fn run_sh(
        tools: &Tools,
        script: &str,
        limits: Limits,
        stopped: &dyn Fn() -> bool,
    ) -> Result<String, Ended> {
        let folder = tempfile::tempdir().unwrap();
        let run = Run {
            tools,
            limits,
            folder: folder.path(),
            stopped,
        };
        let log = run.tool("sh", Path::new("/bin/sh"), &["-c".into(), script.into()])?;
        Ok(std::fs::read_to_string(log).unwrap())
    }

    fn code(result: Result<String, Ended>) -> &'static str {
        match result {
            Err(Ended::Failed(failure)) => failure.code,
            other => panic!("expected a failure, got {other:?}"),
        }
    }

    #[test]
    fn output_is_kept_and_the_environment_is_clean() {
        for tools in [Tools::default(), Tools::find()] {
            let script =
                "echo out; echo err >&2; echo \"$LC_ALL $CARGO\"; test \"$HOME\" = \"$PWD\"";
            let log = run_sh(&tools, script, Limits::default(), &|| false).unwrap();
            assert_eq!(log, "out\nerr\nC \n");
        }
    }

    #[test]
    fn a_vendors_tool_has_the_workers_licence_and_home_and_no_other_tool_has() {
        let variables = |name: &str| match name {
            "HOME" => Some("/home/of the worker".into()),
            "XILINXD_LICENSE_FILE" => Some("2100@server:/a.lic".into()),
            "AWS_SECRET_ACCESS_KEY" => Some("secret".into()),
            _ => None,
        };
        let folder = tempfile::tempdir().unwrap();
        let run = Run {
            tools: &Tools::find(),
            limits: Limits::default(),
            folder: folder.path(),
            stopped: &|| false,
        };
        let sh = Path::new("/bin/sh");
        let script = "echo \"$HOME|$XILINXD_LICENSE_FILE|${LM_LICENSE_FILE-unset}|$TMPDIR|${AWS_SECRET_ACCESS_KEY-unset}\"";
        let arguments = ["-c".into(), script.into()];
        let said = |log: Result<PathBuf, Ended>| std::fs::read_to_string(log.unwrap()).unwrap();
        let here = folder.path().display();
        assert_eq!(
            said(run.run_in(&licence(variables), "sh", sh, &arguments, &[0])),
            format!("/home/of the worker|2100@server:/a.lic|unset|{here}|unset\n")
        );
        assert_eq!(
            said(run.tool("sh", sh, &arguments)),
            format!("{here}||unset|{here}|unset\n")
        );
        // The variables are those of this process.
        let home = std::env::var_os("HOME").map(|home| home.display().to_string());
        let said = said(run.vendor_tool("sh", sh, &arguments));
        let expected = home.unwrap_or_else(|| here.to_string());
        assert!(said.starts_with(&format!("{expected}|")), "{said}");
    }

    #[test]
    fn a_vendors_tool_has_wide_limits_unless_the_worker_sets_some() {
        let folder = tempfile::tempdir().unwrap();
        let cpu_seconds = |limits, is_vendors: bool| {
            let run = Run {
                tools: &Tools::find(),
                limits,
                folder: folder.path(),
                stopped: &|| false,
            };
            let (sh, arguments) = (Path::new("/bin/sh"), ["-c".into(), "ulimit -S -t".into()]);
            let log = if is_vendors {
                run.vendor_tool("sh", sh, &arguments)
            } else {
                run.tool("sh", sh, &arguments)
            };
            let text = std::fs::read_to_string(log.unwrap()).unwrap();
            text.trim().parse::<u64>().unwrap()
        };
        assert_eq!(cpu_seconds(Limits::default(), false), 900);
        assert_eq!(cpu_seconds(Limits::default(), true), 4 * 3600);
        let set = Limits::new(1200, 8 << 30);
        assert_eq!(cpu_seconds(set, true), 1200);
    }

    #[test]
    fn failures_say_what_ended_the_tool() {
        let limits = Limits {
            cpu_s: 1,
            ..Limits::default()
        };
        for tools in [Tools::default(), Tools::find()] {
            let run = |script| code(run_sh(&tools, script, limits, &|| false));
            assert_eq!(run("echo broken >&2; exit 3"), "tool-failed");
            assert_eq!(run("while :; do :; done"), "time-limit");
            let driver = "sh -c 'while :; do :; done'; echo 'CPU time limit exceeded'; exit 1";
            assert_eq!(run(driver), "time-limit");
            assert_eq!(run("echo 'std::bad_alloc'; exit 1"), "out-of-memory");
        }
        // A limit is met again by the next attempt, a machine that is short of memory may not be.
        for (script, is_tried_again) in [
            ("echo 'std::bad_alloc'; exit 1", false),
            (
                "echo 'cc1plus: out of memory allocating 9 bytes'; exit 1",
                false,
            ),
            ("kill -KILL $$", true),
            (
                "echo 'g++: fatal error: Killed signal terminated program cc1plus'; exit 1",
                true,
            ),
        ] {
            match run_sh(&Tools::default(), script, limits, &|| false) {
                Err(Ended::Failed(failure)) => assert_eq!(
                    (failure.code, failure.retryable),
                    ("out-of-memory", is_tried_again),
                    "{script}"
                ),
                other => panic!("{script}: {other:?}"),
            }
        }
        let wall = Limits {
            wall: Duration::from_millis(50),
            ..Limits::default()
        };
        let slow = run_sh(
            &Tools::find(),
            "echo waiting; exec sleep 600",
            wall,
            &|| false,
        );
        let Err(Ended::Failed(failure)) = slow else {
            panic!("a tool that waits for ever ended by itself")
        };
        assert_eq!((failure.code, failure.retryable), ("time-limit", true));
        // Wall time is far behind the limit that decides.
        assert!(Limits::default().wall >= Duration::from_secs(50 * Limits::default().cpu_s));
    }

    #[test]
    fn memory_is_limited_and_last_lines_are_kept() {
        let limits = Limits {
            address_space: 256 << 20,
            ..Limits::default()
        };
        for tools in [Tools::default(), Tools::find()] {
            let script = "echo growing; exec dd if=/dev/zero of=/dev/null bs=512M count=1";
            let ended = run_sh(&tools, script, limits, &|| false);
            let Err(Ended::Failed(failure)) = ended else {
                panic!("half a gigabyte within a quarter: {ended:?}")
            };
            assert_eq!(failure.code, "out-of-memory", "{failure}");
            assert!(failure.message.contains("growing"), "{failure}");
        }
    }

    #[test]
    fn a_stop_ends_the_whole_group() {
        let folder = tempfile::tempdir().unwrap();
        let fifo = folder.path().join("alive");
        let made = Command::new("mkfifo").arg(&fifo).status().unwrap();
        assert!(made.success());
        // A grandchild holds the pipe's writing end open; reading ends only when it is dead.
        let script = format!("sleep 600 > {} & wait", fifo.display());
        let reader = std::thread::spawn({
            let fifo = fifo.clone();
            move || std::fs::read(fifo).unwrap().len()
        });
        let looks = Cell::new(0);
        let stopped = || {
            looks.set(looks.get() + 1);
            looks.get() > 20
        };
        let ended = run_sh(&Tools::find(), &script, Limits::default(), &stopped);
        assert_eq!(ended, Err(Ended::Stopped));
        assert_eq!(reader.join().unwrap(), 0);
    }
}
