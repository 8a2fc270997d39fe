//! The kinds of faults a script may name.

use std::fmt;
use std::str::FromStr;

macro_rules! kinds {
    ($($(#[$doc:meta])* $name:ident = $word:literal, $place:ident;)*) => {
        /// What goes wrong.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Kind { $($(#[$doc])* $name,)* }

        impl Kind {
            /// Every kind.
            pub const ALL: &'static [Kind] = &[$(Kind::$name,)*];

            /// Its word in a script.
            pub fn word(self) -> &'static str {
                match self { $(Kind::$name => $word,)* }
            }

            /// Where it acts.
            pub fn place(self) -> Place {
                match self { $(Kind::$name => Place::$place,)* }
            }
        }
    };
}

kinds! {
    /// The drop over an air filter rises as it fills with dust.
    CloggingFilter = "clogging_filter", Plant;
    /// A lift's doors take longer and open again more often.
    DriftingLiftDoor = "drifting_lift_door", Plant;
    /// A lift stops between two floors with a person in it.
    LiftEntrapment = "lift_entrapment", Plant;
    /// A lift's ropes wear: the car levels worse.
    RopeWear = "rope_wear", Plant;
    /// A water valve stands still whatever it is told.
    StuckValve = "stuck_valve", Plant;
    /// An air damper stands still whatever it is told.
    StuckDamper = "stuck_damper", Plant;
    /// A condenser gives its heat away badly.
    FouledCondenser = "fouled_condenser", Plant;
    /// A chiller loses refrigerant.
    RefrigerantLoss = "refrigerant_loss", Plant;
    /// Oxygen flows where nobody breathes it.
    OxygenLeak = "oxygen_leak", Plant;
    /// The pressure of oxygen falls in one zone.
    OxygenZoneLow = "oxygen_zone_low", Plant;
    /// The pressure of oxygen falls at its source, and so everywhere.
    OxygenLow = "oxygen_low", Plant;
    /// The lorry that fills a tank does not come.
    MissedRefill = "missed_refill", Plant;
    /// The vacuum plant no longer draws as it should.
    VacuumWeakness = "vacuum_weakness", Plant;
    /// A room loses its pressure against its neighbours.
    OrPressureLost = "or_pressure_lost", Plant;
    /// The mains fail and the transfer switch goes to its second source.
    AtsTransfer = "ats_transfer", Plant;
    /// Too little chlorine is left in what leaves the sewage plant.
    ResidualChlorineLow = "residual_chlorine_low", Plant;
    /// A feeder trips, and all behind it is without current.
    FeederTrip = "feeder_trip", Plant;
    /// At night more runs than should.
    NightBaseLoad = "night_base_load", Plant;
    /// Water flows away at night.
    WaterLeakNight = "water_leak_night", Plant;
    /// A refrigerator's door is left open.
    FridgeDoorOpen = "fridge_door_open", Plant;
    /// A transformer's winding runs hotter than its load explains.
    WindingHeating = "winding_heating", Plant;
    /// A joint of a busbar grows hot under load.
    JointHeating = "joint_heating", Plant;
    /// More and more current flows to earth.
    ResidualCurrentRising = "residual_current_rising", Plant;
    /// The insulation of a medical IT system gets worse.
    InsulationFalling = "insulation_falling", Plant;
    /// A pump's bearings and seals wear.
    PumpWear = "pump_wear", Plant;
    /// Water stands where a leak sensor lies.
    WaterOnFloor = "water_on_floor", Plant;
    /// A meter's register has its last digit full and begins anew, as it should.
    MeterRollover = "meter_rollover", Instrument;
    /// A meter is exchanged: the new one begins at 0.
    MeterReplaced = "meter_replaced", Instrument;
    /// A meter's current transformers have another ratio than it was told.
    CtChanged = "ct_changed", Instrument;
    /// A sensor shows the same for ever.
    FrozenSensor = "frozen_sensor", Instrument;
    /// A sensor writes another unit than it did.
    UnitJump = "unit_jump", Instrument;
    /// A device answers nothing.
    DeadDevice = "dead_device", Line;
    /// Replies on a bus are lost, cut, damaged or late.
    NoisyBus = "noisy_bus", Line;
    /// The gateway's own clock is set wrong.
    ClockJump = "clock_jump", Line;
}

/// Where a fault acts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// In the plant: it is true, and every instrument shows it.
    Plant,
    /// In the instrument: what is true stays, what is shown differs.
    Instrument,
    /// Between the instrument and the gateway, or in the gateway's clock.
    Line,
}

/// A word that is no kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoKind;

impl FromStr for Kind {
    type Err = NoKind;

    fn from_str(word: &str) -> Result<Kind, NoKind> {
        Kind::ALL.iter().copied().find(|kind| kind.word() == word).ok_or(NoKind)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}
