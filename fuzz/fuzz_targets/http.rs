//! The head of a request to the admin port.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| larder::admin::fuzz_request(input));
