//! Items that outlive their server (`-e`): the real binary stopped, killed, and started again on the same file.

mod support;

use std::fs::{self, OpenOptions};
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Instant;

use rustix::process::Signal;
use support::{PATIENCE, Server, larder, run};
use tempfile::TempDir;

/// Where tests keep memory: in RAM, as it should be, where there is some.
fn directory() -> TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap()
}

fn start(directory: TempDir, arguments: &[&str]) -> Server {
    Server::start_in(directory, &[&["-s", "{}/socket", "-e", "{}/memory", "-v"], arguments].concat())
}

/// Ends it with `signal` and hands on its directory.
fn end(mut server: Server, signal: Signal) -> TempDir {
    server.signal(signal);
    let status = server.wait();
    assert_eq!(status.code(), (signal != Signal::KILL).then_some(0));
    server.into_directory()
}

struct Client {
    stream: BufReader<UnixStream>,
}

impl Client {
    fn connect(server: &Server) -> Client {
        Client::on(UnixStream::connect(server.path("socket")).unwrap())
    }

    fn on(stream: UnixStream) -> Client {
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        Client { stream: BufReader::new(stream) }
    }

    fn send(&mut self, request: &[u8]) -> std::io::Result<()> {
        self.stream.get_mut().write_all(request)
    }

    /// The next line, without its end; an error when the server went away.
    fn line(&mut self) -> std::io::Result<String> {
        let mut line = String::new();
        self.stream.read_line(&mut line)?;
        match line.strip_suffix("\r\n") {
            Some(line) => Ok(line.to_owned()),
            None => Err(std::io::ErrorKind::UnexpectedEof.into()),
        }
    }

    fn set(&mut self, key: &str, client_flags: u32, exptime: u32, value: &[u8]) -> std::io::Result<()> {
        let head = format!("set {key} {client_flags} {exptime} {}\r\n", value.len());
        self.send(&[head.as_bytes(), value, b"\r\n"].concat())?;
        assert_eq!(self.line()?, "STORED", "{key}");
        Ok(())
    }

    /// Client flags, CAS number and value.
    fn gets(&mut self, key: &str) -> std::io::Result<Option<(String, String, Vec<u8>)>> {
        self.send(format!("gets {key}\r\n").as_bytes())?;
        let head = self.line()?;
        if head == "END" {
            return Ok(None);
        }
        let words: Vec<&str> = head.split(' ').collect();
        assert_eq!(words[..2], ["VALUE", key], "{head}");
        let mut value = vec![0; words[3].parse::<usize>().unwrap() + 2];
        self.stream.read_exact(&mut value)?;
        assert!(value.ends_with(b"\r\n"));
        value.truncate(value.len() - 2);
        assert_eq!(self.line()?, "END");
        Ok(Some((words[2].to_owned(), words[4].to_owned(), value)))
    }

    fn stat(&mut self, group: &str, name: &str) -> String {
        self.send(format!("stats{group}\r\n").as_bytes()).unwrap();
        let mut found = None;
        loop {
            let line = self.line().unwrap();
            if line == "END" {
                return found.unwrap_or_else(|| panic!("no {name}"));
            }
            if let Some(value) = line.strip_prefix(&format!("STAT {name} ")) {
                found = Some(value.to_owned());
            }
        }
    }
}

