//! The configuration: the demo hospital loads, and a wrong file of each kind gets a message that points.

#![cfg(test)] // tells clippy that helpers here may unwrap, as tests may

use plantroom::config::{self, Code, Condition, Encoding, Loaded, Where};
use plantroom::point::{Address, Catalogue, PointId, ValueKind};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

type Texts = BTreeMap<PathBuf, String>;

fn environment(name: &str) -> Option<String> {
    (name == "TOKEN").then(|| "hunter2".to_owned())
}

/// `-- path --` lines begin a file.
fn split(case: &str) -> Texts {
    let mut files = Texts::new();
    let mut current = None;
    for line in case.lines() {
        if let Some(path) = line.strip_prefix("-- ").and_then(|rest| rest.strip_suffix(" --")) {
            files.insert(path.into(), String::new());
            current = files.get_mut(Path::new(path));
        } else {
            let text = current.as_mut().expect("a case begins with `-- path --`");
            text.push_str(line);
            text.push('\n');
        }
    }
    files
}

fn load(files: &Texts) -> Result<Loaded, config::Diagnostics> {
    config::load_from(files, Path::new("plantroom.toml"), &environment)
}

/// The demo hospital's files, to be changed by a test.
fn demo() -> Texts {
    let mut files = Texts::new();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("config");
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|ending| ending == "toml" || ending == "csv") {
                let text = std::fs::read_to_string(&path).unwrap();
                files.insert(path.strip_prefix(&root).unwrap().to_owned(), text);
            }
        }
    }
    files
}

fn edited(file: &str, from: &str, to: &str) -> Texts {
    let mut files = demo();
    let text = files.get_mut(Path::new(file)).unwrap();
    assert!(text.contains(from), "{file} holds no {from:?}");
    *text = text.replacen(from, to, 1);
    files
}

fn address(text: &str) -> Address {
    text.parse().unwrap()
}

#[test]
fn a_wrong_file_of_each_kind_gets_the_pointed_message() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/testcases/config");
    let mut cases: Vec<PathBuf> = std::fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "txt"))
        .collect();
    cases.sort();
    let mut seen = BTreeSet::new();
    for case in cases {
        let name = case.file_stem().unwrap().to_str().unwrap().to_owned();
        let diagnostics = load(&split(&std::fs::read_to_string(&case).unwrap())).expect_err(&name);
        seen.extend(diagnostics.items.iter().map(|item| item.code));
        let text = diagnostics.to_string();
        assert!(!text.contains("hunter2"), "{name} gives a secret away:\n{text}");
        let settings = || {
            let mut settings = insta::Settings::clone_current();
            settings.set_snapshot_path(&folder);
            settings.set_prepend_module_to_snapshot(false);
            settings.set_omit_expression(true);
            settings
        };
        settings().bind(|| insta::assert_snapshot!(name.as_str(), text));
    }
    let untested: Vec<&str> =
        Code::ALL.iter().filter(|code| !seen.contains(code)).map(|code| code.word()).collect();
    assert!(untested.is_empty(), "no case shows {untested:?}");
}

