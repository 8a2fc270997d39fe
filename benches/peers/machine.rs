//! What the kernel tells of processes, folders and disks.

use anyhow::Context as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

/// Processor time a process has used, in seconds (to 10 ms).
pub fn cpu_s(pid: u32) -> anyhow::Result<f64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let fields: Vec<&str> = stat.rsplit(')').next().context("stat")?.split_whitespace().collect();
    // Fields 14 and 15 of proc(5), counted from behind the name; in hundredths of a second.
    Ok(fields[11..13].iter().map(|field| field.parse::<f64>()).sum::<Result<f64, _>>()? / 100.0)
}

/// The most memory a process has ever held, in MB.
pub fn most_mb(pid: u32) -> anyhow::Result<f64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let most = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).context("VmHWM")?;
    Ok(most.trim().trim_end_matches(" kB").parse::<f64>()? * 1_024.0 / 1e6)
}

/// Bytes on the disk of the files below a folder for whose paths `counts` holds; what is a hole in a
/// file takes no room.
pub fn bytes(dir: &Path, counts: &dyn Fn(&Path) -> bool) -> anyhow::Result<u64> {
    let mut sum = 0;
    for file in std::fs::read_dir(dir)? {
        let path = file?.path();
        // A server may throw a file away meanwhile.
        let Ok(known) = path.metadata() else { continue };
        sum += match known.is_dir() {
            true => bytes(&path, counts)?,
            false if counts(&path) => known.blocks() * 512,
            false => 0,
        };
    }
    Ok(sum)
}

/// Bytes the disk below a folder has written, what the file system holds back included.
pub fn device_bytes(dir: &Path) -> anyhow::Result<u64> {
    std::process::Command::new("sync").arg("-f").arg(dir).status()?;
    let device = std::fs::metadata(dir)?.dev();
    let (major, minor) = ((device >> 8 & 0xfff).to_string(), (device & 0xff).to_string());
    let disks = std::fs::read_to_string("/proc/diskstats")?;
    let disk = disks.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    let disk = disk.into_iter().find(|disk| disk[0] == major && disk[1] == minor).context("no such disk")?;
    Ok(disk[9].parse::<u64>()? * 512)
}

/// The load average of the last minute.
pub fn load() -> anyhow::Result<String> {
    let load = std::fs::read_to_string("/proc/loadavg")?;
    Ok(load.split_whitespace().next().context("loadavg")?.to_owned())
}
