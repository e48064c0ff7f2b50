//! mg: vivify, recache, win, stale and already-sent.

use crate::common::check;

#[test]
fn a_miss_can_be_claimed() {
    check(
        r"
        > mg k N1000 v t s c f
        < VA 0 t$(left) s0 c$(cas) f0 W
        <
        > mg k v N1000
        < VA 0 Z
        <
        > mg k s
        < HD s0 Z
        > ms k 2 T1000
        > ab
        < HD
        > mg k v N1000
        < VA 2
        < ab
        ",
    );
}

#[test]
fn times_are_those_where_their_flags_stand() {
    check(
        r"
        > mg a t N1000
        < HD t-1 W
        > mg b N1000 t
        < HD t$(b) W
        > mg c N1000 T0 t
        < HD t-1 W
        > mg c t
        < HD t-1 Z
        > mg d T0 N1000 t
        < HD t$(d) W
        > mg d t
        < HD t$(d2) Z
        ",
    );
}

#[test]
fn a_number_can_be_given_to_what_is_created() {
    check(
        r"
        > mg k N1000 E555555 c
        < HD c555555 W
        > mg k N1000 E555556 c
        < HD c555555 Z
        ",
    );
}

#[test]
fn one_reader_renews_what_is_about_to_expire() {
    check(
        r"
        > ms k 1 T100
        > a
        < HD
        > mg k v R10
        < VA 1
        < a
        > mg k v R200
        < VA 1 W
        < a
        > mg k v R200
        < VA 1 Z
        < a
        > ms k 1 T1000
        > b
        < HD
        > mg k v R200
        < VA 1
        < b
        > ms k 1
        > b
        < HD
        > mg k R200
        < HD
        > mg k T100 R200
        < HD W
        > ms k 1
        > b
        < HD
        > mg k R200 T100
        < HD
        ",
    );
}

#[test]
fn marks_vanish_with_every_store() {
    check(
        r"
        > mg k N1000
        < HD W
        > ms k 1 MA
        > 1
        < HD
        > mg k
        < HD
        > md k I
        < HD
        > ms k 1 MP
        > 1
        < HD
        > mg k v
        < VA 2
        < 11
        > md k I
        < HD
        > set k 0 0 2
        > 99
        < STORED
        > mg k
        < HD
        > md k I
        < HD
        > ma k
        < HD
        > mg k v
        < VA 3
        < 100
        > get k
        < VALUE k 0 3
        < 100
        < END
        ",
    );
}

#[test]
fn classic_reads_neither_see_nor_take_marks() {
    check(
        r"
        > ms k 1
        > a
        < HD
        > md k I
        < HD
        > get k
        < VALUE k 0 1
        < a
        < END
        > mg k v
        < VA 1 X W
        < a
        > touch k 1000
        < TOUCHED
        > mg k
        < HD Z X
        ",
    );
}