#[test]
fn the_demo_hospital_loads_from_the_disk() {
    let main = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/plantroom.toml");
    let loaded = config::load(&main, &|_| None).unwrap_or_else(|wrong| panic!("{wrong}"));
    assert!(loaded.warnings.items.is_empty(), "{}", loaded.warnings);
    assert!(loaded.files.len() > 20, "{:?}", loaded.files);
    let plan = loaded.plan;

    assert_eq!((plan.site.name.zh.as_str(), plan.site.zone.iana_name()), ("示范医院", Some("Asia/Shanghai")));
    let mut seen = BTreeSet::new();
    for asset in &plan.assets {
        assert!(
            asset.parent.as_ref().is_none_or(|parent| seen.contains(parent)),
            "{} comes before its parent",
            asset.id
        );
        seen.insert(asset.id.clone());
    }
    let low = plan.rules.iter().find(|rule| rule.id.as_str() == "oxygen-pressure-low").unwrap();
    let Condition::Low { limit, .. } = low.condition else { panic!("{low:?}") };
    assert_eq!(limit.to_string(), "0.34");
    assert_eq!(loaded.rule_sources[&low.id].clause.as_deref(), Some("7.1.2(5)"));
    let net = plan.derived.iter().find(|derived| derived.point == address("main-meter/energy_net")).unwrap();
    assert_eq!(net.formula.kind(), ValueKind::Decimal, "differences of exact registers are exact");
    let energy = plan.points.iter().find(|point| point.address == address("main-meter/energy")).unwrap();
    assert_eq!(
        (energy.scale.to_string().as_str(), energy.kind, energy.decimals),
        ("0.01", ValueKind::Decimal, 2)
    );
    assert_eq!((energy.unit.to_string().as_str(), energy.stale_after_ms), ("kW.h", 5_000));
    let meter = &plan.meters[0];
    assert_eq!(
        (meter.resolution_exponent, meter.modulus, meter.rate_max_per_hour),
        (-2, 100_000_000, 300_000)
    );
    assert_eq!(meter.expected_interval_ms, 1_000);
    let tariff = &plan.tariffs[0];
    assert_eq!((tariff.half_hours[0], tariff.half_hours[16], tariff.half_hours[47]), (2, 0, 2));
    let topic = &plan.brokers[0].topics[0];
    assert_eq!(topic.pattern.as_str(), "plant/{asset}/telemetry");
    assert_eq!(topic.values[0].place, Where::Pointer("/temperature".into()));
    let points: Vec<String> = topic.points().map(|point| point.to_string()).collect();
    assert_eq!(points, ["pharmacy-fridge/temperature", "ward-3a/temperature", "ward-3a/humidity"]);
    assert_eq!(plan.brokers[0].topics[1].values[0].place, Where::Whole);
    insta::assert_snapshot!("demo", config::describe(&plan, None));
}

#[test]
fn a_number_keeps_the_digits_it_was_written_with() {
    for (written, exact) in [
        ("0.10", "0.10"),
        ("\"0.10\"", "0.10"),
        ("1e-3", "0.001"),
        ("0x10", "16"),
        ("1_000", "1000"),
        ("100.000000000000001", "100.000000000000001"),
    ] {
        let loaded =
            load(&edited("devices/demo/chiller.toml", "scale = 0.1", &format!("scale = {written}"))).unwrap();
        let point =
            loaded.plan.points.iter().find(|p| p.address == address("chiller-1/supply_temperature")).unwrap();
        assert_eq!(point.scale.to_string(), exact, "{written}");
    }
}

