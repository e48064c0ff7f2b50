//! Asks a server about itself: `version` and `stats`, by a plain blocking connection.

use std::fmt;
use std::io::{self, BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// The version a server tells.
pub(crate) fn version(address: SocketAddr) -> io::Result<String> {
    let mut reader = ask(address, "version")?;
    let mut line = String::new();
    reader.read_line(&mut line)?;
    line.trim_end().strip_prefix("VERSION ").map(str::to_owned).ok_or_else(|| unexpected(&line))
}

/// One counter of `stats`.
pub(crate) fn counter(address: SocketAddr, name: &str) -> io::Result<u64> {
    let reader = ask(address, "stats")?;
    for line in reader.lines() {
        let line = line?;
        let mut words = line.split(' ');
        match (words.next(), words.next(), words.next()) {
            (Some("STAT"), Some(found), Some(number)) if found == name => {
                return number.parse().map_err(|_| unexpected(&line));
            }
            (Some("STAT"), ..) => {}
            _ => return Err(unexpected(&line)),
        }
    }
    Err(unexpected("the end of the stream"))
}

/// Bytes of the chunks, free ones included, in all pages that belong to size classes.
pub(crate) fn class_bytes(address: SocketAddr) -> io::Result<u64> {
    let (mut bytes, mut page_bytes, mut chunk_bytes) = (0, 0, 0);
    for line in ask(address, "stats slabs")?.lines() {
        let line = line?;
        if line == "END" {
            return Ok(bytes);
        }
        let Some((name, number)) = line.strip_prefix("STAT ").and_then(|rest| rest.split_once(' ')) else {
            return Err(unexpected(&line));
        };
        let Some((_, name)) = name.split_once(':') else { continue };
        let number: u64 = number.parse().map_err(|_| unexpected(&line))?;
        // They come in this order, for each class.
        match name {
            "chunk_size" => chunk_bytes = number,
            "chunks_per_page" => page_bytes = number * chunk_bytes,
            "total_pages" => bytes += number * page_bytes,
            _ => {}
        }
    }
    Err(unexpected("the end of the stream"))
}

/// Throws away everything.
pub(crate) fn flush(address: SocketAddr) -> io::Result<()> {
    let mut line = String::new();
    ask(address, "flush_all")?.read_line(&mut line)?;
    if line == "OK\r\n" { Ok(()) } else { Err(unexpected(&line)) }
}

/// A memcached too old to be compared with.
pub(crate) struct OldAnchor {
    version: String,
}

impl OldAnchor {
    /// Set if this version is older than 1.6.40.
    pub(crate) fn of(version: &str) -> Option<Self> {
        let mut numbers = version.split(['.', '-', '_']).map_while(|word| word.parse::<u32>().ok());
        let known = [numbers.next()?, numbers.next()?, numbers.next()?];
        (known < ANCHOR_MIN).then(|| OldAnchor { version: version.to_owned() })
    }
}

impl fmt::Display for OldAnchor {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            out,
            "memcached {} is no anchor: Debian's 1.6.18 costs 3.5 to 4.9 times as much as 1.6.45 on pipelines, so a \
             ratio to it proves nothing; pass --memcached PATH with 1.6.40 or newer",
            self.version
        )
    }
}

fn ask(address: SocketAddr, question: &str) -> io::Result<BufReader<TcpStream>> {
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.write_all(format!("{question}\r\n").as_bytes())?;
    Ok(BufReader::new(stream))
}

fn unexpected(words: &str) -> io::Error {
    io::Error::other(format!("an unexpected answer: {}", words.trim_end()))
}

/// From here on memcached batches pipelines as the anchor does.
const ANCHOR_MIN: [u32; 3] = [1, 6, 40];
const PATIENCE: Duration = Duration::from_secs(2);
