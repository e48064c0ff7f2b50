//! A name server on a port of its own, over UDP and TCP, that says what a test wants.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::{IpAddr, SocketAddr, TcpListener, UdpSocket};
use std::sync::{Arc, Mutex};
use std::thread;

use simple_dns::rdata::{A, AAAA, RData, SRV};
use simple_dns::{CLASS, Name, Packet, PacketFlag, QTYPE, RCODE, ResourceRecord};

/// One record.
#[derive(Clone, Debug)]
pub(crate) enum Record {
    Address(IpAddr),
    Service { target: String, port: u16 },
}

/// How it answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Manner {
    Well,
    /// Over UDP it only says that the answer does not fit.
    OverTcpOnly,
    /// With a forged and a broken datagram before each answer.
    AmongNoise,
    /// It says that it cannot say.
    Failing,
}

#[derive(Debug)]
struct State {
    records: BTreeMap<String, Vec<Record>>,
    manner: Manner,
    ttl: u32,
    asked: usize,
    asked_over_tcp: usize,
}

/// A running one; its threads end with the test.
pub(crate) struct NameServer {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
}

impl NameServer {
    pub(crate) fn start(manner: Manner, ttl: u32) -> NameServer {
        let (udp, tcp) = one_port();
        let address = udp.local_addr().expect("bound");
        let records = BTreeMap::new();
        let state = Arc::new(Mutex::new(State { records, manner, ttl, asked: 0, asked_over_tcp: 0 }));
        let of_udp = Arc::clone(&state);
        thread::spawn(move || serve_udp(&udp, &of_udp));
        let of_tcp = Arc::clone(&state);
        thread::spawn(move || serve_tcp(&tcp, &of_tcp));
        NameServer { address, state }
    }

    /// For `--cluster-resolver`.
    pub(crate) fn text(&self) -> String {
        self.address.to_string()
    }

    pub(crate) fn set(&self, name: &str, records: &[Record]) {
        self.state().records.insert(name.to_owned(), records.to_vec());
    }

    pub(crate) fn set_addresses(&self, name: &str, addresses: &[&str]) {
        let records: Vec<Record> =
            addresses.iter().map(|text| Record::Address(text.parse().expect("an address"))).collect();
        self.set(name, &records);
    }

    pub(crate) fn behave(&self, manner: Manner) {
        self.state().manner = manner;
    }

    /// Questions so far, and those of them that came over TCP.
    pub(crate) fn asked(&self) -> (usize, usize) {
        let state = self.state();
        (state.asked, state.asked_over_tcp)
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().expect("no holder panics")
    }
}

/// A UDP and a TCP socket of one number.
fn one_port() -> (UdpSocket, TcpListener) {
    for _ in 0..100 {
        let tcp = TcpListener::bind("127.0.0.1:0").expect("a port");
        if let Ok(udp) = UdpSocket::bind(tcp.local_addr().expect("bound")) {
            return (udp, tcp);
        }
    }
    panic!("no number is free for both");
}

fn serve_udp(socket: &UdpSocket, state: &Mutex<State>) {
    let mut buffer = [0; 1024];
    while let Ok((count, from)) = socket.recv_from(&mut buffer) {
        let mut state = state.lock().expect("no holder panics");
        state.asked += 1;
        let reply = match state.manner {
            Manner::OverTcpOnly => {
                let mut packet = Packet::parse(&buffer[..count]).expect("a question").into_reply();
                packet.set_flags(PacketFlag::TRUNCATION);
                packet.build_bytes_vec().expect("a packet")
            }
            _ => state.reply(&buffer[..count]),
        };
        if state.manner == Manner::AmongNoise {
            let mut forged = reply.clone();
            forged[0] ^= 1;
            for noise in [&forged[..], &reply[..reply.len() - 1], b"", b"no packet at all"] {
                let _ = socket.send_to(noise, from);
            }
        }
        let _ = socket.send_to(&reply, from);
    }
}

fn serve_tcp(listener: &TcpListener, state: &Mutex<State>) {
    for mut stream in listener.incoming().flatten() {
        let mut len = [0; 2];
        if stream.read_exact(&mut len).is_err() {
            continue;
        }
        let mut question = vec![0; usize::from(u16::from_be_bytes(len))];
        if stream.read_exact(&mut question).is_err() {
            continue;
        }
        let mut state = state.lock().expect("no holder panics");
        (state.asked, state.asked_over_tcp) = (state.asked + 1, state.asked_over_tcp + 1);
        let reply = state.reply(&question);
        let len = u16::try_from(reply.len()).expect("a short reply").to_be_bytes();
        // In two pieces, as a network may deliver it.
        let _ = stream.write_all(&len).and_then(|()| stream.write_all(&reply));
    }
}

impl State {
    fn reply(&self, question: &[u8]) -> Vec<u8> {
        let asked = Packet::parse(question).expect("a question");
        assert!(asked.has_flags(PacketFlag::RECURSION_DESIRED), "{asked:?}");
        let [question] = &asked.questions[..] else { panic!("one question: {asked:?}") };
        let mut reply = Packet::new_reply(asked.id());
        reply.questions.push(question.clone());
        let name = question.qname.to_string();
        match self.records.get(&name) {
            _ if self.manner == Manner::Failing => *reply.rcode_mut() = RCODE::ServerFailure,
            None => *reply.rcode_mut() = RCODE::NameError,
            Some(records) => {
                let of_kind = records.iter().map(rdata).filter(|data| question.qtype == QTYPE::TYPE(data.type_code()));
                let named = |data| ResourceRecord::new(question.qname.clone(), CLASS::IN, self.ttl, data);
                reply.answers = of_kind.map(named).collect();
            }
        }
        reply.build_bytes_vec().expect("a packet")
    }
}

fn rdata(record: &Record) -> RData<'_> {
    match record {
        Record::Address(IpAddr::V4(ip)) => RData::A(A::from(*ip)),
        Record::Address(IpAddr::V6(ip)) => RData::AAAA(AAAA::from(*ip)),
        Record::Service { target, port } => {
            let target = Name::new(target).expect("a name");
            RData::SRV(SRV { priority: 0, weight: 0, port: *port, target })
        }
    }
}
