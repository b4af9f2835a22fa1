//! Arbitrary bytes to every parser.
#![no_main]

#[allow(dead_code, reason = "the other target uses the rest")]
#[path = "../../tests/e2e/anything.rs"]
mod anything;

libfuzzer_sys::fuzz_target!(|text: &[u8]| anything::parse_all(text));
