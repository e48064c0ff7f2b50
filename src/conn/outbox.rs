//! What is owed to a client: bytes, and between them large values that stay where they are in the store.

use std::collections::VecDeque;
use std::io::{self, IoSlice, Write};

use crate::store::Pinned;

/// What [`Outbox::send_share`] did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sent {
    /// Bytes the socket took.
    pub bytes: usize,
    /// Whether the socket takes no more for now.
    pub is_blocked: bool,
}

/// Bytes beyond which no further request is answered before some were sent.
const BYTES_HIGH: usize = 256 << 10;

/// The same while memory for the replies of all connections is short.
const BYTES_HIGH_SHORT: usize = 16 << 10;

/// Bytes of pinned values beyond which no further request is answered before some were sent.
const PINNED_HIGH: usize = 1 << 20;

/// Pinned values beyond which no further request is answered before some were sent.
const PINS_HIGH: usize = 64;

/// A buffer that one long reply made larger than this is not kept.
const BUFFER_BYTES_MAX: usize = 1 << 20;

/// Slices handed to one vectored write.
const SLICES_MAX: usize = 64;

/// See the module.
#[derive(Debug, Default)]
pub struct Outbox {
    bytes: Vec<u8>,
    /// How much of `bytes` was sent.
    sent: usize,
    /// Pinned values, each with the position in `bytes` that it comes before.
    pinned: VecDeque<(usize, Pinned)>,
    pinned_bytes: usize,
    /// Memory for replies is short.
    short: bool,
}

impl Outbox {
    /// Says whether memory for unsent replies is short, so that they have to be answered in smaller parts.
    pub fn set_short(&mut self, short: bool) {
        self.short = short;
    }

    /// The buffer to append replies to.
    #[inline]
    pub fn bytes(&mut self) -> &mut Vec<u8> {
        &mut self.bytes
    }

    /// Appends a reply.
    #[inline]
    pub fn say(&mut self, reply: &[u8]) {
        self.bytes.extend_from_slice(reply);
    }

    /// Appends a value that stays in the store.
    pub fn say_pinned(&mut self, value: Pinned) {
        self.pinned_bytes += value.left();
        self.pinned.push_back((self.bytes.len(), value));
    }

