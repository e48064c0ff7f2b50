//! The end of items: delete, touch, expiry, flush_all.

use crate::common::{Server, check, check_with};

#[test]
fn delete_removes_and_ignores_further_words() {
    check(
        r"
        > delete k
        < NOT_FOUND
        > set k 0 0 1
        > a
        < STORED
        > delete k 10
        < DELETED
        > get k
        < END
        > delete k 0 a b c
        < NOT_FOUND
        > delete
        < CLIENT_ERROR bad command line format
        ",
    );
}

#[test]
fn touch_changes_the_time_to_live() {
    check(
        r"
        > touch k 0
        < NOT_FOUND
        > set k 0 100 1
        > a
        < STORED
        > touch k 0
        < TOUCHED
        > get k
        < VALUE k 0 1
        < a
        < END
        > touch k -1
        < TOUCHED
        > get k
        < END
        > touch k 0
        < NOT_FOUND
        > touch
        < CLIENT_ERROR bad command line format
        > touch k
        < CLIENT_ERROR bad command line format
        > touch k x
        < CLIENT_ERROR invalid exptime argument
        ",
    );
}

#[test]
fn exptime_in_the_past_stores_what_cannot_be_read() {
    // Above 30 days a number is a Unix time, and 2592001 was in January 1970.
    for exptime in ["-1", "-2147483648", "2592001"] {
        check(&format!(
            r"
            > set k 0 0 1
            > a
            < STORED
            > set k 0 {exptime} 1
            > b
            < STORED
            > get k
            < END
            > add k 0 0 1
            > c
            < STORED
            "
        ));
    }
}

#[test]
fn exptime_in_the_future_keeps_the_value() {
    for exptime in ["0", "100", "2592000", "2147483647"] {
        check(&format!(
            r"
            > set k 0 {exptime} 1
            > a
            < STORED
            > get k
            < VALUE k 0 1
            < a
            < END
            "
        ));
    }
}

#[test]
fn value_expires_after_its_time() {
    let server = Server::start(&[]);
    let mut client = server.connect();
    client.send("set k 0 2 1\r\na\r\nset kept 0 100 1\r\nb\r\n");
    client.expect_line("STORED");
    client.expect_line("STORED");
    client.await_line("get k", "END");
    client.send_line("get kept");
    client.expect_line("VALUE kept 0 1");
}

#[test]
fn flush_all_kills_what_was_stored_before_this_second() {
    let server = Server::start(&[]);
    let mut client = server.connect();
    client.send("set k 0 0 1\r\na\r\n");
    client.expect_line("STORED");
    client.await_line("flush_all noreply\r\nget k", "END");
    client.send("set k 0 0 1\r\nb\r\nget k\r\n");
    client.expect_line("STORED");
    client.expect_line("VALUE k 0 1");
}

#[test]
fn delayed_flush_waits_for_its_time() {
    let server = Server::start(&[]);
    let mut client = server.connect();
    client.send("flush_all 2\r\nset k 0 0 1\r\na\r\nget k\r\n");
    client.expect_line("OK");
    client.expect_line("STORED");
    client.expect("VALUE k 0 1\r\na\r\nEND\r\n");
    client.await_line("get k", "END");
}

#[test]
fn flush_all_refuses_a_bad_time() {
    check(
        r"
        > flush_all
        < OK
        > flush_all 0
        < OK
        > flush_all -1
        < OK
        > flush_all 1000
        < OK
        > flush_all x
        < CLIENT_ERROR invalid exptime argument
        > flush_all 99999999999
        < CLIENT_ERROR invalid exptime argument
        ",
    );
}

#[test]
fn flush_all_can_be_forbidden() {
    check_with(
        &["-F"],
        r"
        > set k 0 0 1
        > a
        < STORED
        > flush_all
        < CLIENT_ERROR flush_all not allowed
        > get k
        < VALUE k 0 1
        < a
        < END
        ",
    );
}
