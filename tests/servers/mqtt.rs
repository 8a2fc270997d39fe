//! The MQTT source against mosquitto, and our demo broker against mosquitto's clients.

use crate::support::trial;
use jiff::tz::TimeZone;
use libtest_mimic::{Failed, Trial};
use plantroom::clock::Clock;
use plantroom::config::{Broker as BrokerPlan, topics_of};
use plantroom::field::mqtt::{Metrics, PAYLOAD_MAX, RETAINED_ERROR_MS, Source, StatusHandle};
use plantroom::field::{FieldBatch, Raw};
use plantroom::point::{Address, PointId, Value};
use plantroom::sim::broker::Broker;
use std::collections::BTreeMap;
use std::io::Write;
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;
use tokio::runtime::Runtime;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// Longer than anything here takes; a test that waits this long has failed.
const PATIENCE: Duration = Duration::from_secs(30);
const TOPIC: &str = "plant/ward-3/telemetry";

/// The tests of this file.
pub fn trials() -> Vec<Trial> {
    let mosquitto = |name, test: fn() -> Result<(), Failed>| trial(name, "mosquitto", probe, test);
    vec![
        mosquitto("mqtt_mosquitto_is_acknowledged_only_after_the_commit", acknowledged_after_commit),
        mosquitto("mqtt_mosquitto_restarts_and_keeps_the_session", restart_with_session),
        mosquitto("mqtt_mosquitto_restarts_and_forgets_the_session", restart_without_session),
        mosquitto("mqtt_mosquitto_a_megabyte_and_a_retained_message", megabyte_and_retained),
        mosquitto("mqtt_demo_broker_serves_the_mosquitto_clients", demo_broker),
    ]
}

/// Whether mosquitto and its clients are here.
pub fn probe() -> Result<(), String> {
    for tool in ["mosquitto", "mosquitto_pub", "mosquitto_sub"] {
        find(tool).ok_or_else(|| format!("no {tool}"))?;
    }
    Ok(())
}

/// Debian puts the server where an ordinary user's PATH does not lead.
fn find(tool: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
    folders.push("/usr/sbin".into());
    folders.into_iter().map(|folder| folder.join(tool)).find(|file| file.is_file())
}

fn command(tool: &str) -> Result<Command, Failed> {
    Ok(Command::new(find(tool).ok_or_else(|| format!("no {tool}"))?))
}

/// A mosquitto of our own, with its own folder; ended when dropped.
pub struct Mosquitto {
    child: Child,
    port: u16,
    folder: TempDir,
}

impl Mosquitto {
    /// Starts it on a free port of loopback.
    pub fn start() -> Result<Mosquitto, Failed> {
        let folder = tempfile::tempdir()?;
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let here = folder.path().display();
        // `user` only matters to root, who would otherwise lose the right to write here.
        let lines = format!(
            "listener {port} 127.0.0.1\nallow_anonymous true\nuser root\n\
             persistence true\npersistence_location {here}/\n"
        );
        std::fs::write(folder.path().join("mosquitto.conf"), lines)?;
        let child = Mosquitto::spawn(&folder)?;
        let mosquitto = Mosquitto { child, port, folder };
        mosquitto.wait()?;
        Ok(mosquitto)
    }

    /// Its port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Messages of QoS 1 on `topic`, a line each; returns when the broker has taken them.
    pub fn publish(&self, topic: &str, messages: &[String]) -> Result<(), Failed> {
        let mut run = command("mosquitto_pub")?;
        run.args(["-h", "127.0.0.1", "-p", &self.port.to_string(), "-q", "1", "-t", topic, "-l"]);
        let mut publisher = run.stdin(Stdio::piped()).spawn()?;
        let mut lines = publisher.stdin.take().ok_or("no standard input")?;
        for message in messages {
            writeln!(lines, "{message}")?;
        }
        drop(lines);
        if publisher.wait()?.success() { Ok(()) } else { Err("mosquitto_pub failed".into()) }
    }

    fn spawn(folder: &TempDir) -> Result<Child, Failed> {
        let log = std::fs::File::create(folder.path().join("log"))?;
        let mut run = command("mosquitto")?;
        run.arg("-c").arg(folder.path().join("mosquitto.conf"));
        Ok(run.stdout(Stdio::null()).stderr(log).spawn()?)
    }

