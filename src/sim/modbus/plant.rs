//! What the simulated devices say at a given moment. Pure: the same moment and seed, the same words.
//!
//! Units, addresses, types and scales are those of `config/plantroom.toml`. All of it is invented;
//! it is only meant to look like a hospital of some 200 kW.

use crate::config::Table;
use std::collections::BTreeMap;
use std::f64::consts::TAU;

/// Registers of one unit by table and address.
pub type Registers = BTreeMap<(Table, u16), u16>;

/// The electricity meter.
pub const METER: u8 = 1;
/// The chiller's controller.
pub const CHILLER: u8 = 2;
/// The medical gas panel.
pub const GAS_PANEL: u8 = 3;
/// The air handling unit of the operating room.
pub const AHU: u8 = 4;

/// Where the meter's energy register begins again: 1,000,000 kWh in counts of 0.01 kWh.
const ENERGY_MODULUS: i64 = 100_000_000;
/// The load's power factor, and reactive over active power at that: tan(acos 0.93).
const COS_PHI: f64 = 0.93;
const TAN_PHI: f64 = 0.395_226;
const SECOND_MS: i64 = 1_000;
const MINUTE_MS: i64 = 60 * SECOND_MS;
const HOUR_MS: i64 = 60 * MINUTE_MS;
const DAY_MS: i64 = 24 * HOUR_MS;
/// China Standard Time is UTC+8 all year.
const ZONE_MS: i64 = 8 * HOUR_MS;

/// All registers of `unit` at `now_ms` (UTC); empty if there is no such unit. What such a device
/// has between those spoken of here reads 0, as reserved registers do; beyond the last there is none.
pub fn registers(unit: u8, now_ms: i64, seed: u64) -> Registers {
    let mut out = Registers::new();
    match unit {
        METER => meter(&mut out, now_ms, seed),
        CHILLER => chiller(&mut out, now_ms, seed),
        GAS_PANEL => gas_panel(&mut out, now_ms, seed),
        AHU => ahu(&mut out, now_ms, seed),
        _ => {}
    }
    for table in [Table::Holding, Table::Input] {
        let mapped = || out.range((table, 0)..=(table, u16::MAX)).map(|((_, address), _)| *address);
        let (first, last) = (mapped().next(), mapped().next_back());
        for address in first.into_iter().zip(last).flat_map(|(first, last)| first..=last) {
            out.entry((table, address)).or_insert(0);
        }
    }
    out
}

/// Acrel ADL400, secondary side; without transformers that is the primary side too.
fn meter(out: &mut Registers, now_ms: i64, seed: u64) {
    let power_kw = load_kw(now_ms, seed);
    let energy = counts(energy_kwh(now_ms, seed) * 100.0).rem_euclid(ENERGY_MODULUS);
    let reactive = counts(energy_kwh(now_ms, seed) * TAN_PHI * 100.0).rem_euclid(ENERGY_MODULUS);
    // Nothing is fed back: what is exported stays 0.
    for (address, count) in [(0x0000, energy), (0x000A, energy), (0x0014, 0), (0x0028, reactive), (0x0032, 0)]
    {
        put_u32(out, Table::Holding, address, count);
    }
    put(out, Table::Holding, 0x008D, 1.0);
    put(out, Table::Holding, 0x008E, 1.0);
    // The phases are not loaded alike.
    for (phase, share) in [(0_u16, 0.35), (1, 0.33), (2, 0.32)] {
        let volts = 229.0 + 2.5 * wave(now_ms, 47 * SECOND_MS, seed, u64::from(phase));
        let watts = power_kw * 1_000.0 * share;
        let amperes = watts / (volts * COS_PHI);
        put(out, Table::Holding, 0x0061 + phase, volts * 10.0);
        put(out, Table::Holding, 0x0064 + phase, amperes * 100.0);
        put_u32(out, Table::Holding, 0x0164 + 2 * phase, counts(watts));
        put(out, Table::Holding, 0x017C + phase, COS_PHI * 1_000.0);
    }
    put(out, Table::Holding, 0x0077, (50.0 + 0.03 * wave(now_ms, 23 * SECOND_MS, seed, 7)) * 100.0);
    put_u32(out, Table::Holding, 0x016A, counts(power_kw * 1_000.0));
    put_u32(out, Table::Holding, 0x0172, counts(power_kw * 1_000.0 * TAN_PHI));
    put_u32(out, Table::Holding, 0x017A, counts(power_kw * 1_000.0 / COS_PHI));
    put(out, Table::Holding, 0x017F, COS_PHI * 1_000.0);
}

