//! The forward lane against engines of other hands: what is read back is what was sent.

use crate::lane::{Memory, plan};
use crate::support::{succeeds, trial};
use libtest_mimic::{Failed, Trial};
use plantroom::clock::Clock;
use plantroom::db::Db;
use plantroom::forward::{Mapping, Metrics, Parts, Status, Task};
use plantroom::net::{HttpTimeouts, http_client};
use plantroom::point::{Decimal, PointId, Quality, Reading, Reason, UtcMs, Value};
use reqwest::Client;
use serde_json::{Value as Json, json};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;
use tokio::runtime::Runtime;
use tokio_util::sync::CancellationToken;

/// Longer than anything here takes; a test that waits this long has failed.
const PATIENCE: Duration = Duration::from_mins(1);

/// The tests of this file.
pub fn trials() -> Vec<Trial> {
    let influx = |name, test: fn() -> Result<(), Failed>| {
        trial(name, "InfluxDB", || succeeds("influxd", &["version"]), test)
    };
    let victoria = |name, test: fn() -> Result<(), Failed>| {
        trial(name, "VictoriaMetrics", || succeeds("victoria-metrics", &["--version"]), test)
    };
    vec![
        influx("influx_1_gives_back_what_was_read_with_its_time_and_quality", influx_round_trip),
        influx("influx_1_shows_a_line_once_however_often_it_comes", influx_sent_twice),
        influx("influx_1_rejects_a_line_and_takes_its_neighbours", influx_conflict),
        influx("influx_1_without_its_database_holds_until_there_is_one", influx_no_database),
        victoria("victoria_metrics_gives_back_what_was_written_to_write", || {
            victoria_round_trip("write?db=plant")
        }),
        victoria("victoria_metrics_gives_back_what_was_written_to_api_v2_write", || {
            victoria_round_trip("api/v2/write?org=hospital&bucket=plant")
        }),
    ]
}

/// A server in a directory of its own; killed when dropped.
pub struct Server {
    child: Child,
    url: String,
    client: Client,
    _dir: TempDir,
}

impl Server {
    /// An InfluxDB 1.x without databases.
    pub fn influx() -> Result<Server, Failed> {
        Server::start("ping", |dir, port| {
            let data = dir.display();
            let config = format!(
                "reporting-enabled = false\nbind-address = \"127.0.0.1:0\"\n\
                 [meta]\ndir = \"{data}/meta\"\n\
                 [data]\ndir = \"{data}/data\"\nwal-dir = \"{data}/wal\"\n\
                 [monitor]\nstore-enabled = false\n\
                 [http]\nbind-address = \"127.0.0.1:{port}\"\nlog-enabled = false\n"
            );
            std::fs::write(dir.join("influxdb.conf"), config)?;
            let mut command = Command::new("influxd");
            command.arg("-config").arg(dir.join("influxdb.conf"));
            Ok(command)
        })
    }

    fn victoria() -> Result<Server, Failed> {
        Server::start("health", |dir, port| {
            let mut command = Command::new("victoria-metrics");
            command
                .arg(format!("-storageDataPath={}", dir.join("data").display()))
                .arg(format!("-httpListenAddr=127.0.0.1:{port}"))
                .arg("-retentionPeriod=100y");
            Ok(command)
        })
    }

    /// Neither server says which port it took when it is asked for any, so one is picked here;
    /// if someone else was faster, another.
    fn start(
        alive: &str,
        command: impl Fn(&Path, u16) -> Result<Command, std::io::Error>,
    ) -> Result<Server, Failed> {
        for _attempt in 0..5 {
            let dir = tempfile::tempdir()?;
            let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
            let mut command = command(dir.path(), port)?;
            let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
            let client = http_client(HttpTimeouts::default())?;
            let url = format!("http://127.0.0.1:{port}");
            let mut server = Server { child, url, client, _dir: dir };
            if Runtime::new()?.block_on(server.answers(alive))? {
                return Ok(server);
            }
        }
        Err("the server does not start".into())
    }

