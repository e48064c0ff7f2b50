//! Storage commands that are refused, and what becomes of their data.

use crate::common::{check, check_with};

#[test]
fn storage_line_without_a_length_takes_the_data_as_a_command() {
    for line in ["set k", "set k 0", "set k 0 0", "set k 0 0 x", "set k 0 0 -1", "set k 0 0 4294967296", "add k 0 0 1x"]
    {
        check(&format!(
            r"
            > {line}
            < CLIENT_ERROR bad command line format
            > version
            <* VERSION *
            > data
            < ERROR
            "
        ));
    }
}

#[test]
fn refused_storage_line_with_a_length_swallows_its_data() {
    let long_key = "k".repeat(251);
    for line in [
        "set k x 0 7",
        "set k -1 0 7",
        "set k 4294967297x 0 7",
        "set k 0 x 7",
        "set k 0 1x 7",
        "set k 99999999999999999999 0 7",
        "set k 0 99999999999999999999 7",
        &format!("set {long_key} 0 0 7"),
        &format!("add {long_key} 0 0 7"),
        &format!("append {long_key} 0 0 7"),
        &format!("cas {long_key} 0 0 7 1"),
    ] {
        check(&format!(
            r"
            > {line}
            > version
            < CLIENT_ERROR bad command line format
            > get k
            < END
            "
        ));
    }
}

#[test]
fn flags_past_32_bits_are_refused() {
    for flags in ["4294967296", "4294967297", "8589934592"] {
        check(&format!(
            r"
            > set k 4294967295 0 7
            > version
            < STORED
            > set k {flags} 0 7
            > version
            # differs: memcached keeps the low 32 bits, so a reader gets flags that no writer ever set
            <larder CLIENT_ERROR bad command line format
            <memcached STORED
            "
        ));
    }
}

#[test]
fn exptime_past_32_bits_is_refused() {
    for exptime in ["2147483648", "-2147483649", "4294967296", "9223372036854775807"] {
        check(&format!(
            r"
            > touch k {exptime}
            < CLIENT_ERROR invalid exptime argument
            > set k 0 {exptime} 7
            > version
            # differs: memcached keeps the low 32 bits here (not in touch, gat, flush_all): a far future becomes the past
            <larder CLIENT_ERROR bad command line format
            <memcached STORED
            "
        ));
    }
}

#[test]
fn length_past_31_bits_is_no_length() {
    for length in ["2147483646", "2147483647", "2147483648", "4294967303", "-4294967289"] {
        check(&format!(
            r"
            > set k 0 0 {length}
            < CLIENT_ERROR bad command line format
            > version
            <* VERSION *
            "
        ));
    }
}

#[test]
fn key_of_250_bytes_works_and_of_251_is_refused_everywhere() {
    check(
        r"
        > set {k*250} 0 0 1
        > a
        < STORED
        > get {k*250}
        < VALUE {k*250} 0 1
        < a
        < END
        > incr {k*251} 1
        < CLIENT_ERROR bad command line format
        > decr {k*251} 1
        < CLIENT_ERROR bad command line format
        > touch {k*251} 0
        < CLIENT_ERROR bad command line format
        > delete {k*251}
        < CLIENT_ERROR bad command line format
        # inside a multiget it ends the whole reply, found values included
        > get {k*250} {k*251} {k*250}
        < CLIENT_ERROR bad command line format
        # differs: memcached follows this error with an empty line
        <memcached
        > gats 0 {k*251}
        < CLIENT_ERROR bad command line format
        # differs: memcached follows this error with an empty line
        <memcached
        > version
        <* VERSION *
        ",
    );
}

#[test]
fn bad_data_chunk_leaves_the_old_value() {
    check(
        r"
        > set k 0 0 3
        > old
        < STORED
        # one byte too long: exactly length + 2 bytes were taken, a lone LF is left
        > set k 0 0 3
        > long
        < CLIENT_ERROR bad data chunk
        < CLIENT_ERROR bad command line format
        > get k
        < VALUE k 0 3
        < old
        < END
        # too short: the bytes missing are taken from the next line
        > set k 0 0 3
        > ab
        > version
        < CLIENT_ERROR bad data chunk
        < ERROR
        # LF alone does not end a value
        >| set k 0 0 3\nnew\nversion\n
        < CLIENT_ERROR bad data chunk
        < ERROR
        > get k
        < VALUE k 0 3
        < old
        < END
        ",
    );
}

#[test]
fn value_at_the_item_limit_is_stored_and_one_byte_more_removes_the_old() {
    check(
        r"
        > set abc 0 0 1048514
        > {x*1048514}
        < STORED
        > get abc
        < VALUE abc 0 1048514
        < {x*1048514}
        < END
        > set abc 0 0 1048515
        > {x*1048515}
        < SERVER_ERROR object too large for cache
        > get abc
        < END
        # flags take four bytes
        > set abc 1 0 1048510
        > {x*1048510}
        < STORED
        > set abc 1 0 1048511
        > {x*1048511}
        < SERVER_ERROR object too large for cache
        ",
    );
}

#[test]
fn too_large_add_replace_append_and_cas_leave_the_old_value() {
    for line in ["add abc 0 0 1048576", "replace abc 0 0 1048576", "append abc 0 0 1048576", "cas abc 0 0 1048576 1"] {
        check(&format!(
            r"
            > set abc 0 0 3
            > old
            < STORED
            > {line}
            > {{x*1048576}}
            < SERVER_ERROR object too large for cache
            > get abc
            < VALUE abc 0 3
            < old
            < END
            "
        ));
    }
}

#[test]
fn larger_item_limit_is_obeyed() {
    check_with(
        &["-I", "4m"],
        r"
        > set abc 0 0 4194242
        > {x*4194242}
        < STORED
        > set abc 0 0 4194243
        > {x*4194243}
        < SERVER_ERROR object too large for cache
        > get abc
        < END
        ",
    );
}
