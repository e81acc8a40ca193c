#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| packagist_fuzz::timed("archives", data));
