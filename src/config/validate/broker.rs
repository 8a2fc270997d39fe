//! Brokers: how each is reached, and whether two entries get in each other's way.

use super::super::certificates::path;
use super::super::diagnostic::{Code, Problem};
use super::super::leaf::{At, BrokerAddress};
use super::super::source::Place;
use super::super::spec::{self, File};
use super::super::{Broker, BrokerTls, Library, Part, Topic, limits};
use super::Context;
use super::assets::Assets;
use super::sender::SenderWork;
use super::topic::TopicWork;
use jiff::tz::TimeZone;
use std::net::IpAddr;
use std::path::Path;

const MQTT_PORT: u16 = 1883;
const MQTTS_PORT: u16 = 8883;

/// All brokers. `client` begins every default client id; the paths of certificates begin at
/// the library's folder.
pub fn brokers(
    parts: &[Part<File>],
    library: &Library<'_>,
    client: &str,
    assets: &Assets,
    zone: &TimeZone,
    context: &mut Context<'_>,
) -> Vec<Broker> {
    let mut list: Vec<Broker> = Vec::new();
    let mut seats: Vec<Seat> = Vec::new();
    for part in parts {
        let work = TopicWork { source: part.source, assets: Some(assets), zone, senders: None };
        let senders = SenderWork { part, assets, zone, library };
        for written in &part.content.mqtt {
            let connect = &written.connect;
            let client_id = written.client_id.clone();
            let own = written.topics.iter().filter_map(|topic| work.resolve(topic, context));
            let mut topics: Vec<Topic> = own.collect();
            topics.extend(senders.resolve(written, context));
            let broker = Broker {
                id: written.id.clone(),
                host: connect.host.clone(),
                port: port(connect),
                client_id: client_id.unwrap_or_else(|| format!("{client}-{}", *written.id)),
                login: written.login.as_ref().map(Into::into),
                tls: tls(part, written, library.folder, context),
                silent_after_ms: silent_after_ms(part, written, context),
                message_bytes_max: message_bytes_max(part, written, context),
                will: written.will.as_ref().map(|will| will.topic.0.clone()),
                topics,
            };
            in_the_open(part, written, context);
            let seat = Seat::new(part, written);
            shared(&list, &seats, &broker, &seat, context);
            seats.push(seat);
            list.push(broker);
        }
    }
    list
}

/// A broker of which only the address is known.
pub fn bare_broker(connect: &BrokerAddress) -> Option<Broker> {
    Some(Broker {
        id: "broker".parse().ok()?,
        host: connect.host.clone(),
        port: port(connect),
        client_id: String::new(),
        login: None,
        tls: connect.tls.then(BrokerTls::default),
        silent_after_ms: limits::STALE_AFTER_DEFAULT_MQTT_MS,
        message_bytes_max: usize::try_from(limits::MESSAGE_BYTES_DEFAULT).unwrap_or(usize::MAX),
        will: None,
        topics: Vec::new(),
    })
}

fn port(connect: &BrokerAddress) -> u16 {
    connect.port.unwrap_or(if connect.tls { MQTTS_PORT } else { MQTT_PORT })
}

fn tls(
    part: &Part<File>,
    written: &spec::Broker,
    folder: &Path,
    context: &mut Context<'_>,
) -> Option<BrokerTls> {
    let Some(at) = &written.tls else { return written.connect.tls.then(BrokerTls::default) };
    if !written.connect.tls {
        let message = format!("the broker \"{}\" is connected to without TLS", *written.id);
        let help = format!("write connect = \"mqtts://{}\", or leave `tls` out", written.connect.host);
        context.error(Code::Misplaced, part.place(at), message, &help);
    }
    let file = |at: &At<String>| path(folder, at);
    Some(BrokerTls {
        ca: at.ca.as_ref().map(file),
        identity: at.certificate.as_ref().map(file).zip(at.key.as_ref().map(file)),
    })
}

/// If not said, when even the most patient of its points is stale.
fn silent_after_ms(part: &Part<File>, written: &spec::Broker, context: &mut Context<'_>) -> u64 {
    let of_topics = written.topics.iter().map(|topic| {
        let said = topic.stale_after.as_ref().map(|at| at.0);
        said.unwrap_or(limits::STALE_AFTER_DEFAULT_MQTT_MS)
    });
    let default = of_topics.max().unwrap_or(limits::STALE_AFTER_DEFAULT_MQTT_MS);
    let default = default.clamp(*limits::SILENT_AFTER_MS.start(), *limits::SILENT_AFTER_MS.end());
    context.millis(part.source, written.silent_after.as_ref(), limits::SILENT_AFTER_MS, default)
}

