//! The systems of a hospital's plant, and which of them a class of things belongs to.

use schemars::JsonSchema;
use serde::Deserialize;

/// A system of the plant: what a facility department divides its work by. The order is that of every list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub enum System {
    /// Power supply and distribution, 变配电.
    Electrical,
    /// Cooling, ventilation, air conditioning, 暖通空调.
    Hvac,
    /// Oxygen, medical air, vacuum, 医用气体.
    MedicalGas,
    /// Lifts, 电梯.
    Lifts,
    /// Water supply and drainage, 给排水.
    Water,
    /// Boilers, steam, hot water, 锅炉与热力.
    Heat,
    /// Fire protection, 消防.
    Fire,
    /// Rooms, cold storage, 环境与冷链.
    Environment,
}

/// Classes and their system: names of the Brick schema (1.3), as far as all that a hospital has of a class belongs to
/// one system, and behind `Ours` words of our own, where Brick has none. Places that several systems share (`Room`, `Mechanical_Room`, `Building`) and parts that occur
/// everywhere (`Pump`, `Valve`, `Filter`, `Heat_Exchanger`) are on no list: they are of the system they stand in.
const CLASSES: [(System, &[&str]); 8] = [
    (
        System::Electrical,
        &[
            "Electrical_System",
            "Electrical_Equipment",
            "Electrical_Room",
            "Electrical_Meter",
            "Building_Electrical_Meter",
            "Emergency_Power_Off_System",
            "Battery",
            "Battery_Room",
            "Breaker_Panel",
            "Bus_Riser",
            "Disconnect_Switch",
            "Energy_Storage",
            "Generator_Room",
            "Inverter",
            "Lighting_Equipment",
            "Lighting_System",
            "Luminaire",
            "Motor_Control_Center",
            "PV_Array",
            "PV_Panel",
            "Switch_Room",
            "Switchgear",
            "Transformer",
            "Transformer_Room",
            // Ours.
            "Automatic_Transfer_Switch",
            "Capacitor_Bank",
            "Circuit_Breaker",
            "Distribution_Board",
            "Distribution_Panel",
            "Emergency_Generator",
            "Feeder",
            "Generator",
            "Harmonic_Filter",
            "IT_System",
            "Insulation_Monitor",
            "Insulation_Monitoring_Device",
            "Isolation_Transformer",
            "Switchboard",
            "Transfer_Switch",
            "UPS",
            "Uninterruptible_Power_Supply",
        ],
    ),
    (
        System::Hvac,
        &[
            "AHU",
            "Absorption_Chiller",
            "Air_Diffuser",
            "Air_Handling_Unit",
            "CRAC",
            "CRAH",
            "Centrifugal_Chiller",
            "Chilled_Beam",
            "Chilled_Water_Loop",
            "Chilled_Water_Meter",
            "Chilled_Water_Pump",
            "Chilled_Water_System",
            "Chiller",
            "Computer_Room_Air_Conditioning",
            "Computer_Room_Air_Handler",
            "Condenser_Water_Loop",
            "Condenser_Water_Pump",
            "Condenser_Water_System",
            "Cooling_Coil",
            "Cooling_Tower",
            "Cooling_Tower_Fan",
            "Cooling_Valve",
            "DOAS",
            "Damper",
            "Dedicated_Outdoor_Air_System_Unit",
            "Exhaust_Damper",
            "Exhaust_Fan",
            "FCU",
            "Fan",
            "Fan_Coil_Unit",
            "Fume_Hood",
            "HVAC_Equipment",
            "HVAC_System",
            "Heat_Wheel",
            "Humidifier",
            "Outside_Damper",
            "Outside_Fan",
            "RTU",
            "Relief_Fan",
            "Return_Damper",
            "Return_Fan",
            "Rooftop_Unit",
            "Supply_Fan",
            "Terminal_Unit",
            "VAV",
            "Variable_Air_Volume_Box",
            // Ours.
            "Chiller_Plant",
            "Exhaust_Air_Unit",
            "Fan_Filter_Unit",
            "Fresh_Air_Unit",
            "Heat_Pump",
        ],
    ),
    (
        System::MedicalGas,
        &[
            // Ours.
            "Medical_Air_Compressor",
            "Medical_Air_Plant",
            "Medical_Air_System",
            "Medical_Gas_Alarm",
            "Medical_Gas_Area",
            "Medical_Gas_Area_Valve",
            "Medical_Gas_Manifold",
            "Medical_Gas_Plant",
            "Medical_Gas_System",
            "Medical_Gas_Zone",
            "Medical_Oxygen_System",
            "Medical_Vacuum_Plant",
            "Medical_Vacuum_Pump",
            "Medical_Vacuum_System",
            "Liquid_Oxygen_Tank",
            "Oxygen_Concentrator",
            "Oxygen_Generator",
            "Oxygen_Plant",
            "Oxygen_Tank",
        ],
    ),
    (System::Lifts, &["Elevator", "Elevator_Shaft", "Escalator", "Lift", "Lift_Group"]),
    (
        System::Water,
        &[
            "Building_Water_Meter",
            "Domestic_Water_Loop",
            "Domestic_Water_System",
            "Domestic_Water_Valve",
            "Water_Distribution",
            "Water_Loop",
            "Water_Meter",
            "Water_Pump",
            "Water_System",
            "Water_Tank",
            // Ours.
            "Booster_Pump",
            "Booster_Pump_Set",
            "Chlorine_Analyzer",
            "Chlorine_Doser",
            "Cold_Water_Tank",
            "Domestic_Water_Tank",
            "Drainage_System",
            "Reverse_Osmosis_Plant",
            "Septic_Tank",
            "Sewage_Dosing",
            "Sewage_Pump",
            "Sewage_Station",
            "Sewage_Treatment_Plant",
            "Sump",
            "Water_Treatment_Plant",
        ],
    ),
    (
        System::Heat,
        &[
            "Boiler",
            "Building_Gas_Meter",
            "Building_Hot_Water_Meter",
            "Condensing_Natural_Gas_Boiler",
            "Domestic_Hot_Water_System",
            "Electric_Boiler",
            "Gas_Meter",
            "Hot_Water_Loop",
            "Hot_Water_Meter",
            "Hot_Water_Pump",
            "Hot_Water_System",
            "Natural_Gas_Boiler",
            "Noncondensing_Natural_Gas_Boiler",
            "Radiator",
            "Solar_Thermal_Collector",
            "Space_Heater",
            "Steam_Distribution",
            "Steam_System",
            "Steam_Valve",
            "Water_Heater",
            // Ours.
            "Heat_Meter",
            "Hot_Water_Tank",
            "Steam_Boiler",
            "Steam_Header",
            "Steam_Meter",
            "Steam_Sterilizer",
        ],
    ),
    (
        System::Fire,
        &[
            "Fire_Alarm",
            "Fire_Control_Panel",
            "Fire_Safety_Equipment",
            "Fire_Safety_System",
            "Fire_Zone",
            "Heat_Detector",
            "Manual_Fire_Alarm_Activation_Equipment",
            "Smoke_Detector",
            // Ours.
            "Electrical_Fire_Monitor",
            "Fire_Hydrant_System",
            "Fire_Pump",
            "Fire_Sprinkler_System",
            "Fire_Water_System",
            "Fire_Water_Tank",
            "Residual_Current_Monitor",
            "Sprinkler_System",
        ],
    ),
    (
        System::Environment,
        &[
            "Air_Quality_Sensor",
            "CO2_Sensor",
            "Freezer",
            "Humidity_Sensor",
            "Temperature_Sensor",
            "Weather_Station",
            "Zone_Air_Temperature_Sensor",
            // Ours.
            "Blood_Refrigerator",
            "Cold_Room",
            "Incubator",
            "Isolation_Room",
            "Leak_Detector",
            "Leak_Sensor",
            "Medicine_Refrigerator",
            "Negative_Pressure_Room",
            "Negative_Pressure_Ward",
            "Refrigerator",
            "Room_Sensor",
            "Vaccine_Refrigerator",
            "Water_Leak_Sensor",
        ],
    ),
];

