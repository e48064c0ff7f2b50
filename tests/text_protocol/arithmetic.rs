//! Counting: incr and decr.

use crate::common::check;

#[test]
fn incr_wraps_at_two_to_the_64_and_decr_stops_at_zero() {
    check(
        r"
        > set k 5 0 2
        > 10
        < STORED
        > incr k 1
        < 11
        > incr k 0
        < 11
        > decr k 1
        < 10
        > decr k 100
        < 0
        > set k 5 0 20
        > 18446744073709551615
        < STORED
        > incr k 2
        < 1
        > incr missing 1
        < NOT_FOUND
        > decr missing 1
        < NOT_FOUND
        ",
    );
}

#[test]
fn shorter_number_is_padded_in_the_value_and_not_in_the_reply() {
    check(
        r"
        > set k 5 0 3
        > 100
        < STORED
        > gets k
        < VALUE k 5 3 $(old)
        < 100
        < END
        > decr k 1
        < 99
        > gets k
        < VALUE k 5 3 $(new)
        < 99\x20
        < END
        differ old new
        # the blank it left does not make it a non-number
        > incr k 2
        < 101
        > get k
        < VALUE k 5 3
        < 101
        < END
        ",
    );
}

#[test]
fn grown_number_has_no_padding() {
    check(
        r"
        > set k 0 0 2
        > 99
        < STORED
        > incr k 1
        < 100
        > get k
        < VALUE k 0 3
        < 100
        < END
        ",
    );
}

#[test]
fn delta_must_be_an_unsigned_number_of_64_bits() {
    check(
        r"
        > set k 0 0 1
        > 1
        < STORED
        > incr k
        < CLIENT_ERROR bad command line format
        > incr
        < CLIENT_ERROR bad command line format
        > incr k x
        < CLIENT_ERROR invalid numeric delta argument
        > incr k -1
        < CLIENT_ERROR invalid numeric delta argument
        > incr k 1x
        < CLIENT_ERROR invalid numeric delta argument
        > decr k 18446744073709551616
        < CLIENT_ERROR invalid numeric delta argument
        > incr k 18446744073709551615
        < 0
        ",
    );
}

#[test]
fn value_that_is_not_a_number_is_refused() {
    for value in ["a", "1a", "-1", "18446744073709551616", "1.5", "0x1", ""] {
        let length = value.len();
        check(&format!(
            r"
            > set k 0 0 {length}
            > {value}
            < STORED
            > incr k 1
            < CLIENT_ERROR cannot increment or decrement non-numeric value
            > decr k 1
            < CLIENT_ERROR cannot increment or decrement non-numeric value
            "
        ));
    }
}
