//! What tests against real servers share: a skip that is seen, and children that do not outlive us.

use libtest_mimic::{Failed, Trial};
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

/// A test that needs `server`. Where `probe` does not find it the test is skipped by name, or,
/// with `PLANTROOM_REQUIRE_SERVERS=1`, fails and says what is missing.
pub fn trial(
    name: &str,
    server: &str,
    probe: fn() -> Result<(), String>,
    test: impl FnOnce() -> Result<(), Failed> + Send + 'static,
) -> Trial {
    match probe() {
        Ok(()) => Trial::test(name, test),
        Err(missing) if servers_required() => {
            let complaint = format!("needs {server}: {missing}");
            Trial::test(name, move || Err(complaint.into()))
        }
        Err(_) => skipped(name, server, test),
    }
}

/// A test that needs a right which no package gives: without it, it is skipped by name wherever it runs.
pub fn trial_by_right(
    name: &str,
    right: &str,
    probe: fn() -> Result<(), String>,
    test: impl FnOnce() -> Result<(), Failed> + Send + 'static,
) -> Trial {
    match probe() {
        Ok(()) => Trial::test(name, test),
        Err(_) => skipped(name, right, test),
    }
}

fn skipped(name: &str, lacks: &str, test: impl FnOnce() -> Result<(), Failed> + Send + 'static) -> Trial {
    Trial::test(format!("{name} (no {lacks})"), test).with_ignored_flag(true)
}

fn servers_required() -> bool {
    std::env::var_os("PLANTROOM_REQUIRE_SERVERS").is_some_and(|value| value == "1")
}

/// Whether a command runs and succeeds; its last words if not.
pub fn succeeds(program: &str, arguments: &[&str]) -> Result<(), String> {
    let output =
        Command::new(program).args(arguments).output().map_err(|error| format!("{program}: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    let words = String::from_utf8_lossy(&output.stderr);
    Err(format!("{program}: {}", words.lines().last().unwrap_or("failed without a word")))
}

/// Asks until there is an answer, for at most half a minute.
pub async fn eventually<T>(
    what: &str,
    mut ask: impl AsyncFnMut() -> Result<Option<T>, Failed>,
) -> Result<T, Failed> {
    for _ in 0..600 {
        if let Some(answer) = ask().await? {
            return Ok(answer);
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Err(format!("{what} did not come").into())
}

/// A child process spoken to line by line; killed when dropped.
pub struct Conversation {
    child: Child,
    to: ChildStdin,
    from: BufReader<ChildStdout>,
}

impl Conversation {
    /// Starts it.
    pub fn start(command: &mut Command) -> Result<Conversation, Failed> {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let (to, from) = child.stdin.take().zip(child.stdout.take()).ok_or("no pipes")?;
        Ok(Conversation { child, to, from: BufReader::new(from) })
    }

    /// The next line it prints.
    pub fn hear(&mut self) -> Result<String, Failed> {
        let mut line = String::new();
        if self.from.read_line(&mut line)? == 0 {
            return Err("it ended without an answer".into());
        }
        Ok(line.trim_end().to_owned())
    }

    /// Says a line and hears the answer.
    pub fn say(&mut self, line: &str) -> Result<String, Failed> {
        writeln!(self.to, "{line}")?;
        self.to.flush()?;
        self.hear()
    }
}

impl Drop for Conversation {
    fn drop(&mut self) {
        // It may have ended by itself; either way it is gone after this.
        let _ended = self.child.kill().and_then(|()| self.child.wait());
    }
}
