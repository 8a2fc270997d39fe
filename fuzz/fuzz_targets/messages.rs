//! Any topic with any payload, through every way a message can be read.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| plantroom::field::mqtt::fuzz::messages(data));
