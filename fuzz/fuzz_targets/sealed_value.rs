//! See `jotsmith_fuzz::sealed_value`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| jotsmith_fuzz::sealed_value(data));