#[test]
fn a_graceful_restart_keeps_ten_thousand_items() {
    let mut server = start(directory(), &["-I", "4m", "-m", "128"]);
    let mut client = Client::connect(&server);
    let value = |n: usize| format!("{n} ").repeat(if n % 2000 == 7 { 400_000 } else { n % 100 });
    for n in 0..10_000 {
        let exptime = if n % 3 == 0 { 1000 } else { 0 };
        client.set(&format!("key{n}"), n as u32 % 5, exptime, value(n).as_bytes()).unwrap();
    }
    let uniques: Vec<String> =
        (0..10_000).map(|n| client.gets(&format!("key{n}")).unwrap().expect("there").1).collect();
    let bytes = client.stat("", "bytes");
    let classes = client.stat(" slabs", "1:used_chunks");
    for signal in [Signal::USR1, Signal::TERM, Signal::INT] {
        server = start(end(server, signal), &["-I", "4m", "-m", "128"]);
        client = Client::connect(&server);
        assert_eq!(client.stat("", "curr_items"), "10000");
        assert_eq!(client.stat("", "bytes"), bytes);
        assert_eq!(client.stat(" slabs", "1:used_chunks"), classes);
        assert_eq!(client.stat("", "total_items"), "10000", "as memcached counts");
        assert_eq!(client.stat("", "uptime").len(), 1);
        for (n, unique) in uniques.iter().enumerate() {
            let found = client.gets(&format!("key{n}")).unwrap();
            assert_eq!(found, Some(((n % 5).to_string(), unique.clone(), value(n).into_bytes())), "key{n}");
        }
    }
    client.send(b"mg key3 t\r\nmg key4 t\r\n").unwrap();
    let left: u32 = client.line().unwrap().strip_prefix("HD t").unwrap().parse().unwrap();
    assert!((900..=1000).contains(&left), "{left}");
    assert_eq!(client.line().unwrap(), "HD t-1");
    client.set("next", 0, 0, b"").unwrap();
    let next = client.gets("next").unwrap().expect("there").1;
    assert_eq!(next, "10001", "CAS numbers go on");
    let memory = server.path("memory").display().to_string();
    assert_eq!(client.stat(" settings", "memory_file"), memory);
    let log = server.stop();
    assert!(log.contains("restored memory_file=") && log.contains("items=10000 "), "{log}");
    assert!(log.contains("left memory_file=") && log.contains("signal=SIGTERM"), "{log}");
}

#[test]
fn after_a_kill_the_cache_is_empty() {
    let server = start(directory(), &[]);
    Client::connect(&server).set("k", 0, 0, b"first").unwrap();
    // The state of the first stop must not serve twice.
    let server = start(end(server, Signal::TERM), &[]);
    let mut client = Client::connect(&server);
    assert!(client.gets("k").unwrap().is_some());
    client.set("k", 0, 0, b"second").unwrap();
    let server = start(end(server, Signal::KILL), &[]);
    let mut client = Client::connect(&server);
    assert_eq!(client.gets("k").unwrap(), None);
    assert_eq!(client.stat("", "curr_items"), "0");
    assert!(server.stop().contains("left by no graceful stop: the cache starts empty"));
}

/// Leaves an item with `before`, changes something, starts with `after`: the item is gone and the log says why.
#[track_caller]
fn check_empty(before: &[&str], change: impl FnOnce(&Path), after: &[&str], why: &str) {
    let server = start(directory(), before);
    Client::connect(&server).set("k", 0, 0, b"value").unwrap();
    let directory = end(server, Signal::USR1);
    change(&directory.path().join("memory"));
    let server = start(directory, after);
    let mut client = Client::connect(&server);
    assert_eq!(client.gets("k").unwrap(), None);
    client.set("k", 0, 0, b"new").unwrap();
    let log = server.stop();
    let told: Vec<&str> = log.lines().filter(|line| line.contains("starts empty")).collect();
    assert!(told.len() == 1 && told[0].contains("level=warn") && told[0].contains(why), "{log}");
}

#[test]
fn with_other_settings_the_cache_is_empty() {
    let same = |_: &Path| ();
    check_empty(&["-m", "64"], same, &["-m", "128"], "-m was 67108864 and is 134217728");
    check_empty(&["-I", "1m"], same, &["-I", "2m"], "-I was 1048576 and is 2097152");
    check_empty(&[], same, &["-C"], "-C was 0 and is 1");
    check_empty(&["-t", "4", "-m", "256"], same, &["-t", "1", "-m", "256"], "shards (-m, -t, -I) was 8 and is 4");
}

