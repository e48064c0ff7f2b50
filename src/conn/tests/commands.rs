//! Every command, answered the same for every cut.

use super::*;

#[test]
fn storage_commands() {
    check("set k 7 0 3\r\nabc\r\nget k\r\n", "STORED\r\nVALUE k 7 3\r\nabc\r\nEND\r\n");
    check("set k 0 0 0\r\n\r\nget k\r\n", "STORED\r\nVALUE k 0 0\r\n\r\nEND\r\n");
    check("set k 0 0 4\r\n\r\n\r\n\r\nget k\r\n", "STORED\r\nVALUE k 0 4\r\n\r\n\r\n\r\nEND\r\n");
    check("add k 0 0 1\r\na\r\nadd k 0 0 1\r\nb\r\nget k\r\n", "STORED\r\nNOT_STORED\r\nVALUE k 0 1\r\na\r\nEND\r\n");
    check("replace k 0 0 1\r\na\r\nset k 0 0 1\r\nb\r\nreplace k 0 0 1\r\nc\r\n", "NOT_STORED\r\nSTORED\r\nSTORED\r\n");
    check(
        "append k 0 0 1\r\na\r\nset k 5 0 1\r\nb\r\nappend k 0 0 2\r\ncd\r\nprepend k 0 0 1\r\na\r\nget k\r\n",
        "NOT_STORED\r\nSTORED\r\nSTORED\r\nSTORED\r\nVALUE k 5 4\r\nabcd\r\nEND\r\n",
    );
    check(
        "set k 0 0 1\r\na\r\ngets k\r\ncas k 0 0 1 1\r\nb\r\ncas k 0 0 1 1\r\nc\r\ncas n 0 0 1 1\r\nd\r\nget k\r\n",
        "STORED\r\nVALUE k 0 1 1\r\na\r\nEND\r\nSTORED\r\nEXISTS\r\nNOT_FOUND\r\nVALUE k 0 1\r\nb\r\nEND\r\n",
    );
    check("cas k 0 0 1 x\r\na\r\ncas k 0 0 1\r\na\r\nmn\r\n", bad_lines(2) + "MN\r\n");
}

#[test]
fn refused_storage_lines_swallow_their_values() {
    let long = "k".repeat(251);
    check(format!("set {long} 0 0 3\r\nabc\r\nmn\r\n"), bad_lines(1) + "MN\r\n");
    check("set k -1 0 3\r\nabc\r\nset k 0 x 3\r\nabc\r\nmn\r\n", bad_lines(2) + "MN\r\n");
    check("set k -1 0 3 noreply\r\nabc\r\nmn\r\n", "MN\r\n");
    // Without a length the value is taken for a command.
    check("set k 0 0 -1\r\nabc\r\nset k 0 0\r\nset k 0 0 2147483648\r\nmn\r\n", {
        bad_lines(1) + "ERROR\r\n" + &bad_lines(2) + "MN\r\n"
    });
}

#[test]
fn noreply_silences_everything_but_what_was_asked() {
    check(
        "set k 0 0 1 noreply\r\na\r\nadd k 0 0 1 noreply\r\nb\r\nreplace n 0 0 1 noreply\r\nb\r\n\
         append k 0 0 1 noreply\r\nb\r\nprepend k 0 0 1 noreply\r\nc\r\ncas k 0 0 1 99 noreply\r\nd\r\nget k\r\n",
        "VALUE k 0 3\r\ncab\r\nEND\r\n",
    );
    check(
        "set n 0 0 1 noreply\r\n5\r\nincr n 6 noreply\r\ndecr n 1 noreply\r\nincr n x noreply\r\ntouch n 0 noreply\r\n\
         get n\r\ndelete n noreply\r\nget n\r\nverbosity 1 noreply\r\nflush_all noreply\r\nbogus noreply\r\nmn\r\n",
        "VALUE n 0 2\r\n10\r\nEND\r\nEND\r\nMN\r\n",
    );
    check("set k 0 0 1 norep\r\na\r\n", "STORED\r\n");
}

