//! See `jotsmith_fuzz::form_body`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| jotsmith_fuzz::form_body(data));
