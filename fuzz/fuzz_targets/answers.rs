//! What others answer us: a name server that is asked for nodes, and nodes that `larder-top` asks for statistics, by the
//! first byte.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let Some((&choice, rest)) = input.split_first() else { return };
    match choice % 2 {
        0 => larder::discovery::fuzz_replies(rest),
        _ => larder::top::fuzz_statistics(rest),
    }
});