fn chiller(out: &mut Registers, now_ms: i64, seed: u64) {
    let supply =
        7.0 + 0.4 * wave(now_ms, 9 * MINUTE_MS, seed, 11) + 0.1 * wave(now_ms, 40 * SECOND_MS, seed, 40);
    // The busier the building, the warmer the water comes back.
    let spread = 3.0 + 2.5 * load_kw(now_ms, seed) / 250.0;
    put(out, Table::Holding, 0, supply * 10.0);
    put(out, Table::Holding, 1, (supply + spread) * 10.0);
    put(out, Table::Holding, 2, 1.0);
}

fn gas_panel(out: &mut Registers, now_ms: i64, seed: u64) {
    let oxygen_mpa = 0.400
        + 0.006 * wave(now_ms, 13 * MINUTE_MS, seed, 21)
        + 0.002 * wave(now_ms, 17 * SECOND_MS, seed, 40);
    // The pump cuts in and out between -58 and -66 kPa.
    let vacuum_kpa = -62.0 + 4.0 * wave(now_ms, 3 * MINUTE_MS, seed, 22);
    put(out, Table::Holding, 0, oxygen_mpa * 1_000.0);
    put(out, Table::Holding, 1, vacuum_kpa);
}

fn ahu(out: &mut Registers, now_ms: i64, seed: u64) {
    let flow = 6_200.0 + 60.0 * wave(now_ms, 31 * SECOND_MS, seed, 31);
    put(out, Table::Input, 0, (12.0 + 1.5 * wave(now_ms, 53 * SECOND_MS, seed, 32)) * 10.0);
    put(out, Table::Input, 1, (22.5 + 0.4 * wave(now_ms, 20 * MINUTE_MS, seed, 33)) * 10.0);
    put(out, Table::Input, 2, (48.0 + 3.0 * wave(now_ms, 35 * MINUTE_MS, seed, 34)) * 10.0);
    put_f32(out, Table::Input, 10, flow);
    put(out, Table::Input, 14, (18.0 + 0.6 * wave(now_ms, 11 * MINUTE_MS, seed, 35)) * 10.0);
    // Mode 1, running; status word: bit 0 the fan runs, bit 3 a clogged filter, bits 4 to 7 its stage.
    put(out, Table::Input, 20, 1.0);
    put(out, Table::Input, 21, f64::from(1_u16 | 5 << 4));
    // Drop over a filter goes with the square of the flow.
    put_f32(out, Table::Input, 12, 120.0 * (flow / 6_200.0).powi(2));
}

/// The swings of the load: kW up and down, period, phase as a share of the period.
fn swings(seed: u64) -> [(f64, i64, f64); 5] {
    [
        // Most at 14:00, least at 02:00 local time; a second hump in morning and evening.
        (55.0, DAY_MS, -8.0 / 24.0),
        (12.0, DAY_MS / 2, -8.0 / 24.0),
        (6.0, 37 * MINUTE_MS, share(seed, 1)),
        (3.0, 7 * MINUTE_MS, share(seed, 2)),
        (1.5, 61 * SECOND_MS, share(seed, 3)),
    ]
}

/// Mean load in kW.
const LOAD_KW: f64 = 180.0;

/// The building's load; between 100 and 260 kW.
fn load_kw(now_ms: i64, seed: u64) -> f64 {
    let local_ms = now_ms.saturating_add(ZONE_MS);
    LOAD_KW
        + swings(seed)
            .map(|(kw, period, phase)| kw * angle(local_ms, period, phase).sin())
            .iter()
            .sum::<f64>()
}

/// The integral of [`load_kw`], so that meter and power agree to the last count.
fn energy_kwh(now_ms: i64, seed: u64) -> f64 {
    let local_ms = now_ms.saturating_add(ZONE_MS);
    let swing = |(kw, period, phase): (f64, i64, f64)| {
        -kw * angle(local_ms, period, phase).cos() * hours(period) / TAU
    };
    LOAD_KW * hours(now_ms) + swings(seed).map(swing).iter().sum::<f64>()
}

