//! The lines of memcached's published vulnerabilities, text and meta protocol (`docs/security.md`), and the like of
//! them.

use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::net::UnixStream;

use crate::common::packet::{Play, ask};
use crate::common::{DEADLINE, Server};
use crate::stand::{Stand, value_reply};

const BAD: &str = "CLIENT_ERROR bad command line format";

/// CVE-2009-1255, CVE-2009-1494: `stats maps` and `stats malloc` told where memory lies and how it is used.
#[test]
fn statistics_of_the_process_itself_are_not_told() {
    let mut stand = Stand::start(64, &[]);
    stand.under("stats maps, stats malloc", |server| {
        let mut client = server.connect();
        for group in ["maps", "malloc", "mallocs", "maps x"] {
            client.send_line(format!("stats {group}"));
            client.expect_line("ERROR");
            assert_ne!(Play::on(server).play(&ask(0x10, group)).status, 0, "{group}");
        }
    });
}

/// CVE-2009-2415: lengths that overflow where they are added to others.
#[test]
fn absurd_lengths_are_refused_by_every_storage_command() {
    let mut stand = Stand::start(64, &[]);
    stand.under("absurd lengths", |server| {
        let mut client = server.connect();
        for length in ["-1", "-2147483648", "2147483647", "4294967295", "4294967296", "18446744073709551615"] {
            for verb in ["set", "add", "replace", "append", "prepend"] {
                client.send_line(format!("{verb} canary-1 0 0 {length}"));
                client.expect_line(BAD);
            }
            client.send_line(format!("cas canary-1 0 0 {length} 1"));
            client.expect_line(BAD);
            client.send_line(format!("ms canary-1 {length}"));
            client.expect_line(BAD);
        }
    });
}

/// Commands in full. What is left when words are taken off the end was parsed with words that were not there:
/// CVE-2019-11596 (`lru mode`, `lru temp_ttl`), CVE-2020-22570 (an error of a meta command that had no text yet).
const COMMANDS: &[&str] = &[
    "lru mode flat",
    "lru temp_ttl 5",
    "lru tune 10 20 0.5 1",
    "lru_crawler metadump all",
    "lru_crawler mgdump all",
    "lru_crawler crawl all",
    "lru_crawler sleep 100",
    "lru_crawler tocrawl 1",
    "slabs reassign 1 2",
    "slabs automove 1",
    "cache_memlimit 64",
    "set k 0 0 1",
    "cas k 0 0 1",
    "touch k 0",
    "gat 0 k",
    "gats 0 k",
    "incr k 1",
    "decr k 1",
    "delete k",
    "ms k 1",
    "mg k",
    "md k",
    "ma k",
    "me k",
    "get k",
    "gets k",
    "larder delete_prefix k",
    "sasl auth PLAIN 5",
];

#[test]
fn commands_that_lack_their_last_words_are_refused() {
    let mut stand = Stand::start(64, &[]);
    stand.under("words that are not there", |server| {
        let mut client = server.connect();
        for command in COMMANDS {
            let words: Vec<&str> = command.split(' ').collect();
            for count in 1..words.len() {
                for end in ["", " ", "   "] {
                    client.send(format!("{}{end}\r\nmn\r\n", words[..count].join(" ")));
                    let reply = String::from_utf8(client.line()).expect("text");
                    assert!(reply.contains("ERROR"), "{:?} of {command:?}: {reply}", &words[..count]);
                    client.expect_line("MN");
                }
            }
        }
    });
}

/// CVE-2020-22570 again: every byte as a flag, twice, with and without a number, on every meta command.
#[test]
fn meta_commands_survive_every_flag() {
    let mut stand = Stand::start(64, &[]);
    stand.under("every flag", |server| {
        for verb in ["mg", "md", "ma", "me", "ms"] {
            let mut client = server.connect();
            for flag in (1..=255_u8).filter(|flag| !flag.is_ascii_whitespace()) {
                for number in ["", "1", "-1", "99999999999999999999", "x"] {
                    let length = if verb == "ms" { " 1" } else { "" };
                    let line = [verb.as_bytes(), b" nobody", length.as_bytes(), b" ", &[flag], number.as_bytes()];
                    // The value, or a line that is refused; quiet replies are behind.
                    client.send([&line.concat(), &b"\r\nv\r\nmd nobody q\r\nmn\r\n"[..]].concat());
                    client.take_through(b"MN\r\n");
                }
            }
        }
    });
}

