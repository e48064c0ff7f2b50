//! version, verbosity, shutdown, cache_memlimit, stats.

use crate::common::{Server, check};

#[test]
fn version_ignores_words() {
    check("> version\n<* VERSION 1.6.*\n> version foo\n<* VERSION 1.6.*");
}

#[test]
fn verbosity_wants_a_number() {
    check(
        r"
        > verbosity 0
        < OK
        > verbosity 99
        < OK
        > verbosity 1 2 3
        < OK
        > verbosity
        < CLIENT_ERROR bad command line format
        > verbosity x
        < CLIENT_ERROR bad command line format
        ",
    );
}

#[test]
fn shutdown_is_refused_unless_enabled() {
    check(
        r"
        > shutdown
        < SERVER_ERROR: shutdown not enabled
        > shutdown nonsense
        < SERVER_ERROR: shutdown not enabled
        ",
    );
}

#[test]
fn enabled_shutdown_ends_the_server_with_status_zero() {
    for word in ["shutdown", "shutdown graceful"] {
        let mut server = Server::start(&["-A"]);
        let mut client = server.connect();
        client.send_line("shutdown nonsense");
        client.expect_line("CLIENT_ERROR invalid shutdown mode");
        client.send_line(word);
        assert!(server.await_exit().success(), "{word}");
    }
}

#[test]
fn cache_memlimit_checks_its_bounds() {
    check(
        r"
        > cache_memlimit 64
        < OK
        > cache_memlimit 64 noreply
        > cache_memlimit 7
        < MEMLIMIT_TOO_SMALL cannot set maxbytes to less than 8m
        > cache_memlimit 1000000001
        < MEMLIMIT_ADJUST_FAILED input value is megabytes not bytes
        > cache_memlimit x
        < ERROR
        > cache_memlimit
        < ERROR
        ",
    );
}

#[test]
fn unknown_statistics_group_is_an_error() {
    check("> stats nosuch\n< ERROR\n> stats reset\n< RESET");
}

#[test]
fn statistics_count_commands() {
    let server = Server::start(&[]);
    let mut client = server.connect();
    client.send("set k 0 0 1\r\na\r\nget k missing\r\n");
    client.expect("STORED\r\nVALUE k 0 1\r\na\r\nEND\r\n");
    for (name, value) in
        [("cmd_get", "2"), ("cmd_set", "1"), ("get_hits", "1"), ("get_misses", "1"), ("curr_items", "1")]
    {
        assert_eq!(client.statistic("", name).as_deref(), Some(value), "{name}");
    }
}
