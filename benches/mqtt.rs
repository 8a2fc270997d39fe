//! 20,000 messages a second of five points each through mosquitto: how late they leave `readings`,
//! and what the same broker gives a bare client. How to run it and what it gave: benches/README.md.
//!
//! - no argument: the whole series, each run with a mosquitto of its own
//! - `publish PORT RATE SECONDS QOS`: sends the messages, evenly, with the time in each
//! - `plantroom PORT SECONDS QOS`: the source, the readings and the historian, on disk
//! - `bare PORT SECONDS QOS`: rumqttc alone, which only looks for the time

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a measurement run by hand"
)]
#![expect(clippy::disallowed_methods, reason = "measures real time")]
#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "small numbers"
)]

use anyhow::{Context as _, ensure};
use bytes::BytesMut;
use plantroom::clock::Clock;
use plantroom::config::{self, Plan};
use plantroom::field::mqtt;
use plantroom::field::mqtt::wire::{Codec, Connect, Packet, Publish, QoS};
use plantroom::historian::{self, Historian, Opened};
use plantroom::point::{PointId, Value};
use plantroom::readings::{self, Current, Feed};
use rumqttc::{AsyncClient, Event, Incoming, MqttOptions};
use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tokio::sync::mpsc;
use tokio_util::codec::Encoder as _;
use tokio_util::sync::CancellationToken;

const ASSETS: usize = 100;
const RATE: u32 = 20_000;
const SECONDS: u32 = 6;

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    plantroom::net::install_crypto();
    match words.as_slice() {
        [] => series(),
        ["publish", port, rate, seconds, qos] => {
            publish(port.parse()?, rate.parse()?, seconds.parse()?, *qos == "1")
        }
        // It asks for QoS 1; with what is published decides (MQTT 3.1.1, 3.8.4).
        ["plantroom", port, seconds, _] => run(plantroom(port.parse()?, seconds.parse()?)),
        ["bare", port, seconds, qos] => run(bare(port.parse()?, seconds.parse()?, *qos == "1")),
        other => anyhow::bail!("what is {other:?}?"),
    }
}

fn run(what: impl Future<Output = anyhow::Result<()>>) -> anyhow::Result<()> {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?.block_on(what)
}

fn now_us() -> u64 {
    u64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_micros()).unwrap()
}

/// Ends with its parent.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ended = self.0.kill().and_then(|()| self.0.wait());
    }
}

/// One row for each client, quality of service and window of the broker.
fn series() -> anyhow::Result<()> {
    println!(
        "| client | QoS | window | offered/s | received/s | p50 ms | p99 ms | CPU % | peak MiB | broker CPU % |"
    );
    println!("|---|---|---|---|---|---|---|---|---|---|");
    for (qos, window, rate) in
        [("0", 20, RATE), ("1", 20, RATE), ("1", 1_000, RATE), ("1", 4_000, RATE), ("1", 20, 500)]
    {
        for client in ["bare", "plantroom"] {
            one(client, qos, window, rate)?;
        }
    }
    Ok(())
}

fn one(client: &str, qos: &str, window: u32, rate: u32) -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let port = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
    let lines = format!(
        "user root\nlistener {port} 127.0.0.1\nallow_anonymous true\nset_tcp_nodelay true\n\
         max_inflight_messages {window}\nmax_queued_messages 1000000\n"
    );
    std::fs::write(folder.path().join("conf"), lines)?;
    let path =
        ["/usr/sbin/mosquitto", "/usr/bin/mosquitto"].into_iter().find(|path| Path::new(path).exists());
    let mut broker = Command::new(path.context("no mosquitto")?);
    let broker = broker.arg("-c").arg(folder.path().join("conf")).stderr(Stdio::null()).spawn()?;
    let broker = Running(broker);
    while TcpStream::connect(("127.0.0.1", port)).is_err() {
        std::thread::sleep(Duration::from_millis(20));
    }
    let me = std::env::current_exe()?;
    let (port, seconds) = (port.to_string(), SECONDS.to_string());
    let mut subscriber = Command::new(&me);
    subscriber.args([client, &port, &seconds, qos]).env("TMPDIR", folder.path());
    let mut subscriber = Running(subscriber.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?);
    std::thread::sleep(Duration::from_secs(1));
    let before = cpu_ticks(broker.0.id())?;
    let publisher =
        Command::new(&me).args(["publish", &port, &rate.to_string(), &seconds, qos]).spawn()?.wait()?;
    ensure!(publisher.success(), "the publisher failed");
    let broker_cpu = (cpu_ticks(broker.0.id())? - before) as f64 / f64::from(SECONDS);
    // Its counting ends when the publishing does: what the broker still holds is a backlog.
    drop(subscriber.0.stdin.take());
    let mut row = String::new();
    subscriber.0.stdout.take().unwrap().read_to_string(&mut row)?;
    println!("| {client} | {qos} | {window} | {rate} | {} | {broker_cpu:.0} |", row.trim());
    Ok(())
}

