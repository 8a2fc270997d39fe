//! The peers, as Debian packages them: started on loopback, spoken to in their own words.

use super::http::Http;
use super::machine;
use anyhow::{Context as _, bail, ensure};
use plantroom::point::{Batch, Value};
use serde_json::Value as Json;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write as _;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Longer than anything here takes.
const PATIENCE: Duration = Duration::from_mins(10);

/// Which peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Peer {
    /// InfluxDB 1.x.
    Influx,
    /// VictoriaMetrics, single node.
    Victoria,
}

/// Both.
pub const PEERS: [Peer; 2] = [Peer::Influx, Peer::Victoria];

/// Count and sum of each point.
pub type Totals = BTreeMap<u32, (u64, f64)>;

impl Peer {
    /// As the results and folders are named.
    pub fn name(self) -> &'static str {
        match self {
            Peer::Influx => "influx",
            Peer::Victoria => "victoria",
        }
    }

    /// Of Debian's package.
    pub fn version(self) -> anyhow::Result<String> {
        let package = if self == Peer::Influx { "influxdb" } else { "victoria-metrics" };
        let told = Command::new("dpkg-query").args(["-W", package]).output()?;
        Ok(String::from_utf8_lossy(&told.stdout).trim().replace('\t', " "))
    }

    fn command(self, dir: &Path, port: u16, settle: bool) -> anyhow::Result<Command> {
        std::fs::create_dir_all(dir)?;
        let data = dir.display();
        if self == Peer::Victoria {
            let mut command = Command::new("victoria-metrics");
            command
                .arg(format!("-storageDataPath={data}"))
                .arg(format!("-httpListenAddr=127.0.0.1:{port}"))
                .args(["-retentionPeriod=100y", "-influxSkipSingleField"]);
            return Ok(command);
        }
        // What is cold is written out and compacted in full; by default after 10 min and 4 h.
        let cold =
            ["", "cache-snapshot-write-cold-duration = \"1s\"\ncompact-full-write-cold-duration = \"1s\"\n"]
                [usize::from(settle)];
        let config = format!(
            "reporting-enabled = false\nbind-address = \"127.0.0.1:0\"\n\
             [meta]\ndir = \"{data}/meta\"\n\
             [data]\ndir = \"{data}/data\"\nwal-dir = \"{data}/wal\"\nquery-log-enabled = false\n{cold}\
             [monitor]\nstore-enabled = false\n[continuous_queries]\nenabled = false\n\
             [http]\nbind-address = \"127.0.0.1:{port}\"\nlog-enabled = false\n"
        );
        std::fs::write(dir.join("influxdb.conf"), config)?;
        let mut command = Command::new("influxd");
        command.arg("-config").arg(dir.join("influxdb.conf"));
        Ok(command)
    }
}

/// A running peer; killed when dropped.
pub struct Server {
    /// Which it is.
    pub peer: Peer,
    child: Child,
    http: Http,
    dir: PathBuf,
}

impl Server {
    /// Starts it over the data in `dir`; returns when it answers.
    pub fn start(peer: Peer, dir: &Path) -> anyhow::Result<Server> {
        Server::start_as(peer, dir, false)
    }

