//! What this process takes of the machine, as Linux tells it.

use std::fs;

/// What a process takes of the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Process {
    /// Time it was on any core since its start, its own and the system's for it. Milliseconds.
    pub cpu_ms: u64,
    /// Memory of it that is in RAM. Bytes.
    pub rss_bytes: u64,
}

impl Process {
    /// Of this process, now; none where there is no `/proc`.
    pub fn now() -> Option<Process> {
        let stat = fs::read_to_string("/proc/self/stat").ok()?;
        let ticks = ticks(&stat)?;
        let cpu_ms = ticks.saturating_mul(1_000) / rustix::param::clock_ticks_per_second().max(1);
        let rss_bytes = rss_bytes(&fs::read_to_string("/proc/self/status").ok()?)?;
        Some(Process { cpu_ms, rss_bytes })
    }
}

/// User and system time of a line of `/proc/PID/stat` (proc_pid_stat(5)): fields 14 and 15. The name in field 2 may
/// hold blanks and brackets, so counting begins behind the last bracket, at field 3.
fn ticks(stat: &str) -> Option<u64> {
    let (_, rest) = stat.rsplit_once(')')?;
    let mut fields = rest.split_ascii_whitespace().skip(14 - 3);
    let user: u64 = fields.next()?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    user.checked_add(system)
}

/// `VmRSS` of `/proc/PID/status` (proc_pid_status(5)), which is in kibibytes whatever the size of a page.
fn rss_bytes(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kib.checked_mul(1_024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_cannot_shift_the_fields() {
        let rest = "S 1 2 3 0 -1 4194560 5 6 7 8 250 50 0 0 20 0 3 0 12345 1 2";
        for name in ["plantroom", "a b", "x) S 9 9", "((("] {
            assert_eq!(ticks(&format!("77 ({name}) {rest}")), Some(300), "{name}");
        }
        assert_eq!(ticks("77 (cut) S 1 2"), None);
        assert_eq!(ticks(""), None);
    }

    #[test]
    fn memory_is_in_kibibytes() {
        assert_eq!(rss_bytes("Name:\tx\nVmHWM:\t 9 kB\nVmRSS:\t   2048 kB\n"), Some(2 << 20));
        assert_eq!(rss_bytes("VmRSS:\t-1 kB"), None);
        assert_eq!(rss_bytes(""), None);
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn this_process_is_in_memory() {
        assert!(Process::now().unwrap().rss_bytes > 1 << 20);
    }
}
