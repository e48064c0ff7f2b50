//! Where the admin port listens.

use std::fmt;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixListener;

use socket2::{Domain, Socket, Type};

use crate::net::listen;
use crate::net::unix_socket::{self, SocketFile};
use crate::settings::{AdminAddress, AdminTls, Settings};

/// Connections that the kernel keeps waiting.
const BACKLOG: i32 = 64;

/// A listening socket.
#[derive(Debug)]
pub struct Door {
    listener: Listener,
    tls: AdminTls,
}

#[derive(Debug)]
enum Listener {
    Tcp(TcpListener, SocketAddr),
    /// Dropped in this order: while it is open its inode's number cannot pass to another server's socket.
    Unix {
        _name: SocketFile,
        socket: UnixListener,
    },
}

impl Door {
    /// The TCP port that `settings` ask for, if they do.
    ///
    /// # Errors
    /// When the address cannot be had; one line that says what to do.
    pub fn tcp(settings: &Settings) -> Result<Option<Door>, String> {
        let Some(AdminAddress::Tcp(address, tls)) = settings.admin else { return Ok(None) };
        let bound = TcpListener::bind(address).and_then(|socket| Door::on(socket, tls));
        bound.map(Some).map_err(|error| format!("cannot listen on admin={address}: {error}; give --admin another one"))
    }

    /// A TCP socket that listens and was passed to this process, to be served so.
    ///
    /// # Errors
    /// When it is none.
    pub fn passed(socket: OwnedFd, tls: AdminTls) -> io::Result<Door> {
        let socket = Socket::from(socket);
        let is_network = [Domain::IPV4, Domain::IPV6].contains(&socket.domain()?);
        if !is_network || socket.r#type()? != Type::STREAM || !socket.is_listener()? {
            return Err(io::Error::other("what was passed is no TCP socket that listens; with Accept=no"));
        }
        Door::on(TcpListener::from(socket), tls)
    }

    fn on(socket: TcpListener, tls: AdminTls) -> io::Result<Door> {
        socket.set_nonblocking(true)?;
        let bound = socket.local_addr()?;
        Ok(Door { listener: Listener::Tcp(socket, bound), tls })
    }

    /// The Unix socket that `settings` ask for, if they do, with the permissions of `-a`.
    ///
    /// # Errors
    /// The same.
    pub fn unix(settings: &Settings) -> Result<Option<Door>, String> {
        let Some(AdminAddress::Unix(path)) = &settings.admin else { return Ok(None) };
        let refused = |error: &dyn fmt::Display| format!("--admin: {error}");
        let (listener, file) =
            unix_socket::bind(path, settings.unix_mask, None, BACKLOG).map_err(|error| refused(&error))?;
        let listener = UnixListener::from(OwnedFd::from(listener));
        Ok(Some(Door { listener: Listener::Unix { _name: file, socket: listener }, tls: AdminTls::Off }))
    }

    /// The address, unless it is a Unix socket.
    pub fn tcp_address(&self) -> Option<SocketAddr> {
        match &self.listener {
            Listener::Tcp(_, address) => Some(*address),
            Listener::Unix { .. } => None,
        }
    }

    /// How it is spoken to.
    pub fn tls(&self) -> AdminTls {
        self.tls
    }

    /// Whether other machines may reach it.
    pub fn is_on_network(&self) -> bool {
        self.tcp_address().is_some_and(|address| listen::is_exposed(&address))
    }

    /// The next connection, non-blocking.
    ///
    /// # Errors
    /// When there is none, or no descriptor for it.
    pub(super) fn accept(&self) -> io::Result<Socket> {
        let socket: Socket = match &self.listener {
            Listener::Tcp(listener, _) => {
                let (stream, _) = listener.accept()?;
                stream.set_nodelay(true)?;
                stream.into()
            }
            Listener::Unix { socket: listener, .. } => listener.accept()?.0.into(),
        };
        socket.set_nonblocking(true)?;
        Ok(socket)
    }
}

impl AsFd for Door {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match &self.listener {
            Listener::Tcp(listener, _) => listener.as_fd(),
            Listener::Unix { socket: listener, .. } => listener.as_fd(),
        }
    }
}

impl fmt::Display for Door {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.listener {
            Listener::Tcp(_, address) => write!(f, "{}{address}", self.tls.prefix()),
            Listener::Unix { .. } => f.write_str("unix"),
        }
    }
}
