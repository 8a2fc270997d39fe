//! Holds what was read against what is true, point by point and moment by moment.

use super::site::{self, HOUR_MS, INTERVAL_MS, LATE_MS, START, Site};
use crate::config;
use crate::point::{Address, Batch, Name, PointId, Quality, Reading, Reason, UtcMs, Value};
use crate::sim::device::unit;
use crate::sim::fault::{Kind, Target};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The truth may have moved so long before and after the stamp of a reading. Milliseconds.
const AROUND_MS: i64 = 500;
/// A single precision number is as near as this, as a part of it.
const SINGLE: f64 = 1e-6;
/// A device that answers again is believed within this time: its probes are a minute apart.
const RECOVERY_MS: i64 = 120_000;
/// A line that is disturbed at any time while a request is on its way.
const UNDER_WAY_MS: i64 = 5_000;

/// What is known of a point that is read.
struct Place<'a> {
    address: &'a Address,
    at: usize,
    bus: Target,
    noise: f64,
    device: Target,
    /// How far a reading may be off, absolutely and as a part of it.
    count: f64,
    part: f64,
    modulus: Option<f64>,
}

/// How the readings of some buses compare with the truth.
#[derive(Debug, Default)]
pub struct Verdict {
    /// Readings with a value.
    pub values: usize,
    /// Readings without one of devices that were dead.
    pub dead: usize,
    /// Readings without one of lines that a fault disturbed.
    pub disturbed: usize,
    /// Readings without one of lines that are never quite still.
    pub unstill: usize,
    /// Points that are not as they should be: how often, and how it was the first time.
    pub wrong: BTreeMap<Address, (usize, String)>,
}

/// Judges all readings of these buses in so many hours.
pub fn judge(site: &Site, buses: &[&config::Bus], hours: i64, batches: &[Arc<Batch>]) -> Verdict {
    let places = places(site, buses);
    let (mut verdict, mut seen) = (Verdict::default(), BTreeMap::<PointId, Vec<UtcMs>>::new());
    let mut then = (UtcMs(0), Vec::new());
    for batch in batches {
        for reading in &batch.readings {
            seen.entry(reading.point).or_default().push(reading.at);
            let Some(place) = places.get(&reading.point) else { continue };
            if then.0 != reading.at {
                then = (reading.at, site.truth.values(reading.at));
            }
            verdict.count(site, place, reading, i64::from(batch.at_error_ms), &then.1);
        }
    }
    let end = START.plus_ms(hours * HOUR_MS);
    for bus in buses {
        for register in bus.devices.iter().flat_map(|device| &device.registers) {
            let read = site.id(&register.point).and_then(|id| seen.remove(&id)).unwrap_or_default();
            if let Some(gap) = gap(&read, end) {
                verdict.blame(&register.point, gap);
            }
        }
    }
    assert!(seen.is_empty(), "nobody asked for {:?}", seen.keys());
    verdict
}

/// Where nothing was said of a point for longer than its interval.
fn gap(read: &[UtcMs], end: UtcMs) -> Option<String> {
    let interval = i64::try_from(INTERVAL_MS + LATE_MS).unwrap();
    let moments: Vec<UtcMs> = [START].into_iter().chain(read.iter().copied()).chain([end]).collect();
    let gap = moments.windows(2).find(|pair| pair[1].since_ms(pair[0]) > interval)?;
    Some(format!("nothing for {} s from {:?} on", gap[1].since_ms(gap[0]) / 1_000, gap[0]))
}