/// User and system time of a process in ticks of 10 ms, so hundredths of a second.
fn cpu_ticks(process: u32) -> anyhow::Result<u64> {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat"))?;
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    Ok(fields[11].parse::<u64>()? + fields[12].parse::<u64>()?)
}

/// Five numbers of an asset, the first the time of sending.
fn publish(port: u16, rate: u32, seconds: u32, acknowledged: bool) -> anyhow::Result<()> {
    let mut socket = TcpStream::connect(("127.0.0.1", port))?;
    socket.set_nodelay(true)?;
    let mut codec = Codec { max_incoming_size: 1 << 20, max_outgoing_size: 1 << 20 };
    let mut bytes = BytesMut::new();
    codec.encode(Packet::Connect(Connect::new("publisher")), &mut bytes)?;
    socket.write_all(&bytes)?;
    let mut answers = socket.try_clone()?;
    // Acknowledgements are thrown away; unread they would stop the broker.
    std::thread::spawn(move || std::io::copy(&mut answers, &mut std::io::sink()));
    std::thread::sleep(Duration::from_millis(200));
    let qos = if acknowledged { QoS::AtLeastOnce } else { QoS::AtMostOnce };
    let start = Instant::now();
    let total = u64::from(rate) * u64::from(seconds);
    let mut sent = 0_u64;
    while sent < total {
        let due = (start.elapsed().as_micros() as u64 * u64::from(rate) / 1_000_000).min(total);
        bytes.clear();
        for number in sent..due {
            let asset = number as usize % ASSETS;
            let payload = format!("{{\"sent\":{},\"t\":21.5,\"h\":48,\"p\":0.412,\"n\":{number}}}", now_us());
            let mut message = Publish::new(format!("load/a{asset}/telemetry"), qos, payload);
            message.pkid = (number % 65_535) as u16 + 1;
            codec.encode(Packet::Publish(message), &mut bytes)?;
        }
        sent = due;
        socket.write_all(&bytes)?;
        std::thread::sleep(Duration::from_millis(1));
    }
    Ok(())
}

/// Waits for the end of the standard input, on a thread of its own.
fn told_to_end() -> CancellationToken {
    let end = CancellationToken::new();
    let told = end.clone();
    std::thread::spawn(move || {
        let _ended = std::io::stdin().read_to_end(&mut Vec::new());
        told.cancel();
    });
    end
}

/// Lateness of each message in microseconds, and what it cost.
fn report(mut late_us: Vec<u64>, seconds: u32) -> anyhow::Result<()> {
    late_us.sort_unstable();
    let at = |share: f64| {
        let index = (late_us.len() as f64 * share) as usize;
        late_us.get(index.min(late_us.len().saturating_sub(1))).map_or(f64::NAN, |us| *us as f64 / 1_000.0)
    };
    let cpu = cpu_ticks(std::process::id())? as f64 / f64::from(seconds);
    let status = std::fs::read_to_string("/proc/self/status")?;
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).context("no VmHWM")?;
    let peak: f64 = peak.trim().trim_end_matches(" kB").parse()?;
    println!(
        "{} | {:.1} | {:.1} | {cpu:.0} | {:.0}",
        late_us.len() / seconds as usize,
        at(0.5),
        at(0.99),
        peak / 1_024.0
    );
    Ok(())
}

async fn bare(port: u16, seconds: u32, acknowledged: bool) -> anyhow::Result<()> {
    let mut options = MqttOptions::new("bare", "127.0.0.1", port);
    options.set_clean_session(true).set_keep_alive(Duration::from_secs(30));
    let (client, mut events) = AsyncClient::new(options, 64);
    let qos = if acknowledged { QoS::AtLeastOnce } else { QoS::AtMostOnce };
    client.subscribe("load/+/telemetry", qos).await?;
    let (end, mut late_us) = (told_to_end(), Vec::with_capacity(1 << 20));
    loop {
        let event = tokio::select! {
            () = end.cancelled() => break,
            event = events.poll() => event?,
        };
        if let Event::Incoming(Incoming::Publish(message)) = event {
            let text = std::str::from_utf8(&message.payload)?;
            let sent = text.strip_prefix("{\"sent\":").and_then(|rest| rest.split(',').next());
            late_us.push(now_us().saturating_sub(sent.context("no time")?.parse()?));
        }
    }
    report(late_us, seconds)
}

