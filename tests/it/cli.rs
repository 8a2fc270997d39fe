//! The program as a person starts it: what `check`, `graph` and `read` print, and how they end.

#![cfg(test)] // tells clippy that helpers here may unwrap, as tests may

use plantroom::historian::DataDir;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::future::{Ready, ready};
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use tempfile::TempDir;
use tokio_modbus::prelude::{ExceptionCode, Request, Response, SlaveRequest};
use tokio_modbus::server::Service;
use tokio_modbus::server::tcp::{Server, accept_tcp_connection};

const DEMO: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/config/plantroom.toml");

/// Runs the program in a folder of its own, in English.
fn plantroom(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_plantroom"));
    command.current_dir(folder).env("LC_ALL", "C").env("NO_COLOR", "1");
    command.args(arguments).output().unwrap()
}

fn folder() -> TempDir {
    tempfile::tempdir().unwrap()
}

fn out(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn err(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

// === A device on a loopback socket, served by tokio-modbus ===

/// Unit 1 answers what it holds; any other unit is not behind this gateway.
#[derive(Clone, Debug, Default)]
struct Meter {
    holding: BTreeMap<u16, u16>,
    bits: Vec<bool>,
}

impl Meter {
    fn words(start: u16, words: &[u16]) -> Meter {
        Meter { holding: (start..).zip(words.iter().copied()).collect(), bits: vec![true, false, true] }
    }

    fn read(&self, start: u16, count: u16) -> Result<Vec<u16>, ExceptionCode> {
        let words = (start..start + count).map(|address| self.holding.get(&address).copied());
        words.collect::<Option<_>>().ok_or(ExceptionCode::IllegalDataAddress)
    }

    fn bits(&self, start: u16, count: u16) -> Result<Vec<bool>, ExceptionCode> {
        let bits = self.bits.get(usize::from(start)..usize::from(start + count));
        bits.map(<[bool]>::to_vec).ok_or(ExceptionCode::IllegalDataAddress)
    }
}

impl Service for Meter {
    type Request = SlaveRequest<'static>;
    type Response = Response;
    type Exception = ExceptionCode;
    type Future = Ready<Result<Response, ExceptionCode>>;

    fn call(&self, asked: SlaveRequest<'static>) -> Self::Future {
        if asked.slave != 1 {
            return ready(Err(ExceptionCode::GatewayTargetDevice));
        }
        ready(match asked.request {
            Request::ReadHoldingRegisters(start, count) => {
                self.read(start, count).map(Response::ReadHoldingRegisters)
            }
            Request::ReadInputRegisters(start, count) => {
                self.read(start, count).map(Response::ReadInputRegisters)
            }
            Request::ReadCoils(start, count) => self.bits(start, count).map(Response::ReadCoils),
            Request::ReadDiscreteInputs(start, count) => {
                self.bits(start, count).map(Response::ReadDiscreteInputs)
            }
            _ => Err(ExceptionCode::IllegalFunction),
        })
    }
}

/// Serves until the test ends.
fn serve(meter: Meter) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let server = Server::new(tokio::net::TcpListener::from_std(listener).unwrap());
            let connected = |stream, from| {
                let meter = meter.clone();
                async move { accept_tcp_connection(stream, from, move |_| Ok(Some(meter.clone()))) }
            };
            server.serve(&connected, |_| {}).await.unwrap();
        });
    });
    address
}

/// Reads bare registers of unit 1.
fn raw(address: SocketAddr, arguments: &[&str]) -> (Option<i32>, Vec<Value>) {
    let link = format!("tcp://{address}");
    let mut all = vec!["read", &link, "--unit", "1", "--format", "json"];
    all.extend(arguments);
    let output = plantroom(folder().path(), &all);
    let values = serde_json::from_str(&out(&output)).unwrap_or_else(|_| panic!("{output:?}"));
    (output.status.code(), values)
}

// === read ===

