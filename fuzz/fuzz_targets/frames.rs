//! Bytes of any line, read as frames.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| plantroom::field::modbus::fuzz::frames(data));
