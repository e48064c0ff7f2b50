//! What a line is, what noreply silences, and when a connection is closed.

use crate::common::check;

#[test]
fn noreply_silences_success() {
    check(
        r"
        > set n 0 0 1 noreply
        > 1
        > add n 0 0 1 noreply
        > 2
        > append n 0 0 1 noreply
        > 0
        > incr n 5 noreply
        > decr n 1 noreply
        > touch n 0 noreply
        > touch missing 0 noreply
        > delete missing noreply
        > replace missing 0 0 1 noreply
        > x
        > cas n 0 0 1 999999 noreply
        > x
        > verbosity 0 noreply
        > get n
        < VALUE n 0 2
        < 14
        < END
        > delete n noreply
        > delete n 0 noreply
        > flush_all noreply
        > get n
        < END
        ",
    );
}

#[test]
fn noreply_silences_errors_too() {
    check(
        r"
        > set k 0 0 3 noreply
        > long
        # the lone LF behind the value is a line of its own
        < CLIENT_ERROR bad command line format
        > set {k*251} 0 0 1 noreply
        > x
        > set k x 0 1 noreply
        > x
        > incr k x noreply
        > touch k x noreply
        > flush_all x noreply
        > unknown noreply
        > version
        <* VERSION *
        ",
    );
}

#[test]
fn noreply_does_not_silence_a_storage_line_without_a_length() {
    for line in ["set", "set k", "set k 0 0", "set k 0 0 x", "set k 0 0 -1"] {
        check(&format!("> {line} noreply\n< CLIENT_ERROR bad command line format\n> version\n<* VERSION *"));
    }
}

#[test]
fn noreply_counts_only_as_the_last_word_and_in_full() {
    check(
        r"
        > set k 0 0 1 norep
        > a
        < STORED
        > set k 0 0 1 noreply x
        > a
        < STORED
        > set k 0 0 1 x noreply
        > a
        > delete k noreply 0
        < DELETED
        ",
    );
}

#[test]
fn line_feed_alone_ends_a_line() {
    check(
        r"
        >| set k 0 0 1\na\r\nget k\nversion\n
        < STORED
        < VALUE k 0 1
        < a
        < END
        <* VERSION *
        ",
    );
}

#[test]
fn lines_under_two_bytes_and_blank_lines_are_refused() {
    check(
        r"
        >
        < CLIENT_ERROR bad command line format
        > a
        < CLIENT_ERROR bad command line format
        > ab
        < ERROR
        >| \n
        < CLIENT_ERROR bad command line format
        >| mn\n
        < CLIENT_ERROR bad command line format
        >| \x20\x20\x20\r\n
        < ERROR
        > version
        <* VERSION *
        ",
    );
}

#[test]
fn unknown_commands_are_an_error_and_the_connection_goes_on() {
    check(
        r"
        > bogus
        < ERROR
        > bogus with many words
        < ERROR
        > GET k
        < ERROR
        > getx k
        < ERROR
        > ge k
        < ERROR
        > config get cluster
        < ERROR
        > version
        <* VERSION *
        ",
    );
}

#[test]
fn http_request_closes_the_connection_silently() {
    check("> GET / HTTP/1.1\n<.");
    check("> POST / HTTP/1.0\n<.");
}

#[test]
fn endless_line_closes_the_connection() {
    check(">| {x*2049}\n<.");
}

#[test]
fn key_list_may_be_longer_than_any_other_line() {
    check("> get {k *5000}\n< END\n> gets {k *5000}\n< END");
}

#[test]
fn quit_sends_earlier_replies_and_closes() {
    check("> version\n> quit\n> version\n<* VERSION *\n<.");
    check("> quit with words\n<.");
}