#[test]
fn variables_and_files_fill_strings_and_secrets_stay_secret() {
    let forward = "
[[forward]]
id = \"influx\"
url = \"http://${HOST}:8086/write?db=plant\"
token = \"file:secrets/token\"

[[forward]]
id = \"second\"
url = \"http://h/write\"
login = { username = \"me\", password = \"${PASSWORD}\" }

[[meters]]
id";
    let mut files = edited("plantroom.toml", "\n[[meters]]\nid", forward);
    files.insert("secrets/token".into(), "hunter2\n".into());
    let env = |name: &str| match name {
        "HOST" => Some("db-1".to_owned()),
        // What a variable holds is not looked into again.
        "PASSWORD" => Some("${HOST}-hunter2".to_owned()),
        _ => None,
    };
    let loaded = config::load_from(&files, Path::new("plantroom.toml"), &env).unwrap();
    let [first, second] = loaded.plan.targets.as_slice() else { panic!() };
    assert_eq!(first.url.as_str(), "http://db-1:8086/write?db=plant");
    assert_eq!(first.token.as_ref().unwrap().expose(), "hunter2");
    assert_eq!(second.login.as_ref().unwrap().password.expose(), "${HOST}-hunter2");
    assert!(!format!("{loaded:?}").contains("hunter2"));
}

#[test]
fn a_wrong_value_from_the_environment_is_shown_as_the_file_has_it() {
    let files = edited("plantroom.toml", "127.0.0.1:8420", "${TOKEN}");
    let message = load(&files).unwrap_err().to_string();
    assert!(message.contains("\"${TOKEN}\" is not an address to listen at"), "{message}");
    assert!(!message.contains("hunter2"), "{message}");
}

#[test]
fn a_register_beside_a_profile_replaces_the_one_of_its_quantity() {
    let own = "profile = \"demo/chiller\"\ninterval = \"1s\"\nregisters = [{ quantity = \"running\", table = \"input\", address = 7, type = \"u16\", unit = \"1\" }]";
    let files = edited("plantroom.toml", "profile = \"demo/chiller\"\ninterval = \"1s\"", own);
    let loaded = load(&files).unwrap_or_else(|wrong| panic!("{wrong}"));
    let registers = &loaded.plan.buses[0].devices[1].registers;
    assert_eq!(registers.len(), 3);
    let running = registers.iter().find(|r| r.point == address("chiller-1/running")).unwrap();
    assert_eq!((running.cell.table, running.cell.address), (config::Table::Input, 7));
}

#[test]
fn a_register_beside_a_profile_changes_only_what_it_says() {
    let own = "profile = \"demo/chiller\"\nonly = [\"running\", \"supply_temperature\", \"return_temperature\"]\nlimits = { registers_max = 10 }\nregisters = [{ quantity = \"running\", address = 7, interval = \"1m\" }]";
    let files = edited("plantroom.toml", "profile = \"demo/chiller\"", own);
    let plan = load(&files).unwrap_or_else(|wrong| panic!("{wrong}")).plan;
    let device = &plan.buses[0].devices[1];
    assert_eq!((device.limits.registers_max, device.limits.bits_max), (10, 2_000));
    let [supply, _, running] = device.registers.as_slice() else { panic!("{device:?}") };
    assert_eq!((supply.cell.address, supply.interval_ms), (0, 1_000));
    assert_eq!((running.cell.table, running.cell.address), (config::Table::Holding, 7));
    assert_eq!((running.cell.encoding, running.interval_ms), (Encoding::U16, 60_000));
    let point = plan.points.iter().find(|point| point.address == running.point).unwrap();
    assert_eq!((point.name.zh.as_str(), point.stale_after_ms), ("运行状态", 180_000));
}

#[test]
fn every_key_of_a_register_reaches_the_plan() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("config");
    let profile = config::load_profile("demo/example", &root).unwrap_or_else(|wrong| panic!("{wrong}"));
    assert!(profile.warnings.items.is_empty(), "{}", profile.warnings);
    let lines = profile.registers.iter().map(|(register, point)| format!("{register:?}\n  {point:?}\n"));
    insta::assert_snapshot!("example", format!("{:?}\n{}", profile.limits, lines.collect::<String>()));
    let path = root.join("devices/demo/example.toml");
    let by_path = config::load_profile(path.to_str().unwrap(), Path::new("elsewhere")).unwrap();
    assert_eq!(format!("{:?}", by_path.registers), format!("{:?}", profile.registers));
    let missing = config::load_profile("demo/exampel", &root).unwrap_err().to_string();
    assert!(missing.contains("demo/example.toml?"), "{missing}");
}

const LIST: &str = "
[[modbus]]
id = \"second\"
connect = \"10.0.0.9\"

[[modbus.devices]]
id = \"listed\"
unit_id = 1
asset = \"chiller-room\"
interval = \"30s\"
";

/// The demo hospital with a further device: its fields after `LIST`, and its point list.
fn listed(fields: &str, list: &str) -> Texts {
    let mut files = demo();
    files.get_mut(Path::new("plantroom.toml")).unwrap().extend([LIST, fields]);
    files.insert("list.csv".into(), list.to_owned());
    files
}

