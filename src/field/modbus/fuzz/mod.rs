//! Any bytes against what parses bytes from outside: targets for cargo-fuzz (`fuzz/`), played with
//! seeds on every test run.

mod frames;
mod decoders;

pub use decoders::decoders;
pub use frames::frames;
