//! See `jotsmith_fuzz::cookie_header`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| jotsmith_fuzz::cookie_header(data));
