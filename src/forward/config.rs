//! Which point becomes which field of which series, and how a target is spoken to.
//!
//! Names come from the configuration, so what no engine reads the same way (backslashes, control
//! characters, blanks at the end) is refused here, once, and cannot occur on the wire.

use super::line::{Field, LineError, Series, write_line};
use crate::config::{Asset, Plan, Target};
use crate::point::{Address, Catalogue, Name, PointId, Reading, TextId, UtcMs, Value};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// Class of the asset whose id becomes the tag `building`.
const BUILDING: &str = "Building";

/// Why a plan cannot be forwarded.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BuildError {
    /// A class that is no measurement.
    #[error(
        "the class {class:?} of {asset} cannot be a measurement: use letters, digits, '_' and '-' \
         without '\\', control characters or blanks at its end"
    )]
    Class {
        /// The asset.
        asset: Name,
        /// Its class.
        class: String,
    },
    /// A quantity that is no field.
    #[error("{point} cannot be a field: {why}")]
    Quantity {
        /// The point.
        point: Address,
        /// Why.
        why: LineError,
    },
    /// Two points for one field.
    #[error("{point} is the field in which the quality of {of} is forwarded; rename one of them")]
    QualityTaken {
        /// The point in the way.
        point: Address,
        /// The point whose quality has no field.
        of: Address,
    },
    /// A point without a number or without its asset. A checked plan has none.
    #[error("{0} is not known")]
    Unknown(Address),
}

/// How readings become lines; one for all targets.
#[derive(Debug)]
pub struct Mapping(HashMap<PointId, Mapped>);

#[derive(Debug)]
struct Mapped {
    series: Arc<Series>,
    field: String,
    quality_field: String,
}

/// What became of a reading.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Written {
    /// One line.
    Line,
    /// The plan does not know the point (any more).
    Unmapped,
    /// Its time is before [`UtcMs::SOURCE_MIN`]: a clock that was never set. Sent, it would
    /// settle in an engine's oldest shard for ever.
    NoTime,
    /// Nothing to say: a Good reading without a number or word.
    Empty,
}

impl Mapping {
    /// For the points of a plan: measurement = asset class; tags site, building, asset;
    /// field = quantity.
    pub fn new(plan: &Plan, catalogue: &Catalogue) -> Result<Mapping, BuildError> {
        let assets: HashMap<&Name, &Asset> = plan.assets.iter().map(|asset| (&asset.id, asset)).collect();
        let points: HashSet<&Address> = plan.points.iter().map(|point| &point.address).collect();
        let mut made: HashMap<&Name, Arc<Series>> = HashMap::new();
        let mut mapped = HashMap::with_capacity(plan.points.len());
        for point in &plan.points {
            let address = &point.address;
            let unknown = || BuildError::Unknown(address.clone());
            let id = catalogue.find(address).ok_or_else(unknown)?;
            let asset = assets.get(&address.asset).ok_or_else(unknown)?;
            let series = if let Some(series) = made.get(&asset.id) {
                Arc::clone(series)
            } else {
                let series = Arc::new(asset_series(plan, asset, &assets)?);
                made.insert(&asset.id, Arc::clone(&series));
                series
            };
            let field = address.quantity.to_string();
            let quality_field = format!("{field}_quality");
            check_field(&points, address, &quality_field)?;
            mapped.insert(id, Mapped { series, field, quality_field });
        }
        Ok(Mapping(mapped))
    }

    /// Appends the line of a reading. `word` finds the words of texts.
    pub fn write(
        &self,
        out: &mut String,
        reading: &Reading,
        word: &dyn Fn(TextId) -> Option<Arc<str>>,
    ) -> Written {
        let Some(mapped) = self.0.get(&reading.point) else { return Written::Unmapped };
        if reading.at < UtcMs::SOURCE_MIN {
            return Written::NoTime;
        }
        let text = match reading.value {
            Some(Value::Text(id)) => word(id),
            _ => None,
        };
        let value = match reading.value {
            Some(Value::Bool(on)) => Some(Field::Bool(on)),
            Some(Value::Decimal(number)) => Some(Field::Decimal(number)),
            Some(Value::F64(number)) => Some(Field::Float(number)),
            Some(Value::Text(_)) => text.as_deref().map(Field::Text),
            None => None,
        };
        let quality = reading.quality.reason().map(|_| reading.quality.to_string());
        let mut fields = Vec::with_capacity(2);
        fields.extend(value.map(|value| (mapped.field.as_str(), value)));
        fields.extend(quality.as_deref().map(|word| (mapped.quality_field.as_str(), Field::Text(word))));
        match write_line(out, &mapped.series, &fields, reading.at) {
            Ok(true) => Written::Line,
            // The keys were checked when the mapping was made.
            Ok(false) | Err(_) => Written::Empty,
        }
    }
}

fn asset_series(plan: &Plan, asset: &Asset, assets: &HashMap<&Name, &Asset>) -> Result<Series, BuildError> {
    let hard = |character: char| character.is_control() || character == '\\';
    let refused = || BuildError::Class { asset: asset.id.clone(), class: asset.class.clone() };
    if asset.class.contains(hard) || asset.class.ends_with(' ') {
        return Err(refused());
    }
    let building = building_of(asset, assets).map_or("", Name::as_str);
    let tags = [("site", plan.site.id.as_str()), ("building", building), ("asset", asset.id.as_str())];
    Series::new(&asset.class, &tags).map_err(|_| refused())
}

/// The building an asset is, or stands in.
fn building_of<'a>(asset: &'a Asset, assets: &HashMap<&Name, &'a Asset>) -> Option<&'a Name> {
    let up = std::iter::successors(Some(asset), |asset| assets.get(asset.parent.as_ref()?).copied());
    // A tree has no longer path than it has assets: a loop of parents ends here too.
    up.take(assets.len()).find(|asset| asset.class == BUILDING).map(|asset| &asset.id)
}

