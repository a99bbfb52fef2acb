//! See `jotsmith_fuzz::languages`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| jotsmith_fuzz::languages(data));