#[test]
fn a_row_of_a_list_is_the_register_a_table_would_be() {
    let tables = r#"
[[modbus.devices.registers]]
quantity = "energy"
table = "holding"
address = 0x10
type = "u32"
order_from = { table = "input", address = 5, type = "u16", orders = [{ raw = 0, order = "abcd" }, { raw = 1, order = "cdab" }] }
scale = 0.10
offset = -3
unit = "kW.h"
range = [-5, 500.5]
multiply_by = [{ table = "holding", address = 142, type = "u16" }, { address = 143, type = "u32", order = "cdab" }]
divide_by = [{ address = 145, type = "u16" }]
exponent = { address = 146, type = "i16" }
sentinels = [{ raw = 0x7FFF, means = "sensor" }, { raw = 0x8000, means = "not-available" }, { raw = 3, means = "out-of-range" }]
interval = "15m"
aligned = true
stale_after = "1h"
decimals = 1
formerly = ["kwh", "old/kwh"]
certainty = "B"
name = { zh = "电能", en = "Energy" }
[[modbus.devices.registers]]
asset = "chiller-1"
quantity = "mode"
table = "input"
address = 7
type = "u16"
bits = [4, 7]
states = [{ value = 0, name = { zh = "停止", en = "Stopped" } }, { value = 1, name = { zh = "运行" } }]
[[modbus.devices.registers]]
quantity = "fault"
table = "input"
address = 7
type = "u16"
bit = 3
[[modbus.devices.registers]]
quantity = "door"
table = "discrete"
address = 1
"#;
    let english = "quantity,asset,table,address,type,order_from,scale,offset,unit,range,multiply_by,divide_by,exponent,sentinels,interval,aligned,stale_after,decimals,formerly,certainty,name_zh,name_en,bit,bits,states,remark
energy,,holding,0x10,u32,input:5:u16;0=abcd;1=cdab,0.10,-3,kW.h,-5..500.5,holding:142:u16;143:u32:cdab,145:u16,146:i16,0x7FFF;0x8000=not-available;3=out-of-range,15m,true,1h,1,kwh;old/kwh,B,电能,Energy,,,,anything
mode,chiller-1,input,7,u16,,,,,,,,,,,,,,,,,,,4..7,0=停止/Stopped;1=运行,
fault,,input,7,u16,,,,,,,,,,,,,,,,,,3,,,
door,,discrete,1
";
    // As Excel in Chinese writes it: a byte order mark, CRLF, blanks, quotes, an empty row.
    let chinese = "\u{feff}点名;资产;功能码;寄存器地址; 数据类型 ;字节序寄存器;倍率;偏移量;单位;量程;乘以;除以;指数;无效值;采集周期;对齐;失效时间;小数位;曾用名;可信度;中文名;英文名;位;位段;状态;备注\r
energy;;03;16;u32;\"input:5:u16;0=abcd;1=cdab\";0.10;-3;kW.h;-5~500.5;\"保持寄存器:142:u16;143:u32:cdab\";145:u16;146:i16;\"0x7FFF;0x8000=not-available;3=out-of-range\";15m;是;1h;1;\"kwh;old/kwh\";B;电能;\"Energy\";;;;\"he said \"\"so\"\"\"\r
;;;;;;;;;;;;;;;;;;;;;;;;;\r
mode;chiller-1;输入寄存器;7;u16;;;;;;;;;;;;;;;;;;;4-7;\"0=停止/Stopped\u{ff1b}1=运行\"\r
fault;;4;7;u16;;;;;;;;;;;;;;;;;;3\r
door;;离散输入;1\r
";
    let plan = |files: &Texts| format!("{:?}", load(files).unwrap_or_else(|wrong| panic!("{wrong}")).plan);
    let expected = plan(&listed(tables, ""));
    assert_eq!(plan(&listed("points = \"list.csv\"\n", english)), expected);
    assert_eq!(plan(&listed("points = \"list.csv\"\n", chinese)), expected);
}

