//! How far a long verb is, on a terminal.

use std::io::{IsTerminal, Write};

/// Letters of the bar.
const BAR: usize = 30;

/// One line on standard error that is written over; nothing where that is no terminal.
pub struct Progress {
    what: &'static str,
    shown: Option<u64>,
    terminal: bool,
}

impl Progress {
    /// Of something called `what`.
    pub fn new(what: &'static str) -> Progress {
        Progress { what, shown: None, terminal: std::io::stderr().is_terminal() }
    }

    /// So much is done of so much.
    pub fn at(&mut self, done: u64, total: u64) {
        let percent = done.min(total).saturating_mul(100) / total.max(1);
        if !self.terminal || self.shown == Some(percent) {
            return;
        }
        self.shown = Some(percent);
        write(&format!("\r{} {}", self.what, bar(percent)));
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.shown.is_some() {
            write(&format!("\r{}\r", " ".repeat(self.what.len() + BAR + 8)));
        }
    }
}

fn bar(percent: u64) -> String {
    let full = usize::try_from(percent).unwrap_or(100).min(100) * BAR / 100;
    format!("[{}{}] {percent:>3} %", "#".repeat(full), ".".repeat(BAR - full))
}

fn write(text: &str) {
    let mut err = std::io::stderr();
    // Nobody is told less for want of a bar.
    let _gone = err.write_all(text.as_bytes()).and_then(|()| err.flush());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_is_as_full_as_what_is_done() {
        assert_eq!(bar(0), "[..............................]   0 %");
        assert_eq!(bar(50), "[###############...............]  50 %");
        assert_eq!(bar(100), "[##############################] 100 %");
    }
}
