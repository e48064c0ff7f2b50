//! ms: modes, conditions and what comes back.

use crate::common::check;

#[test]
fn stores_with_flags_and_time() {
    check(
        r"
        > ms k 3 F7 T1000
        > abc
        < HD
        > mg k f t v
        < VA 3 f7 t$(left)
        < abc
        > ms k 0
        >
        < HD
        > mg k f t s
        < HD f0 t-1 s0
        > ms k 2 T-1
        > ab
        < HD
        > mg k
        < EN
        ",
    );
}

#[test]
fn returns_key_opaque_number_and_size_in_order() {
    check(
        r"
        > ms k 3 s k c Oabc
        > abc
        < HD s3 kk c$(cas) Oabc
        > mg k c
        < HD c$(cas)
        > ms k 3 c q
        > abc
        > mn
        < MN
        ",
    );
}

#[test]
fn modes() {
    check(
        r"
        > ms k 1 MR
        > a
        < NS
        > ms k 1 MA k
        > a
        < NS kk
        > ms k 1 MP s c
        > a
        < NS s1 c0
        > ms k 1 ME
        > a
        < HD
        > ms k 1 ME O1
        > b
        < NS O1
        > ms k 1 MR
        > c
        < HD
        > ms k 2 MA s
        > de
        < HD s3
        > ms k 1 MP s c
        > b
        < HD s4 c$(cas)
        > ms k 1 MAppend
        > f
        < HD
        > mg k v
        < VA 5
        < bcdef
        > ms k 1 MS
        > z
        < HD
        > mg k v
        < VA 1
        < z
        ",
    );
}

#[test]
fn append_and_prepend_can_create() {
    check(
        r"
        > ms a 3 MA N1000 T5 F9
        > abc
        < HD
        > mg a v t f
        < VA 3 t$(left) f9
        < abc
        > ms a 1 MA N5 s
        > d
        < HD s4
        > ms p 3 MP N0
        > abc
        < HD
        > mg p v t
        < VA 3 t-1
        < abc
        ",
    );
}

#[test]
fn the_number_can_be_compared() {
    check(
        r"
        > ms k 1 C5
        > a
        < NF
        > ms k 1 c
        > a
        < HD c$(first)
        > ms k 1 C999999 c s
        > b
        < EX c0 s1
        > ms k 1 C$(first) c
        > b
        < HD c$(second)
        > ms k 1 C0
        > c
        < EX
        > ms k 1 MA C$(first)
        > c
        < EX
        > ms k 1 MA C$(second)
        > c
        < HD
        > ms k 1 MR C$(second)
        > d
        < EX
        > ms k 1 ME C$(second)
        > d
        < NS
        > ms new 1 ME C5
        > d
        < HD
        > mg k v
        < VA 2
        < bc
        ",
    );
}

#[test]
fn the_number_can_be_given() {
    check(
        r"
        > ms k 1 E1000000 c
        > a
        < HD c1000000
        > mg k c
        < HD c1000000
        > ms k 1 C1000000 E1000001
        > b
        < HD
        > mg k c v
        < VA 1 c1000001
        < b
        > ms k 1 MA E77 c
        > c
        < HD c77
        ",
    );
}

#[test]
fn quiet_silences_success_alone() {
    check(
        r"
        > ms k 1 q
        > a
        > ms k 1 q ME O5
        > b
        < NS O5
        > ms k 1 q C999999
        > b
        < EX
        > ms none 1 q C5
        > b
        < NF
        > ms k 2 q
        >| abcd
        < CLIENT_ERROR bad data chunk
        ",
    );
}

#[test]
fn what_cannot_be_stored_takes_the_old_value_away_in_every_mode() {
    check(
        r"
        > ms k 1
        > a
        < HD
        > ms k 2000000 MA
        > {v*2000000}
        < SERVER_ERROR object too large for cache
        > mg k v
        < EN
        > ms k 1
        > a
        < HD
        > ms k 2000000 q
        > {v*2000000}
        < SERVER_ERROR object too large for cache
        > mg k v
        < EN
        ",
    );
}

#[test]
fn large_values_are_stored_and_told_like_small_ones() {
    check(
        r"
        > ms k 200000 k Oabc c s F3
        > {v*200000}
        < HD kk Oabc c$(cas) s200000
        > ms k 100000 q
        > {w*100000}
        > ms k 100000 MA s
        > {w*100000}
        < HD s200000
        > ms k 100000 ME O1 k
        > {x*100000}
        < NS O1 kk
        > ms k 100000 q
        >| {v*100002}
        < CLIENT_ERROR bad data chunk
        > mg k s f
        < HD s200000 f0
        ",
    );
}
