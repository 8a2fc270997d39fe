//! The verbs of the command line.
//!
//! Exit codes: 0 done, 1 failed, 2 wrong usage, 64 bad configuration.
//!
//! **Invariant:** the only room that prints; everything it shows it asks of the rooms below.

mod backup;
mod check;
mod choose;
mod columns;
mod demo;
mod export;
mod graph;
mod import;
mod lang;
mod loads;
mod mqtt;
mod pages;
mod progress;
mod query;
mod read;
mod run;

use crate::telemetry::{LogFormat, init_tracing};
use clap::{Parser, Subcommand};
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

/// Sees, keeps and acts on everything a hospital's plant says.
#[derive(Debug, Parser)]
#[command(name = "plantroom", version, arg_required_else_help = true)]
struct Cli {
    /// The site's configuration file.
    #[arg(long, global = true, default_value = "config/plantroom.toml", value_name = "FILE")]
    config: PathBuf,
    /// The data directory; held by one running process.
    #[arg(long, global = true, default_value = "data", value_name = "DIR")]
    data: PathBuf,
    /// How log lines are written to standard error.
    #[arg(long, global = true, value_enum, default_value_t = LogStyle::Text)]
    log: LogStyle,
    /// What is logged: a level, or `module=level` pairs with commas; info if left out, and error for
    /// `read`, which says itself what went wrong.
    #[arg(long, global = true, value_name = "FILTER")]
    log_filter: Option<String>,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum LogStyle {
    /// For a person.
    Text,
    /// One JSON object a line.
    Json,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Starts a simulated hospital on real Modbus TCP and MQTT sockets, with everything live on one page.
    Demo(demo::Options),
    /// Runs the gateway of a site.
    Run,
    /// Reads the configuration and says what is wrong with it, or what it plans and how busy that
    /// makes each bus.
    Check,
    /// Draws the way of the readings, and which registers are read in which request.
    Graph(graph::Options),
    /// Reads one Modbus device once, with a register map or bare registers.
    Read(read::Options),
    /// What an MQTT broker carries, as a proposal for the configuration.
    Mqtt(mqtt::Options),
    /// Prints the JSON schema of the configuration file, for editors.
    Schema,
    /// Prints readings from the data directory, also beside a running gateway.
    Query(query::Options),
    /// Writes readings to a file, as CSV or line protocol, to be taken in elsewhere.
    Export(export::Options),
    /// Takes readings in from a file that `export` or another program wrote; through the running
    /// gateway if there is one.
    Import(import::Options),
    /// Copies the whole data directory to a new folder, also beside a running gateway; `backup verify`
    /// says whether such a copy is sound.
    Backup(backup::Options),
    /// Puts a backup in the place of the data directory; no gateway may be running.
    Restore(backup::RestoreOptions),
}

/// How a verb ended, when it did not end well.
#[derive(Debug, thiserror::Error)]
enum Failure {
    /// Exit code 64: rendered diagnostics.
    #[error("{0}")]
    Configuration(String),
    /// Exit code 2: what is asked for cannot be.
    #[error("{0}")]
    Usage(String),
    /// Exit code 1.
    #[error("{}", told(.0))]
    Other(#[from] anyhow::Error),
    /// Exit code 0: whoever reads standard output has enough (`| head`).
    #[error("nobody reads any more")]
    EnoughRead,
}

/// An error with its causes, those left out that another one quotes already.
fn told(error: &anyhow::Error) -> String {
    let mut text = String::new();
    for cause in error.chain().map(ToString::to_string) {
        if text.is_empty() {
            text = cause;
        } else if !text.contains(&cause) {
            text = format!("{text}: {cause}");
        }
    }
    text
}

/// Runs the command line; called by `main` with nothing before it.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    crate::net::install_crypto();
    let format = match cli.log {
        LogStyle::Text => LogFormat::Text,
        LogStyle::Json => LogFormat::Json,
    };
    let usual = if matches!(cli.verb, Verb::Read(_)) { "error" } else { "info" };
    if let Err(error) = init_tracing(format, cli.log_filter.as_deref().unwrap_or(usual)) {
        return fail(2, &format!("--log-filter: {error}"));
    }
    match perform(&cli) {
        Ok(()) | Err(Failure::EnoughRead) => ExitCode::SUCCESS,
        Err(Failure::Configuration(text)) => fail(64, &text),
        Err(Failure::Usage(text)) => fail(2, &format!("error: {text}")),
        Err(other) => fail(1, &format!("plantroom: {other}")),
    }
}

fn perform(cli: &Cli) -> Result<(), Failure> {
    match &cli.verb {
        Verb::Demo(options) => demo::perform(cli, options),
        Verb::Run => run::perform(cli),
        Verb::Check => check::perform(cli),
        Verb::Graph(options) => graph::perform(cli, options),
        Verb::Read(options) => read::perform(cli, options),
        Verb::Mqtt(options) => mqtt::perform(cli, options),
        Verb::Schema => check::schema(),
        Verb::Query(options) => query::perform(cli, options),
        Verb::Export(options) => export::perform(cli, options),
        Verb::Import(options) => import::perform(cli, options),
        Verb::Backup(options) => backup::perform(cli, options),
        Verb::Restore(options) => backup::restore(cli, options),
    }
}

fn fail(code: u8, text: &str) -> ExitCode {
    warn(text);
    ExitCode::from(code)
}

/// Writes to standard error; nothing is left to tell if even that is gone.
fn warn(text: &str) {
    let _gone = writeln!(std::io::stderr(), "{text}");
}

/// Writes to standard output; a closed pipe (`| head`) ends the verb quietly.
fn print(text: &str) -> Result<(), Failure> {
    print_to(&mut std::io::stdout(), text)
}

fn print_to(out: &mut impl Write, text: &str) -> Result<(), Failure> {
    out.write_all(text.as_bytes()).map_err(|error| match error.kind() {
        std::io::ErrorKind::BrokenPipe => Failure::EnoughRead,
        _ => Failure::Other(anyhow::Error::new(error).context("standard output")),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn a_cause_that_is_quoted_already_is_not_said_again() {
        #[derive(Debug, thiserror::Error)]
        #[error("the file x cannot be used: {0}")]
        struct Quoting(#[source] std::io::Error);

        let error = anyhow::Error::new(Quoting(std::io::Error::other("no room"))).context("opening");
        assert_eq!(told(&error), "opening: the file x cannot be used: no room");
    }

    #[test]
    fn a_closed_pipe_ends_a_verb() {
        let (reader, mut writer) = std::io::pipe().unwrap();
        assert!(print_to(&mut writer, "read").is_ok());
        drop(reader);
        assert!(matches!(print_to(&mut writer, "not read"), Err(Failure::EnoughRead)));
    }
}
