//! EXTERNAL over a Unix socket: the kernel says whose process the client is.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use larder::sys::user::User;

use crate::common::packet::ask;
use crate::common::{DEADLINE, Server};
use crate::stand::{AUTH, LIST, Users};

/// The user that these tests run as.
fn own_name() -> String {
    let uid = rustix::process::geteuid().as_raw();
    User::name_of(uid).expect("a user database").expect("whoever runs tests has a name")
}

/// A server on a Unix socket whose users are the usual ones and, without a password, the one who runs the tests.
struct Stand {
    users: Users,
    server: Server,
    socket: PathBuf,
}

impl Stand {
    fn start(arguments: &[&str]) -> Stand {
        let users = Users::usual();
        let mut text = std::fs::read_to_string(users.path()).expect("it was written");
        text += &format!("\n[users.{:?}]\nrights = [\"read\"]\n", own_name());
        std::fs::write(users.path(), text).expect("our own file");
        let (socket, path) = (users.path().with_file_name("socket"), users.path());
        let users_flag = ["--users", path.to_str().expect("UTF-8")];
        let server = Server::start_unix(&socket, &[&users_flag, arguments].concat());
        Stand { users, server, socket }
    }

    fn connect(&self) -> Client {
        Client::connect(&self.socket)
    }
}

struct Client(BufReader<UnixStream>);

impl Client {
    fn connect(socket: &Path) -> Client {
        let stream = UnixStream::connect(socket).expect("the server accepts");
        stream.set_read_timeout(Some(DEADLINE)).expect("the deadline is not zero");
        Client(BufReader::new(stream))
    }

    fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.0.get_mut().write_all(bytes.as_ref()).expect("the server reads");
    }

    #[track_caller]
    fn says(&mut self, sent: impl AsRef<[u8]>, line: &str) {
        self.send(sent);
        let mut said = String::new();
        self.0.read_line(&mut said).expect("a line within the deadline");
        assert_eq!(said.trim_end(), line);
    }

    fn expect_closed(mut self) {
        assert_eq!(self.0.read_to_end(&mut Vec::new()).expect("an end within the deadline"), 0);
    }

    /// Status and value of the reply to a binary request.
    fn packet(&mut self, sent: impl AsRef<[u8]>) -> (u16, String) {
        self.send(sent);
        let mut header = [0; 24];
        self.0.read_exact(&mut header).expect("a header within the deadline");
        let mut body = vec![0; u32::from_be_bytes([header[8], header[9], header[10], header[11]]) as usize];
        self.0.read_exact(&mut body).expect("a body within the deadline");
        (u16::from_be_bytes([header[6], header[7]]), String::from_utf8(body).expect("text"))
    }
}

#[test]
fn the_user_of_the_process_logs_in_without_a_password() {
    let stand = Stand::start(&["--unix-peer-credentials"]);
    let mut client = stand.connect();
    client.says("get k\r\n", "CLIENT_ERROR unauthenticated");
    client.says("sasl mech\r\n", "SASL_MECH EXTERNAL SCRAM-SHA-512 SCRAM-SHA-256 SCRAM-SHA-1 OAUTHBEARER PLAIN");
    client.says("sasl auth EXTERNAL 3\r\napp\r\n", "AUTH_ERROR authentication failure");
    client.says("get k\r\n", "CLIENT_ERROR unauthenticated");
    client.says("sasl auth EXTERNAL 0\r\n\r\n", "SASL_OK");
    client.says("get k\r\n", "END");
    client.says("set k 0 0 1\r\nv\r\n", "CLIENT_ERROR unauthorized");
    let name = own_name();
    client.says(format!("sasl auth EXTERNAL {}\r\n{name}\r\n", name.len()), "SASL_OK");

    let mut client = stand.connect();
    assert!(client.packet(ask(LIST, "").bytes(1)).1.starts_with("EXTERNAL SCRAM-SHA-512 "));
    assert_eq!(client.packet(ask(AUTH, "EXTERNAL").value("app").bytes(2)), (0x20, "Auth failure.".to_owned()));
    assert_eq!(client.packet(ask(AUTH, "EXTERNAL").bytes(3)), (0, "Authenticated".to_owned()));
    assert_eq!(client.packet(ask(AUTH, "EXTERNAL").value(name).bytes(4)), (0, "Authenticated".to_owned()));
}

#[test]
fn a_connection_ends_when_its_user_goes() {
    let stand = Stand::start(&["--unix-peer-credentials"]);
    let mut client = stand.connect();
    client.says("sasl auth EXTERNAL 0\r\n\r\n", "SASL_OK");
    stand.users.passwd(&["delete", &own_name()], "");
    client.expect_closed();
    stand.connect().says("sasl auth EXTERNAL 0\r\n\r\n", "AUTH_ERROR authentication failure");
    stand.server.await_stderr(&format!("mechanism=EXTERNAL user={:?}: unknown_user", own_name()));
}

#[test]
fn the_kernel_is_not_asked_unless_it_should_be() {
    let stand = Stand::start(&[]);
    let mut client = stand.connect();
    client.says("sasl mech\r\n", "SASL_MECH SCRAM-SHA-512 SCRAM-SHA-256 SCRAM-SHA-1 OAUTHBEARER PLAIN");
    client.says("sasl auth EXTERNAL 0\r\n\r\n", "AUTH_ERROR authentication failure");
    client.says("get k\r\n", "CLIENT_ERROR unauthenticated");
}