#[test]
fn retrieval_commands() {
    let stored = "set a 0 0 1\r\n1\r\nset b 1 0 2\r\n22\r\n";
    check(
        format!("{stored}get a n b a\r\ngets  b \r\nget n\r\nget\r\ngets \r\n"),
        format!(
            "STORED\r\nSTORED\r\nVALUE a 0 1\r\n1\r\nVALUE b 1 2\r\n22\r\nVALUE a 0 1\r\n1\r\nEND\r\n\
             VALUE b 1 2 2\r\n22\r\nEND\r\nEND\r\n{}",
            bad_lines(2)
        ),
    );
    check(
        format!(
            "{stored}gat 0 a n\r\ngats 100 b\r\ngat x a\r\ngat 0\r\ngat -1 a\r\nget a\r\ntouch b x\r\ntouch b 5\r\ntouch n 5\r\n"
        ),
        "STORED\r\nSTORED\r\nVALUE a 0 1\r\n1\r\nEND\r\nVALUE b 1 2 2\r\n22\r\nEND\r\n\
         CLIENT_ERROR invalid exptime argument\r\nCLIENT_ERROR bad command line format\r\nVALUE a 0 1\r\n1\r\nEND\r\n\
         END\r\nCLIENT_ERROR invalid exptime argument\r\nTOUCHED\r\nNOT_FOUND\r\n",
    );
}

#[test]
fn arithmetic_and_deletion() {
    check(
        "set n 0 0 2\r\n99\r\nincr n 1\r\ndecr n 1\r\nget n\r\ndecr n 500\r\nincr n -1\r\nincr x 1\r\nincr n\r\n\
         set n 0 0 1\r\nx\r\nincr n 1\r\ndelete n\r\ndelete n\r\ndelete n 0\r\ndelete\r\n",
        "STORED\r\n100\r\n99\r\nVALUE n 0 3\r\n99 \r\nEND\r\n0\r\nCLIENT_ERROR invalid numeric delta argument\r\n\
         NOT_FOUND\r\nCLIENT_ERROR bad command line format\r\nSTORED\r\n\
         CLIENT_ERROR cannot increment or decrement non-numeric value\r\nDELETED\r\nNOT_FOUND\r\nNOT_FOUND\r\n\
         CLIENT_ERROR bad command line format\r\n",
    );
}

#[test]
fn administration() {
    let version = env!("CARGO_PKG_VERSION");
    let said = play(&settings(), [&b"version\r\n"[..]], u32::MAX).replies;
    let said = String::from_utf8(said).expect("text");
    assert!(said.starts_with("VERSION ") && said.ends_with("\r\n"), "{said} (larder {version})");
    check("version\r\nmn\r\nversion foo\r\n", format!("{said}MN\r\n{said}"));
    check(
        "verbosity 0\r\nverbosity\r\nverbosity x\r\nflush_all 0\r\nflush_all x\r\nflush_all 100\r\n\
         cache_memlimit 7\r\ncache_memlimit 9\r\ncache_memlimit 2000000000\r\ncache_memlimit x\r\n",
        format!(
            "OK\r\n{}OK\r\nCLIENT_ERROR invalid exptime argument\r\nOK\r\n\
             MEMLIMIT_TOO_SMALL cannot set maxbytes to less than 8m\r\nOK\r\n\
             MEMLIMIT_ADJUST_FAILED input value is megabytes not bytes\r\nERROR\r\n",
            bad_lines(2)
        ),
    );
    check("bogus\r\nget_a b\r\n GET a\r\nGET a\r\n", "ERROR\r\n".repeat(4));
    check("\r\n\n   \r\na\r\nmn\nmn\r\n", bad_lines(2) + "ERROR\r\n" + &bad_lines(2) + "MN\r\n");
    check("shutdown\r\nshutdown graceful\r\nshutdown now\r\n", "SERVER_ERROR: shutdown not enabled\r\n".repeat(3));
}

#[test]
fn quit_ends_a_pipeline_where_it_stands() {
    check_closing("set k 0 0 1\r\na\r\nget k\r\nquit\r\nget k\r\n", "STORED\r\nVALUE k 0 1\r\na\r\nEND\r\n");
    check_closing("mn\r\nquit noreply\r\nset k 0 0 10\r\n", "MN\r\n");
    check_closing("quit\nmn\r\n", "");
}

#[test]
fn http_is_hung_up_on_without_a_word() {
    check_closing("GET /index.html HTTP/1.1\r\nHost: a\r\n\r\n", "");
    check_closing("mn\r\nPOST /x HTTP/1.0\r\n\r\nflush_all\r\n", "MN\r\n");
}

