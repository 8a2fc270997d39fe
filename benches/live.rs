//! What viewers of live values cost: bytes of one, and CPU of the process that serves them all. How to run it and
//! what it gave: benches/README.md.
//!
//! - `serve VIEWERS POINTS SECONDS`: serves points that all change once a second to so many viewers, which are another
//!   process; prints the CPU time of this one, without viewers and with them
//! - `view PORT VIEWERS`: that other process; counts until its input ends

#![expect(clippy::print_stdout, reason = "a measurement run by hand")]

use anyhow::Context as _;
use futures_util::{SinkExt as _, StreamExt as _};
use plantroom::api::{self, AppState, Brokers, Buses, Drivers, Handles, Plant, Plants, Targets};
use plantroom::clock::Clock;
use plantroom::config::{self, Plan};
use plantroom::db::Db;
use plantroom::historian::{self, Historian};
use plantroom::point::{Batch, Decimal, PointId, Quality, Reading, Value};
use plantroom::readings::{self, Current, substitute};
use plantroom::telemetry::{Health, Process, Registry};
use plantroom::{alarms, energy, forward, work_orders};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::{JoinSet, block_in_place};
use tokio_tungstenite::tungstenite::Message;
use tokio_util::sync::CancellationToken;

/// Points of one device, and of one of its answers: those have one time.
const DEVICE_POINTS: u32 = 50;
const ANSWER_POINTS: u32 = 25;
/// Before anything is counted.
const WARM_UP: Duration = Duration::from_secs(5);

fn main() -> anyhow::Result<()> {
    let words: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    match words.as_slice() {
        ["serve", viewers, points, seconds] => {
            runtime.block_on(serve(viewers.parse()?, points.parse()?, seconds.parse()?))
        }
        ["view", port, viewers] => runtime.block_on(view(port.parse()?, viewers.parse()?)),
        _ => anyhow::bail!("serve VIEWERS POINTS SECONDS, or view PORT VIEWERS"),
    }
}

async fn serve(viewers: u32, points: u32, seconds: u64) -> anyhow::Result<()> {
    let dir = tempfile::tempdir()?;
    let (clock, stop) = (Clock::system(), CancellationToken::new());
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let mut plan = plan(points)?;
    plan.http.listen = address;
    let (state, current, ids) = state(&plan, dir.path(), &clock, &stop).await?;
    let mut tasks: JoinSet<anyhow::Result<()>> = JoinSet::new();
    tasks.spawn(async move { Ok(axum::serve(listener, api::router(state)).await?) });
    tasks.spawn(change(current, ids, clock));

    let span = Duration::from_secs(seconds);
    tokio::time::sleep(WARM_UP).await;
    let alone = cpu_share(span).await?;
    println!("{points} points, nobody looks: {:.2} % of a core", alone * 100.0);
    let mut child = Command::new(std::env::current_exe()?)
        .args(["view", &address.port().to_string(), &viewers.to_string()])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    let mut told = BufReader::new(child.stdout.take().context("no output")?).lines();
    let mut hear =
        move || block_in_place(|| told.next().context("the viewers said nothing")?.context("unreadable"));
    anyhow::ensure!(hear()? == "ready", "the viewers are not ready");
    tokio::time::sleep(WARM_UP).await;
    let mut input = child.stdin.take().context("no input")?;
    input.write_all(b"count\n")?;
    let watched = cpu_share(span).await?;
    drop(input);
    let bytes: u64 = hear()?.parse()?;
    block_in_place(|| child.wait())?;
    let each = bytes / u64::from(viewers) / seconds;
    println!("{viewers} viewers: {:.2} % of a core, {each} bytes a second each", watched * 100.0);
    println!("the viewers alone: {:.2} % of a core", (watched - alone) * 100.0);
    Ok(())
}

/// CPU time of this process over a span, as a part of it.
async fn cpu_share(span: Duration) -> anyhow::Result<f64> {
    let now = || Process::now().context("there is no /proc");
    let before = now()?;
    tokio::time::sleep(span).await;
    let used = Duration::from_millis(now()?.cpu_ms - before.cpu_ms);
    Ok(used.as_secs_f64() / span.as_secs_f64())
}

/// All points once a second, an answer of a device at a time; every fifth is a register of energy, the others
/// measurements with one or two decimals.
async fn change(current: Current, ids: Vec<PointId>, clock: Clock) -> anyhow::Result<()> {
    let answers: Vec<&[PointId]> = ids.chunks(ANSWER_POINTS as usize).collect();
    let step = Duration::from_secs(1) / u32::try_from(answers.len())?;
    let mut ticks = tokio::time::interval(step);
    for second in 0_i64.. {
        for answer in &answers {
            ticks.tick().await;
            let at = clock.utc();
            let reading = |id: &PointId| {
                let n = i64::from(id.0);
                let value = match n % 5 {
                    0 => Decimal::new(10_000_000 + 700 * n + second, -2),
                    1 | 2 => Decimal::new((200 + 10 * (n % 80) + n % 10 + second) % 1_000, -1),
                    _ => Decimal::new((100 * (n % 500) + n % 100 + second) % 50_000, -2),
                };
                let value = value.ok().map(Value::Decimal);
                Reading { point: *id, at, value, quality: Quality::Good }
            };
            let (device, readings) = ("d".into(), answer.iter().map(reading).collect());
            current.apply(&Batch { device, source_at: None, received_at: at, at_error_ms: 3, readings });
        }
    }
    Ok(())
}

