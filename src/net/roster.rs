//! Who is connected: one word per file descriptor, for `stats conns`.
//!
//! Each slot has one writer at a time (the thread that owns the descriptor) and readers that tolerate a stale value,
//! so plain atomics without ordering do. Addresses are not kept but where the kernel does not know them: the reader asks
//! it by descriptor.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use foldhash::fast::RandomState;
use hashbrown::HashMap;
use parking_lot::Mutex;

use crate::clock::Seconds;

/// What a descriptor is doing, in the words of memcached's `stats conns`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Activity {
    /// A listening socket.
    Listening = 1,
    /// A client that has nothing under way.
    Read = 2,
    /// A client whose request is being executed.
    ParseCmd = 3,
    /// A client that is sending a value.
    Nread = 4,
    /// A client whose refused value is being thrown away.
    Swallow = 5,
    /// A client that has not taken its replies yet.
    Mwrite = 6,
    /// A UDP socket, between datagrams.
    Datagrams = 7,
    /// A client that watches.
    Watch = 8,
    /// A client that is still sending a request whose refusal ends the connection.
    Closing = 9,
}

impl Activity {
    /// memcached's name for it.
    pub fn name(self) -> &'static str {
        match self {
            Activity::Listening => "conn_listening",
            Activity::Read => "conn_read",
            Activity::ParseCmd => "conn_parse_cmd",
            Activity::Nread => "conn_nread",
            Activity::Swallow => "conn_swallow",
            Activity::Mwrite => "conn_mwrite",
            Activity::Watch => "conn_watch",
            Activity::Closing => "conn_closing",
            // As memcached calls it: each of its UDP sockets is a connection.
            Activity::Datagrams => "conn_read",
        }
    }

    fn from_bits(bits: u8) -> Option<Activity> {
        use Activity::*;
        [Listening, Read, ParseCmd, Nread, Swallow, Mwrite, Datagrams, Watch, Closing]
            .into_iter()
            .find(|activity| *activity as u8 == bits)
    }
}

/// The table. Descriptors beyond its size are served all the same and merely not listed.
#[derive(Debug)]
pub struct Roster {
    slots: Box<[AtomicU64]>,
    /// Clients whose addresses the kernel does not know: they come by way of load balancers.
    clients: Mutex<HashMap<i32, SocketAddr, RandomState>>,
    has_clients: AtomicBool,
}

impl Roster {
    /// Room for descriptors below `size`; 8 bytes each.
    pub fn new(size: usize) -> Roster {
        let slots = (0..size).map(|_| AtomicU64::new(0)).collect();
        Roster { slots, clients: Mutex::default(), has_clients: AtomicBool::new(false) }
    }

    /// Notes what `fd` does since its last command at `last_command`.
    pub fn note(&self, fd: i32, activity: Activity, last_command: Seconds) {
        if let Some(slot) = self.slots.get(fd as usize) {
            let word = u64::from(last_command) << 8 | activity as u64;
            // Neighbouring descriptors belong to other workers: an unchanged word is left alone, so that their cache
            // line stays shared.
            if slot.load(Ordering::Relaxed) != word {
                slot.store(word, Ordering::Relaxed);
            }
        }
    }

    /// Notes whose connection `fd` is, which the kernel does not know.
    pub fn note_client(&self, fd: i32, client: SocketAddr) {
        self.has_clients.store(true, Ordering::Relaxed);
        self.clients.lock().insert(fd, client);
    }

    /// Whose connection `fd` is, if that was noted.
    pub fn client(&self, fd: i32) -> Option<SocketAddr> {
        self.clients.lock().get(&fd).copied()
    }

    /// Forgets `fd`; to be called before it is closed.
    pub fn remove(&self, fd: i32) {
        if self.has_clients.load(Ordering::Relaxed) {
            self.clients.lock().remove(&fd);
        }
        if let Some(slot) = self.slots.get(fd as usize) {
            slot.store(0, Ordering::Relaxed);
        }
    }

    /// All descriptors in use: number, activity, second of the last command.
    pub fn list(&self) -> impl Iterator<Item = (i32, Activity, Seconds)> {
        self.slots.iter().enumerate().filter_map(|(fd, slot)| {
            let word = slot.load(Ordering::Relaxed);
            Activity::from_bits(word as u8).map(|activity| (fd as i32, activity, (word >> 8) as Seconds))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roster_lists_what_was_noted_and_ignores_what_does_not_fit() {
        let roster = Roster::new(4);
        roster.note(2, Activity::Mwrite, u32::MAX);
        roster.note(3, Activity::Read, 7);
        roster.note(9, Activity::Read, 7);
        roster.note(-1, Activity::Read, 7);
        roster.remove(3);
        assert_eq!(roster.list().collect::<Vec<_>>(), [(2, Activity::Mwrite, u32::MAX)]);
    }
}