#[test]
fn read_shows_a_register_map_as_the_gateway_would_store_it() {
    let mut meter = Meter::words(0, &[0; 400]);
    // 123456 x 0.01 kWh x PT 10 x CT 20, and 2201 x 0.1 V x PT 10.
    meter.holding.extend([(0, 1), (1, 57_920), (0x61, 2_201), (0x8D, 10), (0x8E, 20)]);
    let link = format!("tcp://{}", serve(meter));
    let arguments = |format| {
        [
            "read",
            "--profile",
            "acrel/adl400",
            &link,
            "--unit",
            "1",
            "--only",
            "energy,voltage_a",
            "--format",
            format,
        ]
        .map(str::to_owned)
    };
    let run = |format| {
        let arguments = arguments(format);
        plantroom(folder().path(), &arguments.iter().map(String::as_str).collect::<Vec<_>>())
    };
    let output = run("json");
    assert_eq!((output.status.code(), err(&output).as_str()), (Some(0), ""), "{output:?}");
    let values: Vec<Value> = serde_json::from_str(&out(&output)).unwrap();
    assert_eq!(values[0]["point"], "energy");
    assert!(out(&output).contains("\"value\":246912.00"), "exact: {}", out(&output));
    assert_eq!((&values[0]["unit"], &values[0]["quality"]), (&json!("kW.h"), &json!("good")));
    assert_eq!((&values[1]["address"], &values[1]["value"]), (&json!(97), &json!(2201.0)));
    let table = out(&run("table"));
    let lines: Vec<&str> = table.lines().map(str::trim_end).collect();
    assert_eq!(lines.len(), 3, "{table}");
    assert!(lines[1].starts_with("holding 0-1") && lines[1].contains("246912.00  kWh"), "{table}");
    assert!(lines[1].ends_with("good"), "{table}");
}

