//! Plays a case on both servers and compares what they said.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use crate::binary;
use crate::case::{Case, Protocol, cut};
use crate::common::{DEADLINE, Server, is_memcached};
use crate::known::Version;
use crate::reply::{DoubleLineEnd, Uniques, comparable, comparable_binary};

/// Lets a server see a cut before the next write; nothing tells us from outside that it has read.
const CUT_PAUSE: Duration = Duration::from_micros(200);

/// Memory enough that nothing is evicted within a case. memcached's LRU thread holds on to items that were read
/// for moments of its own choosing, and how a number is padded by incr and decr hangs on that; so it is off.
const ARGUMENTS: [&str; 6] = ["-m", "512", "-t", "2", "-o", "no_lru_maintainer"];

/// Ends each connection: completes a value that was announced longer than it is. At the end of a stream within a value
/// memcached may throw away replies it owes for commands of the same read.
const TAIL: &[u8] = b"version\r\nversion\r\nversion\r\nversion\r\n";

/// How a case went.
#[derive(Debug)]
pub(crate) enum Verdict {
    Same,
    /// Different at first and not again: a clock ticked between two commands of one server. With the first
    /// difference there was.
    SameWhenRepeated(String),
    Different,
}

/// The two binaries that are compared.
pub(crate) struct Pair {
    reference: PathBuf,
    larder: PathBuf,
    version: Version,
}

/// What a server said in one connection, comparable.
type Transcript = Vec<Vec<u8>>;

impl Pair {
    /// Starts the reference once to learn its version.
    pub(crate) fn new(reference: PathBuf, larder: PathBuf) -> Pair {
        let server = Server::start_binary(&reference, &ARGUMENTS);
        let mut client = server.connect();
        client.send_line("version");
        let line = String::from_utf8_lossy(&client.line()).into_owned();
        let version = line.strip_prefix("VERSION ").and_then(Version::parse);
        let version = version.unwrap_or_else(|| panic!("the reference's version is not three numbers: {line}"));
        Pair { reference, larder, version }
    }

    /// The reference's version.
    pub(crate) fn reference_version(&self) -> Version {
        self.version
    }

    /// Plays a case, and again when it diverges.
    pub(crate) fn judge(&self, case: &Case) -> Verdict {
        let (theirs, ours) = (play(&self.reference, case), play(&self.larder, case));
        if theirs == ours {
            Verdict::Same
        } else if self.diverges(case) && self.diverges(case) {
            Verdict::Different
        } else {
            Verdict::SameWhenRepeated(first_difference(&theirs, &ours))
        }
    }

    /// Whether the servers answer a case differently.
    pub(crate) fn diverges(&self, case: &Case) -> bool {
        play(&self.reference, case) != play(&self.larder, case)
    }

    /// A case with both transcripts, for people.
    pub(crate) fn show(&self, case: &Case) -> String {
        let (theirs, ours) = (play(&self.reference, case), play(&self.larder, case));
        let mut text = format!("cut into several writes: {}\n", if case.cuts_seed.is_some() { "yes" } else { "no" });
        for (index, commands) in case.connections().iter().enumerate() {
            text += &format!("--- connection {}\n", index + 1);
            for command in commands {
                let bytes = command.render(|key| format!("<unique of {}>", key.escape_ascii()).into_bytes());
                text += &format!("  sent      {}\n", shown(&bytes));
            }
            for (name, transcripts) in [("memcached", &theirs), ("larder   ", &ours)] {
                let Some(replies) = transcripts.get(index) else { continue };
                let replies: Vec<String> = replies.iter().map(|reply| shown(reply)).collect();
                text += &format!("  {name} {}\n", replies.join("\n            "));
            }
        }
        text
    }
}

