//! `export`, `import`, `backup`, `restore`: the program as a person starts it, with a gateway beside
//! it and without, and killed in the middle.

#![cfg(test)] // tells clippy that helpers here may unwrap, as tests may

use std::fmt::Write as _;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use tempfile::TempDir;

/// Nobody listens on that port: what the history holds before 2026 is what was taken in.
const HOUSE: &str = r#"config_version = 1
[site]
id = "test"
name = { zh = "测试医院", en = "Test hospital" }
timezone = "Asia/Shanghai"
[http]
listen = "127.0.0.1:0"
[[assets]]
id = "panel"
class = "Medical_Gas_Manifold"
name = { zh = "汇流排", en = "Manifold" }
[[modbus]]
id = "bus"
connect = "tcp://127.0.0.1:9"
[[modbus.devices]]
id = "panel"
unit_id = 3
asset = "panel"
interval = "1s"
registers = [
  { quantity = "pressure", table = "holding", address = 0, type = "u16", scale = 0.001, unit = "MPa{gauge}", decimals = 3, name = { zh = "氧气压力", en = "Oxygen pressure" } },
  { quantity = "flow", table = "holding", address = 2, type = "f32", unit = "m3/h", name = { zh = "流量", en = "Flow" } },
  { quantity = "running", table = "coil", address = 0, name = { zh = "运行", en = "Running" } },
  { quantity = "serial", table = "holding", address = 10, type = "text:4", name = { zh = "编号", en = "Serial" } },
]
"#;
/// Ends the time that tests write in.
const TO: &str = "2026-01-01T00:00:00Z";

fn folder() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("site.toml"), HOUSE).unwrap();
    folder
}

fn command(folder: &Path, data: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_plantroom"));
    command.current_dir(folder).env("LC_ALL", "C").env("NO_COLOR", "1");
    command.args(["--config", "site.toml", "--log", "text", "--data", data]).args(arguments);
    command
}

fn run(folder: &Path, data: &str, arguments: &[&str]) -> Output {
    command(folder, data, arguments).output().unwrap()
}

/// What it prints, if it ends well.
fn well(folder: &Path, data: &str, arguments: &[&str]) -> String {
    let output = run(folder, data, arguments);
    assert!(output.status.success(), "{arguments:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// What it says on the way to exit code 1.
fn refused(folder: &Path, data: &str, arguments: &[&str]) -> String {
    let output = run(folder, data, arguments);
    assert_eq!(output.status.code(), Some(1), "{arguments:?}: {output:?}");
    String::from_utf8(output.stderr).unwrap()
}

fn export(folder: &Path, data: &str) -> String {
    well(folder, data, &["export", "--to", TO])
}

/// A child that does not outlive its test.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ended = self.0.kill();
        let _status = self.0.wait();
    }
}

/// A gateway that serves.
fn gateway(folder: &Path, data: &str) -> Process {
    let mut process = Process(command(folder, data, &["run"]).stderr(Stdio::piped()).spawn().unwrap());
    let mut log = BufReader::new(process.0.stderr.take().unwrap());
    let mut line = String::new();
    while !line.contains("Serving.") {
        line.clear();
        assert!(log.read_line(&mut line).unwrap() > 0, "it does not serve");
    }
    // Whatever it says from now on must have somewhere to go.
    std::thread::spawn(move || std::io::copy(&mut log, &mut std::io::sink()));
    process
}

/// Rows of all kinds, `count` of each; not in the order of time.
fn table(count: u64) -> String {
    let mut text = "时间,point,value,quality,unit\n".to_owned();
    for n in (0..count).rev() {
        let at = 1_700_000_000_000 + n * 1_000;
        writeln!(text, "{at},panel/pressure,0.{:03},,MPa{{gauge}}", n % 1_000).unwrap();
        let flow = f64::from(u32::try_from(n).unwrap()) * 0.1;
        writeln!(text, "{at},panel/flow,{flow:?},uncertain:stale,").unwrap();
        writeln!(text, "{at},panel/running,{},good,", n % 7 == 0).unwrap();
        match n % 3 {
            0 => writeln!(text, "{at},panel/serial,,bad:timeout,").unwrap(),
            1 => writeln!(text, "{at},panel/serial,\"a \"\"b\"\", c\\\n氧 \",good,").unwrap(),
            _ => writeln!(text, "{at},panel/serial,{n},good,").unwrap(),
        }
    }
    text
}