/// A site whose one broker has five values for each of the assets.
fn plan(port: u16) -> anyhow::Result<Plan> {
    use std::fmt::Write as _;
    let mut text = String::from("config_version = 1\nsite = { id = \"load\", timezone = \"UTC\" }\n");
    let assets: Vec<String> = (0..ASSETS).map(|asset| format!("\"a{asset}\"")).collect();
    for asset in &assets {
        writeln!(text, "[[assets]]\nid = {asset}\nclass = \"Room\"")?;
    }
    writeln!(text, "[[mqtt]]\nid = \"load\"\nconnect = \"127.0.0.1:{port}\"")?;
    writeln!(text, "[[mqtt.topics]]\ntopic = \"load/{{asset}}/telemetry\"")?;
    for quantity in ["sent", "t", "h", "p", "n"] {
        writeln!(text, "[[mqtt.topics.values]]\nquantity = \"{quantity}\"\npointer = \"/{quantity}\"")?;
        writeln!(text, "assets = [{}]\nunit = \"1\"", assets.join(", "))?;
    }
    let files = BTreeMap::from([(PathBuf::from("load.toml"), text)]);
    let loaded = config::load_from(&files, Path::new("load.toml"), &|_| None);
    Ok(loaded.map_err(|wrong| anyhow::anyhow!("{wrong}"))?.plan)
}

async fn plantroom(port: u16, seconds: u32) -> anyhow::Result<()> {
    let (clock, stop) = (Clock::system(), CancellationToken::new());
    let folder = tempfile::tempdir()?;
    let plan = plan(port)?;
    let metrics = historian::Metrics::default();
    let Opened { mut historian, .. } = Historian::open(folder.path(), clock.clone(), metrics)?;
    let (catalogue, _) = historian.declare(&plan.declared())?;
    let settings = readings::Settings::from_plan(&plan.points, &catalogue);
    let ids: Vec<PointId> = settings.points.iter().map(|point| point.id).collect();
    let sent: BTreeSet<PointId> = plan
        .points
        .iter()
        .filter(|point| point.address.quantity.as_str() == "sent")
        .filter_map(|point| catalogue.find(&point.address))
        .collect();
    let known: BTreeMap<_, _> =
        plan.points.iter().filter_map(|p| Some((p.address.clone(), catalogue.find(&p.address)?))).collect();
    // The channels of the gateway, in its sizes.
    let (field_out, field_in) = mpsc::channel(256);
    let (alarms_out, mut alarms_in) = mpsc::channel(1_024);
    let (historian_out, historian_in) = mpsc::channel(16);
    let texts = historian.texts();
    let (_change, changes) = mpsc::channel(1);
    let task = readings::Task {
        engine: readings::Engine::new(settings, clock.now()),
        current: Current::new(&ids, clock.utc()),
        derived: readings::Derived::new(&readings::derived::Settings::default(), clock.now()),
        by_hand: readings::ByHand { open: Vec::new(), orders: mpsc::channel(1).1 },
        texts: Box::new(move |word| texts.id(word)),
        words: Box::new(|_| None),
        clock: clock.clone(),
        metrics: readings::Metrics::default(),
        limits: readings::Limits::default(),
        outlets: readings::Outlets { alarms: alarms_out, historian: historian_out },
        changes,
        questions: readings::Inspector::new().1,
    };
    let metrics = mqtt::Metrics::default();
    let source = mqtt::Source::build(&plan.brokers[0], &known, clock, field_out, &metrics)?;
    let status = source.status();
    tokio::spawn(source.run(stop.clone()));
    tokio::spawn(task.run(field_in, stop.clone()));
    tokio::spawn(historian.run(historian_in, stop.clone()));

    let (end, mut late_us) = (told_to_end(), Vec::with_capacity(1 << 20));
    loop {
        let feed = tokio::select! {
            () = end.cancelled() => break,
            feed = alarms_in.recv() => feed.context("readings have ended")?,
        };
        let Feed::Readings(batch) = feed else { continue };
        let now = now_us();
        for reading in batch.readings.iter().filter(|reading| sent.contains(&reading.point)) {
            let Some(Value::Decimal(sent)) = reading.value else { continue };
            let sent = sent.mantissa_at(0).and_then(|us| u64::try_from(us).ok()).unwrap_or(now);
            late_us.push(now.saturating_sub(sent));
        }
    }
    tell(&status, &metrics);
    report(late_us, seconds)
}

/// For whoever watches: what was lost on the way, if anything.
fn tell(status: &mqtt::StatusHandle, metrics: &mqtt::Metrics) {
    let (status, counted) = (status.get(), metrics.of("load"));
    let line = format!(
        "messages {}, dropped {}, connections {}, most in flight {}\n",
        status.messages,
        counted.dropped.get(),
        status.connections,
        status.in_flight_max
    );
    let _unseen = std::io::stderr().write_all(line.as_bytes());
}
