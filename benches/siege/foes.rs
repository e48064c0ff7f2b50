//! Peers that mean harm or are broken. Each abuse takes a fraction of a second; what the server says to it is looked at
//! by the tests of `tests/abuse`, `tests/authentication` and `tests/tls`, here it only has to hurt.

use std::fs;
use std::io::{self, Read, Write};
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, RootCertStore};

use super::Siege;
use super::peer::{Peer, Window};
use super::random::{Random, mixed};
use super::stage::FOE;

/// One kind of abuse.
pub(crate) struct Abuse {
    pub(crate) name: &'static str,
    act: fn(&mut Foe<'_>) -> io::Result<()>,
}

/// All of them.
pub(crate) const ABUSES: &[Abuse] = &[
    Abuse { name: "lines without an end", act: endless_lines },
    Abuse { name: "multigets that nobody reads", act: unread_multigets },
    Abuse { name: "floods of quiet commands", act: quiet_floods },
    Abuse { name: "wrong passwords", act: wrong_passwords },
    Abuse { name: "login messages without a login", act: odd_logins },
    Abuse { name: "half commands and half values", act: half_commands },
    Abuse { name: "connects past the bound", act: connects },
    Abuse { name: "garbage to TLS", act: tls_garbage },
    Abuse { name: "handshakes and no more", act: handshakes },
    Abuse { name: "resets in mid reply", act: resets },
    Abuse { name: "binary headers that contradict themselves", act: binary_garbage },
    Abuse { name: "large values overwritten and read", act: overwrites },
    Abuse { name: "one byte at a time", act: single_bytes },
    Abuse { name: "statistics, flushes, dumps without the right", act: forbidden },
];

/// One foe at work.
pub(crate) struct Foe<'a> {
    siege: &'a Siege<'a>,
    random: Random,
    from: Ipv4Addr,
}

/// Abuses the server until the siege is over.
pub(crate) fn run(siege: &Siege<'_>, number: usize) {
    let from = Ipv4Addr::new(127, 0, 1, 1 + number as u8);
    let mut foe = Foe { siege, random: Random::seeded(mixed(FOE_SALT ^ number as u64)), from };
    while !siege.is_over() {
        let at = foe.random.below(ABUSES.len() as u64) as usize;
        // The server may hang up at any time, that is the point.
        let _ = (ABUSES[at].act)(&mut foe);
        siege.done[at].fetch_add(1, Ordering::Relaxed);
    }
}

/// Takes the users file away, breaks it, and puts it back.
pub(crate) fn disturb_users_file(siege: &Siege<'_>) {
    let file = siege.stage.users_file();
    let disturb = || -> io::Result<()> {
        let aside = file.with_extension("aside");
        let broken = file.with_extension("broken");
        while !siege.is_over() {
            std::thread::sleep(Duration::from_secs(1));
            fs::rename(&file, &aside)?;
            std::thread::sleep(Duration::from_millis(1500));
            fs::write(&broken, "[[user]\nname = ")?;
            fs::rename(&broken, &file)?;
            std::thread::sleep(Duration::from_millis(1500));
            fs::rename(&aside, &file)?;
        }
        Ok(())
    };
    if let Err(error) = disturb() {
        siege.wrong(format!("the users file cannot be moved: {error}"));
    }
}

impl Foe<'_> {
    fn stranger(&self, window: Window) -> io::Result<Peer> {
        Peer::connect(self.from, self.siege.stage.plain, window)
    }

    fn insider(&self, window: Window) -> io::Result<Peer> {
        let mut peer = self.stranger(window)?;
        peer.log_in(FOE)?;
        Ok(peer)
    }

    fn at_tls(&self) -> io::Result<Peer> {
        Peer::connect(self.from, self.siege.stage.tls, Window::Usual)
    }

    fn noise(&mut self, len: usize) -> Vec<u8> {
        (0..len.div_ceil(8)).flat_map(|_| self.random.bits().to_le_bytes()).collect()
    }

    /// Stores a value under one of few keys, so that foes never fill the memory.
    fn store(&mut self, peer: &mut Peer, key: u64, len: usize) -> io::Result<()> {
        peer.stream.write_all(format!("set foe-{key} 0 0 {len}\r\n").as_bytes())?;
        peer.stream.write_all(&vec![b'v'; len])?;
        peer.stream.write_all(b"\r\n")?;
        peer.expect("STORED")
    }

    fn lurk(&mut self) {
        std::thread::sleep(Duration::from_millis(self.random.below(200)));
    }
}

fn endless_lines(foe: &mut Foe<'_>) -> io::Result<()> {
    let mut peer = if foe.random.below(2) == 0 { foe.insider(Window::Usual)? } else { foe.stranger(Window::Usual)? };
    peer.stream.write_all(b"get ")?;
    (0..256).try_for_each(|_| peer.stream.write_all(&[b'x'; 16 << 10]))
}

fn unread_multigets(foe: &mut Foe<'_>) -> io::Result<()> {
    let mut peer = foe.insider(Window::Narrow)?;
    foe.store(&mut peer, 0, 100_000)?;
    let mut peers = vec![];
    for _ in 0..20 {
        let mut peer = foe.insider(Window::Narrow)?;
        peer.stream.write_all(format!("get{}\r\n", " foe-0".repeat(2000)).as_bytes())?;
        peers.push(peer);
    }
    foe.lurk();
    peers.into_iter().try_for_each(Peer::reset)
}

fn quiet_floods(foe: &mut Foe<'_>) -> io::Result<()> {
    let mut peer = foe.insider(Window::Usual)?;
    let commands = b"mg foe-9 q\r\nmd foe-9 q\r\nset foe-8 0 0 1 noreply\r\nx\r\n".repeat(1000);
    (0..20).try_for_each(|_| peer.stream.write_all(&commands))?;
    peer.stream.write_all(b"mn\r\n")?;
    peer.expect("MN")
}