#[test]
fn with_damaged_files_the_cache_is_empty() {
    let overwrite = |path: &Path, at: u64| {
        use std::os::unix::fs::FileExt;
        OpenOptions::new().write(true).open(path).unwrap().write_all_at(b"damage", at).unwrap();
    };
    let truncate = |path: &Path| OpenOptions::new().write(true).open(path).unwrap().set_len(1 << 20).unwrap();
    check_empty(&[], truncate, &[], "the memory has another length");
    check_empty(&[], |path| fs::remove_file(path).unwrap(), &[], "the memory has another length");
    check_empty(&[], |path| overwrite(&path.with_added_extension("meta"), 50), &[], "the state's checksum differs");
    // The item lies in the first page of its shard, of which there are two.
    let everywhere = |path: &Path| {
        overwrite(path, (64 << 10) + 20);
        overwrite(path, (64 << 10) + (32 << 20) + 20);
    };
    check_empty(&[], everywhere, &[], "the checksum of a page differs");
}

#[test]
fn a_confined_server_leaves_its_items_too() {
    let confined = ["-o", "drop_privileges"];
    let server = start(directory(), &confined);
    Client::connect(&server).set("large", 0, 0, &[b'v'; 900_000]).unwrap();
    let server = start(end(server, Signal::USR1), &confined);
    assert_eq!(Client::connect(&server).gets("large").unwrap().expect("there").2, [b'v'; 900_000]);
    let log = server.stop();
    assert!(log.contains("left memory_file=") && !log.contains("level=error"), "{log}");
}

#[test]
fn two_servers_never_share_a_file() {
    let server = start(directory(), &[]);
    Client::connect(&server).set("k", 0, 0, b"value").unwrap();
    let memory = server.path("memory").display().to_string();
    let second = run(&["-p", "-1", "-l", "127.0.0.1", "-e", &memory]);
    assert_eq!(second.status.code(), Some(71));
    let text = String::from_utf8(second.stderr).unwrap();
    assert!(text.contains("another server uses it"), "{text}");
    let mut client = Client::connect(&server);
    assert_eq!(client.gets("k").unwrap().expect("there").2, b"value");
}

#[test]
fn files_of_others_are_refused_and_stay() {
    let directory = directory();
    let path = |name: &str| directory.path().join(name);
    fs::write(path("letter"), "dear reader").unwrap();
    fs::write(path("memory.meta"), "").unwrap();
    for (name, why) in [("letter", "something else"), ("memory", "its state (.meta): it holds something else")] {
        let file = path(name).display().to_string();
        let refused = run(&["-p", "-1", "-l", "127.0.0.1", "-e", &file]);
        let text = String::from_utf8(refused.stderr).unwrap();
        assert!(refused.status.code() == Some(71) && text.contains(why), "{text}");
    }
    assert_eq!(fs::read_to_string(path("letter")).unwrap(), "dear reader");
    assert!(path("memory.meta").exists());
    assert_eq!(fs::metadata(path("memory")).unwrap().mode() & 0o7777, 0o600);
}

#[test]
fn a_relative_path_is_that_of_where_the_command_was_given() {
    let directory = directory();
    let place = directory.path().to_owned();
    let pid_file = place.join("pid");
    let socket = place.join("socket");
    let status = larder(&["-d", "-e", "memory", "-P", "pid", "-s", "socket"])
        .current_dir(&place)
        .status()
        .expect("the binary runs");
    assert_eq!(status.code(), Some(0));
    let pid: i32 = fs::read_to_string(pid_file).unwrap().trim().parse().unwrap();
    let pid = rustix::process::Pid::from_raw(pid).unwrap();
    Client::on(UnixStream::connect(socket).unwrap()).set("k", 0, 0, b"value").unwrap();
    rustix::process::kill_process(pid, Signal::USR1).unwrap();
    assert!(support::ends(pid));
    let server = start(directory, &[]);
    assert!(Client::connect(&server).gets("k").unwrap().is_some());
}

