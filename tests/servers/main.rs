//! Tests against servers nobody here wrote. `tests/run.sh` installs them; plain `cargo test`
//! names what it skips for want of them.

mod support;
#[path = "../support/lane.rs"]
mod lane;
mod modbus;
mod mqtt;
mod influx;
mod disk;
mod gateway;
mod thread;

fn main() -> std::process::ExitCode {
    let arguments = libtest_mimic::Arguments::from_args();
    let mut trials = Vec::new();
    trials.extend(modbus::trials());
    trials.extend(mqtt::trials());
    trials.extend(influx::trials());
    trials.extend(thread::trials());
    trials.extend(disk::trials());
    libtest_mimic::run(&arguments, trials).exit_code()
}