    /// Whether everything was sent.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.sent == self.bytes.len() && self.pinned.is_empty()
    }

    /// Whether some must be sent before more is answered.
    #[inline]
    pub fn is_full(&self) -> bool {
        let bytes_high = if self.short { BYTES_HIGH_SHORT } else { BYTES_HIGH };
        self.bytes.len() >= bytes_high || self.pinned_bytes >= PINNED_HIGH || self.pinned.len() >= PINS_HIGH
    }

    /// Bytes that wait to be sent, pinned values included.
    pub fn waiting_bytes(&self) -> usize {
        self.bytes.len() - self.sent + self.pinned_bytes
    }

    /// Drops what waits to be sent.
    pub fn clear(&mut self) {
        self.clear_bytes();
        self.pinned.clear();
        self.pinned_bytes = 0;
    }

    /// Memory that waiting to send takes, pinned values not counted: they are the store's.
    pub fn held_bytes(&self) -> usize {
        self.bytes.capacity()
    }

    /// Sends what the socket takes in one call; how much that was.
    ///
    /// # Errors
    /// Those of the socket, `WouldBlock` included.
    pub fn send(&mut self, socket: &mut impl Write) -> io::Result<usize> {
        let sent = if self.pinned.is_empty() {
            let sent = socket.write(&self.bytes[self.sent..])?;
            self.sent += sent;
            sent
        } else {
            let mut slices = Vec::with_capacity(SLICES_MAX);
            self.gather(&mut slices);
            let sent = socket.write_vectored(&slices)?;
            self.advance(sent);
            sent
        };
        if sent == 0 && !self.is_empty() {
            return Err(io::ErrorKind::WriteZero.into());
        }
        if self.is_empty() {
            self.clear_bytes();
        }
        Ok(sent)
    }

    /// Sends until nothing is left, the socket is full, or about `bytes_max` bytes are sent: a call that begins below
    /// that may go beyond it.
    ///
    /// # Errors
    /// Those of the socket but `WouldBlock` and `Interrupted`.
    pub fn send_share(&mut self, socket: &mut impl Write, bytes_max: usize) -> io::Result<Sent> {
        let mut sent = Sent { bytes: 0, is_blocked: false };
        while !self.is_empty() && sent.bytes < bytes_max {
            match self.send(socket) {
                Ok(bytes) => sent.bytes += bytes,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    sent.is_blocked = true;
                    break;
                }
                Err(error) => return Err(error),
            }
        }
        Ok(sent)
    }

    fn clear_bytes(&mut self) {
        self.sent = 0;
        if self.bytes.capacity() > BUFFER_BYTES_MAX {
            self.bytes = Vec::new();
        } else {
            self.bytes.clear();
        }
    }

    fn gather<'a>(&'a self, slices: &mut Vec<IoSlice<'a>>) {
        let mut at = self.sent;
        for (before, value) in &self.pinned {
            if at < *before {
                slices.push(IoSlice::new(&self.bytes[at..*before]));
                at = *before;
            }
            if !value.gather(slices, SLICES_MAX) || slices.len() >= SLICES_MAX {
                return;
            }
        }
        if at < self.bytes.len() {
            slices.push(IoSlice::new(&self.bytes[at..]));
        }
    }

    fn advance(&mut self, mut sent: usize) {
        while sent > 0 {
            let Some((before, value)) = self.pinned.front_mut() else {
                self.sent += sent;
                return;
            };
            let bytes = sent.min(*before - self.sent);
            self.sent += bytes;
            sent -= bytes;
            let part = sent.min(value.left());
            value.advance(part);
            self.pinned_bytes -= part;
            sent -= part;
            if value.left() == 0 {
                self.pinned.pop_front();
            }
        }
    }

    /// Moves what is unsent out, for a connection to keep; this outbox is empty again and keeps its buffer.
    pub fn take_unsent(&mut self) -> Outbox {
        let mut pinned = std::mem::take(&mut self.pinned);
        for (before, _) in &mut pinned {
            *before -= self.sent;
        }
        let unsent = self.bytes[self.sent..].to_vec();
        let pinned_bytes = std::mem::take(&mut self.pinned_bytes);
        let taken = Outbox { bytes: unsent, sent: 0, pinned, pinned_bytes, short: self.short };
        self.clear_bytes();
        taken
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::{NEVER, START};
    use crate::command::Mode;
    use crate::store::{Config, Fetch, Put, Store};

    /// Takes a few bytes at a time.
    struct Trickle {
        taken: Vec<u8>,
        step: usize,
    }

    impl Write for Trickle {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let part = bytes.len().min(self.step);
            self.taken.extend_from_slice(&bytes[..part]);
            Ok(part)
        }

        fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
            let mut left = self.step;
            for slice in slices {
                let part = slice.len().min(left);
                self.taken.extend_from_slice(&slice[..part]);
                left -= part;
            }
            Ok(self.step - left)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// Takes parts of a megabyte and is interrupted before each; full after `room` bytes.
    struct Moody {
        room: usize,
        interrupted: bool,
    }

    impl Write for Moody {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.interrupted = !self.interrupted;
            if self.interrupted {
                return Err(io::ErrorKind::Interrupted.into());
            }
            let part = bytes.len().min(300_000).min(self.room);
            self.room -= part;
            if part == 0 { Err(io::ErrorKind::WouldBlock.into()) } else { Ok(part) }
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn less_is_answered_while_memory_is_short() {
        let mut outbox = Outbox::default();
        outbox.say(&[b'v'; BYTES_HIGH_SHORT]);
        assert!(!outbox.is_full());
        outbox.set_short(true);
        assert!(outbox.is_full());
        outbox.set_short(false);
        outbox.say(&vec![b'v'; BYTES_HIGH]);
        assert!(outbox.is_full());
    }

    #[test]
    fn a_share_ends_at_its_bound_and_where_the_socket_is_full() {
        let mut outbox = Outbox::default();
        outbox.say(&vec![b'v'; 3_000_000]);
        let mut socket = Moody { room: 2_000_000, interrupted: false };
        let mut share = |outbox: &mut Outbox| outbox.send_share(&mut socket, 1_000_000).expect("nothing failed");
        assert_eq!(share(&mut outbox), Sent { bytes: 1_200_000, is_blocked: false });
        assert_eq!(share(&mut outbox), Sent { bytes: 800_000, is_blocked: true });
        assert_eq!(outbox.waiting_bytes(), 1_000_000);
        socket.room = 3_000_000;
        assert_eq!(outbox.send_share(&mut socket, 1_000_001).unwrap(), Sent { bytes: 1_000_000, is_blocked: false });
        assert!(outbox.is_empty());
    }

    #[test]
    fn bytes_and_pinned_values_leave_in_order_at_any_pace() {
        let store = Store::new(Config::new(8 << 20, 1)).expect("memory");
        let value: Vec<u8> = (0..200_000u32).map(|n| n as u8).collect();
        let put = Put { key: b"k", client_flags: 0, expiry: NEVER, mode: Mode::Set };
        store.put(&put, &value, START);
        let pin = || store.fetch(b"k", &Fetch::GET, START, |found| found.pin()).expect("present").expect("pin");
        let expected = [&b"one"[..], &value, b"two", &value, &value, b"three"].concat();
        for step in [1 << 20, 70_001, 3_333] {
            let mut outbox = Outbox::default();
            outbox.say(b"one");
            outbox.say_pinned(pin());
            outbox.say(b"two");
            outbox.say_pinned(pin());
            outbox.say_pinned(pin());
            outbox.say(b"three");
            let mut socket = Trickle { taken: Vec::new(), step };
            while !outbox.is_empty() {
                outbox.send(&mut socket).expect("taken");
                outbox = outbox.take_unsent();
            }
            assert!(socket.taken == expected, "step {step}");
        }
    }
}