fn wrong_passwords(foe: &mut Foe<'_>) -> io::Result<()> {
    let mut peer = foe.stranger(Window::Usual)?;
    for user in ["friend", "nobody", "admin"].iter().cycle().take(9) {
        let token = format!("{user} {}", foe.random.bits());
        peer.stream.write_all(format!("set _ _ _ {}\r\n{token}\r\n", token.len()).as_bytes())?;
        peer.line()?;
    }
    Ok(())
}

fn odd_logins(foe: &mut Foe<'_>) -> io::Result<()> {
    let noise = foe.noise(2000);
    for (mechanism, announced) in [("PLAIN", 1 << 20), ("SCRAM-SHA-256", 500_000), ("", 10), ("X\0Y", 2000)] {
        let mut peer = foe.stranger(Window::Usual)?;
        let body_len = (mechanism.len() + announced) as u32;
        let header = [&[0x80, 0x21, 0, mechanism.len() as u8, 0, 0, 0, 0][..], &body_len.to_be_bytes(), &[0; 12]];
        peer.stream.write_all(&[&header.concat(), mechanism.as_bytes(), &noise].concat())?;
    }
    foe.lurk();
    Ok(())
}

fn half_commands(foe: &mut Foe<'_>) -> io::Result<()> {
    let mut peers = vec![];
    for number in 0..40 {
        let mut peer = if number % 2 == 0 { foe.insider(Window::Usual)? } else { foe.stranger(Window::Usual)? };
        let len = foe.random.below(100_000);
        peer.stream.write_all(format!("set foe-7 0 0 {len}\r\n").as_bytes())?;
        peer.stream.write_all(&vec![b'v'; foe.random.below(len + 1) as usize])?;
        peers.push(peer);
    }
    foe.lurk();
    Ok(())
}

fn connects(foe: &mut Foe<'_>) -> io::Result<()> {
    let peers: Vec<Peer> = (0..250).map_while(|_| foe.stranger(Window::Usual).ok()).collect();
    foe.lurk();
    peers.into_iter().try_for_each(Peer::reset)
}

fn tls_garbage(foe: &mut Foe<'_>) -> io::Result<()> {
    let noise = foe.noise(20_000);
    let hello = [&[0x16, 3, 1, 0x40, 0, 1, 0, 0x3f, 0xfc][..], &noise[..5000]].concat();
    for bytes in
        [&noise[..], b"GET / HTTP/1.1\r\nHost: cache\r\n\r\n", b"get a\r\n", &hello, &hello[..3], &[0x17, 3, 3]]
    {
        foe.at_tls()?.stream.write_all(bytes)?;
    }
    Ok(())
}

fn handshakes(foe: &mut Foe<'_>) -> io::Result<()> {
    // It trusts nobody: the server has done its part of the work by then.
    let config = Arc::new(ClientConfig::builder().with_root_certificates(RootCertStore::empty()).with_no_client_auth());
    for _ in 0..10 {
        let mut peer = foe.at_tls()?;
        let name = ServerName::try_from("localhost").expect("a name");
        let mut client = ClientConnection::new(Arc::clone(&config), name).map_err(io::Error::other)?;
        // The certificate is refused; that is the end of it.
        let _ = client.complete_io(&mut peer.stream);
    }
    Ok(())
}

fn resets(foe: &mut Foe<'_>) -> io::Result<()> {
    let mut peer = foe.insider(Window::Usual)?;
    foe.store(&mut peer, 1, 300_000)?;
    for _ in 0..10 {
        let mut peer = foe.insider(Window::Usual)?;
        peer.stream.write_all(format!("get{}\r\n", " foe-1".repeat(30)).as_bytes())?;
        let mut some = vec![0; 1 + foe.random.below(200_000) as usize];
        peer.stream.read_exact(&mut some)?;
        peer.reset()?;
    }
    Ok(())
}

fn binary_garbage(foe: &mut Foe<'_>) -> io::Result<()> {
    for number in 0..20 {
        let mut peer = if number % 2 == 0 { foe.insider(Window::Usual)? } else { foe.stranger(Window::Usual)? };
        let mut header = foe.noise(24);
        header[0] = 0x80;
        peer.stream.write_all(&header)?;
        let noise = foe.noise(5000);
        peer.stream.write_all(&noise)?;
    }
    Ok(())
}

fn overwrites(foe: &mut Foe<'_>) -> io::Result<()> {
    let mut peer = foe.insider(Window::Usual)?;
    for _ in 0..20 {
        let (key, len) = (2 + foe.random.below(4), foe.random.below(900_000) as usize);
        foe.store(&mut peer, key, len)?;
        peer.stream.write_all(format!("md foe-{key}\r\n").as_bytes())?;
        peer.line()?;
    }
    Ok(())
}

fn single_bytes(foe: &mut Foe<'_>) -> io::Result<()> {
    let mut peer = foe.insider(Window::Usual)?;
    for byte in b"get foe-0 foe-1\r\nset foe-6 0 0 10\r\n012345" {
        peer.stream.write_all(&[*byte])?;
    }
    peer.reset()
}

fn forbidden(foe: &mut Foe<'_>) -> io::Result<()> {
    let mut peer = foe.insider(Window::Usual)?;
    for line in [
        "flush_all",
        "cache_memlimit 1",
        "lru_crawler metadump all",
        "shutdown",
        "watch fetchers",
        "slabs reassign 1 2",
    ] {
        peer.stream.write_all(format!("{line}\r\n").as_bytes())?;
        peer.line()?;
    }
    Ok(())
}

const FOE_SALT: u64 = 0x666f_6573;
