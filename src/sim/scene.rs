//! What happens in the demo hospital while somebody watches: something to acknowledge and repair.

use super::modbus::SimModbus;
use super::mqtt::FridgeDoor;
use crate::clock::Clock;
use crate::config::Table;
use tokio_util::sync::CancellationToken;

/// The medical gas panel's unit and its pressure register, in 0.001 MPa.
const OXYGEN: (u8, Table, u16) = (3, Table::Holding, 0);
/// Below the limit of 0.34 MPa (GB 50751-2012 7.1.2(5)).
const OXYGEN_LOW: u16 = 300;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Act {
    OxygenFalls,
    OxygenReturns,
    DoorOpens,
    DoorShuts,
}

/// Seconds from the beginning of a round.
const ROUND: [(u64, Act); 4] =
    [(20, Act::OxygenFalls), (110, Act::OxygenReturns), (170, Act::DoorOpens), (290, Act::DoorShuts)];
/// Then it begins again.
const ROUND_S: u64 = 600;

/// Plays rounds until `stop`.
pub async fn play(modbus: SimModbus, door: FridgeDoor, clock: Clock, stop: CancellationToken) {
    let start = clock.mono();
    for round in 0_u64.. {
        for (second, act) in ROUND {
            let due = start.plus_ms((round * ROUND_S + second) * 1_000);
            tokio::select! {
                () = clock.sleep_until(due) => perform(act, &modbus, &door, &clock),
                () = stop.cancelled() => return,
            }
        }
    }
}

fn perform(act: Act, modbus: &SimModbus, door: &FridgeDoor, clock: &Clock) {
    let (unit, table, address) = OXYGEN;
    match act {
        Act::OxygenFalls => modbus.hold(unit, table, address, vec![OXYGEN_LOW]),
        Act::OxygenReturns => modbus.release(unit, table, address),
        Act::DoorOpens => door.open(clock.utc()),
        Act::DoorShuts => door.shut(),
    }
    tracing::info!(?act, "The demo hospital.");
}
