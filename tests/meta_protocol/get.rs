//! mg: what a read returns.

use crate::common::{check, check_with};

#[test]
fn hits_and_misses() {
    check(
        r"
        > mg none
        < EN
        > mg none v
        < EN
        > set k 5 0 3
        > abc
        < STORED
        > mg k
        < HD
        > mg k v
        < VA 3
        < abc
        > mg k   v
        < VA 3
        < abc
        >| mg k v\nmg k\n
        < VA 3
        < abc
        < HD
        ",
    );
}

#[test]
fn flags_return_in_the_order_asked_for() {
    check(
        r"
        > set k 5 0 3
        > abc
        < STORED
        > mg k s v f c t
        < VA 3 s3 f5 c$(cas) t-1
        < abc
        > mg k t f s c
        < HD t-1 f5 s3 c$(cas)
        > mg k Oabc k s
        < HD Oabc kk s3
        > mg k k Oabc
        < HD kk Oabc
        ",
    );
}

#[test]
fn misses_return_key_and_opaque() {
    check(
        r"
        > mg none s Oabc v k t
        < EN Oabc knone
        > mg none k
        < EN knone
        > mg none k q
        > mn
        < MN
        ",
    );
}

#[test]
fn a_quiet_pipeline_answers_hits_up_to_the_barrier() {
    check(
        r"
        > ms a 1 q
        > 1
        > ms b 1 q
        > 2
        > mg a v k q
        > mg none v k q
        > mg b v k q O9
        > mg none2 q
        > mn
        < VA 1 ka
        < 1
        < VA 1 kb O9
        < 2
        < MN
        ",
    );
}

#[test]
fn hit_before_and_last_access_are_those_before_this_read() {
    check(
        r"
        > set k 0 0 1
        > a
        < STORED
        > mg k h l
        < HD h0 l$(<60)
        > mg k h
        < HD h1
        > set k 0 0 1
        > b
        < STORED
        > mg k u h
        < HD h0
        > mg k h
        < HD h0
        > mg k h
        < HD h1
        > get k
        < VALUE k 0 1
        < b
        < END
        ",
    );
}

#[test]
fn a_value_that_is_known_already_is_not_sent_again() {
    check(
        r"
        > set k 0 0 1
        > a
        < STORED
        > mg k v c
        < VA 1 c$(cas)
        < a
        > mg k v c C$(cas)
        < HD c$(cas)
        > mg k v C1000000
        < VA 1
        < a
        ",
    );
}

#[test]
fn a_time_can_be_given_and_is_told() {
    check(
        r"
        > set k 0 0 1
        > a
        < STORED
        > mg k t T1000 v
        < VA 1 t-1
        < a
        > mg k t
        < HD t$(left)
        > mg k T0 t
        < HD t-1
        > mg k T-1 v
        < VA 1
        < a
        > mg k
        < EN
        ",
    );
}

#[test]
fn large_values_come_whole() {
    check(
        r"
        > ms k 300000 T0
        > {v*300000}
        < HD
        > mg k s v
        < VA 300000 s300000
        < {v*300000}
        > mg k s
        < HD s300000
        > mn
        < MN
        ",
    );
}

#[test]
fn without_cas_numbers_they_are_0() {
    check_with(
        &["-C"],
        r"
        > ms k 1 c
        > a
        < HD c0
        > mg k c
        < HD c0
        ",
    );
}
