//! Modbus servers nobody here wrote, each in a process of its own that is told what to do.

use super::reading::Row;
use crate::support::{Conversation, succeeds};
use libtest_mimic::Failed;
use std::process::Command;

/// Whether pymodbus is here, and what it opens serial lines with.
pub fn probe() -> Result<(), String> {
    succeeds("python3", &["-c", "import serial; from pymodbus.simulator import SimDevice"])
}

/// A running server.
pub struct Server {
    talk: Conversation,
    /// How to reach it.
    pub link: String,
}

impl Server {
    /// Starts pymodbus for one of [`super::SCHEMES`]; port 0 takes a free one.
    pub fn pymodbus(scheme: &str, port: u16) -> Result<Server, Failed> {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/servers/pymodbus_server.py");
        Server::start(Command::new("python3").args([script, scheme, &port.to_string()]))
    }

    /// Starts a server that says where it listens.
    pub fn start(command: &mut Command) -> Result<Server, Failed> {
        let mut talk = Conversation::start(command)?;
        let link = talk.hear()?.strip_prefix("listening ").ok_or("no link")?.to_owned();
        Ok(Server { talk, link })
    }

    /// Says a line and hears the answer.
    pub fn ask(&mut self, line: &str) -> Result<String, Failed> {
        self.talk.say(line)
    }

    /// Says a line; the server must answer `ok`.
    pub fn tell(&mut self, line: &str) -> Result<(), Failed> {
        match self.ask(line)?.as_str() {
            "ok" => Ok(()),
            other => Err(format!("{line}: {other}").into()),
        }
    }

    /// Gives each row its value.
    pub fn set(&mut self, rows: &[Row]) -> Result<(), Failed> {
        rows.iter().try_for_each(|row| self.tell(&row.command()))
    }

    /// Runs a test and then asks what was seen: nothing that writes has left.
    pub fn watched(mut self, test: impl FnOnce(&mut Server) -> Result<(), Failed>) -> Result<(), Failed> {
        test(&mut self)?;
        self.has_only_been_read()
    }

    /// The server has seen function codes 1 to 4 (reading) and no others.
    pub fn has_only_been_read(&mut self) -> Result<(), Failed> {
        let functions = self.ask("functions")?;
        let reads = |function: &str| matches!(function, "1" | "2" | "3" | "4");
        if functions.is_empty() || !functions.split_whitespace().all(reads) {
            return Err(format!("functions {functions:?} have left").into());
        }
        Ok(())
    }
}
