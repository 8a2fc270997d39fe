//! The parts of the hospital. Machines say what they draw ([`Use`]); the meters add it up.
//!
//! Read `air` (cooling, heating, rooms), `gas` (medical gases, lifts, pumps, safety), then `power`,
//! which supplies them and whatever else draws, and has the meters. Machines come first, and still know of a
//! feeder that trips: they ask for the same fault.

mod air;
mod gas;
pub mod power;
#[cfg(test)]
mod tests;

use super::{Build, Flow};

/// What is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Supply {
    /// Electric power, kW.
    Power,
    /// Cold water of the town, m3/h.
    Water,
    /// Natural gas, m3/h at standard conditions.
    Gas,
    /// Steam, t/h.
    Steam,
}

/// What it is drawn for: the items (分项) in which a hospital's energy is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Item {
    /// Lights and sockets.
    Lighting,
    /// Chillers, their pumps and towers; boilers and their pumps.
    CoolingHeating,
    /// Air handlers, fan coils, ventilation.
    AirHandling,
    /// Clean air of operating rooms and wards that need it.
    Clean,
    /// Lifts, pumps, fans.
    Machines,
    /// Medical gases and vacuum.
    MedicalGas,
    /// Imaging.
    Imaging,
    /// Sterile supply, laundry, kitchen, laboratories.
    Services,
    /// Computers and networks.
    Computing,
    /// Cars.
    Charging,
}

/// One machine's draw.
#[derive(Clone, Copy, Debug)]
pub struct Use {
    /// Which asset draws.
    pub asset: &'static str,
    /// The building it stands in, an id of `config/hospital/buildings.toml`.
    pub building: &'static str,
    /// What.
    pub supply: Supply,
    /// What for.
    pub item: Item,
    /// How much.
    pub flow: Flow,
    /// Whether it must go on when the town's power fails.
    pub vital: bool,
}

/// All of it.
pub fn hospital(build: &mut Build) {
    let mut uses = air::add(build);
    uses.extend(gas::add(build));
    power::add(build, &uses);
}