    /// Until it listens.
    fn wait(&self) -> Result<(), Failed> {
        for _ in 0..PATIENCE.as_millis() / 20 {
            if std::net::TcpStream::connect(("127.0.0.1", self.port)).is_ok() {
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        let log = std::fs::read_to_string(self.folder.path().join("log"))?;
        Err(format!("mosquitto does not listen: {log}").into())
    }

    /// A polite end (sessions go to its file), perhaps a loss of memory, and a new start.
    fn restart(&mut self, keep_sessions: bool) -> Result<(), Failed> {
        Command::new("kill").arg("-TERM").arg(self.child.id().to_string()).status()?;
        self.child.wait()?;
        if !keep_sessions {
            std::fs::remove_file(self.folder.path().join("mosquitto.db"))?;
        }
        self.child = Mosquitto::spawn(&self.folder)?;
        self.wait()
    }
}

impl Drop for Mosquitto {
    fn drop(&mut self) {
        // It may have ended by itself; either way it is gone after this.
        let _ended = self.child.kill().and_then(|()| self.child.wait());
    }
}

fn publish(port: u16, arguments: &[&str]) -> Result<(), Failed> {
    let mut run = command("mosquitto_pub")?;
    run.args(["-h", "127.0.0.1", "-p", &port.to_string(), "-q", "1", "-t", TOPIC]).args(arguments);
    if run.status()?.success() { Ok(()) } else { Err("mosquitto_pub failed".into()) }
}

/// A source listening on its own runtime; dropping it drops the source where it stands, like a
/// kill of the process.
struct Gateway {
    runtime: Runtime,
    batches: mpsc::Receiver<FieldBatch>,
    status: StatusHandle,
    stop: CancellationToken,
}

impl Gateway {
    fn start(port: u16) -> Result<Gateway, Failed> {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        let text = "topic = \"plant/{asset}/telemetry\"\n[[values]]\nquantity = \"temperature\"\npointer = \"/t\"\nassets = [\"ward-3\"]\nunit = \"Cel\"\n";
        let topics = topics_of(text, &TimeZone::UTC).map_err(|wrong| wrong.to_string())?;
        let plan = BrokerPlan {
            id: "wards".parse()?,
            host: "127.0.0.1".to_owned(),
            port,
            client_id: "plantroom-test".to_owned(),
            login: None,
            topics: topics.into_iter().map(|tried| tried.topic).collect(),
        };
        let point: Address = "ward-3/temperature".parse()?;
        let points = Arc::new(BTreeMap::from([(point, PointId(1))]));
        let (tx, batches) = mpsc::channel(64);
        let inside = runtime.enter();
        let source = Source::build(&plan, points, Clock::system(), tx, &Metrics::default())?;
        drop(inside);
        let (status, stop) = (source.status(), CancellationToken::new());
        runtime.spawn(source.run(stop.clone()));
        let gateway = Gateway { runtime, batches, status, stop };
        gateway.until("a subscription", |status| status.connections > 0 && status.subscribed)?;
        Ok(gateway)
    }

    fn until(&self, what: &str, is: impl Fn(&plantroom::field::mqtt::Status) -> bool) -> Result<(), Failed> {
        for _ in 0..PATIENCE.as_millis() / 5 {
            if is(&self.status.get()) {
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        Err(format!("never came to {what}: {:?}", self.status.get()).into())
    }

    fn next(&mut self) -> Result<FieldBatch, Failed> {
        let next = async { tokio::time::timeout(PATIENCE, self.batches.recv()).await };
        Ok(self.runtime.block_on(next)?.ok_or("the source has ended")?)
    }

    /// Ends in good order: what is committed is acknowledged before the farewell.
    fn stop(self) -> Result<(), Failed> {
        self.stop.cancel();
        self.until("its end", |status| status.reason.as_deref() == Some("stopped"))
    }
}

fn number(batch: &FieldBatch) -> Result<String, Failed> {
    match &batch.samples.first().ok_or("an empty batch")?.raw {
        Ok(Raw::Value(Value::Decimal(decimal))) => Ok(decimal.to_string()),
        other => Err(format!("{other:?} is no number").into()),
    }
}

fn same(got: &str, expected: &str) -> Result<(), Failed> {
    if got == expected { Ok(()) } else { Err(format!("{got}, expected {expected}").into()) }
}

fn commit(batch: FieldBatch) -> Result<(), Failed> {
    batch.ack.ok_or("QoS 1 without a handle")?.commit();
    Ok(())
}

fn acknowledged_after_commit() -> Result<(), Failed> {
    let mosquitto = Mosquitto::start()?;
    let mut gateway = Gateway::start(mosquitto.port)?;
    for n in 0..40 {
        publish(mosquitto.port, &["-m", &format!("{{\"t\":{n}.50}}")])?;
    }
    // Mosquitto's window is 20: so many arrive, none becomes durable, then the kill.
    for n in 0..20 {
        same(&number(&gateway.next()?)?, &format!("{n}.50"))?;
    }
    drop(gateway);
    let mut gateway = Gateway::start(mosquitto.port)?;
    for n in 0..20 {
        let batch = gateway.next()?;
        same(&number(&batch)?, &format!("{n}.50"))?;
        if n < 10 {
            commit(batch)?;
        }
    }
    gateway.stop()?;
    let mut gateway = Gateway::start(mosquitto.port)?;
    for n in 10..40 {
        let batch = gateway.next()?;
        same(&number(&batch)?, &format!("{n}.50"))?;
        commit(batch)?;
    }
    gateway.stop()?;
    let mut gateway = Gateway::start(mosquitto.port)?;
    publish(mosquitto.port, &["-m", r#"{"t":99}"#])?;
    same(&number(&gateway.next()?)?, "99")
}

fn restart_with_session() -> Result<(), Failed> {
    let mut mosquitto = Mosquitto::start()?;
    let mut gateway = Gateway::start(mosquitto.port)?;
    publish(mosquitto.port, &["-m", r#"{"t":1}"#])?;
    commit(gateway.next()?)?;
    mosquitto.restart(true)?;
    // At once: it waits in the kept session until the source is back.
    publish(mosquitto.port, &["-m", r#"{"t":2}"#])?;
    let batch = gateway.next()?;
    same(&number(&batch)?, "2")?;
    commit(batch)
}

fn restart_without_session() -> Result<(), Failed> {
    let mut mosquitto = Mosquitto::start()?;
    let mut gateway = Gateway::start(mosquitto.port)?;
    mosquitto.restart(false)?;
    gateway.until("a second subscription", |status| status.connections > 1 && status.subscribed)?;
    publish(mosquitto.port, &["-m", r#"{"t":3}"#])?;
    same(&number(&gateway.next()?)?, "3")
}

fn megabyte_and_retained() -> Result<(), Failed> {
    let mosquitto = Mosquitto::start()?;
    publish(mosquitto.port, &["-r", "-m", r#"{"t":4.2}"#])?;
    let mut gateway = Gateway::start(mosquitto.port)?;
    let kept = gateway.next()?;
    same(&kept.at_error_ms.to_string(), &RETAINED_ERROR_MS.to_string())?;
    commit(kept)?;
    let mut payload = r#"{"t":5.1}"#.to_owned();
    payload.push_str(&" ".repeat(PAYLOAD_MAX - payload.len()));
    let file = mosquitto.folder.path().join("payload");
    std::fs::write(&file, payload)?;
    publish(mosquitto.port, &["-f", &file.display().to_string()])?;
    let batch = gateway.next()?;
    same(&number(&batch)?, "5.1")?;
    same(&batch.at_error_ms.to_string(), "0")?;
    commit(batch)
}

/// A kept session, a retained message and QoS 1, as another hand's clients understand them.
fn demo_broker() -> Result<(), Failed> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let broker = runtime.block_on(Broker::bind("127.0.0.1:0".parse()?))?;
    let port = broker.local_addr()?.port();
    let stop = CancellationToken::new();
    let running = runtime.spawn(broker.run(stop.clone()));
    let listen = |messages: &str| -> Result<String, Failed> {
        let mut run = command("mosquitto_sub")?;
        run.args(["-h", "127.0.0.1", "-p", &port.to_string(), "-q", "1", "-c", "-i", "reader", "-W", "20"]);
        let output = run.args(["-t", "plant/+/telemetry", "-C", messages]).output()?;
        Ok(String::from_utf8(output.stdout)?)
    };
    publish(port, &["-r", "-m", "kept"])?;
    same(&listen("1")?, "kept\n")?;
    for n in 0..30 {
        publish(port, &["-m", &n.to_string()])?;
    }
    // What came while it was away, then the retained one again for the new subscription.
    let expected: String = (0..30).map(|n| format!("{n}\n")).chain(["kept\n".to_owned()]).collect();
    same(&listen("31")?, &expected)?;
    stop.cancel();
    runtime.block_on(async { tokio::time::timeout(PATIENCE, running).await })??;
    Ok(())
}