/// A sine of the given period between -1 and 1, shifted by the seed; one voice of many.
fn wave(now_ms: i64, period_ms: i64, seed: u64, voice: u64) -> f64 {
    angle(now_ms, period_ms, share(seed, voice)).sin()
}

fn angle(now_ms: i64, period_ms: i64, phase: f64) -> f64 {
    TAU * (hours(now_ms.rem_euclid(period_ms)) / hours(period_ms) + phase)
}

/// A number in [0, 1) made of the seed, another one for each voice.
fn share(seed: u64, voice: u64) -> f64 {
    // Fibonacci hashing; the 16 highest bits are its best.
    let mixed = seed.wrapping_add(voice).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 48;
    f64::from(u16::try_from(mixed).unwrap_or(0)) / 65_536.0
}

#[expect(clippy::cast_precision_loss, reason = "milliseconds of this century fit 53 bits")]
fn hours(ms: i64) -> f64 {
    ms as f64 / HOUR_MS as f64
}

#[expect(clippy::cast_possible_truncation, reason = "saturates, and the plant stays far below")]
fn counts(value: f64) -> i64 {
    value.floor() as i64
}

/// One register: unsigned, or two's complement if below zero.
fn put(out: &mut Registers, table: Table, address: u16, value: f64) {
    let count = counts(value + 0.5);
    let word = u16::try_from(count).or_else(|_| i16::try_from(count).map(i16::cast_unsigned));
    out.insert((table, address), word.unwrap_or(u16::MAX));
}

/// Two registers, high word first.
fn put_u32(out: &mut Registers, table: Table, address: u16, count: i64) {
    let [a, b, c, d] = u32::try_from(count).unwrap_or(u32::MAX).to_be_bytes();
    out.insert((table, address), u16::from_be_bytes([a, b]));
    out.insert((table, address + 1), u16::from_be_bytes([c, d]));
}