#[test]
fn read_names_states_and_says_which_value_is_out_of_range() {
    let folder = folder();
    let map = "config_version = 1\n[device]\nname = { en = \"x\" }\nsource = \"s\"\ncertainty = \"D\"\n\
        [[registers]]\nquantity = \"mode\"\ntable = \"holding\"\naddress = 0\ntype = \"u16\"\n\
        states = [{ value = 1, name = { zh = \"运行\", en = \"Running\" } }]\n\
        [[registers]]\nquantity = \"level\"\ntable = \"holding\"\naddress = 1\ntype = \"u16\"\nunit = \"%\"\nrange = [0, 100]\n";
    std::fs::write(folder.path().join("x.toml"), map).unwrap();
    let link = format!("tcp://{}", serve(Meter::words(0, &[1, 250])));
    let output =
        plantroom(folder.path(), &["read", "--profile", "x.toml", &link, "--unit", "1", "--lang", "zh"]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let table = out(&output);
    assert!(table.contains("运行") && table.contains("uncertain:out_of_range"), "{table}");
    assert!(table.contains("outside 0 to 100"), "{table}");
    assert!(err(&output).contains("2 个值中有 1 个不是 good"), "{output:?}");
}

#[test]
fn read_decodes_bare_registers_of_every_type() {
    let cases: [(&str, &str, &[u16], Value); 24] = [
        ("u8", "abcd", &[0x12FE], json!(254)),
        ("i8", "abcd", &[0x12FE], json!(-2)),
        ("u16", "ba", &[0x1234], json!(0x3412)),
        ("i16", "abcd", &[0xFFFE], json!(-2)),
        ("u32", "cdab", &[2, 1], json!(65_538)),
        ("i32", "abcd", &[0xFFFF, 0xFFFE], json!(-2)),
        ("u48", "abcd", &[1, 0, 0], json!(4_294_967_296_u64)),
        ("i48", "abcd", &[0xFFFF, 0xFFFF, 0xFFFE], json!(-2)),
        ("u64", "abcd", &[0, 1, 0, 0], json!(4_294_967_296_u64)),
        ("i64", "abcd", &[0xFFFF, 0xFFFF, 0xFFFF, 0xFFFE], json!(-2)),
        ("f16", "abcd", &[0x3E00], json!(1.5)),
        ("f32", "cdab", &[0, 0x3FC0], json!(1.5)),
        ("f64", "abcd", &[0x3FF8, 0, 0, 0], json!(1.5)),
        ("bcd16", "abcd", &[0x1234], json!(1_234)),
        ("bcd32", "abcd", &[0x1234, 0x5678], json!(12_345_678)),
        ("bcd48", "abcd", &[0, 0x1234, 0x5678], json!(12_345_678)),
        ("bcd64", "abcd", &[0, 0, 0x1234, 0x5678], json!(12_345_678)),
        ("mod10k-2", "abcd", &[12, 3_456], json!(123_456)),
        ("mod10k-3", "abcd", &[0, 12, 3_456], json!(123_456)),
        ("mod10k-4", "abcd", &[0, 0, 12, 3_456], json!(123_456)),
        ("text:4", "abcd", &[0x6122, 0x6200], json!("a\"b")),
        ("date-unix", "abcd", &[0x6000, 0], json!(0x6000_0000)),
        ("u16", "abcd", &[7], json!(7)),
        ("date-words", "abcd", &[2_026, 11, 22, 0, 0, 0], json!(1_795_305_600)),
    ];
    let mut start = 0;
    let mut meter = Meter::default();
    for (_, _, words, _) in &cases {
        meter.holding.extend((start..).zip(words.iter().copied()));
        start += 10;
    }
    let address = serve(meter);
    for (index, (encoding, order, words, value)) in (0..).zip(&cases) {
        let span = format!("holding:{}:{}", index * 10, words.len());
        let mut arguments = vec!["--registers", &span, "--type", encoding];
        if *order != "abcd" {
            arguments.extend(["--order", order]);
        }
        let (code, values) = raw(address, &arguments);
        assert_eq!((code, values.len()), (Some(0), 1), "{encoding}: {values:?}");
        // The zone of the machine decides what second a civil time is.
        if !encoding.starts_with("date-w") {
            assert_eq!(values[0]["value"], *value, "{encoding}");
        }
        let keys: Vec<&String> = values[0].as_object().unwrap().keys().collect();
        assert_eq!(keys, ["address", "at", "quality", "value"], "{encoding}");
    }
}

#[test]
fn read_takes_several_spans_scales_and_knows_bits() {
    let address = serve(Meter::words(0, &[100, 200, 300, 400]));
    let spans =
        ["--registers", "holding:0:2", "--registers", "input:2:2", "--scale", "0.1", "--offset", "-5"];
    let (code, values) = raw(address, &spans);
    assert_eq!(code, Some(0), "{values:?}");
    let seen: Vec<(&Value, f64)> =
        values.iter().map(|value| (&value["address"], value["value"].as_f64().unwrap())).collect();
    assert_eq!(seen, [(&json!(0), 5.0), (&json!(1), 15.0), (&json!(2), 25.0), (&json!(3), 35.0)]);
    let (_, values) = raw(address, &["--registers", "coil:0:3", "--registers", "discrete:1:2"]);
    let bits: Vec<&Value> = values.iter().map(|value| &value["value"]).collect();
    assert_eq!(bits, [&json!(true), &json!(false), &json!(true), &json!(false), &json!(true)]);
}

#[test]
fn read_says_which_register_the_device_refuses_and_prints_the_others() {
    let (code, values) = raw(serve(Meter::words(0, &[1, 2, 3])), &["--registers", "holding:0:4"]);
    assert_eq!(code, Some(1));
    let numbers: Vec<&Value> = values.iter().map(|value| &value["value"]).collect();
    assert_eq!(numbers, [&json!(1), &json!(2), &json!(3), &Value::Null]);
    assert_eq!(values[3]["quality"], "bad:device_failure");
    assert!(values[3]["error"].as_str().unwrap().starts_with("exception 2"), "{values:?}");
}

#[test]
fn read_of_a_wrong_unit_a_mute_device_and_a_closed_port_says_what_to_check() {
    let read = |link: &str, unit: &str| {
        let all = [
            "read",
            link,
            "--unit",
            unit,
            "--registers",
            "holding:0:2",
            "--timeout",
            "50ms",
            "--format",
            "json",
        ];
        let output = plantroom(folder().path(), &all);
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        let values: Vec<Value> = serde_json::from_str(&out(&output)).unwrap();
        assert!(values.iter().all(|value| value["value"].is_null()), "{values:?}");
        (values[0]["quality"].as_str().unwrap().to_owned(), err(&output))
    };
    let (quality, said) = read(&format!("tcp://{}", serve(Meter::words(0, &[1, 2]))), "9");
    assert_eq!(quality, "bad:device_failure");
    assert!(said.contains("the gateway at") && said.contains("unit 9 behind it does not"), "{said}");

    // A listener takes connections by itself and never says a word.
    let mute = TcpListener::bind("127.0.0.1:0").unwrap();
    let (quality, said) = read(&format!("tcp://{}", mute.local_addr().unwrap()), "3");
    assert_eq!(quality, "bad:timeout");
    assert!(said.contains("unit 3 does not answer") && said.contains("unit id"), "{said}");

    let closed = mute.local_addr().unwrap();
    drop(mute);
    let (quality, said) = read(&format!("tcp://{closed}"), "3");
    assert_eq!(quality, "bad:no_communication");
    assert!(said.contains("cannot be reached") && said.contains("address and port"), "{said}");
    let (_, said) = read("rtu:///dev/no-such-line?baud=9600", "3");
    assert!(said.contains("/dev/no-such-line cannot be opened"), "{said}");
}

#[test]
fn read_tells_wrong_usage_from_a_bad_register_map() {
    let folder = folder();
    std::fs::write(folder.path().join("bad.toml"), "config_version = 1\nregisters = 3\n").unwrap();
    let code = |arguments: &[&str]| {
        let all = [&["read", "tcp://127.0.0.1:1", "--unit", "1"], arguments].concat();
        plantroom(folder.path(), &all).status.code()
    };
    for usage in [
        &[][..],
        &["--registers", "holding:0"],
        &["--registers", "holding:0:3", "--type", "f32"],
        &["--registers", "coil:0:1", "--type", "u16"],
        &["--registers", "holding:0:2", "--profile", "x"],
        &["--profile", "acrel/adl400", "--only", "nothing"],
        &["--registers", "holding:0:2", "--timeout", "1h"],
    ] {
        assert_eq!(code(usage), Some(2), "{usage:?}");
    }
    for map in [&["--profile", "nobody/nothing"][..], &["--profile", "bad.toml"]] {
        assert_eq!(code(map), Some(64), "{map:?}");
    }
}

#[test]
fn read_leaves_the_line_of_a_running_gateway_alone() {
    let folder = folder();
    let meter = serve(Meter::words(0, &[1]));
    let site = |link: &str| {
        let config = devices("generic/xy-md02", link, 1, "10s");
        std::fs::create_dir_all(folder.path().join("devices/generic")).unwrap();
        let map = Path::new(DEMO).with_file_name("devices/generic/xy-md02.toml");
        std::fs::copy(map, folder.path().join("devices/generic/xy-md02.toml")).unwrap();
        std::fs::write(folder.path().join("plantroom.toml"), config).unwrap();
    };
    let read = |link: &str| {
        let registers = ["--registers", "holding:0:1", "--timeout", "50ms", "--config", "plantroom.toml"];
        plantroom(folder.path(), &[&["read", link, "--unit", "1"], &registers[..]].concat())
    };
    site("rtu:///dev/no-such-line?baud=9600");
    let running = DataDir::open(&folder.path().join("data")).unwrap();
    let output = read("rtu:///dev/no-such-line?baud=19200");
    assert_eq!((output.status.code(), out(&output).as_str()), (Some(1), ""));
    assert!(err(&output).contains("two masters on one line"), "{output:?}");
    // Another line is nobody's.
    assert!(err(&read("rtu:///dev/other-line")).contains("cannot be opened"));

    site(&format!("tcp://{meter}"));
    let output = read(&format!("tcp://{meter}"));
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert!(err(&output).contains("many devices take one connection only"), "{output:?}");
    drop(running);
    assert_eq!(err(&read(&format!("tcp://{meter}"))), "");
}

// === check ===

/// A site with so many devices of one profile on one line.
fn devices(profile: &str, link: &str, count: usize, interval: &str) -> String {
    let asset = |unit: usize| {
        format!("[[assets]]\nid = \"a{unit}\"\nclass = \"Meter\"\nname = {{ zh = \"<表&{unit}>\" }}\n")
    };
    let device = |unit: usize| {
        format!(
            "[[modbus.devices]]\nid = \"meter-{unit}\"\nunit_id = {unit}\nasset = \"a{unit}\"\n\
             profile = \"{profile}\"\ninterval = \"{interval}\"\n"
        )
    };
    let head = "config_version = 1\n[site]\nid = \"s\"\ntimezone = \"Asia/Shanghai\"\n";
    let bus = format!("[[modbus]]\nid = \"line\"\nconnect = \"{link}\"\n");
    let list = |part: &dyn Fn(usize) -> String| (1..=count).map(part).collect::<Vec<_>>().concat();
    [head, &list(&asset), &bus, &list(&device)].concat()
}

/// The path of a configuration whose register maps are those of the program.
fn site(folder: &Path, text: &str) -> PathBuf {
    let devices = Path::new(DEMO).with_file_name("devices");
    std::os::unix::fs::symlink(devices, folder.join("devices")).unwrap();
    let path = folder.join("plantroom.toml");
    std::fs::write(&path, text).unwrap();
    path
}

/// Only what is said of the buses.
fn loads(output: &Output) -> String {
    let text = out(output);
    text.split_once("\nBus line will").map_or(text.clone(), |(_, rest)| format!("Bus line will{rest}"))
}

#[test]
fn check_of_a_bus_with_room_is_fine_and_groups_what_is_alike() {
    let folder = folder();
    let link = "rtu:///dev/ttyUSB0?baud=9600&parity=even";
    let config = site(folder.path(), &devices("acrel/adl400", link, 50, "1m"));
    let output = plantroom(folder.path(), &["check", "--config", config.to_str().unwrap()]);
    assert_eq!((output.status.code(), err(&output).as_str()), (Some(0), ""));
    insta::assert_snapshot!("check_50_meters", loads(&output));
}

#[test]
fn check_of_a_bus_that_is_too_busy_fails_with_what_would_help() {
    let folder = folder();
    let link = "rtu:///dev/ttyUSB0?baud=9600&parity=even";
    let config = site(folder.path(), &devices("acrel/adl400", link, 10, "3s"));
    let output = plantroom(folder.path(), &["check", "--config", config.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(1));
    assert!(out(&output).contains("10 devices like meter-1"), "all is told before");
    insta::assert_snapshot!("check_too_busy", err(&output));
}

#[test]
fn check_fails_on_addresses_that_look_one_too_high() {
    let folder = folder();
    let one_too_high = "registers = [{ quantity = \"energy\", address = 1 }]\n";
    let text = devices("acrel/adl400", "tcp://10.0.0.5", 1, "1m") + one_too_high;
    let config = site(folder.path(), &text);
    let output = plantroom(folder.path(), &["check", "--config", config.to_str().unwrap()]);
    assert!(out(&output).contains("warning[one-based]"), "{}", out(&output));
    assert_eq!(output.status.code(), Some(1));
    assert!(err(&output).contains("one too high: 1"), "{}", err(&output));
}

#[test]
fn check_of_the_demo_shows_the_load_of_its_bus() {
    let output = plantroom(folder().path(), &["check", "--config", DEMO]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let text = out(&output);
    assert!(text.contains("Bus main-bus will be asked:") && text.contains("slowest round"), "{text}");
}

// === graph ===

#[test]
fn graph_draws_the_demo_the_same_each_time() {
    let folder = folder();
    let text = |lang| {
        let output = plantroom(folder.path(), &["graph", "--config", DEMO, "--lang", lang]);
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        out(&output)
    };
    insta::assert_snapshot!("graph_demo_zh", text("zh"));
    insta::assert_snapshot!("graph_demo_en", text("en"));
    let svg = plantroom(folder.path(), &["graph", "--config", DEMO, "--lang", "zh", "--format", "svg"]);
    insta::assert_snapshot!("graph_demo_svg", out(&svg));
}

#[test]
fn graph_of_a_crowded_bus_escapes_names_and_goes_to_a_file() {
    let folder = folder();
    let link = "rtu+tcp://10.0.0.9:4001?baud=9600";
    let config = site(folder.path(), &devices("dse/dse73xx", link, 30, "1s"));
    let arguments = ["graph", "--config", config.to_str().unwrap(), "--output", "bus.svg", "--lang", "en"];
    let output = plantroom(folder.path(), &arguments);
    assert_eq!((output.status.code(), out(&output).as_str()), (Some(0), ""), "{output:?}");
    let drawn = std::fs::read_to_string(folder.path().join("bus.svg")).unwrap();
    assert!(drawn.contains("30 devices like meter-1") && drawn.contains("class=\"forbidden\""));
    assert!(drawn.contains("! busy"), "a bus that is too busy is marked by more than colour");
    assert!(!drawn.contains("<表") && drawn.starts_with("<svg ") && drawn.ends_with("</svg>\n"));
}