    /// Waits until it answers; false if it ends before.
    async fn answers(&mut self, path: &str) -> Result<bool, Failed> {
        let waiting = async {
            loop {
                let answer = self.client.get(format!("{}/{path}", self.url)).send().await;
                if answer.is_ok_and(|answer| answer.status().is_success()) {
                    return Ok(true);
                }
                if self.child.try_wait()?.is_some() {
                    return Ok(false);
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        tokio::time::timeout(PATIENCE, waiting).await?
    }

    /// Where it answers, without a slash at the end.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// InfluxQL on the database `plant`; the first series of the answer.
    pub async fn query(&self, query: &str) -> Result<Json, Failed> {
        let url = url::Url::parse_with_params(
            &format!("{}/query", self.url),
            [("db", "plant"), ("epoch", "ms"), ("q", query)],
        )?;
        let answer: Json = self.client.post(url).send().await?.json().await?;
        Ok(answer.pointer("/results/0/series/0").cloned().unwrap_or(Json::Null))
    }

    /// The series of a metric as VictoriaMetrics exports it.
    async fn export(&self, metric: &str) -> Result<Json, Failed> {
        self.client.get(format!("{}/internal/force_flush", self.url)).send().await?;
        let url = url::Url::parse_with_params(
            &format!("{}/api/v1/export", self.url),
            [("match[]", metric), ("start", "0")],
        )?;
        let text = self.client.get(url).send().await?.text().await?;
        let line = text.lines().next().ok_or_else(|| format!("{metric} is not there"))?;
        Ok(serde_json::from_str(line)?)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself; either way it is gone after this.
        let _ended = self.child.kill().and_then(|()| self.child.wait());
    }
}

/// What one run of the lane did.
struct Ran {
    sent: u64,
    dead: String,
    held: bool,
}

/// Keeps the readings in a history and runs the lane until it has gone through them, with
/// `meanwhile` once the target has been refusing.
async fn forward<F: Future<Output = Result<(), Failed>>>(
    url: &str,
    readings: &[Reading],
    word: &str,
    meanwhile: impl FnOnce() -> F,
) -> Result<Ran, Failed> {
    let dir = tempfile::tempdir()?;
    let clock = Clock::system();
    let plan = plan(url);
    let memory = Memory::open(dir.path(), &plan, &clock);
    memory.history.texts().id(word).ok_or("no word")?;
    memory.keep(readings.to_vec()).await;
    let (db, writer) = Db::open(&dir.path().join("plantroom.db"), &[])?;
    let metrics = Metrics::default();
    let parts = Parts {
        db,
        history: memory.history.clone(),
        client: http_client(HttpTimeouts::default())?,
        clock,
        metrics: metrics.clone(),
        files: dir.path().to_owned(),
    };
    let (_, mapping) = tokio::sync::watch::channel(Arc::new(Mapping::new(&plan, &memory.catalogue)?));
    let lane = Task::open(plan.targets.first().ok_or("no target")?, mapping, &parts).await?;
    let (stop, mut status, metrics) = (CancellationToken::new(), lane.status(), metrics.of("engine"));
    let watching = async {
        let mut meanwhile = Some(meanwhile);
        let mut held = false;
        let through = || metrics.lines_sent.get() + metrics.lines_rejected.get() >= readings.len() as u64;
        while !through() {
            if matches!(*status.borrow_and_update(), Status::Held(_)) {
                held = true;
                if let Some(meanwhile) = meanwhile.take() {
                    meanwhile().await?;
                }
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        stop.cancel();
        Ok::<_, Failed>(held)
    };
    let (held, ()) =
        tokio::time::timeout(PATIENCE, async { tokio::join!(watching, lane.run(stop.clone())) }).await?;
    let dead = std::fs::read_to_string(dir.path().join("dead-letter-engine.jsonl")).unwrap_or_default();
    let ran = Ran { sent: metrics.lines_sent.get(), dead, held: held? };
    drop(parts);
    memory.close().await;
    writer.close().await?;
    Ok(ran)
}

async fn nothing() -> Result<(), Failed> {
    Ok(())
}

/// Readings of every kind, a minute apart, the last one a minute ago; odd milliseconds, so that
/// a lost digit of the time is seen.
fn readings(clock: &Clock) -> Vec<Reading> {
    let decimal = |text: &str| text.parse::<Decimal>().ok().map(Value::Decimal);
    let start = clock.utc().0 / 60_000 * 60_000 - 10 * 60_000 + 123;
    let values = [
        (decimal("12.50"), Quality::Good),
        (decimal("999999.99"), Quality::Uncertain(Reason::Stale)),
        (None, Quality::Bad(Reason::Timeout)),
        (decimal("-0.01"), Quality::Good),
        (Some(Value::Bool(true)), Quality::Good),
        (Some(Value::F64(0.1)), Quality::Uncertain(Reason::OutOfRange)),
        (Some(Value::F64(1e300)), Quality::Good),
    ];
    let at = |number: usize| UtcMs(start + 60_000 * i64::try_from(number).unwrap_or(0));
    let reading = |(number, (value, quality))| Reading { point: PointId(1), at: at(number), value, quality };
    values.into_iter().enumerate().map(reading).collect()
}

/// What an engine should have: time, number, quality.
fn expected(readings: &[Reading]) -> Vec<(i64, Option<f64>, Option<String>)> {
    let row = |reading: &Reading| {
        let number = reading.value.and_then(Value::as_f64);
        (reading.at.0, number, reading.quality.reason().map(|_| reading.quality.to_string()))
    };
    readings.iter().map(row).collect()
}

/// The rows InfluxDB has, as [`expected`] tells them; its tags must be the meter's.
async fn influx_rows(server: &Server) -> Result<Vec<(i64, Option<f64>, Option<String>)>, Failed> {
    let series =
        server.query("SELECT energy, energy_quality, site, building, asset FROM Electrical_Meter").await?;
    let rows = series.pointer("/values").and_then(Json::as_array).cloned().unwrap_or_default();
    let mut found = Vec::new();
    for row in rows {
        let cell = |column: usize| row.get(column).cloned().unwrap_or(Json::Null);
        if [cell(3), cell(4), cell(5)] != [json!("demo"), json!("tower"), json!("main-meter")] {
            return Err(format!("other tags: {row}").into());
        }
        found.push((cell(0).as_i64().unwrap_or(0), cell(1).as_f64(), cell(2).as_str().map(str::to_owned)));
    }
    Ok(found)
}

fn same<T: PartialEq + std::fmt::Debug>(found: &T, expected: &T) -> Result<(), Failed> {
    if found == expected { Ok(()) } else { Err(format!("found    {found:?}\nexpected {expected:?}").into()) }
}

fn influx_round_trip() -> Result<(), Failed> {
    let server = Server::influx()?;
    Runtime::new()?.block_on(async {
        server.query("CREATE DATABASE plant").await?;
        let readings = readings(&Clock::system());
        let ran = forward(&format!("{}/write?db=plant", server.url), &readings, "word", nothing).await?;
        same(&(ran.sent, ran.dead.as_str(), ran.held), &(readings.len() as u64, "", false))?;
        same(&influx_rows(&server).await?, &expected(&readings))
    })
}

fn influx_sent_twice() -> Result<(), Failed> {
    let server = Server::influx()?;
    Runtime::new()?.block_on(async {
        server.query("CREATE DATABASE plant").await?;
        let readings = readings(&Clock::system());
        for _time in 0..2 {
            forward(&format!("{}/write?db=plant", server.url), &readings, "word", nothing).await?;
        }
        same(&influx_rows(&server).await?, &expected(&readings))
    })
}

/// A word in a field of numbers: 1.6 answers 400, has written the others and does not say which
/// line it was.
fn influx_conflict() -> Result<(), Failed> {
    let server = Server::influx()?;
    Runtime::new()?.block_on(async {
        server.query("CREATE DATABASE plant").await?;
        let mut readings = readings(&Clock::system());
        let wrong = readings.get_mut(4).ok_or("no reading")?;
        wrong.value = Some(Value::Text(plantroom::point::TextId(1)));
        let at = wrong.at.0;
        let word = "heating \"up\", 氧\\";
        let ran = forward(&format!("{}/write?db=plant", server.url), &readings, word, nothing).await?;
        same(&ran.sent, &(readings.len() as u64 - 1))?;
        let dead: Json = serde_json::from_str(&ran.dead)?;
        let line = format!(
            "Electrical_Meter,asset=main-meter,building=tower,site=demo energy=\"heating \\\"up\\\", 氧\\\\\" {at}"
        );
        same(&dead.get("line"), &Some(&json!(line)))?;
        if !dead.get("reason").and_then(Json::as_str).is_some_and(|reason| reason.contains("field type conflict")) {
            return Err(format!("no reason: {dead}").into());
        }
        readings.remove(4);
        same(&influx_rows(&server).await?, &expected(&readings))
    })
}

fn influx_no_database() -> Result<(), Failed> {
    let server = Server::influx()?;
    Runtime::new()?.block_on(async {
        let readings = readings(&Clock::system());
        let create = || async { server.query("CREATE DATABASE plant").await.map(|_| ()) };
        let ran = forward(&format!("{}/write?db=plant", server.url), &readings, "word", create).await?;
        same(&(ran.sent, ran.held), &(readings.len() as u64, true))?;
        same(&influx_rows(&server).await?, &expected(&readings))
    })
}

fn victoria_round_trip(endpoint: &str) -> Result<(), Failed> {
    let server = Server::victoria()?;
    Runtime::new()?.block_on(async {
        let mut readings = readings(&Clock::system());
        // It keeps about 18 digits of all values of a block together, so 1e300 costs the rest
        // their decimals: its own limit, not the line's.
        readings.truncate(6);
        let ran = forward(&format!("{}/{endpoint}", server.url), &readings, "word", nothing).await?;
        same(&ran.sent, &(readings.len() as u64))?;
        let numbers: Vec<_> =
            readings.iter().filter_map(|reading| Some((reading.at.0, reading.value?.as_f64()?))).collect();
        let found = server.export("Electrical_Meter_energy").await?;
        same(&samples(&found), &numbers)?;
        for (tag, value) in [("site", "demo"), ("building", "tower"), ("asset", "main-meter")] {
            same(&found.pointer(&format!("/metric/{tag}")), &Some(&json!(value)))?;
        }
        // It has no words: a quality is a sample of 0 at its time, so one sees that and when.
        let doubted = readings.iter().filter(|reading| reading.quality != Quality::Good);
        let times: Vec<_> = doubted.map(|reading| (reading.at.0, 0.0)).collect();
        same(&samples(&server.export("Electrical_Meter_energy_quality").await?), &times)
    })
}

/// Time and value of each sample of an exported series.
fn samples(series: &Json) -> Vec<(i64, f64)> {
    let column = |name: &str| series.get(name).and_then(Json::as_array).cloned().unwrap_or_default();
    let pairs = column("timestamps").into_iter().zip(column("values"));
    pairs.filter_map(|(time, value)| Some((time.as_i64()?, value.as_f64()?))).collect()
}
