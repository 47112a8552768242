//! Child processes that never outlive their test.

use std::fs::{self, File};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process, kill_process_group};

/// The binary under test, free of the caller's settings.
pub fn bitfront() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_bitfront"));
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("BITFRONT_") {
            command.env_remove(name);
        }
    }
    command.stdin(Stdio::null()).env("NO_COLOR", "1");
    command
}

/// Runs to the end: exit code, stdout, stderr.
pub fn run(mut command: Command) -> (i32, String, String) {
    let output = command.output().expect("the binary starts");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (
        output.status.code().unwrap_or(-1),
        text(&output.stdout),
        text(&output.stderr),
    )
}

/// A running process in a group of its own, with its output in a file.
pub struct Process {
    child: Option<Child>,
    log: PathBuf,
}

impl Process {
    pub fn start(mut command: Command, log: &Path) -> Self {
        let file = File::create(log).expect("a log file");
        let errors = file.try_clone().expect("a log file");
        let child = command
            .stdout(file)
            .stderr(errors)
            .process_group(0)
            .spawn()
            .expect("the binary starts");
        Self {
            child: Some(child),
            log: log.to_owned(),
        }
    }

    pub fn pid(&self) -> u32 {
        self.child.as_ref().expect("a running process").id()
    }

    fn raw_pid(&self) -> Pid {
        Pid::from_raw(self.pid() as i32).expect("a process id")
    }

    pub fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// SIGKILL: no handler, no farewell.
    pub fn kill(&mut self) -> ExitStatus {
        kill_process(self.raw_pid(), Signal::KILL).expect("a signal");
        self.wait()
    }

    /// What the terminal's Ctrl-C does: SIGINT to the whole foreground group.
    pub fn ctrl_c(&self) {
        kill_process_group(self.raw_pid(), Signal::INT).expect("a signal");
    }

    pub fn terminate(&self) {
        // One that has ended needs no signal.
        let _ = kill_process(self.raw_pid(), Signal::TERM);
    }

    /// Waits for its end.
    pub fn wait(&mut self) -> ExitStatus {
        let mut child = self.child.take().expect("a running process");
        super::wait_for("a process to end", || child.try_wait().expect("a child"))
    }

    /// Fails with its log when it has ended.
    pub fn assert_runs(&self) {
        let path = format!("/proc/{}/stat", self.pid());
        let stat = fs::read_to_string(path).unwrap_or_default();
        let state = stat.rsplit_once(") ").map_or("", |(_, rest)| rest);
        assert!(
            !state.is_empty() && !state.starts_with('Z'),
            "ended early: {}",
            self.log()
        );
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if self.child.is_none() {
            return;
        }
        // In a failed test: asked first, so that `up` takes its Postgres along; killed when it does not end.
        self.terminate();
        let deadline = Instant::now() + Duration::from_secs(20);
        if let Some(mut child) = self.child.take() {
            while matches!(child.try_wait(), Ok(None)) && Instant::now() < deadline {
                std::thread::sleep(Duration::from_millis(20));
            }
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// `exit status: 0`, or what else happened.
pub fn describe(status: ExitStatus) -> String {
    match status.signal() {
        Some(signal) => format!("signal {signal}"),
        None => status.to_string(),
    }
}
