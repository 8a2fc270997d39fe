//! The register maps of `config/devices`: each loads, says where it is from, and stands in the manual.

#![cfg(test)] // tells clippy that helpers here may unwrap, as tests may

use plantroom::config::{self, Encoding};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use toml::{Table, Value};

/// What a hospital's plant rooms hold, and the map that serves it.
const CLASSES: [(&str, &str); 28] = [
    ("Acrel ADL400", "acrel/adl400"),
    ("Acrel DTSD1352", "acrel/dtsd1352"),
    ("Eastron SDM630", "eastron/sdm630"),
    ("Schneider PM5xxx", "schneider/pm5xxx"),
    ("Schneider iEM3000", "schneider/iem3000"),
    ("ABB B23", "abb/b23"),
    ("Carlo Gavazzi EM24", "carlo-gavazzi/em24"),
    ("Siemens PAC", "siemens/pac3200"),
    ("water meter", "xintai/water-meter"),
    ("heat meter", "aquametro/calec-st"),
    ("frequency converter", "abb/acs550"),
    ("chiller", "daikin/microtech-iii-chiller"),
    ("air handling unit", "komfovent/c6"),
    ("lift", "lift/synthetic-monitor"),
    ("lift drive", "invertek/optidrive-elevator-core"),
    ("boiler", "acv/prestige"),
    ("oxygen analyser", "ametek/oxyvisor"),
    ("medical gas panel", "gas-panel/synthetic-zone-alarm"),
    ("uninterruptible power supply", "huawei/ups2000"),
    ("transfer switch", "socomec/atys-pm"),
    ("transformer temperature", "leku/dry-transformer"),
    ("residual current", "acrel/asj20"),
    ("insulation of medical IT systems", "acrel/aim-m10"),
    ("booster pumps", "grundfos/cim-booster"),
    ("DL/T 645 concentrator", "concentrator/synthetic-dlt645"),
    ("CJ/T 188 concentrator", "concentrator/synthetic-cjt188"),
    ("generating set", "dse/dse73xx"),
    ("temperature and humidity", "generic/xy-md02"),
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("config")
}

/// Every map by name, as it is written.
fn profiles() -> Vec<(String, Table)> {
    let devices = root().join("devices");
    let mut found = Vec::new();
    for maker in std::fs::read_dir(&devices).unwrap() {
        for file in std::fs::read_dir(maker.unwrap().path()).unwrap() {
            let path = file.unwrap().path();
            let name = path.strip_prefix(&devices).unwrap().with_extension("").display().to_string();
            found.push((name, std::fs::read_to_string(path).unwrap().parse().unwrap()));
        }
    }
    found.sort_by(|(one, _), (other, _)| one.cmp(other));
    found
}

fn text<'a>(table: &'a Value, key: &str) -> &'a str {
    table.get(key).and_then(Value::as_str).unwrap_or_default()
}

fn list<'a>(table: &'a Value, key: &str) -> &'a [Value] {
    table.get(key).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// The registers of a map, or the values of what a device sends.
fn points(table: &Table) -> Vec<&Value> {
    let of = |key: &str| table.get(key).and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    of("registers").iter().chain(of("topics").iter().flat_map(|topic| list(topic, "values"))).collect()
}

/// The name in one language; it must be there.
fn name<'a>(of: &'a Value, language: &str, whose: &str) -> &'a str {
    let name = of.get("name").map_or("", |name| text(name, language));
    assert!(!name.is_empty(), "{whose} has no name in {language}");
    name
}

fn is_chinese(text: &str) -> bool {
    text.chars().any(|c| ('\u{4e00}'..='\u{9fff}').contains(&c))
}

#[test]
fn every_map_loads_alone_with_nothing_to_complain_of() {
    let profiles = profiles();
    assert!(profiles.len() >= 40, "{}", profiles.len());
    for (profile, table) in profiles {
        let loaded = config::load_profile(&profile, &root()).unwrap_or_else(|wrong| panic!("{wrong}"));
        assert!(loaded.warnings.items.is_empty(), "{}", loaded.warnings);
        let values: usize = loaded.topics.iter().map(|tried| tried.points.len()).sum();
        assert_eq!(loaded.registers.len() + values, points(&table).len(), "{profile}");
        for (register, point) in &loaded.registers {
            if matches!(register.cell.encoding, Encoding::Date(_)) {
                assert_eq!(point.unit.to_string(), "s", "{profile} {}", point.address);
            }
        }
    }
}

