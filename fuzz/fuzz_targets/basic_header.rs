//! See `jotsmith_fuzz::basic_header`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| jotsmith_fuzz::basic_header(data));