fn check_field(points: &HashSet<&Address>, address: &Address, quality: &str) -> Result<(), BuildError> {
    if address.quantity.as_str() == "time" {
        return Err(BuildError::Quantity { point: address.clone(), why: LineError::Time });
    }
    // A name too long for a point cannot be one.
    let Ok(quantity) = quality.parse() else { return Ok(()) };
    let taken = Address { asset: address.asset.clone(), quantity };
    if points.contains(&taken) {
        return Err(BuildError::QualityTaken { point: taken, of: address.clone() });
    }
    Ok(())
}

/// The write endpoint of a target with its precision: milliseconds, in the engine's spelling.
pub fn endpoint(target: &Target) -> url::Url {
    let mut url = target.url.clone();
    // InfluxDB 3 spells it out on its own path.
    let precision = if url.path().ends_with("/api/v3/write_lp") { "millisecond" } else { "ms" };
    let kept: Vec<(String, String)> =
        url.query_pairs().filter(|(key, _)| key != "precision").map(|(k, v)| (k.into(), v.into())).collect();
    url.query_pairs_mut().clear().extend_pairs(kept).append_pair("precision", precision);
    url
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::forward::testing::{asset, catalogue, plan, point};
    use crate::point::{Decimal, Quality, Reason};

    fn write(reading: &Reading) -> (Written, String) {
        let plan = plan();
        let mapping = Mapping::new(&plan, &catalogue(&plan)).unwrap();
        let mut out = String::new();
        let word = |id: TextId| (id == TextId(1)).then(|| Arc::from("heat \"up\""));
        (mapping.write(&mut out, reading, &word), out)
    }

    #[test]
    fn a_reading_is_a_line_of_its_asset() {
        let at = UtcMs(1_795_276_800_123);
        let decimal = |text: &str| Some(Value::Decimal(text.parse().unwrap()));
        let head = "Electrical_Meter,asset=main-meter,building=tower,site=demo";
        let table = [
            (decimal("12.50"), Quality::Good, "energy=12.50"),
            (Some(Value::Bool(true)), Quality::Good, "energy=1"),
            (Some(Value::F64(1e300)), Quality::Good, "energy=1e300"),
            (Some(Value::Text(TextId(1))), Quality::Good, "energy=\"heat \\\"up\\\"\""),
            (decimal("7"), Quality::Uncertain(Reason::Stale), "energy=7,energy_quality=\"uncertain:stale\""),
            (None, Quality::Bad(Reason::Timeout), "energy_quality=\"bad:timeout\""),
        ];
        for (value, quality, fields) in table {
            let reading = Reading { point: PointId(1), at, value, quality };
            assert_eq!(write(&reading), (Written::Line, format!("{head} {fields} 1795276800123\n")));
        }
        // Without a building there is no such tag.
        let outside = Reading { point: PointId(2), at, value: decimal("1"), quality: Quality::Good };
        assert_eq!(write(&outside).1, "Weather_Station,asset=roof,site=demo temperature=1 1795276800123\n");
    }

    #[test]
    fn what_has_no_line_says_why() {
        let good = Reading {
            point: PointId(1),
            at: UtcMs(1_795_276_800_123),
            value: Some(Value::Decimal(Decimal::ONE)),
            quality: Quality::Good,
        };
        let table = [
            (Reading { point: PointId(99), ..good }, Written::Unmapped),
            (Reading { at: UtcMs(5_000), ..good }, Written::NoTime),
            (Reading { value: Some(Value::Text(TextId(2))), ..good }, Written::Empty),
            (Reading { value: Some(Value::F64(f64::NAN)), ..good }, Written::Empty),
        ];
        for (reading, written) in table {
            assert_eq!(write(&reading), (written, String::new()));
        }
    }

    #[test]
    fn names_that_engines_read_differently_are_refused() {
        for class in ["", "#Chiller", "Chil\\ler", "Chiller ", "Chil\nler"] {
            let mut plan = plan();
            plan.assets.push(asset("odd", class, None));
            plan.points.push(point("odd/x"));
            let refused = Mapping::new(&plan, &catalogue(&plan)).unwrap_err();
            let expected = BuildError::Class { asset: "odd".parse().unwrap(), class: class.into() };
            assert_eq!(refused, expected);
        }
        let mut timed = plan();
        timed.points.push(point("roof/time"));
        assert!(matches!(Mapping::new(&timed, &catalogue(&timed)), Err(BuildError::Quantity { .. })));
        let mut taken = plan();
        taken.points.push(point("roof/temperature_quality"));
        assert!(matches!(Mapping::new(&taken, &catalogue(&taken)), Err(BuildError::QualityTaken { .. })));
    }

    #[test]
    fn the_precision_is_set_whatever_stood_there() {
        let table = [
            ("http://h:8086/write?db=plant", "http://h:8086/write?db=plant&precision=ms"),
            ("http://h/write?precision=ns&db=a%20b", "http://h/write?db=a+b&precision=ms"),
            ("http://h/api/v2/write?org=o&bucket=b", "http://h/api/v2/write?org=o&bucket=b&precision=ms"),
            ("http://h/api/v3/write_lp?db=x", "http://h/api/v3/write_lp?db=x&precision=millisecond"),
            ("http://h/insert/0/influx/write", "http://h/insert/0/influx/write?precision=ms"),
        ];
        for (url, expected) in table {
            let target = Target { url: url.parse().unwrap(), ..plan().targets[0].clone() };
            assert_eq!(endpoint(&target).as_str(), expected);
        }
    }
}