#[test]
fn what_is_exported_and_taken_in_elsewhere_is_exported_as_the_same_bytes() {
    let folder = folder();
    let path = folder.path();
    std::fs::write(path.join("in.csv"), table(2_500)).unwrap();
    assert_eq!(well(path, "a", &["import", "in.csv"]), "in.csv: 10000 new readings, 0 were there already\n");
    assert!(well(path, "a", &["import", "in.csv"]).contains(": 0 new readings, 10000 were"));
    let first = export(path, "a");
    assert_eq!(first.matches("\r\n").count(), 10_001);
    assert!(
        first.contains("2023-11-15T06:13:20.000+08:00,panel/flow,0.0,m3/h,uncertain:stale\r\n"),
        "{first:.300}"
    );
    for (data, file, format) in
        [("b", "out.csv.gz", "csv"), ("c", "out.lp", "line"), ("d", "out.lp.gz", "line")]
    {
        well(path, "a", &["export", "--to", TO, "--format", format, "--output", file]);
        assert!(well(path, data, &["import", file]).contains(": 10000 new readings, 0 were"));
        assert!(export(path, data) == first, "{file}");
    }
    assert!(!path.join("a/imports").read_dir().unwrap().any(|_| true), "nothing is left to go on with");
    let some = well(path, "a", &["export", "--points", "panel/*ow,*/running", "--to", TO]);
    assert_eq!((some.matches("/flow").count(), some.matches("/running").count()), (2_500, 2_500));
    assert!(!some.contains("/pressure"));
}

#[test]
fn query_prints_line_protocol_of_the_points_a_pattern_names() {
    let folder = folder();
    let row = "time,point,value\n1700000000000,panel/pressure,0.400\n1700000000000,panel/running,1\n";
    std::fs::write(folder.path().join("in.csv"), row).unwrap();
    well(folder.path(), "a", &["import", "in.csv"]);
    let lines = well(folder.path(), "a", &["query", "--last", "--format", "line", "panel/r*", "*/pressure"]);
    let expected = "Medical_Gas_Manifold,asset=panel,site=test running=1 1700000000000\n\
                    Medical_Gas_Manifold,asset=panel,site=test pressure=0.400 1700000000000\n";
    assert_eq!(lines, expected);
}

