//! Storing: set, add, replace, append, prepend, cas.

use crate::common::{check, check_with};

#[test]
fn set_stores_and_overwrites() {
    check(
        r"
        > set k 5 0 3
        > abc
        < STORED
        > get k
        < VALUE k 5 3
        < abc
        < END
        > set k 4294967295 0 0
        >
        < STORED
        > get k
        < VALUE k 4294967295 0
        <
        < END
        ",
    );
}

#[test]
fn values_are_eight_bit_clean() {
    check(
        r"
        > set k 0 0 8
        > \0\r\n\xff\xfe\r\nz
        < STORED
        >| get k\r\nversion\r\n
        < VALUE k 0 8
        <| \0\r\n\xff\xfe\r\nz\r\n
        < END
        <* VERSION *
        ",
    );
}

#[test]
fn keys_hold_any_byte_but_blank_and_line_ends() {
    check(
        r"
        > set \0\t\x01\xff\x7f 0 0 1
        > a
        < STORED
        > get \0\t\x01\xff\x7f
        < VALUE \0\t\x01\xff\x7f 0 1
        < a
        < END
        # a tab does not separate words
        > get\tk
        < ERROR
        ",
    );
}

#[test]
fn add_stores_only_what_is_missing() {
    check(
        r"
        > add k 1 0 1
        > a
        < STORED
        > add k 2 0 1
        > b
        < NOT_STORED
        > get k
        < VALUE k 1 1
        < a
        < END
        ",
    );
}

#[test]
fn replace_stores_only_over_what_is_there() {
    check(
        r"
        > replace k 1 0 1
        > a
        < NOT_STORED
        > get k
        < END
        > set k 1 0 1
        > a
        > replace k 2 0 2
        > bc
        < STORED
        < STORED
        > get k
        < VALUE k 2 2
        < bc
        < END
        ",
    );
}

#[test]
fn append_and_prepend_keep_flags_of_old_item_and_change_its_unique() {
    check(
        r"
        > append k 0 0 1
        > a
        < NOT_STORED
        > prepend k 0 0 1
        > a
        < NOT_STORED
        > set k 7 0 1
        > b
        < STORED
        > gets k
        < VALUE k 7 1 $(old)
        < b
        < END
        > append k 99 -1 1
        > c
        < STORED
        > prepend k 99 -1 1
        > a
        < STORED
        > gets k
        < VALUE k 7 3 $(new)
        < abc
        < END
        differ old new
        # the flags and exptime of the line mean nothing but must be numbers
        > append k x 0 1
        > c
        < CLIENT_ERROR bad command line format
        > append k 0 x 1
        > c
        < CLIENT_ERROR bad command line format
        > append k 0 0 0
        >
        < STORED
        > get k
        < VALUE k 7 3
        < abc
        < END
        ",
    );
}

#[test]
fn cas_stores_only_over_the_version_that_was_read() {
    check(
        r"
        > cas k 0 0 1 1
        > a
        < NOT_FOUND
        > set k 0 0 1
        > a
        < STORED
        > gets k
        < VALUE k 0 1 $(first)
        < a
        < END
        > set k 0 0 1
        > b
        < STORED
        > cas k 0 0 1 $(first)
        > c
        < EXISTS
        > gets k
        < VALUE k 0 1 $(second)
        < b
        < END
        differ first second
        > cas k 3 0 1 $(second)
        > d
        < STORED
        > gets k
        < VALUE k 3 1 $(third)
        < d
        < END
        differ second third
        ",
    );
}

#[test]
fn cas_refuses_what_is_not_a_unique_and_swallows_the_data() {
    check(
        r"
        > set k 0 0 1
        > a
        < STORED
        > cas k 0 0 7
        > version
        < CLIENT_ERROR bad command line format
        > cas k 0 0 7 abc
        > version
        < CLIENT_ERROR bad command line format
        > cas k 0 0 7 -1
        > version
        < CLIENT_ERROR bad command line format
        > cas k 0 0 7 18446744073709551616
        > version
        < CLIENT_ERROR bad command line format
        > cas k 0 0 7 18446744073709551615
        > version
        < EXISTS
        # 0 is never the number of an item
        > cas k 0 0 7 0
        > version
        < EXISTS
        > get k
        < VALUE k 0 1
        < a
        < END
        ",
    );
}

#[test]
fn without_cas_numbers_gets_shows_zero() {
    check_with(
        &["-C"],
        r"
        > set k 0 0 1
        > a
        < STORED
        > gets k
        < VALUE k 0 1 0
        < a
        < END
        ",
    );
}
