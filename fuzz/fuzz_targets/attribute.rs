#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| processing_fuzz::attribute_bytes(bytes));