    fn start_as(peer: Peer, dir: &Path, settle: bool) -> anyhow::Result<Server> {
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let mut command = peer.command(dir, port, settle)?;
        let log = File::create(dir.with_extension("log"))?;
        let mut child = command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log).spawn()?;
        let (path, begun) = (if peer == Peer::Influx { "/ping" } else { "/health" }, Instant::now());
        loop {
            let answer = Http::open(port).and_then(|mut http| http.get(path, "*/*").map(|_| http));
            if let Ok(http) = answer {
                let mut server = Server { peer, child, http, dir: dir.to_owned() };
                if peer == Peer::Influx {
                    server.influx("CREATE DATABASE plant")?;
                }
                return Ok(server);
            }
            ensure!(child.try_wait()?.is_none() && begun.elapsed() < PATIENCE, "{peer:?} does not start");
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// Ends it as its manual says, so that it writes what it holds.
    pub fn stop(mut self) -> anyhow::Result<()> {
        Command::new("kill").arg(self.child.id().to_string()).status()?;
        self.child.wait()?;
        Ok(())
    }

    /// Processor time so far, in seconds.
    pub fn cpu_s(&self) -> anyhow::Result<f64> {
        machine::cpu_s(self.child.id())
    }

    /// The most memory it has held, in MB.
    pub fn most_mb(&self) -> anyhow::Result<f64> {
        machine::most_mb(self.child.id())
    }

    /// Lines, of which all are stored when this returns (by VictoriaMetrics, in memory).
    pub fn write(&mut self, lines: &[u8]) -> anyhow::Result<()> {
        self.http.post("/write?db=plant&precision=ms", "text/plain", lines)?;
        Ok(())
    }

    /// The readings of a point, as text.
    pub fn raw(&mut self, point: u32, from: i64, to: i64) -> anyhow::Result<Vec<u8>> {
        match self.peer {
            Peer::Influx => self.influx(&format!(
                "SELECT v FROM r WHERE p = '{point}' AND time >= {from}ms AND time < {to}ms"
            )),
            Peer::Victoria => {
                let (selector, from, to) = (format!("r{{p=\"{point}\"}}"), seconds(from), seconds(to - 1));
                let query = encoded(&[("match[]", &selector), ("start", &from), ("end", &to)]);
                self.http.get(&format!("/api/v1/export?{query}"), "*/*")
            }
        }
    }

    /// Least, greatest, mean, last and number of each hour of each of these points, as text.
    pub fn hours(&mut self, points: u32, from: i64, to: i64) -> anyhow::Result<Vec<Vec<u8>>> {
        let any = (1..=points).map(|point| point.to_string()).collect::<Vec<_>>().join("|");
        if self.peer == Peer::Influx {
            let query = format!(
                "SELECT min(v), max(v), mean(v), last(v), count(v) FROM r WHERE p =~ /^({any})$/ \
                 AND time >= {from}ms AND time < {to}ms GROUP BY time(1h), p fill(none)"
            );
            return Ok(vec![self.influx(&query)?]);
        }
        // A window of theirs excludes its beginning and includes its end.
        let (from, to) = (seconds(from + 3_600_000 - 1), seconds(to - 1));
        let ask = |function: &str| {
            let query = format!("{function}_over_time(r{{p=~\"{any}\"}}[1h])");
            let query =
                [("query", &*query), ("start", &from), ("end", &to), ("step", "1h"), ("nocache", "1")];
            self.http.get(&format!("/api/v1/query_range?{}", encoded(&query)), "*/*")
        };
        ["min", "max", "avg", "last", "count"].into_iter().map(ask).collect()
    }

    /// The last value of every point, as text; `end` is when the last of them may be.
    pub fn last(&mut self, end: i64) -> anyhow::Result<Vec<u8>> {
        match self.peer {
            Peer::Influx => self.influx("SELECT last(v) FROM r GROUP BY p"),
            Peer::Victoria => self.instant("r", end),
        }
    }

    /// Number and sum of all readings of each point, the last of which is not behind `end`.
    pub fn totals(&mut self, end: i64) -> anyhow::Result<Totals> {
        let mut totals = Totals::new();
        if self.peer == Peer::Influx {
            let answer: Json =
                serde_json::from_slice(&self.influx("SELECT count(v), sum(v) FROM r GROUP BY p")?)?;
            for series in series(&answer, "/results/0/series") {
                let found = (series["values"][0][1].as_u64(), series["values"][0][2].as_f64());
                let (Some(count), Some(sum)) = found else { bail!("no totals: {series}") };
                totals.insert(point(&series["tags"]["p"])?, (count, sum));
            }
            return Ok(totals);
        }
        self.http.get("/internal/force_flush", "*/*")?;
        for function in ["count", "sum"] {
            let answer = self.instant(&format!("{function}_over_time(r[400d])"), end)?;
            let answer: Json = serde_json::from_slice(&answer)?;
            for series in series(&answer, "/data/result") {
                let number: f64 = series["value"][1].as_str().context("a number")?.parse()?;
                let total = totals.entry(point(&series["metric"]["p"])?).or_default();
                match function {
                    "count" => total.0 = number as u64,
                    _ => total.1 = number,
                }
            }
        }
        Ok(totals)
    }

    /// Merges all it has as far as can be forced, ends it, and counts the bytes of its data and of
    /// its index. The log, of which InfluxDB keeps some that it no longer needs, is left out.
    pub fn settle(mut self) -> anyhow::Result<u64> {
        let (peer, dir) = (self.peer, self.dir.clone());
        let data = ["data", "indexdb"].map(|part| dir.join(part));
        let counts = move |path: &Path| data.iter().any(|part| path.starts_with(part));
        if peer == Peer::Victoria {
            self.http.get("/internal/force_flush", "*/*")?;
            self.http.get("/internal/force_merge", "*/*")?;
            while self.merging()? {
                std::thread::sleep(Duration::from_millis(100));
            }
            self.stop()?;
            return machine::bytes(&dir, &counts);
        }
        self.stop()?;
        let server = Server::start_as(peer, &dir, true)?;
        // Until nothing has changed for a while.
        let (mut before, mut still, begun) = (0, 0, Instant::now());
        while still < 15 && begun.elapsed() < PATIENCE {
            std::thread::sleep(Duration::from_secs(1));
            let now = machine::bytes(&dir, &counts)?;
            still = if now == before { still + 1 } else { 0 };
            before = now;
        }
        server.stop()?;
        Ok(before)
    }

    fn merging(&mut self) -> anyhow::Result<bool> {
        let metrics = String::from_utf8(self.http.get("/metrics", "*/*")?)?;
        let mut active =
            metrics.lines().filter(|line| line.starts_with("vm_active_") && line.contains("merges"));
        Ok(active.any(|line| !line.ends_with(" 0")))
    }

    fn influx(&mut self, query: &str) -> anyhow::Result<Vec<u8>> {
        let query = encoded(&[("db", "plant"), ("epoch", "ms"), ("q", query)]);
        self.http.post("/query", "application/x-www-form-urlencoded", query.as_bytes())
    }

    fn instant(&mut self, query: &str, at: i64) -> anyhow::Result<Vec<u8>> {
        let query = encoded(&[("query", query), ("time", &seconds(at)), ("nocache", "1")]);
        self.http.get(&format!("/api/v1/query?{query}"), "*/*")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself; either way it is gone after this.
        let _ended = self.child.kill().and_then(|()| self.child.wait());
    }
}

/// How many readings an answer to [`Server::raw`] holds.
pub fn rows_in(peer: Peer, answer: &[u8]) -> anyhow::Result<usize> {
    let answer: Json = serde_json::from_slice(answer)?;
    let rows = match peer {
        Peer::Influx => answer.pointer("/results/0/series/0/values"),
        Peer::Victoria => answer.get("values"),
    };
    Ok(rows.and_then(Json::as_array).map_or(0, Vec::len))
}

/// How many readings the hours in an answer to [`Server::hours`] count.
pub fn counted_in(peer: Peer, answers: &[Vec<u8>]) -> anyhow::Result<u64> {
    let answer: Json = serde_json::from_slice(answers.last().context("an answer")?)?;
    let whole = if peer == Peer::Influx { "/results/0/series" } else { "/data/result" };
    let rows = series(&answer, whole).flat_map(|series| series["values"].as_array().into_iter().flatten());
    Ok(match peer {
        Peer::Influx => rows.filter_map(|row| row[5].as_u64()).sum(),
        Peer::Victoria => rows.filter_map(|row| row[1].as_str()?.parse::<u64>().ok()).sum(),
    })
}

/// Readings as line protocol, numbers as they are, on and off as 1 and 0. The quality is left out.
pub fn lines<'a>(batches: impl IntoIterator<Item = &'a Batch>) -> anyhow::Result<Vec<u8>> {
    let mut lines = Vec::new();
    for reading in batches.into_iter().flat_map(|batch| &batch.readings) {
        write!(lines, "r,p={} v=", reading.point.0)?;
        match reading.value {
            Some(Value::Decimal(number)) => write!(lines, "{number}"),
            Some(Value::F64(number)) => write!(lines, "{number}"),
            Some(Value::Bool(on)) => write!(lines, "{}", u8::from(on)),
            Some(Value::Text(_)) | None => bail!("not in the recipe"),
        }?;
        writeln!(lines, " {}", reading.at.0)?;
    }
    Ok(lines)
}

fn series<'a>(answer: &'a Json, whole: &str) -> impl Iterator<Item = &'a Json> {
    answer.pointer(whole).and_then(Json::as_array).into_iter().flatten()
}

fn point(tag: &Json) -> anyhow::Result<u32> {
    Ok(tag.as_str().context("a tag")?.parse()?)
}

fn seconds(ms: i64) -> String {
    format!("{}.{:03}", ms / 1_000, ms % 1_000)
}

fn encoded(pairs: &[(&str, &str)]) -> String {
    url::form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish()
}