/// What a client of the load test keeps at key `n` in its round `round`: of any size, and recognisable.
fn load_value(client: usize, n: usize, round: usize) -> Vec<u8> {
    let word = format!("{client}/{n}/{round};");
    let len = if n.is_multiple_of(50) { 100_000 } else { n % 900 };
    word.as_bytes().iter().copied().cycle().take(word.len() + len).collect()
}

/// Writes and reads its own keys until told to stop, through all restarts. A value that was confirmed must be there, but
/// for one from before a crash; one whose confirmation was lost may be there instead.
fn load(client: usize, socket: &Path, stop: &AtomicBool, crashes: &AtomicUsize) -> usize {
    const KEYS: usize = 300;
    let mut confirmed = vec![0; KEYS];
    let mut tried = vec![0; KEYS];
    let mut may_be_lost = vec![false; KEYS];
    let mut crashes_seen = 0;
    let mut checked = 0;
    let mut round = 0;
    while !stop.load(Ordering::Relaxed) {
        let Ok(stream) = UnixStream::connect(socket) else {
            std::thread::yield_now();
            continue;
        };
        let crashes_now = crashes.load(Ordering::SeqCst);
        if crashes_now != crashes_seen {
            may_be_lost.fill(true);
            crashes_seen = crashes_now;
        }
        let mut connection = Client::on(stream);
        let mut go_on = || -> std::io::Result<()> {
            while !stop.load(Ordering::Relaxed) {
                round += 1;
                let n = round * 7 % KEYS;
                let key = format!("c{client}k{n}");
                let found = connection.gets(&key)?.map(|(_, _, value)| value);
                let fits = |round: usize| match round {
                    0 => found.is_none(),
                    _ => found.as_ref() == Some(&load_value(client, n, round)),
                };
                assert!(
                    fits(confirmed[n]) || fits(tried[n]) || may_be_lost[n] && found.is_none(),
                    "{key} is none of its rounds {} {}",
                    confirmed[n],
                    tried[n]
                );
                checked += 1;
                tried[n] = round;
                connection.set(&key, 0, 0, &load_value(client, n, round))?;
                confirmed[n] = round;
                may_be_lost[n] = false;
            }
            Ok(())
        };
        // An error is the server going away.
        let _ = go_on();
    }
    checked
}

/// Restarts a server with three clients at work, who must never see a wrong value. `round` gets its number and how to
/// replace the server.
fn under_load(rounds: usize, mut round: impl FnMut(usize, Server, &AtomicUsize) -> Server) -> Server {
    let server = start(directory(), LOADED);
    let socket = server.path("socket");
    let (stop, crashes) = (AtomicBool::new(false), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        let mut server = server;
        let stop_clients = StopsClients(&stop);
        let clients: Vec<_> = (0..3)
            .map(|client| {
                let (socket, stop, crashes) = (&socket, &stop, &crashes);
                scope.spawn(move || load(client, socket, stop, crashes))
            })
            .collect();
        for number in 0..rounds {
            // Some load between two restarts.
            let deadline = Instant::now() + PATIENCE;
            let mut client = Client::connect(&server);
            while client.stat("", "cmd_set").parse::<u64>().unwrap() < 400 {
                assert!(Instant::now() < deadline && clients.iter().all(|client| !client.is_finished()));
            }
            server = round(number, server, &crashes);
        }
        drop(stop_clients);
        for client in clients {
            assert!(client.join().expect("no wrong value") > 0);
        }
        server
    })
}

/// Ends the clients of [`under_load`], also when the test fails: it waits for them.
struct StopsClients<'a>(&'a AtomicBool);

impl Drop for StopsClients<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

const LOADED: &[&str] = &["-t", "2", "-m", "128"];

#[test]
fn restarts_under_load_lose_and_change_nothing() {
    let last = under_load(8, |_, server, _| start(end(server, Signal::USR1), LOADED));
    assert!(last.stop().contains("restored memory_file="));
}