/// CVE-2023-46852: blanks behind `get` overflowed a buffer. memcached's proxy had it; the line is an ordinary one.
#[test]
fn any_number_of_blanks_between_words_is_one() {
    let mut stand = Stand::start(64, &[]);
    stand.under("blanks", |server| {
        let mut client = server.connect();
        client.send("set a 0 0 1\r\n1\r\nset b 0 0 1\r\n2\r\n");
        client.expect("STORED\r\nSTORED\r\n");
        let found = [value_reply("a", b"1"), value_reply("b", b"2"), b"END\r\n".to_vec()].concat();
        for count in [1, 2, 99, 100, 101, 200, 772, 1000, 2030, 2031, 5000, 20_000, 100_000] {
            let blanks = " ".repeat(count);
            client.send(format!("get{blanks}a{blanks}b\r\n"));
            client.expect(&found);
        }
        client.send(format!("mg{}a v\r\n", " ".repeat(200)));
        client.expect("VA 1\r\n1\r\n");
    });
}

/// CVE-2023-46853: a line that ends without CR was a byte longer than its buffer. memcached's proxy had it.
#[test]
fn lines_that_end_in_lf_alone_are_as_long_as_they_are() {
    let mut stand = Stand::start(64, &[]);
    stand.under("LF alone", |server| {
        let mut client = server.connect();
        for length in [1, 2, 249, 250] {
            let key = "k".repeat(length);
            client.send(format!("set {key} 0 0 2\nab\r\nget {key}\nmg {key} v k\nincr {key} 1\ntouch {key} 0\n"));
            client.expect("STORED\r\n");
            client.expect([value_reply(&key, b"ab"), b"END\r\n".to_vec()].concat());
            client.expect(format!("VA 2 k{key}\r\nab\r\n"));
            client.expect("CLIENT_ERROR cannot increment or decrement non-numeric value\r\nTOUCHED\r\n");
            client.send(format!("ms {key} 2\ncd\r\nma {key}\nmd {key}\nget {key}\n"));
            client.expect("HD\r\nCLIENT_ERROR cannot increment or decrement non-numeric value\r\nHD\r\nEND\r\n");
        }
        let long = "k".repeat(251);
        client.send(format!("get {long}\nmg {long}\ndelete {long}\n\n\nmn\r\n"));
        client.expect(format!("{BAD}\r\n").repeat(5) + "MN\r\n");
    });
}

/// CVE-2019-15026: `stats conns` read beyond the path of a Unix socket that fills its address.
#[test]
fn paths_as_long_as_an_address_can_hold_are_listed_whole() {
    let directory = tempfile::tempdir().expect("a new directory");
    // 108 bytes are `sun_path`; the last may be the path's own.
    let name = "s".repeat(107 - directory.path().as_os_str().len() - 1);
    let path = directory.path().join(name);
    let _server = Server::start_unix(&path, &[]);
    let mut stream = UnixStream::connect(&path).expect("it listens");
    stream.set_read_timeout(Some(DEADLINE)).expect("not zero");
    stream.write_all(b"stats conns\r\n").expect("the server reads");
    let lines = BufReader::new(stream).lines().map(|line| line.expect("text"));
    let rows: Vec<String> = lines.take_while(|line| line != "END").collect();
    let listening = format!("unix:{}", path.display());
    assert!(rows.iter().any(|row| row.ends_with(&listening)), "{rows:?}");
    assert!(rows.iter().all(|row| row.starts_with("STAT ") && !row.contains(|c: char| c.is_control())), "{rows:?}");
}