/// Two registers, low word first.
#[expect(clippy::cast_possible_truncation, reason = "the device has single precision")]
fn put_f32(out: &mut Registers, table: Table, address: u16, value: f64) {
    let [a, b, c, d] = (value as f32).to_be_bytes();
    out.insert((table, address), u16::from_be_bytes([c, d]));
    out.insert((table, address + 1), u16::from_be_bytes([a, b]));
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// 2025-01-01 to 2035-01-01.
    const MOMENTS: std::ops::Range<i64> = 1_735_689_600_000..2_051_222_400_000;

    fn word(registers: &Registers, table: Table, address: u16) -> i64 {
        i64::from(registers[&(table, address)])
    }

    fn u32_at(registers: &Registers, address: u16) -> i64 {
        word(registers, Table::Holding, address) << 16 | word(registers, Table::Holding, address + 1)
    }

    fn f32_at(registers: &Registers, address: u16) -> f32 {
        let (low, high) = (registers[&(Table::Input, address)], registers[&(Table::Input, address + 1)]);
        f32::from_bits(u32::from(high) << 16 | u32::from(low))
    }

    /// Whatever the demo reads, factors of a value as well as the value.
    #[test]
    fn every_register_of_the_demo_configuration_is_answered() {
        let main = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("config/plantroom.toml");
        let plan = crate::config::load(&main, &|_| None).unwrap_or_else(|wrong| panic!("{wrong}")).plan;
        let units: Vec<u8> = plan.buses[0].devices.iter().map(|device| device.unit).collect();
        assert_eq!(units, [METER, CHILLER, GAS_PANEL, AHU]);
        for device in &plan.buses[0].devices {
            let answered = registers(device.unit, MOMENTS.start, 1);
            for register in &device.registers {
                for cell in register.factors.iter().map(|factor| factor.cell).chain([register.cell]) {
                    let last = cell.address + cell.items() - 1;
                    let there = |address| answered.contains_key(&(cell.table, address));
                    assert!((cell.address..=last).all(there), "{} {cell:?}", register.point);
                }
            }
        }
    }

    #[test]
    fn reserved_registers_read_nought_and_beyond_the_last_there_is_none() {
        let meter = registers(METER, MOMENTS.start, 1);
        assert_eq!(meter.len(), 0x0180);
        assert_eq!(word(&meter, Table::Holding, 0x0070), 0);
        assert!(!meter.contains_key(&(Table::Holding, 0x0180)));
        assert!(registers(0, MOMENTS.start, 1).is_empty() && registers(5, MOMENTS.start, 1).is_empty());
    }

    #[test]
    fn the_ratios_are_one_and_the_phases_add_up() {
        let meter = registers(METER, MOMENTS.start, 1);
        assert_eq!([0x8D, 0x8E].map(|address| word(&meter, Table::Holding, address)), [1, 1]);
        let phases: i64 = [0x164, 0x166, 0x168].map(|address| u32_at(&meter, address)).iter().sum();
        assert!((u32_at(&meter, 0x16A) - phases).abs() <= 3, "{phases}");
        let (active, reactive) = (u32_at(&meter, 0x16A), u32_at(&meter, 0x172));
        let apparent = u32_at(&meter, 0x17A);
        assert!((active.pow(2) + reactive.pow(2)).isqrt().abs_diff(apparent) <= 3, "{apparent}");
    }

    #[test]
    fn the_load_is_high_by_day_and_low_by_night() {
        // 2025-07-01 14:00 and 02:00 in China.
        let (day, night) = (1_751_349_600_000, 1_751_306_400_000);
        assert!(load_kw(day, 1) > 200.0 && load_kw(night, 1) < 150.0);
    }

    proptest! {
        #[test]
        fn energy_is_the_sum_of_power(now in MOMENTS, seed: u64) {
            let (from, to) = (registers(METER, now, seed), registers(METER, now + HOUR_MS, seed));
            let delta = (u32_at(&to, 0) - u32_at(&from, 0)).rem_euclid(ENERGY_MODULUS);
            let steps = 3_600;
            let sum: f64 = (0..steps).map(|step| load_kw(now + step * SECOND_MS, seed)).sum();
            let expected = sum / f64::from(i32::try_from(steps).unwrap()) * 100.0;
            prop_assert!((f64::from(i32::try_from(delta).unwrap()) - expected).abs() < 5.0, "{delta} {expected}");
        }

        #[test]
        fn energy_never_runs_backwards(now in MOMENTS, step in 1_i64..10_000, seed: u64) {
            let (from, to) = (registers(METER, now, seed), registers(METER, now + step, seed));
            let delta = (u32_at(&to, 0) - u32_at(&from, 0)).rem_euclid(ENERGY_MODULUS);
            // At 260 kW 10 s are 72 counts.
            prop_assert!(delta <= 75, "{delta}");
        }

        /// Inside the ranges of the configuration, and no alarm of the demo's rules by itself.
        #[test]
        fn all_is_well_unless_something_is_held(now in MOMENTS, seed: u64) {
            let meter = registers(METER, now, seed);
            for phase in 0..3 {
                prop_assert!((2_200..2_400).contains(&word(&meter, Table::Holding, 0x61 + phase)));
                prop_assert!((5_000..60_000).contains(&word(&meter, Table::Holding, 0x64 + phase)));
            }
            prop_assert!((4_990..5_010).contains(&word(&meter, Table::Holding, 0x77)));
            prop_assert!((100_000..260_000).contains(&u32_at(&meter, 0x16A)));
            let chiller = registers(CHILLER, now, seed);
            prop_assert!((60..80).contains(&word(&chiller, Table::Holding, 0)));
            prop_assert!((100..140).contains(&word(&chiller, Table::Holding, 1)));
            let gas = registers(GAS_PANEL, now, seed);
            prop_assert!((390..=410).contains(&word(&gas, Table::Holding, 0)));
            let vacuum = registers(GAS_PANEL, now, seed)[&(Table::Holding, 1)].cast_signed();
            prop_assert!((-66..=-58).contains(&vacuum));
            let ahu = registers(AHU, now, seed);
            prop_assert!((100..140).contains(&word(&ahu, Table::Input, 0)));
            prop_assert!((6_100.0..6_300.0).contains(&f32_at(&ahu, 10)));
            prop_assert!((100.0..140.0).contains(&f32_at(&ahu, 12)));
        }
    }
}