#[test]
fn every_map_says_where_it_is_from_and_how_sure_it_is() {
    for (profile, table) in profiles() {
        let device = &table["device"];
        let (source, certainty) = (text(device, "source"), text(device, "certainty"));
        assert!(source.chars().count() >= 30, "{profile}: {source:?} names no document");
        assert!(["A", "B", "C", "D"].contains(&certainty), "{profile}: {certainty:?}");
        let names = [name(device, "zh", &profile), name(device, "en", &profile)];
        let invented =
            [names[0].contains("合成"), names[1].contains("synthetic"), source.contains("synthetic")];
        assert_eq!(invented, [certainty == "D"; 3], "{profile}: a synthetic map is D and says so everywhere");
        let maker = device.get("maker").is_some();
        assert!(maker || certainty == "D", "{profile} has no maker");
    }
}

#[test]
fn every_register_and_state_has_a_name_in_both_languages() {
    for (profile, table) in profiles() {
        for register in points(&table) {
            let whose = format!("{profile} {}", text(register, "quantity"));
            assert!(is_chinese(name(register, "zh", &whose)), "{whose}");
            for named in std::iter::once(register).chain(list(register, "states")) {
                name(named, "zh", &whose); // may be a code that is the same everywhere: E01
                assert!(!is_chinese(name(named, "en", &whose)), "{whose}");
            }
        }
    }
}

#[test]
fn the_classes_of_a_hospitals_plant_are_covered() {
    let profiles = profiles();
    for (class, profile) in CLASSES {
        assert!(profiles.iter().any(|(name, _)| name == profile), "{class}: there is no {profile}");
    }
}

/// Profile, device, points, certainty; behind that the manual says in a few words where it is from.
fn row(profile: &str, table: &Table, language: &str) -> String {
    let registers = points(table);
    let doubtful = registers.iter().filter(|register| text(register, "certainty") == "C").count();
    let certainty = text(&table["device"], "certainty");
    let certainty = match doubtful {
        0 => certainty.to_owned(),
        _ => format!("{certainty}, {doubtful} C"),
    };
    format!(
        "| `{profile}` | {} | {} | {certainty} | ",
        name(&table["device"], language, profile),
        registers.len()
    )
}

#[test]
fn the_manual_lists_every_map() {
    let profiles = profiles();
    for language in ["en", "zh"] {
        let path = format!("docs/manual/{language}/devices.md");
        let page = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(&path)).unwrap();
        let rows = page.lines().filter(|line| line.starts_with("| `") && line.contains('/')).count();
        for (profile, table) in &profiles {
            let row = row(profile, table, language);
            let found = page.lines().find_map(|line| line.strip_prefix(&row));
            assert!(found.is_some_and(|source| source.len() > 8), "{path} lacks the line {row}SOURCE |");
        }
        assert_eq!(rows, profiles.len(), "{path} lists a map that is not there");
    }
}

#[test]
fn the_point_list_of_the_manual_loads() {
    let site = "config_version = 1\n[site]\nid = \"s\"\ntimezone = \"Asia/Shanghai\"\n\
                [[assets]]\nid = \"a\"\nclass = \"Room\"\n\
                [[modbus]]\nid = \"bus\"\nconnect = \"10.0.0.1\"\n\
                [[modbus.devices]]\nid = \"d\"\nunit_id = 1\nasset = \"a\"\npoints = \"list.csv\"\n";
    let lists = ["en", "zh"].map(|language| {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("docs/manual/{language}/devices.md"));
        let page = std::fs::read_to_string(path).unwrap();
        let list = page.split_once("```csv\n").unwrap().1.split_once("```").unwrap().0.to_owned();
        let files: BTreeMap<PathBuf, String> =
            [("site.toml".into(), site.to_owned()), ("list.csv".into(), list)].into();
        let loaded = config::load_from(&files, Path::new("site.toml"), &|_| None);
        let loaded = loaded.unwrap_or_else(|wrong| panic!("{language}: {wrong}"));
        assert!(loaded.warnings.items.is_empty(), "{language}: {}", loaded.warnings);
        format!("{:?}", loaded.plan)
    });
    assert_eq!(lists[0], lists[1]);
}
