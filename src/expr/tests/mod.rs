//! Tests of the language as a whole, against a small plant.

mod laws;
mod manual;
mod plant;
mod table;