#[test]
fn a_file_with_a_mistake_is_named_by_row_and_column_and_nothing_is_taken_in() {
    let folder = folder();
    let path = folder.path();
    let csv = |rows: &str| {
        std::fs::write(path.join("in.csv"), format!("time,point,value,quality,unit\n{rows}\n")).unwrap();
        refused(path, "a", &["import", "in.csv"])
    };
    let good = "1700000000000,panel/pressure,0.4,,";
    for (row, column, found) in [
        ("yesterday,panel/pressure,0.4,,", "time", "ISO 8601"),
        ("2026-01-01 08:00,panel/pressure,0.4,,", "time", "offset"),
        ("4,panel/pressure,0.4,,", "time", "before 2000"),
        ("9999999999999,panel/pressure,0.4,,", "time", "future"),
        ("1700000000000,panel,0.4,,", "point", ""),
        ("1700000000000,panel/pressure,much,,", "value", "decimal number"),
        ("1700000000000,panel/pressure,,,", "value", "decimal number"),
        ("1700000000000,panel/pressure,0.4,bad:timeout,", "value", "not bad"),
        ("1700000000000,panel/flow,NaN,,", "value", "a number"),
        ("1700000000000,panel/running,on,,", "value", "true or false"),
        ("1700000000000,panel/pressure,0.4,fine,", "quality", "good, uncertain:REASON"),
        ("1700000000000,panel/pressure,0.4,,kPa{gauge}", "unit", "MPa{gauge}"),
        ("1700000000000,panel/pressure,0.4,", "5", "4 cells, not 5"),
    ] {
        let said = csv(&format!("{good}\n\n{row}"));
        assert!(said.contains(&format!("row 4, column {column}: ")) && said.contains(found), "{row}: {said}");
    }
    let said = csv(&format!("{good}\n1,x/y,1,,\n1,x/z,1,,\n2,x/y,1,,"));
    assert!(said.contains("address x/y: row 3, 5\n") && said.contains("address x/z: row 4\n"), "{said}");
    assert!(said.contains("--skip-unknown"), "{said}");
    std::fs::write(path.join("in.lp"), "# all\nm,asset=panel pressure=0.4 1700000000000\nm pressure=1 1\n")
        .unwrap();
    assert!(refused(path, "a", &["import", "in.lp"]).contains("row 3, column asset: "));
    std::fs::write(path.join("in.bin"), [0xff, b'\n']).unwrap();
    assert!(
        refused(path, "a", &["import", "in.bin", "--format", "line"])
            .contains("row 1: the text is not UTF-8")
    );
    assert_eq!(run(path, "a", &["import", "in.bin"]).status.code(), Some(2));
    assert_eq!(export(path, "a").matches("\r\n").count(), 1, "nothing was taken in");

    std::fs::write(
        path.join("in.csv"),
        "time,point,value\n1700000000000,x/y,1\n1700000000000,panel/pressure,1\n",
    )
    .unwrap();
    assert!(well(path, "a", &["import", "in.csv", "--skip-unknown"]).contains(": 1 new readings"));
}

#[test]
fn a_killed_import_goes_on_and_the_backups_taken_beside_it_are_sound() {
    let folder = folder();
    let path = folder.path();
    std::fs::write(path.join("in.csv"), table(6_000)).unwrap();
    well(path, "alone", &["import", "in.csv"]);
    let gateway = gateway(path, "a");
    assert!(path.join("a/plantroom.sock").exists());
    assert!(refused(path, "a", &["restore", "nothing"]).contains("no sound backup"));
    let mut backups = 0;
    let take = |backups: &mut u32| {
        let name = format!("backup-{backups}");
        assert!(well(path, "a", &["backup", &name]).contains("instance "));
        *backups += 1;
    };
    take(&mut backups);
    assert!(refused(path, "a", &["restore", "backup-0"]).contains("in use"));
    // Seeded places to die, and backups while it writes.
    for pause_ms in [40, 90, 160, 250] {
        let import = command(path, "a", &["import", "in.csv"]).stdout(Stdio::null()).spawn().unwrap();
        let import = Process(import);
        std::thread::sleep(std::time::Duration::from_millis(pause_ms));
        take(&mut backups);
        drop(import);
    }
    well(path, "a", &["import", "in.csv"]);
    take(&mut backups);
    assert!(well(path, "a", &["import", "in.csv"]).contains(": 0 new readings, 24000 were"));
    let all = export(path, "alone");
    assert!(export(path, "a") == all);
    drop(gateway);

    for n in 0..backups {
        let (name, data) = (format!("backup-{n}"), format!("restored-{n}"));
        assert!(well(path, "a", &["backup", "verify", &name]).contains(" is sound: "));
        well(path, &data, &["restore", &name]);
        export(path, &data);
    }
    let last = format!("restored-{}", backups - 1);
    assert!(export(path, &last) == all);
    // What was restored runs, and is a store like any other.
    drop(self::gateway(path, &last));
    well(path, &last, &["import", "in.csv"]);
    assert!(export(path, &last) == all);
}