/// Where two lists of transcripts part, for people.
fn first_difference(theirs: &[Transcript], ours: &[Transcript]) -> String {
    for (connection, (theirs, ours)) in theirs.iter().zip(ours).enumerate() {
        let same = theirs.iter().zip(ours).take_while(|(theirs, ours)| theirs == ours).count();
        if same < theirs.len().max(ours.len()) {
            let at = |replies: &Transcript| replies.get(same).map_or_else(|| "(the end)".to_owned(), |r| shown(r));
            let before = same.checked_sub(1).map_or_else(|| "(start)".to_owned(), |index| shown(&theirs[index]));
            let place = format!("connection {}, reply {}, after {before}", connection + 1, same + 1);
            return format!("{place}\n  memcached {}\n  larder    {}", at(theirs), at(ours));
        }
    }
    "one server ended before the other".to_owned()
}

/// Plays a case on a fresh server.
fn play(path: &Path, case: &Case) -> Vec<Transcript> {
    let (more_arguments, tail): (&[&str], _) = match case.protocol {
        Protocol::Text => (&[], TAIL.to_vec()),
        Protocol::Binary => (&["-B", "binary"], binary::tail()),
        Protocol::BinaryWithoutCas => (&["-B", "binary", "-C"], binary::tail()),
    };
    let server = Server::start_binary(path, &[&ARGUMENTS, more_arguments].concat());
    let quirk = if is_memcached(path) { DoubleLineEnd::Drop } else { DoubleLineEnd::Keep };
    let mut uniques = Uniques::default();
    let mut transcripts = Vec::new();
    for commands in case.connections() {
        let mut bytes: Vec<u8> = commands.iter().flat_map(|command| command.render(|key| uniques.of(key))).collect();
        if case.may_go_on(commands.last().expect("a connection has commands")) {
            bytes.extend_from_slice(&tail);
        }
        // Uniques of another length move the cuts a little; each is still a cut at a random place.
        let stream = converse(server.address(), &cut(&bytes, case.cuts_seed));
        transcripts.push(match case.protocol {
            Protocol::Text => comparable(&stream, &mut uniques, quirk),
            Protocol::Binary | Protocol::BinaryWithoutCas => comparable_binary(&stream, &mut uniques),
        });
    }
    transcripts
}

/// Sends everything, half-closes, and returns all that came until the server closed.
fn converse(address: SocketAddr, writes: &[&[u8]]) -> Vec<u8> {
    let stream = TcpStream::connect_timeout(&address, DEADLINE).expect("the server accepts connections");
    stream.set_nodelay(true).expect("TCP_NODELAY can be set on a connected socket");
    stream.set_read_timeout(Some(DEADLINE)).expect("the deadline is not zero");
    stream.set_write_timeout(Some(DEADLINE)).expect("the deadline is not zero");
    thread::scope(|scope| {
        scope.spawn(|| {
            for (index, bytes) in writes.iter().enumerate() {
                // A server that has closed the connection takes no more; its replies tell.
                if (&stream).write_all(bytes).is_err() {
                    break;
                }
                if index + 1 < writes.len() {
                    thread::sleep(CUT_PAUSE);
                }
            }
            let _ = stream.shutdown(Shutdown::Write);
        });
        receive_all(&stream)
    })
}

fn receive_all(mut stream: &TcpStream) -> Vec<u8> {
    let mut received = Vec::new();
    match stream.read_to_end(&mut received) {
        Ok(_) => {}
        // The server closed with bytes of ours unread: after `quit`, or a line that ends the connection.
        Err(error) if error.kind() == ErrorKind::ConnectionReset => {}
        Err(error) => received.extend_from_slice(format!("(the connection did not end: {error})\r\n").as_bytes()),
    }
    received
}

/// Escaped; runs of one byte and long text shortened.
fn shown(bytes: &[u8]) -> String {
    let mut text = String::new();
    let mut rest = bytes;
    while let [first, ..] = rest {
        let run = rest.iter().take_while(|byte| *byte == first).count();
        let (bytes, after) = rest.split_at(if run > 12 { run } else { 1 });
        text += &first.escape_ascii().to_string();
        if bytes.len() > 1 {
            text += &format!("{{*{}}}", bytes.len());
        }
        rest = after;
        if text.len() > 400 {
            return format!("{text} ...({} bytes more)", rest.len());
        }
    }
    text
}