#[test]
fn settings_forbid_what_they_are_for() {
    let no_flush = Settings { flush_all: false, ..settings() };
    check_with(
        &no_flush,
        "set k 0 0 1\r\na\r\nflush_all\r\nflush_all x\r\nflush_all noreply\r\nget k\r\n",
        "STORED\r\nCLIENT_ERROR flush_all not allowed\r\nCLIENT_ERROR flush_all not allowed\r\nVALUE k 0 1\r\na\r\nEND\r\n",
    );
    let no_dump = Settings { dumping: false, ..settings() };
    check_with(
        &no_dump,
        "stats detail on\r\nstats cachedump 1 1\r\nmn\r\n",
        "CLIENT_ERROR stats detail not allowed\r\nCLIENT_ERROR stats cachedump not allowed\r\nMN\r\n",
    );
    // What stops the process is left to tests of the process.
    let with_shutdown = Settings { shutdown_command: true, ..settings() };
    check_with(&with_shutdown, "shutdown now\r\nmn\r\n", "CLIENT_ERROR invalid shutdown mode\r\nMN\r\n");
    let no_cas = Settings { cas: false, ..settings() };
    check_with(
        &no_cas,
        "set k 0 0 1\r\na\r\ngets k\r\ncas k 0 0 1 0\r\nb\r\n",
        "STORED\r\nVALUE k 0 1 0\r\na\r\nEND\r\nEXISTS\r\n",
    );
}

/// Statistics without their values, which time and the number of turns change.
fn names_only(played: Played) -> Played {
    let text = String::from_utf8(played.replies).expect("statistics are text");
    let name = |line: &str| line.split(' ').take(2).collect::<Vec<_>>().join(" ") + "\n";
    Played { replies: text.lines().map(name).collect::<String>().into_bytes(), closed: played.closed }
}

#[test]
fn statistics_groups_end_with_their_last_line() {
    for group in ["", " settings", " items", " slabs", " sizes", " conns", " sett"] {
        let input = format!("set k 0 0 1\r\na\r\nstats{group}\r\nmn\r\n");
        let whole = check_every_cut(&settings(), input.as_bytes(), names_only);
        let text = String::from_utf8(whole.replies).expect("text");
        assert!(text.starts_with("STORED\n") && text.ends_with("END\nMN\n"), "stats{group}: {text}");
    }
    check(
        "stats bogus\r\nstats reset\r\nstats detail\r\nstats detail x\r\nstats cachedump\r\nstats cachedump 64 1\r\n",
        "ERROR\r\nRESET\r\nCLIENT_ERROR usage: stats detail on|off|dump\r\n\
         CLIENT_ERROR usage: stats detail on|off|dump\r\nCLIENT_ERROR bad command line\r\n\
         CLIENT_ERROR Illegal slab id\r\n",
    );
}

#[test]
fn prefixes_count_alike_however_values_arrive() {
    let value = "v".repeat(10_000);
    check(
        format!(
            "stats detail on\r\nset a:k 0 0 10000\r\n{value}\r\nset a:s 0 0 1\r\nx\r\nget a:k b:n\r\ndelete a:k\r\n\
             stats detail off\r\nget a:s\r\nflush_all\r\nstats reset\r\nstats detail dump\r\n"
        ),
        format!(
            "OK\r\nSTORED\r\nSTORED\r\nVALUE a:k 0 10000\r\n{value}\r\nEND\r\nDELETED\r\nOK\r\n\
             VALUE a:s 0 1\r\nx\r\nEND\r\nOK\r\nRESET\r\nEND\r\n"
        ),
    );
    let bad = format!("stats detail on\r\nset a:k 0 0 10000\r\n{value}xx");
    check(bad + "stats detail dump\r\n", {
        "OK\r\nCLIENT_ERROR bad data chunk\r\nPREFIX a get 0 hit 0 set 1 del 0\r\nEND\r\n"
    });
    check("stats detail on\r\nset a:k 0 0 1\r\nabcstats detail dump\r\n", {
        "OK\r\nCLIENT_ERROR bad data chunk\r\nPREFIX a get 0 hit 0 set 1 del 0\r\nEND\r\n"
    });
}
