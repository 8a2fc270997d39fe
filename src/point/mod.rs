//! The vocabulary every stage speaks: points, readings, values, qualities, units and times.
//!
//! Plain data, no I/O, no clock, no serialisation of its own: the disk formats live in
//! `historian`, the wire types in `api`.
//!
//! **Invariant:** knows nothing above it. Adding a protocol never touches this folder.

mod time;
mod value;
mod quality;
mod dimension;
mod conversion;
mod unit;
mod address;
mod names;
mod reading;
mod catalogue;

pub use address::{Address, AddressError, Name};
pub use catalogue::{Catalogue, CatalogueChange, CatalogueEntry, Declared, ValueKind};
pub use conversion::{Conversion, NoConversion};
pub use dimension::{Dimension, Ratio};
pub use names::Names;
pub use quality::{Quality, Reason, Severity, UnknownQuality};
pub use reading::{Batch, PointId, Reading};
pub use time::UtcMs;
pub use unit::{PressureReference, Sort as UnitSort, Unit, UnitError, Zero};
pub use value::{Decimal, DecimalError, TextId, Value};