fn places<'a>(site: &Site, buses: &[&'a config::Bus]) -> BTreeMap<PointId, Place<'a>> {
    let told = site.hospital.facts().told(&site.truth);
    let mut places = BTreeMap::new();
    for bus in buses {
        for device in &bus.devices {
            for register in &device.registers {
                let Some(at) = told.places.get(&register.point) else {
                    assert!(
                        matches!(register.cell.encoding, config::Encoding::Text(_)),
                        "{}",
                        register.point
                    );
                    continue;
                };
                let point = &told.points[&register.point];
                let instrument = unit::instrument_of(register, point, device, &site.plan, told);
                let is_float = register.cell.encoding.is_float() && register.cell.bits.is_none();
                // A state is that state and no other.
                let is_state = !point.states.is_empty() || point.kind == crate::point::ValueKind::Bool;
                let place = Place {
                    address: &register.point,
                    at: *at,
                    bus: Target::Bus(bus.id.clone()),
                    noise: site::noise(bus.id.as_str()),
                    device: Target::Device(Name::clone(&device.id)),
                    count: if is_float {
                        SINGLE
                    } else {
                        instrument.step() * if is_state { 0.5 } else { 1.0 }
                    },
                    part: if is_float { SINGLE } else { 1e-12 },
                    modulus: instrument.modulus(),
                };
                places.insert(site.id(&register.point).unwrap(), place);
            }
        }
    }
    places
}

impl Verdict {
    fn blame(&mut self, point: &Address, what: String) {
        self.wrong.entry(point.clone()).or_insert((0, what)).0 += 1;
    }

    fn count(&mut self, site: &Site, place: &Place<'_>, reading: &Reading, error_ms: i64, now: &[f64]) {
        let Reading { at, quality, value, .. } = *reading;
        if let Some(value) = value {
            self.values += 1;
            let read = match value {
                Value::Bool(on) => f64::from(u8::from(on)),
                value => value.as_f64().unwrap_or(f64::NAN),
            };
            if is_dead(site, place, at) {
                self.blame(place.address, format!("{read} of a dead device at {at:?}"));
            }
            if !place.is_near(read, now[place.at]) && !was_near(site, place, read, at, error_ms) {
                let truth = now[place.at];
                self.blame(place.address, format!("{read} {quality}, and {truth} is true, at {at:?}"));
            }
            return;
        }
        let board = &site.board;
        let acted = |kind, target, from: i64| {
            board.hours(kind, target, at.plus_ms(-from), at.plus_ms(UNDER_WAY_MS)) > 0.0
        };
        let of_the_line = [Reason::Timeout, Reason::NoCommunication, Reason::Decoding].map(Quality::Bad);
        if !of_the_line.contains(&quality) {
            self.blame(place.address, format!("{quality} at {at:?} is no word for a line"));
        } else if acted(Kind::DeadDevice, &place.device, RECOVERY_MS) {
            self.dead += 1;
        } else if acted(Kind::NoisyBus, &place.bus, RECOVERY_MS) {
            self.disturbed += 1;
        } else if place.noise > 0.0 {
            self.unstill += 1;
        } else {
            self.blame(place.address, format!("{quality} at {at:?}, and nothing explains it"));
        }
    }
}

/// Whether its device was dead all the time a request was on its way.
fn is_dead(site: &Site, place: &Place<'_>, at: UtcMs) -> bool {
    let (from, to) = (at.plus_ms(-UNDER_WAY_MS), at.plus_ms(UNDER_WAY_MS));
    let all = f64::from(i32::try_from(to.since_ms(from)).unwrap()) / 3_600_000.0;
    site.board.hours(Kind::DeadDevice, &place.device, from, to) > all * 0.999
}

/// Whether what was read was true at some moment around its stamp.
fn was_near(site: &Site, place: &Place<'_>, read: f64, at: UtcMs, error_ms: i64) -> bool {
    let around = AROUND_MS + error_ms;
    let offs = (0..=8).map(|step| {
        let moment = at.plus_ms((step - 4) * around / 4);
        place.off(read, site.truth.value(place.address, moment).unwrap())
    });
    let (least, most) = offs.fold((f64::INFINITY, f64::NEG_INFINITY), |(a, b), off| (a.min(off), b.max(off)));
    let within = place.within(read);
    least <= within && most >= -within
}

impl Place<'_> {
    /// How much more was read than is true; a counter that began again at 0 has not lost what it counted.
    fn off(&self, read: f64, truth: f64) -> f64 {
        let off = read - truth;
        self.modulus.map_or(off, |modulus| off - modulus * (off / modulus).round())
    }

    fn within(&self, read: f64) -> f64 {
        self.count + self.part * read.abs()
    }

    fn is_near(&self, read: f64, truth: f64) -> bool {
        self.off(read, truth).abs() <= self.within(read)
    }
}