/// Items whose flags, time to live and value follow from their number; CAS numbers are learned.
struct Stock {
    uniques: Vec<String>,
}

impl Stock {
    fn fill(server: &Server) -> Stock {
        let mut client = Client::connect(server);
        let uniques = (0..Stock::ITEMS).map(|n| {
            let key = format!("stock{n}");
            client.set(&key, Stock::flags(n), Stock::exptime(n), &Stock::value(n)).unwrap();
            client.gets(&key).unwrap().expect("there").1
        });
        Stock { uniques: uniques.collect() }
    }

    /// What is there is right. How many are there.
    fn check(&self, server: &Server) -> usize {
        let mut client = Client::connect(server);
        let mut found = 0;
        for (n, unique) in self.uniques.iter().enumerate() {
            let key = format!("stock{n}");
            let Some(item) = client.gets(&key).unwrap() else { continue };
            assert!(item == (Stock::flags(n).to_string(), unique.clone(), Stock::value(n)), "{key} is not what it was");
            client.send(format!("mg {key} t\r\n").as_bytes()).unwrap();
            let left = client.line().unwrap();
            let left: i64 = left.strip_prefix("HD t").expect("the time left").parse().unwrap();
            let expected = i64::from(Stock::exptime(n));
            let fits = if expected == 0 {
                left == -1
            } else {
                (expected - PATIENCE.as_secs() as i64..=expected).contains(&left)
            };
            assert!(fits, "{key} has {left} of {expected} s left");
            found += 1;
        }
        found
    }

    fn flags(n: usize) -> u32 {
        if n.is_multiple_of(3) { 0 } else { u32::MAX - n as u32 }
    }

    fn exptime(n: usize) -> u32 {
        if n.is_multiple_of(2) { 0 } else { 5000 + n as u32 }
    }

    fn value(n: usize) -> Vec<u8> {
        load_value(99, n, n)
    }

    const ITEMS: usize = 1000;
}

#[test]
fn crashes_and_damage_between_restarts_leave_nothing_wrong() {
    use std::os::unix::fs::FileExt;
    let mut stock = None;
    // Pages are taken from the start of each shard's half. Which bytes of them are an item's nobody knows, so one in each
    // few is changed, in items and between them.
    let flip_some = |path: &Path| {
        let file = OpenOptions::new().read(true).write(true).open(path).unwrap();
        for at in ((64 << 10)..(8 << 20)).step_by(499) {
            let mut byte = [0];
            file.read_exact_at(&mut byte, at).unwrap();
            file.write_all_at(&[byte[0] ^ 1], at).unwrap();
        }
    };
    under_load(14, |round, server, crashes| {
        let known = stock.take().unwrap_or_else(|| Stock::fill(&server));
        let signal = if round % 4 == 1 { Signal::KILL } else { Signal::USR1 };
        let directory = end(server, signal);
        // Between the two servers: whoever sees it loses all that the old one confirmed, and nothing of the new one.
        if round % 2 == 1 {
            crashes.fetch_add(1, Ordering::SeqCst);
        }
        let memory = directory.path().join("memory");
        let state = memory.with_added_extension("meta");
        let mut settings = LOADED.to_vec();
        match round {
            3 => flip_some(&memory),
            7 => OpenOptions::new().write(true).open(&state).unwrap().set_len(100).unwrap(),
            11 => settings.extend(["-I", "2m"]),
            _ => {}
        }
        let server = start(directory, &settings);
        let found = known.check(&server);
        if round % 2 == 1 {
            assert_eq!(found, 0, "the cache starts empty in round {round}");
            return match round {
                11 => {
                    let directory = end(server, Signal::USR1);
                    crashes.fetch_add(1, Ordering::SeqCst);
                    start(directory, LOADED)
                }
                _ => server,
            };
        }
        assert_eq!(found, Stock::ITEMS, "in round {round}");
        stock = Some(known);
        server
    });
}
