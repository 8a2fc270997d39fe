//! The MQTT source against mosquitto, and our demo broker against mosquitto's clients.

use crate::support::trial;
use jiff::tz::TimeZone;
use libtest_mimic::{Failed, Trial};
use plantroom::clock::Clock;
use plantroom::config::{Broker as BrokerPlan, BrokerTls, Login, Secret, topics_of};
use plantroom::field::mqtt::{Metrics, RETAINED_ERROR_MS, Source, StatusHandle};
use plantroom::field::{FieldBatch, Raw};
use plantroom::point::{Address, PointId, Value};
use plantroom::sim::broker::Broker;
use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use tempfile::TempDir;
use tokio::runtime::Runtime;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// Longer than anything here takes; a test that waits this long has failed.
const PATIENCE: Duration = Duration::from_secs(30);
const TOPIC: &str = "plant/ward-3/telemetry";
/// The longest message the plan of these tests allows.
const MESSAGE_MAX: usize = 1 << 20;

/// The tests of this file.
pub fn trials() -> Vec<Trial> {
    let mosquitto = |name, test: fn() -> Result<(), Failed>| trial(name, "mosquitto", probe, test);
    let secured =
        |name, test: fn() -> Result<(), Failed>| trial(name, "mosquitto and openssl", probe_secured, test);
    vec![
        mosquitto("mqtt_mosquitto_is_acknowledged_only_after_the_commit", acknowledged_after_commit),
        mosquitto("mqtt_mosquitto_restarts_and_keeps_the_session", restart_with_session),
        mosquitto("mqtt_mosquitto_restarts_and_forgets_the_session", restart_without_session),
        mosquitto("mqtt_mosquitto_a_megabyte_and_a_retained_message", megabyte_and_retained),
        mosquitto("mqtt_mosquitto_40_of_40_through_a_connection_that_keeps_breaking", forty_of_forty),
        mosquitto("mqtt_mosquitto_publishes_the_will_after_a_kill", will_after_kill),
        secured("mqtt_tls_with_certificate_and_password", tls_certificate_and_password),
        secured("mqtt_tls_refusals_are_named", tls_refusals),
        secured("mqtt_tls_a_renewed_certificate_needs_no_restart", tls_renewed),
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

/// The same with what makes certificates.
fn probe_secured() -> Result<(), String> {
    probe()?;
    for tool in ["openssl", "mosquitto_passwd"] {
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
        Mosquitto::start_in(tempfile::tempdir()?, "allow_anonymous true\n")
    }

    /// The same in a folder of the test's, with these lines for its listener.
    fn start_in(folder: TempDir, listener: &str) -> Result<Mosquitto, Failed> {
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let here = folder.path().display();
        // `user` only matters to root, who would otherwise lose the right to write here.
        let lines = format!(
            "user root\npersistence true\npersistence_location {here}/\n\
             listener {port} 127.0.0.1\n{listener}"
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

/// What the source of these tests listens to: one topic of a broker on loopback.
fn plan(port: u16) -> Result<BrokerPlan, Failed> {
    let text = "topic = \"plant/{asset}/telemetry\"\n[[values]]\nquantity = \"temperature\"\npointer = \"/t\"\nassets = [\"ward-3\"]\nunit = \"Cel\"\n";
    let topics = topics_of(text, &TimeZone::UTC).map_err(|wrong| wrong.to_string())?;
    Ok(BrokerPlan {
        id: "wards".parse()?,
        host: "127.0.0.1".to_owned(),
        port,
        client_id: "plantroom-test".to_owned(),
        login: None,
        tls: None,
        silent_after_ms: 300_000,
        message_bytes_max: MESSAGE_MAX,
        will: None,
        topics: topics.into_iter().map(|tried| tried.topic).collect(),
    })
}

impl Gateway {
    fn start(port: u16) -> Result<Gateway, Failed> {
        let gateway = Gateway::listen_to(&plan(port)?)?;
        gateway.until("a subscription", |status| status.connections > 0 && status.subscribed)?;
        Ok(gateway)
    }

    /// Without waiting for anything.
    fn listen_to(plan: &BrokerPlan) -> Result<Gateway, Failed> {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        let point: Address = "ward-3/temperature".parse()?;
        let points = BTreeMap::from([(point, PointId(1))]);
        let (tx, batches) = mpsc::channel(64);
        let inside = runtime.enter();
        let source = Source::build(plan, &points, Clock::system(), tx, &Metrics::default())?;
        drop(inside);
        let (status, stop) = (source.status(), CancellationToken::new());
        runtime.spawn(source.run(stop.clone()));
        Ok(Gateway { runtime, batches, status, stop })
    }

    /// Waits until it says why there is no connection.
    fn refused(&self, words: &str) -> Result<(), Failed> {
        self.until(words, |status| status.reason.as_ref().is_some_and(|reason| reason.contains(words)))
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
    let status = gateway.status.get();
    let gap = status.gap.ok_or("the gap is not marked")?;
    if status.sessions_lost != 1 || gap.from > gap.to {
        return Err(format!("{status:?}").into());
    }
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
    payload.push_str(&" ".repeat(MESSAGE_MAX - payload.len()));
    let file = mosquitto.folder.path().join("payload");
    std::fs::write(&file, payload)?;
    publish(mosquitto.port, &["-f", &file.display().to_string()])?;
    let batch = gateway.next()?;
    same(&number(&batch)?, "5.1")?;
    same(&batch.at_error_ms.to_string(), "0")?;
    commit(batch)
}

/// A relay between the source and the broker that is cut again and again, in the middle of messages:
/// the broker keeps the session.
fn forty_of_forty() -> Result<(), Failed> {
    let mosquitto = Mosquitto::start()?;
    let relay = TcpListener::bind("127.0.0.1:0")?;
    let (broker, front) = (mosquitto.port, relay.local_addr()?.port());
    // Each connection is cut after so many bytes from the broker; the last one holds.
    std::thread::spawn(move || {
        let mut cuts = [400_u64, 90, 333, 512].into_iter();
        while let Ok((client, _)) = relay.accept() {
            let Ok(server) = std::net::TcpStream::connect(("127.0.0.1", broker)) else { return };
            let both = client.try_clone().and_then(|client| Ok((client, server.try_clone()?)));
            let Ok((mut up, mut to_server)) = both else { return };
            std::thread::spawn(move || std::io::copy(&mut up, &mut to_server));
            let end = cuts.next().unwrap_or(u64::MAX);
            let _cut = std::io::copy(&mut (&server).take(end), &mut &client);
            let _gone = (client.shutdown(Shutdown::Both), server.shutdown(Shutdown::Both));
        }
    });
    let mut gateway = Gateway::start(front)?;
    let messages: Vec<String> = (0..40).map(|n| format!("{{\"t\":{n}.25}}")).collect();
    mosquitto.publish(TOPIC, &messages)?;
    let mut durable = BTreeSet::new();
    while durable.len() < 40 {
        let batch = gateway.next()?;
        if batch.ack.is_some() {
            durable.insert(number(&batch)?);
            commit(batch)?;
        } // else it says that the connection was away for long
    }
    let status = gateway.status.get();
    if status.connections < 3 || status.sessions_lost > 0 {
        return Err(format!("not what was to be tested: {status:?}").into());
    }
    gateway.stop()
}

/// The broker tells others that plantroom is gone after a kill, and says nothing after a farewell.
fn will_after_kill() -> Result<(), Failed> {
    let mosquitto = Mosquitto::start()?;
    let plan = BrokerPlan { will: Some("plantroom/test/state".to_owned()), ..plan(mosquitto.port)? };
    let gateway = || -> Result<Gateway, Failed> {
        let gateway = Gateway::listen_to(&plan)?;
        gateway.until("a subscription", |status| status.subscribed)?;
        Ok(gateway)
    };
    let watch = |last: &[&str]| -> Result<String, Failed> {
        let mut run = command("mosquitto_sub")?;
        run.args(["-h", "127.0.0.1", "-p", &mosquitto.port.to_string(), "-q", "1", "-c", "-i", "watcher"]);
        Ok(String::from_utf8(run.args(["-t", "plantroom/#", "-W", "20"]).args(last).output()?.stdout)?)
    };
    watch(&["-E"])?; // the broker keeps for it what comes from now on
    gateway()?.stop()?;
    mosquitto.publish("plantroom/test/mark", &["farewell".to_owned()])?;
    drop(gateway()?);
    same(&watch(&["-C", "2"])?, "farewell\n{\"client\":\"plantroom-test\",\"state\":\"gone\"}\n")
}

/// A folder with an authority, certificates of it for the broker and for us, and a password file.
fn certificates() -> Result<TempDir, Failed> {
    let folder = tempfile::tempdir()?;
    authority(&folder, "ca")?;
    authority(&folder, "stranger")?;
    certificate(&folder, "ca", "broker", "IP:127.0.0.1", 10)?;
    certificate(&folder, "ca", "client", "DNS:plantroom", 10)?;
    certificate(&folder, "stranger", "impostor", "DNS:plantroom", 10)?;
    let mut passwords = command("mosquitto_passwd")?;
    passwords.args(["-c", "-b"]).arg(folder.path().join("passwords")).args(["gateway", "s3cret"]);
    ran(&mut passwords)?;
    Ok(folder)
}

fn authority(folder: &TempDir, name: &str) -> Result<(), Failed> {
    let mut run = command("openssl")?;
    run.current_dir(folder).args([
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:prime256v1",
    ]);
    run.args(["-nodes", "-days", "10", "-subj", &format!("/CN={name}")]);
    run.args(["-keyout", &format!("{name}.key"), "-out", &format!("{name}.pem")]);
    ran(&mut run)
}

/// A certificate of an authority; one with negative days has expired.
fn certificate(folder: &TempDir, ca: &str, name: &str, alternative: &str, days: i32) -> Result<(), Failed> {
    let mut request = command("openssl")?;
    request.current_dir(folder).args(["req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]);
    request.args(["-nodes", "-subj", &format!("/CN={name}"), "-keyout", &format!("{name}.key")]);
    ran(request.args(["-out", &format!("{name}.csr")]))?;
    std::fs::write(folder.path().join("extensions"), format!("subjectAltName={alternative}\n"))?;
    let mut sign = command("openssl")?;
    sign.current_dir(folder).args([
        "x509",
        "-req",
        "-in",
        &format!("{name}.csr"),
        "-CA",
        &format!("{ca}.pem"),
    ]);
    sign.args(["-CAkey", &format!("{ca}.key"), "-CAcreateserial", "-extfile", "extensions"]);
    ran(sign.args(["-days", &days.to_string(), "-out", &format!("{name}.pem")]))
}

fn ran(command: &mut Command) -> Result<(), Failed> {
    let output = command.output()?;
    if output.status.success() {
        return Ok(());
    }
    Err(format!("{command:?}: {}", String::from_utf8_lossy(&output.stderr)).into())
}

/// A broker that wants a certificate of its authority, and a password.
fn secured_mosquitto(certificate: &str) -> Result<Mosquitto, Failed> {
    let folder = certificates()?;
    if certificate == "expired" {
        self::certificate(&folder, "ca", "expired", "IP:127.0.0.1", -1)?;
    }
    if certificate == "misnamed" {
        self::certificate(&folder, "ca", "misnamed", "DNS:elsewhere.example", 10)?;
    }
    let at = folder.path().display().to_string();
    let lines = format!(
        "cafile {at}/ca.pem\ncertfile {at}/{certificate}.pem\nkeyfile {at}/{certificate}.key\n\
         require_certificate true\nallow_anonymous false\npassword_file {at}/passwords\n"
    );
    Mosquitto::start_in(folder, &lines)
}

/// The plan that fits: trusts the authority, shows its certificate, knows the password.
fn secured_plan(mosquitto: &Mosquitto) -> Result<BrokerPlan, Failed> {
    let file = |name: &str| mosquitto.folder.path().join(name);
    let tls =
        BrokerTls { ca: Some(file("ca.pem")), identity: Some((file("client.pem"), file("client.key"))) };
    let login = Login { username: "gateway".to_owned(), password: Secret::new("s3cret".to_owned()) };
    Ok(BrokerPlan { tls: Some(tls), login: Some(login), ..plan(mosquitto.port)? })
}

fn tls_certificate_and_password() -> Result<(), Failed> {
    let mosquitto = secured_mosquitto("broker")?;
    let mut gateway = Gateway::listen_to(&secured_plan(&mosquitto)?)?;
    gateway.until("a subscription over TLS", |status| status.subscribed)?;
    let mut payload = r#"{"t":21.5}"#.to_owned();
    payload.push_str(&" ".repeat(MESSAGE_MAX - payload.len()));
    std::fs::write(mosquitto.folder.path().join("payload"), payload)?;
    let mut run = command("mosquitto_pub")?;
    run.current_dir(&mosquitto.folder).args(["-h", "127.0.0.1", "-p", &mosquitto.port.to_string()]);
    run.args(["--cafile", "ca.pem", "--cert", "client.pem", "--key", "client.key"]);
    run.args(["-u", "gateway", "-P", "s3cret", "-q", "1", "-t", TOPIC, "-f", "payload"]);
    ran(&mut run)?;
    let batch = gateway.next()?;
    same(&number(&batch)?, "21.5")?;
    commit(batch)?;
    gateway.stop()
}

/// Each mistake on either side, and the words for it.
fn tls_refusals() -> Result<(), Failed> {
    let mosquitto = secured_mosquitto("broker")?;
    let good = secured_plan(&mosquitto)?;
    let file = |name: &str| Some(mosquitto.folder.path().join(name));
    let tls = |ca: &str, identity: Option<&str>| {
        let named = |name: &str| file(&format!("{name}.pem")).zip(file(&format!("{name}.key")));
        Some(BrokerTls { ca: file(ca), identity: identity.and_then(named) })
    };
    let password =
        |text: &str| Some(Login { username: "gateway".to_owned(), password: Secret::new(text.to_owned()) });
    for (plan, words) in [
        (
            BrokerPlan { tls: tls("stranger.pem", Some("client")), ..good.clone() },
            "authority that is not trusted",
        ),
        (BrokerPlan { tls: tls("ca.pem", Some("impostor")), ..good.clone() }, "refuses our certificate"),
        (BrokerPlan { tls: tls("ca.pem", None), ..good.clone() }, "refuses our certificate"),
        (BrokerPlan { tls: tls("gone.pem", None), ..good.clone() }, "gone.pem: No such file"),
        (BrokerPlan { login: password("wrong"), ..good.clone() }, "does not let this client in: see `login`"),
        (BrokerPlan { login: None, ..good.clone() }, "does not let this client in: see `login`"),
    ] {
        Gateway::listen_to(&plan)?.refused(words)?;
    }
    for (certificate, words) in [("expired", "has expired"), ("misnamed", "for another name")] {
        let mosquitto = secured_mosquitto(certificate)?;
        Gateway::listen_to(&secured_plan(&mosquitto)?)?.refused(words)?;
    }
    let open = Mosquitto::start()?;
    let tls = Some(BrokerTls::default());
    Gateway::listen_to(&BrokerPlan { tls, ..plan(open.port)? })?.refused("TLS")
}

/// Wrong files, then the right ones under the same names.
fn tls_renewed() -> Result<(), Failed> {
    let mosquitto = secured_mosquitto("broker")?;
    let plan = secured_plan(&mosquitto)?;
    let at = |name: &str| mosquitto.folder.path().join(name);
    for ending in ["pem", "key"] {
        std::fs::copy(at(&format!("client.{ending}")), at(&format!("renewed.{ending}")))?;
        std::fs::copy(at(&format!("impostor.{ending}")), at(&format!("client.{ending}")))?;
    }
    let gateway = Gateway::listen_to(&plan)?;
    gateway.refused("refuses our certificate")?;
    for ending in ["pem", "key"] {
        std::fs::copy(at(&format!("renewed.{ending}")), at(&format!("client.{ending}")))?;
    }
    gateway.until("a subscription with the renewed certificate", |status| status.subscribed)?;
    gateway.stop()
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
