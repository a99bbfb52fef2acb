//! See `jotsmith_fuzz::handle`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| jotsmith_fuzz::handle(data));
