//! Arbitrary records to the writer.
#![no_main]

#[allow(dead_code, reason = "the other target uses the rest")]
#[path = "../../tests/e2e/anything.rs"]
mod anything;

use anything::{Anything, check_line};

libfuzzer_sys::fuzz_target!(|input: (String, Vec<u8>, u64, f64, bool, u16)| {
    let (name, command, whole, part, cut, max) = input;
    // The limits that the command line allows: none, or at least 1024.
    let max = if max == 0 { 0 } else { 1024 + usize::from(max) };
    check_line(&Anything { name, command, whole, part }, cut, max);
});
