//! Natural gas, steam, and the heat of warm water, with their meters.

use super::super::{Supply, Use};
use crate::sim::truth::noise::key;
use crate::sim::truth::{Build, Flow, Knot, Moment};

/// kWh that warm a cubic metre of water by one kelvin.
const WATER_KWH: f64 = 1.163;
/// °C of warm water at the taps, and of what leaves the exchanger.
const TAP: f64 = 45.0;
const SUPPLY: f64 = 56.0;
/// kW that pipes lose for each m3/h that goes round.
const PIPES_KW: f64 = 1.3;

/// Gas, steam and heat meters.
pub fn add(build: &mut Build, uses: &[Use]) {
    gas(build, uses);
    steam(build, uses);
    let warm = uses.iter().find(|draw| draw.supply == Supply::Water && draw.asset == "hot-water");
    let warm = warm.map(|draw| draw.flow);
    heat(build, "heat-meter-wards", warm, (0.72, 9.5), (402_116.0, 18_330.0));
    heat(build, "heat-meter-technology", warm, (0.28, 4.2), (121_440.0, 7_912.0));
}

/// A draw of our own that a step sets, with some unrest.
fn own(build: &mut Build, name: &'static str, draws: fn(&Knot<'_>) -> f64) -> Flow {
    let flow = build.flow();
    build.step(move |knot| {
        let unrest = 0.93 + 0.14 * knot.draw(name);
        knot.set(flow, draws(knot).max(0.0) * unrest);
    });
    flow
}

fn drawn(uses: &[Use], supply: Supply) -> Vec<Flow> {
    uses.iter().filter(|draw| draw.supply == supply).map(|draw| draw.flow).collect()
}

fn gas(build: &mut Build, uses: &[Use]) {
    let kitchen = own(build, "gas-meter-kitchen", |knot| 31.0 * (knot.people.services - 0.12).max(0.0));
    let boilers = build.total(&drawn(uses, Supply::Gas));
    let all = build.total(&[kitchen, boilers]);
    for (id, flow, first, kpa) in [
        ("gas-meter-main", all, 512_340.6, 18.0),
        ("gas-meter-boilers", boilers, 430_118.2, 17.4),
        ("gas-meter-kitchen", kitchen, 82_222.4, 2.4),
    ] {
        let volume = build.counter(flow, first);
        let unrest = key(id);
        build.point(&format!("{id}/flow"), move |now| now.flow(flow));
        build.point(&format!("{id}/volume"), move |now| now.stock(volume));
        build.point(&format!("{id}/pressure"), move |now| {
            kpa * (1.0 + 0.012 * now.wander(unrest, 600) - 0.000_1 * now.flow(flow).min(400.0))
        });
        build.point(&format!("{id}/temperature"), move |now| {
            0.5 * (now.weather.temperature + now.weather.mains_water) + 0.3 * now.wander(unrest, 900)
        });
    }
}

fn steam(build: &mut Build, uses: &[Use]) {
    let of = |wanted: fn(&Use) -> bool| -> Vec<Flow> {
        uses.iter()
            .filter(|draw| draw.supply == Supply::Steam && wanted(draw))
            .map(|draw| draw.flow)
            .collect()
    };
    let kitchen = build.total(&of(|draw| draw.asset == "kitchen"));
    let washing = build.total(&of(|draw| draw.asset == "laundry"));
    let technology = build.total(&of(|draw| draw.building == "technology-building"));
    let others = build.total(&of(|draw| {
        !["kitchen", "laundry"].contains(&draw.asset) && draw.building != "technology-building"
    }));
    let all = build.total(&[kitchen, washing, technology, others]);
    for (id, flow, first, bar) in [
        ("steam-meter-main", all, 20_417.3, 0.62),
        ("steam-meter-kitchen", kitchen, 3_206.8, 0.38),
        ("steam-meter-laundry", washing, 8_112.4, 0.55),
        ("steam-meter-technology", technology, 7_031.6, 0.36),
        ("steam-meter-humidifiers", others, 2_066.5, 0.3),
    ] {
        let mass = build.counter(flow, first);
        let unrest = key(id);
        let pressure = move |now: &Moment<'_>| {
            bar * (1.0 + 0.01 * now.wander(unrest, 240) - 0.02 * now.flow(flow).min(2.0))
        };
        build.point(&format!("{id}/flow"), move |now| now.flow(flow));
        build.point(&format!("{id}/mass"), move |now| now.stock(mass));
        build.point(&format!("{id}/pressure"), pressure);
        build.point(&format!("{id}/temperature"), move |now| saturated(pressure(now)) + 1.5);
    }
}

/// °C of saturated steam at a gauge pressure in MPa: Antoine's equation with the constants of NIST for
/// 379 to 573 K, inverted.
fn saturated(gauge: f64) -> f64 {
    let bar = (gauge * 10.0 + 1.013).max(0.1);
    1_435.264 / (4.6543 - bar.log10()) + 64.848 - 273.15
}

/// Warm water that goes round, so much of it: the heat of its `share` of what is drawn at the taps
/// (`warm`, m3/h), and what the pipes lose. First readings in kWh and m3.
fn heat(
    build: &mut Build,
    id: &'static str,
    warm: Option<Flow>,
    (share, round_m3h): (f64, f64),
    (first_kwh, first_m3): (f64, f64),
) {
    let power = build.flow();
    build.step(move |knot| {
        let drawn = share * warm.map_or(0.0, |flow| knot.flow(flow));
        let warmed = WATER_KWH * drawn * (TAP - knot.weather.mains_water);
        knot.set(power, warmed + PIPES_KW * round_m3h);
    });
    let round = build.flow();
    build.step(move |knot| {
        let flow = round_m3h * (1.0 + 0.02 * knot.draw(id));
        knot.set(round, flow);
    });
    let (energy, volume) = (build.counter(power, first_kwh), build.counter(round, first_m3));
    let unrest = key(id);
    let hot = move |now: &Moment<'_>| SUPPLY + 0.7 * now.wander(unrest, 1_500);
    let cooled = move |now: &Moment<'_>| now.flow(power) / WATER_KWH / now.flow(round).max(0.1);
    build.point(&format!("{id}/power"), move |now| now.flow(power));
    build.point(&format!("{id}/flow"), move |now| now.flow(round));
    build.point(&format!("{id}/energy"), move |now| now.stock(energy));
    build.point(&format!("{id}/volume"), move |now| now.stock(volume));
    build.point(&format!("{id}/hot_temperature"), hot);
    build.point(&format!("{id}/cold_temperature"), move |now| hot(now) - cooled(now));
}