#[test]
fn a_row_of_a_list_says_what_is_done_to_its_readings() {
    let tables = r#"
[[modbus.devices.registers]]
quantity = "pressure"
table = "input"
address = 1
type = "i16"
raw_unit = "[psi]{gauge}"
unit = "kPa{gauge}"
range = [-10, 1200]
clamp = [0, 1100]
checks = { frozen_after = "30m", frozen_band = 0.5, rate_max = "5/min", unit_jump = true }
report = { deadband = "1%", min_interval = "5s", heartbeat = "1h" }
[[modbus.devices.registers]]
quantity = "pulses"
table = "input"
address = 2
type = "u32"
unit = "m3"
counter = { modulus = 4294967296 }
[[modbus.devices.registers]]
quantity = "energy"
table = "input"
address = 4
type = "u32"
unit = "kW.h"
counter = { digits = 8 }
report = { deadband = 2 }
"#;
    let list = "点名,功能码,地址,类型,原始单位,单位,量程,限幅,计数位数,冻结时间,冻结带,变化率,单位跳变,死区,最小间隔,心跳
pressure,4,1,i16,[psi]{gauge},kPa{gauge},-10..1200,0..1100,,30m,0.5,5/min,是,1%,5s,1h
pulses,4,2,u32,,m3,,,4294967296
energy,4,4,u32,,kW.h,,,8,,,,,2
";
    let plan = |files: &Texts| load(files).unwrap_or_else(|wrong| panic!("{wrong}")).plan;
    let (written, listed) = (plan(&listed(tables, "")), plan(&listed("points = \"list.csv\"\n", list)));
    assert_eq!(format!("{listed:?}"), format!("{written:?}"));
    let point = |quantity: &str| {
        let address = address(&format!("chiller-room/{quantity}"));
        written.points.iter().find(|point| point.address == address).unwrap()
    };
    // 1 % of 1,210 kPa; psi is no decimal of kPa, so the values are floats with two decimals shown.
    let pressure = point("pressure");
    let report = pressure.conditioning.report.unwrap();
    assert_eq!((report.deadband, report.heartbeat_ms), ("12.1".parse().unwrap(), 3_600_000));
    assert_eq!((pressure.kind, pressure.decimals), (ValueKind::F64, 2));
    assert_eq!(pressure.hold_ms(), 90_000 + 3_600_000);
    assert_eq!(point("energy").conditioning.counter_modulus, Some(100_000_000));
}

/// What the manual shows is what is read, in both languages.
#[test]
fn the_example_of_the_manual_is_a_configuration() {
    let plans = ["en", "zh"].map(|language| {
        let path = format!("{}/docs/manual/{language}/readings.md", env!("CARGO_MANIFEST_DIR"));
        let page = std::fs::read_to_string(path).unwrap();
        let example = page.split("```toml").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
        let plan = load(&listed(example, "")).unwrap_or_else(|wrong| panic!("{wrong}")).plan;
        plan.points
            .into_iter()
            .filter(|point| point.address.asset.as_str() == "chiller-room")
            .collect::<Vec<_>>()
    });
    let steam = plans[0].iter().find(|point| point.address.quantity.as_str() == "steam_pressure").unwrap();
    assert!(steam.conditioning.checks.unit_jump && steam.conditioning.report.is_some());
    assert_eq!(format!("{:?}", plans[0]), format!("{:?}", plans[1]));
}

/// A counter goes on beyond its register: its meter has no roll-over of its own.
#[test]
fn a_meter_on_a_counter_needs_no_rollover() {
    let counter = "counter = { digits = 6 }\ntype = \"u32\"";
    let files = listed(
        &format!(
            "[[modbus.devices.registers]]\nquantity = \"e\"\ntable = \"input\"\naddress = 1\nunit = \"kW.h\"\n{counter}\n[[meters]]\nid = \"m\"\npoint = \"chiller-room/e\"\nresolution = 1\nrate_max = 10\n"
        ),
        "",
    );
    let plan = load(&files).unwrap_or_else(|wrong| panic!("{wrong}")).plan;
    let meter = plan.meters.iter().find(|meter| meter.id.as_str() == "m").unwrap();
    assert_eq!(i64::try_from(meter.modulus), Ok(i64::MAX));
}

