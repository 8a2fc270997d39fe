//! Any text, as an expression of a rule or a derived point.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| plantroom::expr::fuzz::expressions(data));
