//! Log lines: one sentence with fields, to standard error, as text for people or JSON for machines.

use std::fmt;
use std::io::IsTerminal;
use std::str::FromStr;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, Registry};

/// How a log line looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogFormat {
    /// One line for a person; coloured on a terminal.
    #[default]
    Text,
    /// One JSON object per line.
    Json,
}

/// Why logging could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The filter text is wrong.
    #[error("the log filter {filter:?} is wrong: {source}; write for example info,plantroom::field=debug")]
    Filter {
        /// What was given.
        filter: String,
        /// What is wrong with it.
        source: tracing_subscriber::filter::ParseError,
    },
    /// The process has a subscriber already.
    #[error("logging is set up already")]
    Twice(#[from] tracing_subscriber::util::TryInitError),
}

/// Starts logging for the process. `filter` is a comma-separated list of levels, each alone or
/// with a module before it: `info,plantroom::field=debug`.
pub fn init_tracing(format: LogFormat, filter: &str) -> Result<(), LogError> {
    let targets = parse(filter)?;
    tracing_subscriber::registry().with(lines(format).with_filter(targets)).try_init()?;
    Ok(())
}

fn parse(filter: &str) -> Result<Targets, LogError> {
    filter.parse().map_err(|source| LogError::Filter { filter: filter.to_owned(), source })
}

fn lines(format: LogFormat) -> Box<dyn Layer<Registry> + Send + Sync> {
    let layer = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    match format {
        LogFormat::Text => layer.with_ansi(std::io::stderr().is_terminal()).boxed(),
        LogFormat::Json => layer.json().flatten_event(true).with_current_span(true).boxed(),
    }
}

impl FromStr for LogFormat {
    type Err = String;

    fn from_str(text: &str) -> Result<LogFormat, String> {
        match text {
            "text" => Ok(LogFormat::Text),
            "json" => Ok(LogFormat::Json),
            other => Err(format!("{other:?} is no log format; it is text or json")),
        }
    }
}

impl fmt::Display for LogFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            LogFormat::Text => "text",
            LogFormat::Json => "json",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_names_levels_by_module() {
        let targets = parse("info,plantroom::field=debug").unwrap();
        assert!(targets.would_enable("plantroom::field::modbus", &tracing::Level::DEBUG));
        assert!(!targets.would_enable("plantroom::api", &tracing::Level::DEBUG));
        assert!(targets.would_enable("plantroom::api", &tracing::Level::INFO));
    }

    #[test]
    fn a_wrong_filter_is_shown_with_an_example() {
        let error = parse("plantroom=loud").unwrap_err().to_string();
        assert!(
            error.contains("\"plantroom=loud\"") && error.contains("info,plantroom::field=debug"),
            "{error}"
        );
    }

    #[test]
    fn a_format_reads_back() {
        for format in [LogFormat::Text, LogFormat::Json] {
            assert_eq!(format.to_string().parse(), Ok(format));
        }
        assert_eq!("xml".parse::<LogFormat>(), Err("\"xml\" is no log format; it is text or json".into()));
    }
}
