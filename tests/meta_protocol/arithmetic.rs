//! ma: incr, decr and counters that create themselves.

use crate::common::check;

#[test]
fn counts_up_and_down() {
    check(
        r"
        > ma n
        < NF
        > ma n q k O1
        < NF kn O1
        > ms n 2
        > 10
        < HD
        > ma n
        < HD
        > ma n v
        < VA 2
        < 12
        > ma n v D5
        < VA 2
        < 17
        > ma n v MD D7
        < VA 2
        < 10
        > ma n M- v
        < VA 1
        < 9
        > ma n M+ D18446744073709551615 v
        < VA 1
        < 8
        > ma n MI v
        < VA 1
        < 9
        > ma n M- D100 v
        < VA 1
        < 0
        > ma n q
        > ma n q v
        > mg n v
        < VA 2
        < 2\x20
        ",
    );
}

#[test]
fn a_missing_counter_can_be_created() {
    check(
        r"
        > ma n N1000 J13 v t
        < VA 2 t$(left)
        < 13
        > ma n N1000 J13 v
        < VA 2
        < 14
        > ma m N0 v t
        < VA 1 t-1
        < 0
        > ma a t N1000
        < HD t-1
        > ma a t
        < HD t$(a)
        > ma b N1000 T0 t
        < HD t-1
        > ma c T0 N1000 t
        < HD t$(c)
        > ma d N1000 q
        > mg d v
        < VA 1
        < 0
        ",
    );
}

#[test]
fn answers_return_what_was_asked_for() {
    check(
        r"
        > ms n 1 T1000 c
        > 5
        < HD c$(first)
        > ma n t k c Oabc v
        < VA 1 t$(left) kn c$(second) Oabc
        < 6
        differ first second
        > mg n c
        < HD c$(second)
        > ma n t T0
        < HD t$(left2)
        > ma n t
        < HD t-1
        > ma n T1000 t
        < HD t$(left3)
        ",
    );
}

#[test]
fn numbers_are_compared_and_given() {
    check(
        r"
        > ms n 1 c
        > 5
        < HD c$(first)
        > ma n C999999 k
        < EX kn
        > ma n C999999 q O1
        < EX O1
        > ma n C$(first) E1000000 c v
        < VA 1 c1000000
        < 6
        > ma n C0 v
        < VA 1
        < 7
        > ma new N0 E2000000 c
        < HD c2000000
        ",
    );
}

#[test]
fn only_numbers_are_counted() {
    check(
        r"
        > ms k 1
        > a
        < HD
        > ma k
        < CLIENT_ERROR cannot increment or decrement non-numeric value
        > ma k q
        < CLIENT_ERROR cannot increment or decrement non-numeric value
        > ms k 0
        >
        < HD
        > ma k C5
        < CLIENT_ERROR cannot increment or decrement non-numeric value
        ",
    );
}