#[test]
fn a_killed_backup_leaves_none_and_the_next_one_is_whole() {
    let folder = folder();
    let path = folder.path();
    std::fs::write(path.join("in.csv"), table(2_000)).unwrap();
    drop(gateway(path, "a"));
    well(path, "a", &["import", "in.csv"]);
    for pause_ms in [0, 5, 10, 15, 20, 30, 45] {
        let process = command(path, "a", &["backup", "b"]).stdout(Stdio::null()).spawn().unwrap();
        let process = Process(process);
        std::thread::sleep(std::time::Duration::from_millis(pause_ms));
        drop(process);
        if path.join("b").exists() {
            well(path, "a", &["backup", "verify", "b"]);
            std::fs::remove_dir_all(path.join("b")).unwrap();
        }
    }
    well(path, "a", &["backup", "b"]);
    well(path, "a", &["backup", "verify", "b"]);
    assert!(!path.join(".b.part").exists());
    assert!(refused(path, "a", &["backup", "b"]).contains("exists already"));
    assert!(refused(path, "nowhere", &["backup", "c"]).contains("no data"));
    assert!(!path.join("nowhere").exists());
}

#[test]
fn a_restore_refuses_what_does_not_fit_and_moves_aside_what_was_there() {
    let folder = folder();
    let path = folder.path();
    let row = |n: u64| format!("time,point,value\n{},panel/pressure,0.4\n", 1_700_000_000_000 + n);
    for (n, data) in [(1, "a"), (2, "b")] {
        std::fs::write(path.join("in.csv"), row(n)).unwrap();
        drop(gateway(path, data));
        well(path, data, &["import", "in.csv"]);
        well(path, data, &["backup", &format!("{data}.bak")]);
    }
    let (mine, before) = (export(path, "a"), export(path, "b"));
    assert!(refused(path, "b", &["restore", "a.bak"]).contains("--replace"));
    let said = well(path, "b", &["restore", "a.bak", "--replace"]);
    assert!(said.contains("what was there is now "), "{said}");
    assert_eq!(export(path, "b"), mine);
    let aside = path.read_dir().unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let aside = aside.into_iter().find(|name| name.starts_with("b.replaced-")).unwrap();
    assert_eq!(export(path, &aside), before);

    // The database of another installation, with a manifest that knows its digest.
    let manifest = |name: &str| -> serde_json::Value {
        serde_json::from_slice(&std::fs::read(path.join(name).join("backup.json")).unwrap()).unwrap()
    };
    let (mut ours, theirs) = (manifest("a.bak"), manifest("b.bak"));
    std::fs::copy(path.join("b.bak/plantroom.db"), path.join("a.bak/plantroom.db")).unwrap();
    assert!(refused(path, "new", &["restore", "a.bak"]).contains("plantroom.db is not as it was written"));
    let entry = |of: &serde_json::Value| {
        of["files"].as_array().unwrap().iter().position(|file| file["path"] == "plantroom.db").unwrap()
    };
    let (at, from) = (entry(&ours), entry(&theirs));
    ours["files"][at] = theirs["files"][from].clone();
    std::fs::write(path.join("a.bak/backup.json"), ours.to_string()).unwrap();
    for verb in [&["restore", "a.bak"][..], &["backup", "verify", "a.bak"]] {
        assert!(refused(path, "new", verb).contains("no pair of one backup"));
    }
    assert!(refused(path, "new", &["export"]).contains("no history"), "nothing was put in place");

    // A file that no one spoke of, and one that is gone.
    std::fs::write(path.join("b.bak/more"), "").unwrap();
    assert!(refused(path, "new", &["backup", "verify", "b.bak"]).contains("does not name more"));
    std::fs::remove_file(path.join("b.bak/more")).unwrap();
    std::fs::remove_file(path.join("b.bak/history/catalogue.db")).unwrap();
    assert!(refused(path, "new", &["backup", "verify", "b.bak"]).contains("catalogue.db"));
}