impl System {
    /// All of them, in their order.
    pub const ALL: [System; 8] = [
        System::Electrical,
        System::Hvac,
        System::MedicalGas,
        System::Lifts,
        System::Water,
        System::Heat,
        System::Fire,
        System::Environment,
    ];

    /// Its word in files and addresses.
    pub fn word(self) -> &'static str {
        match self {
            System::Electrical => "electrical",
            System::Hvac => "hvac",
            System::MedicalGas => "medical_gas",
            System::Lifts => "lifts",
            System::Water => "water",
            System::Heat => "heat",
            System::Fire => "fire",
            System::Environment => "environment",
        }
    }

    /// The system of a word; none if there is no such system.
    pub fn of_word(word: &str) -> Option<System> {
        System::ALL.into_iter().find(|system| system.word() == word)
    }

    /// The system all things of a class belong to; none where the class does not decide it.
    pub fn of_class(class: &str) -> Option<System> {
        let listed = CLASSES.iter().find(|(_, classes)| classes.contains(&class));
        listed.map(|(system, _)| *system)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::leaf::{Class, Leaf};
    use std::collections::BTreeSet;

    #[test]
    fn a_class_is_of_one_system_and_can_be_written() {
        let mut seen = BTreeSet::new();
        for (system, classes) in CLASSES {
            for class in classes {
                assert!(Class::parse(class).is_ok(), "{class}");
                assert!(seen.insert(*class), "{class} stands twice");
                assert_eq!(System::of_class(class), Some(system));
            }
        }
        assert_eq!(System::of_class("Room"), None);
    }

    #[test]
    fn words_are_those_of_the_files_and_lead_back() {
        for system in System::ALL {
            let value = toml::Value::String(system.word().to_owned());
            assert_eq!(value.try_into::<System>(), Ok(system));
            assert_eq!(System::of_word(system.word()), Some(system));
        }
        assert_eq!(System::of_word("hvacs"), None);
    }
}
