//! See `jotsmith_fuzz::scope`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| jotsmith_fuzz::scope(data));
