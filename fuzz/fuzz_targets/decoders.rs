//! Registers of any device, read as any cell.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| plantroom::field::modbus::fuzz::decoders(data));