fn plan(points: u32) -> anyhow::Result<Plan> {
    let mut text = String::from(
        "config_version = 1\nsite = { id = \"bench\", timezone = \"Asia/Shanghai\" }\n\
         [[modbus]]\nid = \"bus\"\nconnect = \"tcp://127.0.0.1:1\"\n",
    );
    for device in 0..points.div_ceil(DEVICE_POINTS) {
        write!(
            text,
            "[[modbus.devices]]\nid = \"d{device}\"\nunit_id = {}\nasset = \"a{device}\"\n",
            device + 1
        )?;
        for n in 0..DEVICE_POINTS.min(points - device * DEVICE_POINTS) {
            write!(
                text,
                "[[modbus.devices.registers]]\nquantity = \"q{n}\"\ntable = \"holding\"\naddress = {n}\n\
                 type = \"u16\"\nunit = \"kW\"\n"
            )?;
        }
    }
    for device in 0..points.div_ceil(DEVICE_POINTS) {
        write!(text, "[[assets]]\nid = \"a{device}\"\nclass = \"Equipment\"\n")?;
    }
    let files = BTreeMap::from([(PathBuf::from("plantroom.toml"), text)]);
    let loaded = config::load_from(&files, Path::new("plantroom.toml"), &|_| None);
    Ok(loaded.map_err(|wrong| anyhow::anyhow!("{wrong}"))?.plan)
}

/// The web server's state over stores that nobody writes to.
async fn state(
    plan: &Plan,
    dir: &Path,
    clock: &Clock,
    stop: &CancellationToken,
) -> anyhow::Result<(AppState, Current, Vec<PointId>)> {
    let migrations =
        [alarms::MIGRATIONS, work_orders::MIGRATIONS, energy::MIGRATIONS, substitute::MIGRATIONS].concat();
    let (db, _writer) = Db::open(&dir.join("plantroom.db"), &migrations)?;
    let opened = Historian::open(&dir.join("history"), clock.clone(), historian::Metrics::default())?;
    let (mut historian, history) = (opened.historian, opened.history);
    let (catalogue, _) = historian.declare(&plan.declared())?;
    let ids: Vec<PointId> = plan.points.iter().filter_map(|point| catalogue.find(&point.address)).collect();
    let current = Current::new(&ids, clock.utc());
    let texts = historian.texts();
    let word = texts.clone();
    let words: readings::TextIds = Box::new(move |text| word.id(text));
    let (orders, _by_hand) = mpsc::channel(1);
    let built = substitute::Task::build(db.clone(), clock.clone(), words, orders, &BTreeMap::new()).await;
    let (by_hand, _) = built?;
    let (_feed, feed) = mpsc::channel(1);
    let (metrics, report) = (alarms::Metrics::default(), Box::new(|_| ()));
    let (alarms, _task) =
        alarms::Task::build(Vec::new(), db.clone(), clock.clone(), feed, metrics, report).await?;
    let forwarded = forward::Metrics::default();
    let state = AppState::new(Handles {
        plant: Plants::new(Plant::new(plan, |address| catalogue.find(address))),
        drivers: Drivers {
            buses: Buses::new(plan),
            brokers: Brokers::new(plan),
            targets: Targets::new(plan, &forwarded),
        },
        readings: readings::Metrics::default(),
        current: current.clone(),
        inspector: readings::Inspector::new().0,
        history,
        texts,
        substitutions: by_hand.handle(),
        alarms,
        work_orders: work_orders::WorkOrders::new(db.clone(), clock.clone()),
        energy: energy::Energy::new(plan, db.clone(), clock.clone())?,
        db,
        registry: Registry::new(),
        health: Health::default(),
        clock: clock.clone(),
        build: "bench".to_owned(),
        listen: plan.http.listen,
        stop: stop.clone(),
    });
    Ok((state, current, ids))
}

/// Viewers of all points; says when all have their snapshot, counts from the first line of its input on, and prints
/// what they were sent when that ends.
async fn view(port: u16, viewers: u32) -> anyhow::Result<()> {
    let heard = Arc::new(AtomicU64::new(0));
    let mut tasks: JoinSet<anyhow::Result<()>> = JoinSet::new();
    let (ready, mut all_ready) = mpsc::channel(1);
    for _ in 0..viewers {
        tasks.spawn(watch(port, Arc::clone(&heard), ready.clone()));
    }
    for _ in 0..viewers {
        all_ready.recv().await.context("a viewer is gone")?;
    }
    println!("ready");
    let mut input = BufReader::new(std::io::stdin());
    block_in_place(|| input.read_line(&mut String::new()))?;
    let before = heard.load(Ordering::Relaxed);
    block_in_place(|| input.read_to_end(&mut Vec::new()))?;
    println!("{}", heard.load(Ordering::Relaxed) - before);
    Ok(())
}

async fn watch(port: u16, heard: Arc<AtomicU64>, ready: mpsc::Sender<()>) -> anyhow::Result<()> {
    let stream = TcpStream::connect(("127.0.0.1", port)).await?;
    let url = format!("ws://127.0.0.1:{port}/api/v1/live");
    let (mut socket, _) = tokio_tungstenite::client_async(url, stream).await?;
    socket.send(Message::text(r#"{"t":"hello","v":2}"#)).await?;
    socket.send(Message::text(r#"{"t":"sub","id":1,"points":"*","min_ms":1000}"#)).await?;
    while let Some(message) = socket.next().await {
        let Message::Text(text) = message? else { continue };
        heard.fetch_add(text.len() as u64, Ordering::Relaxed);
        if text.starts_with(r#"{"t":"snap""#) {
            ready.send(()).await?;
        }
    }
    anyhow::bail!("the server closed")
}
