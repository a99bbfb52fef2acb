//! See `jotsmith_fuzz::resource_indicator`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| jotsmith_fuzz::resource_indicator(data));