#[test]
fn a_list_of_twenty_thousand_rows_is_read_and_its_one_mistake_found() {
    let mut list = "quantity,table,address,type,unit,name_zh\n".to_owned();
    list.extend((0..20_000).map(|n| format!("p{n},holding,{n},u16,kW,功率{n}\n")));
    let plan = load(&listed("points = \"list.csv\"\n", &list)).unwrap_or_else(|wrong| panic!("{wrong}")).plan;
    assert_eq!(plan.buses[1].devices[0].registers.len(), 20_000);
    // Row 1 is the header, row 2 is p0.
    let list = list.replacen("p19997,holding,19997,u16", "p19997,holding,19997,u61", 1);
    let wrong = load(&listed("points = \"list.csv\"\n", &list)).unwrap_err();
    let [item] = wrong.items.as_slice() else { panic!("{wrong}") };
    assert_eq!((item.file.as_path(), item.line, item.column), (Path::new("list.csv"), 19_999, 22));
    assert_eq!(item.path, "row 19999, column 4 \"type\"");
}

#[test]
fn a_list_that_is_no_utf8_says_how_to_save_it() {
    let folder = tempfile::tempdir().unwrap();
    for (path, text) in listed("points = \"list.csv\"\n", "") {
        let path = folder.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    // GBK for the header 点名.
    std::fs::write(folder.path().join("list.csv"), b"\xb5\xe3\xc3\xfb,address\n").unwrap();
    let message = config::load(&folder.path().join("plantroom.toml"), &|_| None).unwrap_err().to_string();
    assert!(message.contains("list.csv cannot be read: it is not UTF-8"), "{message}");
    assert!(message.contains("\"CSV UTF-8\""), "{message}");
}

#[test]
fn renamed_assets_and_quantities_carry_every_address_they_had() {
    let mut files = edited("plantroom.toml", "# formerly = [\"chiller-a\"]", "formerly = [\"chiller-a\"]");
    let profile = files.get_mut(Path::new("devices/demo/chiller.toml")).unwrap();
    *profile = profile.replacen(
        "quantity = \"running\"",
        "quantity = \"running\"\nformerly = [\"on\", \"old/state\"]",
        1,
    );
    let plan = load(&files).unwrap().plan;
    let point = plan.points.iter().find(|p| p.address == address("chiller-1/running")).unwrap();
    let formerly: Vec<String> = point.formerly.iter().map(Address::to_string).collect();
    assert_eq!(formerly, ["old/state", "chiller-a/on", "chiller-a/running", "chiller-1/on"]);
}

#[test]
fn an_asset_is_of_its_own_system_else_of_its_class_else_of_what_stands_above_it() {
    let assets = "[[assets]]\nid = \"{id}\"\nclass = \"{class}\"\n";
    let asset = |id: &str, class: &str, rest: &str| {
        assets.replace("{id}", id).replace("{class}", class) + rest + "\n"
    };
    let text = [
        "config_version = 1\nsite = { id = \"s\", timezone = \"Asia/Shanghai\" }\n".to_owned(),
        asset("pump", "Pump", "parent = \"skid\""),
        asset("skid", "Equipment", "parent = \"chiller\""),
        asset("meter", "Water_Meter", "parent = \"chiller\""),
        asset("chiller", "Chiller", "parent = \"house\""),
        asset("house", "Building", ""),
        asset("lab", "Room", "parent = \"house\"\nsystem = \"environment\""),
    ];
    let files = Texts::from([("plantroom.toml".into(), text.concat())]);
    let plan = load(&files).unwrap_or_else(|wrong| panic!("{wrong}")).plan;
    let system = |id: &str| {
        let asset = plan.assets.iter().find(|asset| asset.id.as_str() == id).unwrap();
        asset.system.map(config::System::word)
    };
    assert_eq!((system("pump"), system("skid")), (Some("hvac"), Some("hvac")));
    assert_eq!((system("meter"), system("lab"), system("house")), (Some("water"), Some("environment"), None));
}

#[test]
fn a_large_feeds_graph_is_checked_in_no_time() {
    // 5,000 assets in a chain, and all of them supplied by the first 64 together.
    let mut text = "config_version = 1\nsite = { id = \"s\", timezone = \"Asia/Shanghai\" }\n".to_owned();
    text.extend((0..5_000).map(|n| format!("[[assets]]\nid = \"a{n}\"\nclass = \"Pump\"\n")));
    text.extend(
        (1..5_000)
            .map(|n| format!("[[feeds]]\nmedium = \"power\"\nfrom = [\"a{}\"]\nto = [\"a{n}\"]\n", n - 1)),
    );
    let list =
        |from: usize, to: usize| (from..to).map(|n| format!("\"a{n}\"")).collect::<Vec<_>>().join(", ");
    let (from, to) = (list(0, 64), list(64, 4_160));
    text.extend([format!("[[feeds]]\nmedium = \"power\"\nfrom = [{from}]\nto = [{to}]\nneeds = 60\n")]);
    let mut files = Texts::from([("plantroom.toml".into(), text)]);
    let plan = load(&files).unwrap_or_else(|wrong| panic!("{wrong}")).plan;
    assert_eq!((plan.feeds.len(), plan.feeds[4_999].needs, plan.feeds[0].needs), (5_000, 60, 1));

    let main = files.get_mut(Path::new("plantroom.toml")).unwrap();
    main.push_str("[[feeds]]\nmedium = \"power\"\nfrom = [\"a4999\"]\nto = [\"a0\"]\n");
    let wrong = load(&files).unwrap_err();
    assert_eq!(wrong.items.len(), 1, "one circle is told once");
    assert_eq!(wrong.items[0].code, Code::FeedCycle);
}

#[test]
fn the_summary_tells_new_gone_and_probably_renamed_points() {
    let mut catalogue = Catalogue::default();
    catalogue.declare(&load(&demo()).unwrap().plan.declared());
    let mut files = edited(
        "plantroom.toml",
        "quantity = \"differential_pressure\"",
        "quantity = \"pressure_difference\"",
    );
    let main = files.get_mut(Path::new("plantroom.toml")).unwrap();
    *main = main.replace("id = \"chiller-1\"", "id = \"chiller-one\"\nformerly = [\"chiller-1\"]");
    *main = main.replace("unit = \"m3/h\"", "unit = \"l/s\"");
    *main = main.replace("\"mode\", \"differential_pressure\"", "\"mode\", \"pressure_difference\"");
    *main = main.replace("{ differential_pressure =", "{ pressure_difference =");
    for text in files.values_mut() {
        *text = text.replace("asset = \"chiller-1\"", "asset = \"chiller-one\"");
        *text = text.replace("[\"chiller-1\", \"chiller-2\"]", "[\"chiller-one\", \"chiller-2\"]");
        *text = text.replace("chiller-1/", "chiller-one/");
        *text = text.replace("or-1/differential_pressure", "or-1/pressure_difference");
    }
    let plan = load(&files).unwrap_or_else(|wrong| panic!("{wrong}")).plan;
    insta::assert_snapshot!("changed", config::describe(&plan, Some(&catalogue)));

    // What the summary foretells is what the catalogue then does.
    let before = catalogue.find(&address("chiller-1/running"));
    catalogue.declare(&plan.declared());
    assert_eq!(catalogue.find(&address("chiller-one/running")), before);
    assert_ne!(before, Some(PointId(0)));
}

#[test]
fn at_most_a_hundred_messages_are_shown_and_the_rest_is_counted() {
    let mut text = "config_version = 1\nsite = { id = \"s\", timezone = \"UTC\" }\n".to_owned();
    text.extend((0..150).map(|n| format!("[[assets]]\nid = \"a{n}\"\nclass = \"Room\"\ncolour = {n}\n")));
    let diagnostics = load(&Texts::from([("plantroom.toml".into(), text)])).unwrap_err();
    assert_eq!((diagnostics.items.len(), diagnostics.more), (100, 50));
    assert!(diagnostics.to_string().ends_with("100 errors, 50 more not shown\n"));
}

#[test]
fn an_error_is_not_hidden_by_a_hundred_warnings_before_it() {
    let row = |n: u32| format!("p{n},input,{},u16,1\n", 30_001 + n);
    let list: String = (0..150).map(row).collect();
    let text = format!("quantity,table,address,type,unit\n{list}low,input,1,u16,1\n");
    let warned = load(&listed("points = \"list.csv\"\n", &text)).unwrap_or_else(|wrong| panic!("{wrong}"));
    assert_eq!((warned.warnings.items.len(), warned.warnings.more), (100, 50));
    let wrong =
        load(&listed("points = \"list.csv\"\n", &format!("{text}late,input,65535,u32,1\n"))).unwrap_err();
    let errors: Vec<Code> =
        wrong.items.iter().map(|item| item.code).filter(|code| *code != Code::ReferenceNumber).collect();
    assert_eq!(errors, [Code::RegisterOverflow]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// Whatever is done to a file, there is an answer, and every message points into a file.
    #[test]
    fn a_damaged_file_gets_an_answer(list: bool, place: prop::sample::Index, length in 0_usize..40, put in "[a-z0-9{}\\[\\]=\"'$.,;:\r\n 氧-]{0,12}") {
        let mut files = demo();
        let name = if list { "points/ahu-1.csv" } else { "plantroom.toml" };
        let main = files.get_mut(Path::new(name)).unwrap();
        let chars: Vec<char> = main.chars().collect();
        let start = place.index(chars.len());
        let end = (start + length).min(chars.len());
        *main = chars[..start].iter().chain(put.chars().collect::<Vec<_>>().iter()).chain(&chars[end..]).collect();
        if let Err(diagnostics) = load(&files) {
            prop_assert!(!diagnostics.items.is_empty());
            for item in &diagnostics.items {
                let lines = files[&item.file].lines().count();
                prop_assert!((1..=lines + 1).contains(&item.line), "{item}");
            }
        }
    }
}

#[test]
fn a_missing_main_file_is_told() {
    let message = load(&Texts::new()).unwrap_err().to_string();
    assert!(message.starts_with("error[unreadable]: plantroom.toml cannot be read:"), "{message}");
    assert!(message.contains("--config"), "{message}");
}

#[test]
fn the_committed_schema_is_the_current_one() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/plantroom.schema.json");
    let current = serde_json::to_string_pretty(&config::schema()).unwrap() + "\n";
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        committed == current,
        "config/plantroom.schema.json is stale; refresh it: cargo run -- schema > config/plantroom.schema.json"
    );
}

