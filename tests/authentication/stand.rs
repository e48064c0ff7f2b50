//! A server with users, and clients that log in.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use rsasl::config::SASLConfig;
use rsasl::prelude::{Mechname, SASLClient, Session};
use tempfile::TempDir;

use crate::common::packet::{Play, Reply, Request, ask};
use crate::common::{Client, Server};

/// A password that only a parser with care gets right.
pub(crate) const PASSWORD: &str = "pass word:with = all, of it";

/// Opcodes.
pub(crate) const LIST: u8 = 0x20;
pub(crate) const AUTH: u8 = 0x21;
pub(crate) const STEP: u8 = 0x22;

/// A directory with a users file.
pub(crate) struct Users {
    directory: TempDir,
}

impl Users {
    /// Nobody yet.
    pub(crate) fn none() -> Users {
        let users = Users { directory: tempfile::tempdir().expect("a new directory") };
        std::fs::write(users.path(), "").expect("a new file");
        users.close_to_others();
        users
    }

    /// `app`, who may read and write, `admin`, who may do everything, and `bound`, who has the prefix `a:`.
    pub(crate) fn usual() -> Users {
        let users = Users::none();
        users.add("app", &["--rights", "read,write"]);
        users.add("admin", &["--rights", "read,write,admin"]);
        users.add("bound", &["--rights", "read,write", "--prefix", "a:"]);
        users
    }

    fn close_to_others(&self) {
        use std::os::unix::fs::PermissionsExt as _;
        std::fs::set_permissions(self.path(), std::fs::Permissions::from_mode(0o600)).expect("our own file");
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.directory.path().join("users.toml")
    }

    /// Adds a user with [`PASSWORD`].
    pub(crate) fn add(&self, name: &str, arguments: &[&str]) {
        let mut words = vec!["add", name];
        words.extend_from_slice(arguments);
        self.passwd(&words, PASSWORD);
    }

    /// Runs larder-passwd on the file; an empty `password` is not written.
    pub(crate) fn passwd(&self, words: &[&str], password: &str) {
        let mut child = Command::new(env!("CARGO_BIN_EXE_larder-passwd"))
            .arg(self.path())
            .args(words)
            .stdin(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("larder-passwd runs");
        let mut stdin = child.stdin.take().expect("asked for");
        // Who is asked for none has perhaps ended by now.
        if !password.is_empty() {
            writeln!(stdin, "{password}").expect("it reads");
        }
        drop(stdin);
        let output = child.wait_with_output().expect("it ends");
        assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
    }

    /// A server that asks for a login.
    pub(crate) fn serve(&self, arguments: &[&str]) -> Server {
        let path = self.path();
        let mut words = vec!["--users", path.to_str().expect("UTF-8")];
        words.extend_from_slice(arguments);
        Server::start(&words)
    }
}

/// PLAIN's message.
pub(crate) fn plain(user: &str, password: &str) -> Vec<u8> {
    ["", user, password].join("\0").into_bytes()
}

/// A text client that has logged in by a `set`.
pub(crate) fn text_client(server: &Server, user: &str) -> Client {
    let mut client = server.connect();
    log_in_by_set(&mut client, user, PASSWORD);
    client.expect_line("STORED");
    client
}

pub(crate) fn log_in_by_set(client: &mut Client, user: &str, password: &str) {
    let token = format!("{user} {password}");
    client.send(format!("set _ _ _ {}\r\n{token}\r\n", token.len()));
}

/// A binary client that has logged in by PLAIN.
pub(crate) fn binary_client(server: &Server, user: &str) -> Play {
    let mut play = Play::on(server);
    play.play(&ask(AUTH, "PLAIN").value(plain(user, PASSWORD))).says(0, "Authenticated");
    play
}

/// A SCRAM client of rsasl's.
pub(crate) fn scram(mechanism: &str, user: &str, password: &str) -> Session {
    let config = SASLConfig::with_credentials(None, user.to_owned(), password.to_owned()).expect("credentials");
    let mechanism = Mechname::parse(mechanism.as_bytes()).expect("a name");
    SASLClient::new(config).start_suggested(&[mechanism]).expect("rsasl knows it")
}

/// The next message of a client, to this challenge.
pub(crate) fn answer(session: &mut Session, challenge: Option<&[u8]>) -> Vec<u8> {
    let mut out = Vec::new();
    session.step(challenge, &mut out).expect("the server's message is sound");
    out
}

/// Sends one SASL message in words; what comes back.
pub(crate) fn sasl_words(client: &mut Client, mechanism: Option<&str>, message: &[u8]) -> (String, Vec<u8>) {
    let name = mechanism.map(|name| format!("{name} ")).unwrap_or_default();
    client.send([format!("sasl auth {name}{}\r\n", message.len()).as_bytes(), message, b"\r\n"].concat());
    let line = String::from_utf8(client.line()).expect("words");
    match line.strip_prefix("SASL_CONTINUE ") {
        Some(len) => {
            let data = client.take(len.parse().expect("a length"));
            client.expect("\r\n");
            ("SASL_CONTINUE".to_owned(), data)
        }
        None => (line, Vec::new()),
    }
}

/// The reply to a request with a value.
pub(crate) fn say(play: &mut Play, opcode: u8, key: &str, value: impl AsRef<[u8]>) -> Reply {
    play.play(&Request { value: value.as_ref().into(), ..ask(opcode, key) })
}

/// Writes a file that only its owner can read.
pub(crate) fn private_file(path: &Path, text: &str) {
    use std::os::unix::fs::OpenOptionsExt as _;
    let mut file =
        std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path).expect("a new file");
    file.write_all(text.as_bytes()).expect("room for it");
}
