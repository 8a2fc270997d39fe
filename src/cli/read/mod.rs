//! `read`: one device, once, as the gateway would read it and what the gateway would store.
//!
//! Reading order: [`mod@wanted`] (what is to be read: a register map or bare registers), [`mod@once`] (the
//! reading), [`answers`] (what is printed of it).

mod wanted;
mod once;
mod answers;

use super::lang::Lang;
use super::{Cli, Failure, check, print, warn};
use crate::clock::Clock;
use crate::config::{Encoding, Link, Order};
use crate::point::{Decimal, Name};
use answers::Answers;
use anyhow::{Context, anyhow};
use std::fs::{File, TryLockError};
use std::path::Path;
use wanted::{Span, Wanted};

/// Shortest and longest time an answer is waited for, in milliseconds; as in a configuration.
const TIMEOUT_MS: std::ops::RangeInclusive<u64> = 10..=60_000;

#[derive(Debug, clap::Args)]
pub struct Options {
    /// How the device is reached: tcp://HOST:502, rtu+tcp://HOST:PORT?baud=9600,
    /// rtu:///dev/ttyUSB0?baud=9600&parity=even.
    link: Link,
    /// Its Modbus unit id, 0 to 247 or 255.
    #[arg(long, value_name = "ID", value_parser = unit)]
    unit: u8,
    /// Register map: NAME is devices/NAME.toml beside the configuration, or one that is inside the
    /// program; or a file that ends in .toml.
    #[arg(long, value_name = "NAME", required_unless_present = "registers")]
    profile: Option<String>,
    /// Only these quantities of the register map.
    #[arg(long, value_name = "QUANTITY", value_delimiter = ',', requires = "profile")]
    only: Vec<Name>,
    /// Bare registers, as holding:0:10; COUNT counts registers, not values. May be repeated.
    #[arg(long, value_name = "TABLE:START:COUNT", conflicts_with = "profile")]
    registers: Vec<Span>,
    /// What stands in them; u16 if left out, bool for coils and discrete inputs.
    #[arg(long = "type", value_name = "TYPE", requires = "registers", value_parser = encoding)]
    encoding: Option<Encoding>,
    /// In which order, as cdab.
    #[arg(long, value_name = "ORDER", requires = "registers", value_parser = order)]
    order: Option<Order>,
    /// Each number is multiplied by this.
    #[arg(long, value_name = "NUMBER", requires = "registers", allow_hyphen_values = true)]
    scale: Option<Decimal>,
    /// Then this is added.
    #[arg(long, value_name = "NUMBER", requires = "registers", allow_hyphen_values = true)]
    offset: Option<Decimal>,
    /// How long an answer is waited for, as 500ms or 1s.
    #[arg(long, value_name = "TIME", default_value = "1s", value_parser = timeout_ms)]
    timeout: u64,
    /// How values are written.
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
    /// Language of names; that of the environment if left out.
    #[arg(long, value_enum)]
    lang: Option<Lang>,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Format {
    /// Columns for a person.
    Table,
    /// One array of objects; `at` in milliseconds since 1970 UTC.
    Json,
}

fn unit(text: &str) -> Result<u8, String> {
    let unit = text.parse().ok().filter(|unit| matches!(unit, 0..=247 | 255));
    unit.ok_or_else(|| "a unit id is 0 to 247, or 255".to_owned())
}

fn encoding(text: &str) -> Result<Encoding, String> {
    let known = || format!("it is none of {}", Encoding::words().collect::<Vec<_>>().join(", "));
    text.parse().map_err(|_| known())
}

fn order(text: &str) -> Result<Order, String> {
    text.parse().map_err(|_| format!("it is none of {}", Order::words().collect::<Vec<_>>().join(", ")))
}

fn timeout_ms(text: &str) -> Result<u64, String> {
    let (number, factor) = match text.strip_suffix("ms") {
        Some(number) => (number, 1),
        None => (text.strip_suffix('s').unwrap_or_default(), 1_000),
    };
    let ms = number.parse::<u64>().ok().and_then(|number| number.checked_mul(factor));
    ms.filter(|ms| TIMEOUT_MS.contains(ms)).ok_or_else(|| "10ms to 60s, as 500ms or 1s".to_owned())
}

/// `plantroom read`.
pub fn perform(cli: &Cli, options: &Options) -> Result<(), Failure> {
    let lang = options.lang.unwrap_or_else(Lang::of_environment);
    let wanted = wanted(cli, options)?;
    leave_running_lines_alone(cli, &options.link)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.context("the runtime cannot be started").map_err(Failure::Other)?;
    let seen = runtime.block_on(once::read(&wanted, Clock::system()))?;
    let answers = Answers::new(&wanted, &seen);
    print(&match (options.format, &options.profile) {
        (Format::Table, Some(_)) => answers.table(lang),
        (Format::Table, None) => answers.bare_table(lang),
        (Format::Json, Some(_)) => answers.json(lang),
        (Format::Json, None) => answers.bare_json(),
    })?;
    answers.complaint(lang).map_or(Ok(()), |complaint| Err(Failure::Other(anyhow!(complaint))))
}

fn wanted(cli: &Cli, options: &Options) -> Result<Wanted, Failure> {
    let whom =
        wanted::Whom { link: options.link.clone(), unit_id: options.unit, timeout_ms: options.timeout };
    if let Some(name) = &options.profile {
        let folder = cli.config.parent().unwrap_or(Path::new(""));
        return wanted::of_profile(&whom, name, folder, &options.only);
    }
    let shape = wanted::Shape {
        encoding: options.encoding,
        order: options.order.unwrap_or_default(),
        scale: options.scale.unwrap_or(Decimal::ONE),
        offset: options.offset.unwrap_or(Decimal::ZERO),
    };
    wanted::of_registers(&whom, &options.registers, &shape)
}

/// Two masters on one serial line spoil every answer, the running gateway's too. A device on
/// Modbus TCP takes a second connection, or refuses it.
fn leave_running_lines_alone(cli: &Cli, link: &Link) -> Result<(), Failure> {
    if !is_running(&cli.data) {
        return Ok(());
    }
    let (data, config) = (cli.data.display(), cli.config.display());
    let Ok(loaded) = check::load(&cli.config) else {
        warn(&format!(
            "plantroom: a gateway runs on {data}; whether it reads this line cannot be told, because \
             {config} is not its configuration (--config)"
        ));
        return Ok(());
    };
    let Some(bus) = loaded.plan.buses.iter().find(|bus| is_same_line(&bus.link, link)) else {
        return Ok(());
    };
    if matches!(link, Link::Tcp { .. }) {
        warn(&format!(
            "plantroom: the running gateway reads the same device as bus {}; many devices take one connection \
             only",
            bus.id
        ));
        return Ok(());
    }
    Err(Failure::Other(anyhow!(
        "the gateway that runs on {data} holds this line as bus {}; two masters on one line would spoil every \
         answer of both: stop the gateway first, or look at its values with `plantroom query --last`",
        bus.id
    )))
}

/// Whether a process holds the lock of the data directory (`historian::DataDir`). Looks only:
/// makes no directory and keeps no lock.
fn is_running(data: &Path) -> bool {
    let Ok(lock) = File::open(data.join(".lock")) else { return false };
    matches!(lock.try_lock_shared(), Err(TryLockError::WouldBlock))
}

/// The same socket or the same wire, whatever its settings.
fn is_same_line(a: &Link, b: &Link) -> bool {
    let file = |path: &str| std::fs::canonicalize(path).unwrap_or_else(|_| path.into());
    match (a, b) {
        (Link::Rtu { path: a, .. }, Link::Rtu { path: b, .. }) => file(a) == file(b),
        (
            Link::Tcp { host: a, port: port_a } | Link::RtuOverTcp { host: a, port: port_a, .. },
            Link::Tcp { host: b, port: port_b } | Link::RtuOverTcp { host: b, port: port_b, .. },
        ) => a == b && port_a == port_b,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_the_same_whatever_its_settings() {
        let same = |a: &str, b: &str| is_same_line(&a.parse().unwrap(), &b.parse().unwrap());
        assert!(same("rtu:///dev/x?baud=9600", "rtu:///dev/x?baud=19200&parity=even"));
        assert!(same("rtu:///dev/../dev/null", "rtu:///dev/null"));
        assert!(!same("rtu:///dev/x", "rtu:///dev/y"));
        assert!(same("tcp://h", "h:502") && same("rtu+tcp://h:502", "tcp://h:502"));
        assert!(!same("tcp://h:502", "tcp://h:503") && !same("tcp://h:502", "rtu:///dev/x"));
    }

    #[test]
    fn times_and_units_of_the_command_line() {
        assert_eq!((timeout_ms("500ms"), timeout_ms("2s")), (Ok(500), Ok(2_000)));
        for wrong in ["", "s", "1", "9ms", "61s", "1m", "-1s", "99999999999999999999s"] {
            assert!(timeout_ms(wrong).is_err(), "{wrong}");
        }
        assert_eq!((unit("0"), unit("247"), unit("255")), (Ok(0), Ok(247), Ok(255)));
        for wrong in ["248", "256", "-1", "x", ""] {
            assert!(unit(wrong).is_err(), "{wrong}");
        }
    }
}
