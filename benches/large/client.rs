//! A blocking client for values of any size, whose bytes it makes and checks as they pass.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// See the module.
pub(crate) struct Client {
    stream: BufReader<TcpStream>,
}

impl Client {
    pub(crate) fn connect(address: SocketAddr) -> io::Result<Client> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        Ok(Client { stream: BufReader::with_capacity(BLOCK, stream) })
    }

    /// Sends a command and returns the first line of its reply, without the line end.
    pub(crate) fn ask(&mut self, command: &str) -> io::Result<String> {
        self.stream.get_mut().write_all(format!("{command}\r\n").as_bytes())?;
        self.line()
    }

    /// Sends a storage command with `len` bytes of the pattern of `seed`.
    pub(crate) fn store(&mut self, command: &str, seed: u64, len: usize) -> io::Result<()> {
        let socket = self.stream.get_mut();
        socket.write_all(format!("{command} {len}\r\n").as_bytes())?;
        let block = pattern(seed, len);
        let mut left = len;
        while left > 0 {
            let part = left.min(BLOCK);
            socket.write_all(&block[..part])?;
            left -= part;
        }
        socket.write_all(b"\r\n")?;
        self.expect("STORED")
    }

    /// Gets a value that consists of these patterns.
    pub(crate) fn get(&mut self, key: &str, parts: &[(u64, usize)]) -> io::Result<()> {
        let head = self.ask(&format!("get {key}"))?;
        let len: usize = parts.iter().map(|(_, len)| len).sum();
        if head != format!("VALUE {key} 0 {len}") {
            return Err(unexpected(&head));
        }
        let mut got = vec![0; BLOCK];
        for &(seed, len) in parts {
            let block = pattern(seed, len);
            let mut left = len;
            while left > 0 {
                let part = left.min(BLOCK);
                self.stream.read_exact(&mut got[..part])?;
                if got[..part] != block[..part] {
                    return Err(unexpected("a byte of a value differs"));
                }
                left -= part;
            }
        }
        self.expect("")?;
        self.expect("END")
    }

    /// Reads lines until `last`.
    pub(crate) fn skip_to(&mut self, last: &str) -> io::Result<()> {
        while self.line()? != last {}
        Ok(())
    }

    pub(crate) fn expect(&mut self, reply: &str) -> io::Result<()> {
        match self.line()? {
            line if line == reply => Ok(()),
            line => Err(unexpected(&line)),
        }
    }

    fn line(&mut self) -> io::Result<String> {
        let mut line = String::new();
        self.stream.read_line(&mut line)?;
        // Lines of a dump end in LF alone.
        match line.strip_suffix('\n') {
            Some(line) => Ok(line.trim_end_matches('\r').to_owned()),
            None => Err(unexpected("the end of the stream")),
        }
    }
}

/// A block whose repetition is a value of `len` bytes; no piece of a chain is a multiple of it.
fn pattern(seed: u64, len: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let step = |_| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state as u8
    };
    (0..BLOCK.min(len)).map(step).collect()
}

fn unexpected(words: &str) -> io::Error {
    io::Error::other(format!("an unexpected answer: {words}"))
}

const BLOCK: usize = 1_000_003;
const PATIENCE: Duration = Duration::from_secs(60);