fn message_bytes_max(part: &Part<File>, written: &spec::Broker, context: &mut Context<'_>) -> usize {
    let bytes = written.message_max.as_ref().map_or(limits::MESSAGE_BYTES_DEFAULT, |at| at.0);
    if let Some(at) = written.message_max.as_ref().filter(|at| !limits::MESSAGE_BYTES.contains(&at.0)) {
        let message = "a message of this size is out of limits";
        context.error(Code::WrongValue, part.place(at), message, "from 256B to 16MiB");
    }
    usize::try_from(bytes).unwrap_or(usize::MAX)
}

/// Whoever listens on the network reads a password that crosses it unencrypted.
fn in_the_open(part: &Part<File>, written: &spec::Broker, context: &mut Context<'_>) {
    let connect = &written.connect;
    if written.login.is_none() || connect.tls || is_here(&connect.host) {
        return;
    }
    let message = format!("the password for \"{}\" crosses the network unencrypted", connect.host);
    let help = format!("if the broker can do TLS: connect = \"mqtts://{}\"", connect.host);
    context.problems.push(Problem::warning(Code::Plaintext, part.place(connect), message).help(help));
}

fn is_here(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost") || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

/// Where an entry and its topics stand in the files.
struct Seat {
    id: Place,
    topics: Vec<Place>,
}

impl Seat {
    fn new(part: &Part<File>, written: &spec::Broker) -> Seat {
        let topics = written.topics.iter().map(|topic| part.place(&topic.pattern));
        Seat { id: part.place(&written.id), topics: topics.collect() }
    }
}

/// Several connections to one broker share its topics between them: each its own client id, and
/// no message twice.
fn shared(list: &[Broker], seats: &[Seat], broker: &Broker, seat: &Seat, context: &mut Context<'_>) {
    for (first, first_seat) in list.iter().zip(seats) {
        if !first.host.eq_ignore_ascii_case(&broker.host) || first.port != broker.port {
            continue;
        }
        if first.client_id == broker.client_id {
            let message = format!("\"{}\" and \"{}\" have the same client id", first.id, broker.id);
            let problem = Problem::error(Code::Duplicate, seat.id.clone(), message);
            let problem = problem.note(first_seat.id.clone(), "the first");
            let help =
                "the broker ends one connection for the other: leave client_id out, or give each its own";
            context.problems.push(problem.help(help));
        }
        for (topic, place) in broker.topics.iter().zip(&seat.topics) {
            let mut others = first.topics.iter().zip(&first_seat.topics);
            let Some((other, other_place)) =
                others.find(|(other, _)| overlap(&other.pattern.filter(), &topic.pattern.filter()))
            else {
                continue;
            };
            let message = format!(
                "\"{}\" already gets messages of this topic from the same broker, by \"{}\"",
                first.id, other.pattern
            );
            let problem = Problem::warning(Code::TopicOverlap, place.clone(), message);
            let problem = problem.note(other_place.clone(), "the first");
            context
                .problems
                .push(problem.help("each message comes twice: let the topics of two connections differ"));
        }
    }
}

/// Whether one topic can be of both filters. `+` is any level; `#` all that follow (MQTT 3.1.1,
/// 4.7.1).
fn overlap(one: &str, other: &str) -> bool {
    let (mut one, mut other) = (one.split('/'), other.split('/'));
    loop {
        match (one.next(), other.next()) {
            (Some("#"), _) | (_, Some("#")) | (None, None) => return true,
            (Some(a), Some(b)) if a == b || a == "+" || b == "+" => {}
            _ => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_overlap_if_one_topic_fits_both() {
        for (one, other, expected) in [
            ("a/b", "a/b", true),
            ("a/+", "a/b", true),
            ("a/+/c", "+/b/c", true),
            ("a/+", "a/b/c", false),
            ("a/+/c", "a/b/d", false),
            ("a/#", "a/b/c", true),
            ("a/#", "a", true),
            ("a/+/c", "a/b/c", true),
            ("floor-1/+/t", "floor-2/+/t", false),
        ] {
            assert_eq!((overlap(one, other), overlap(other, one)), (expected, expected), "{one} {other}");
        }
    }

    #[test]
    fn only_this_machine_is_here() {
        for (host, here) in [
            ("localhost", true),
            ("127.0.0.2", true),
            ("::1", true),
            ("10.0.0.1", false),
            ("127.0.0.1.example", false),
        ] {
            assert_eq!(is_here(host), here, "{host}");
        }
    }
}
