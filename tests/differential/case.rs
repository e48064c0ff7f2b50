//! What is sent to both servers: commands in a few connections, and where the writes are cut.

use crate::binary::{self, Place};
use crate::classic;
use crate::known::{self, Known};
use crate::random::Random;

/// A piece of a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Piece {
    /// Sent as it is.
    Bytes(Vec<u8>),
    /// The CAS unique that this server last showed for this key in an earlier connection; the two servers number
    /// on their own, so each gets its own number.
    Unique(Vec<u8>),
    /// The same as the eight bytes of a binary header.
    BinaryUnique(Vec<u8>),
}

/// One command with its data, or what was left of it after it was spoiled.
#[derive(Clone, Debug, Default)]
pub(crate) struct Command {
    pub(crate) pieces: Vec<Piece>,
    /// Binary: where in a connection it may stand. (Of text `known` tells.)
    pub(crate) place: Place,
}

impl Command {
    /// A command of fixed bytes.
    pub(crate) fn plain(bytes: impl Into<Vec<u8>>) -> Command {
        Command { pieces: vec![Piece::Bytes(bytes.into())], place: Place::Anywhere }
    }

    /// The bytes to send, with each unique resolved.
    pub(crate) fn render(&self, mut unique_of: impl FnMut(&[u8]) -> Vec<u8>) -> Vec<u8> {
        let render = |piece: &Piece| match piece {
            Piece::Bytes(bytes) => bytes.clone(),
            Piece::Unique(key) => unique_of(key),
            Piece::BinaryUnique(key) => binary::unique(&unique_of(key)).to_vec(),
        };
        self.pieces.iter().flat_map(render).collect()
    }
}

/// What happens next in a case.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    /// A command goes to the current connection.
    Send(Command),
    /// The current connection ends after its replies, a new one starts.
    Reconnect,
}

/// What a run is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Subject {
    /// Classic text commands, and some of meta between them.
    Text,
    /// Meta commands, and some classic ones between them.
    Meta,
    Binary,
}

/// What the commands of a case are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protocol {
    /// Classic and meta.
    Text,
    Binary,
    /// Binary, with `-C`.
    BinaryWithoutCas,
}

/// One experiment with a fresh pair of servers.
#[derive(Clone, Debug)]
pub(crate) struct Case {
    pub(crate) protocol: Protocol,
    pub(crate) steps: Vec<Step>,
    /// Where writes are cut; `None` sends each connection's commands in one write.
    pub(crate) cuts_seed: Option<u64>,
}

impl Case {
    /// A case of this many commands.
    pub(crate) fn random(random: &mut Random, subject: Subject, commands: usize, known: &Known) -> Case {
        let (protocol, meta_percent) = match subject {
            Subject::Text => (Protocol::Text, 10),
            Subject::Meta => (Protocol::Text, 80),
            Subject::Binary if random.percent(25) => (Protocol::BinaryWithoutCas, 0),
            Subject::Binary => (Protocol::Binary, 0),
        };
        let mut steps = Vec::new();
        for _ in 0..commands {
            if random.percent(8) {
                steps.push(Step::Reconnect);
            }
            steps.push(Step::Send(match protocol {
                Protocol::Text => classic::command(random, meta_percent, known),
                Protocol::Binary | Protocol::BinaryWithoutCas => binary::command(random),
            }));
        }
        // memcached counts a value for `detail dump` when it is announced, Larder when it has come (docs/compatibility.md).
        let is_short = |step: &Step| matches!(step, Step::Send(command) if command.place == Place::Short);
        if steps.iter().any(is_short) {
            steps.retain(
                |step| !matches!(step, Step::Send(command) if command.render(|_| Vec::new()).ends_with(b"detail dump")),
            );
        }
        Case { protocol, steps, cuts_seed: random.percent(80).then(|| random.bits()) }
    }

    /// The commands of each connection. Besides where the case says so, a connection starts or ends where memcached's
    /// own answers would otherwise hang on the cuts; `known` tells the reasons.
    pub(crate) fn connections(&self) -> Vec<Vec<&Command>> {
        let mut connections: Vec<Vec<&Command>> = vec![Vec::new()];
        let (mut has_read, mut all_sound) = (false, true);
        for step in &self.steps {
            let Step::Send(command) = step else {
                connections.push(Vec::new());
                (has_read, all_sound) = (false, true);
                continue;
            };
            let bytes = command.render(|_| b"1".to_vec());
            let [first, ends, counts, reads] = self.traits(command, &bytes);
            if first || (counts && has_read) || (ends && !all_sound) {
                connections.push(Vec::new());
                (has_read, all_sound) = (false, true);
            }
            connections.last_mut().expect("never empty").push(command);
            has_read |= reads;
            all_sound &= self.protocol != Protocol::Text || known::is_sound(&bytes);
            if ends {
                connections.push(Vec::new());
                (has_read, all_sound) = (false, true);
            }
        }
        connections.retain(|commands| !commands.is_empty());
        connections
    }

    /// Whether a command must come first or last, counts or reads.
    fn traits(&self, command: &Command, bytes: &[u8]) -> [bool; 4] {
        match self.protocol {
            Protocol::Text => [
                known::must_come_first(bytes),
                known::must_come_last(bytes),
                known::is_arithmetic(bytes),
                known::is_retrieval(bytes),
            ],
            Protocol::Binary | Protocol::BinaryWithoutCas => [
                command.place == Place::Alone,
                command.place != Place::Anywhere,
                binary::is_arithmetic(bytes),
                binary::is_retrieval(bytes),
            ],
        }
    }

    /// Whether a connection goes on to be fed behind this command.
    pub(crate) fn may_go_on(&self, command: &Command) -> bool {
        match self.protocol {
            Protocol::Text => !known::must_come_last(&command.render(|_| Vec::new())),
            Protocol::Binary | Protocol::BinaryWithoutCas => matches!(command.place, Place::Anywhere | Place::Short),
        }
    }
}

/// Cuts bytes into the writes they are sent in.
pub(crate) fn cut(bytes: &[u8], seed: Option<u64>) -> Vec<&[u8]> {
    let Some(seed) = seed else { return vec![bytes] };
    let mut random = Random::new(seed);
    let mut pieces = Vec::new();
    let mut rest = bytes;
    while !rest.is_empty() {
        // Mostly within a line, now and then large enough for a value; long input is not cut into thousands.
        let length = match random.below(10) {
            0..4 => 1 + random.below(8),
            4..8 => 1 + random.below(120),
            _ => 1 + random.below(20_000),
        };
        let length = if pieces.len() > 60 { rest.len() } else { length.min(rest.len()) };
        let (piece, after) = rest.split_at(length);
        pieces.push(piece);
        rest = after;
    }
    pieces
}