/// Every property with the schema it belongs to.
fn properties(schema: &serde_json::Value, found: &mut Vec<(String, serde_json::Value)>) {
    if let Some(map) = schema.get("properties").and_then(serde_json::Value::as_object) {
        found.extend(map.iter().map(|(name, property)| (name.clone(), property.clone())));
    }
    match schema {
        serde_json::Value::Object(map) => map.values().for_each(|value| properties(value, found)),
        serde_json::Value::Array(items) => items.iter().for_each(|value| properties(value, found)),
        _ => {}
    }
}

#[test]
fn every_field_is_described_and_shown_in_the_demo_files() {
    let mut found = Vec::new();
    properties(&config::schema(), &mut found);
    assert!(found.len() > 60, "{}", found.len());
    let texts = demo().into_values().collect::<String>();
    for (name, property) in found {
        assert!(property.get("description").is_some(), "`{name}` has no description");
        let shown = [format!("{name} = "), format!("[{name}]"), format!("[[{name}]]"), format!(".{name}]]")];
        assert!(shown.iter().any(|form| texts.contains(form)), "no demo file shows `{name}`");
    }
}

#[test]
fn the_derived_points_of_the_manual_load() {
    for language in ["en", "zh"] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("docs/manual/{language}/derived.md"));
        let page = std::fs::read_to_string(path).unwrap();
        let (_, rest) = page.split_once("```toml\n").unwrap();
        let (example, _) = rest.split_once("```").unwrap();
        let mut files = demo();
        files.get_mut(Path::new("plantroom.toml")).unwrap().push_str(example);
        let plan = load(&files).unwrap_or_else(|wrong| panic!("{wrong}")).plan;
        let order: Vec<String> = plan.derived.iter().map(|derived| derived.point.to_string()).collect();
        let place = |point: &str| order.iter().position(|other| other == point).unwrap();
        assert!(place("or-1/room_dew_point") < place("or-1/condensing"), "{order:?}");
    }
}

#[test]
fn the_schema_knows_no_null() {
    assert!(!config::schema().to_string().contains("\"null\""), "TOML has no null");
}
