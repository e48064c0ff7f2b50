//! A login from its first message to its end.

use std::fmt;
use std::mem;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use super::name::{check_authzid, prepare, unescape};
use super::session::{Outcome, Session, Verdict};
use super::shape::{self, Binding, ClientFinal, ClientFirst};
use super::{Claim, MESSAGE_MAX, Mechanism, Step, Why};
use crate::auth::client::Client;
use crate::auth::user::{Identity, Proof, User, Users};
use crate::auth::verifier::{Hash, Verifier};

/// One login.
pub struct Handshake {
    mechanism: Mechanism,
    users: Arc<Users>,
    secret: Zeroizing<[u8; 32]>,
    /// Who the client is by its transport's word.
    external: Option<Arc<str>>,
    binding: Binding,
    /// Who SCRAM's first message says the client is, or EXTERNAL lets it be.
    name: Option<String>,
    state: State,
}

/// Which message is due.
enum State {
    /// The first one; `asked` if an empty challenge has been sent for it.
    Start { asked: bool },
    /// LOGIN's name.
    LoginName(Session),
    /// LOGIN's password.
    LoginPassword(Session),
    /// SCRAM's proof.
    Proof(Box<Exchange>),
    /// An empty one: the proof was right, and the client knows ours.
    Proven(Identity),
    /// None.
    Over,
}

/// A SCRAM exchange whose challenge has been sent.
struct Exchange {
    session: Session,
    hash: Hash,
    /// `None` for somebody who does not exist, who gets the challenge of a record that nobody can prove.
    user: Option<Arc<User>>,
    cbind_input: Vec<u8>,
    client_first_bare: Vec<u8>,
    server_first: Vec<u8>,
}

/// Shows nothing that was sent.
impl fmt::Debug for Handshake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handshake").field("mechanism", &self.mechanism).finish_non_exhaustive()
    }
}

impl Handshake {
    /// Begins a login. `users` is the table of this moment; `secret` keys the challenges for users who do not exist,
    /// so that they are the same each time, and should last longer than the process.
    /// `client.channel_binding` is there only where a mechanism that uses it was offered.
    pub fn begin(mechanism: Mechanism, users: Arc<Users>, secret: &[u8; 32], client: &Client) -> Handshake {
        let binding = match client.channel_binding {
            Some(data) if mechanism.binds_channel() => Binding::Used(data),
            Some(_) => Binding::NotUsed,
            None => Binding::Absent,
        };
        Handshake {
            mechanism,
            users,
            secret: Zeroizing::new(*secret),
            external: client.external.clone(),
            binding,
            name: None,
            state: State::Start { asked: false },
        }
    }

    /// Who the client is said to be, where that was known before its proof.
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// One message of the client, of at most [`MESSAGE_MAX`] bytes; `None` if the client begins without one.
    ///
    /// After anything but [`Step::Challenge`] the login is over, and more messages are refused.
    pub fn step(&mut self, message: Option<&[u8]>) -> Step {
        let state = mem::replace(&mut self.state, State::Over);
        let result = match message {
            Some(message) if message.len() > MESSAGE_MAX => Err(Why::TooLong),
            _ => self.advance(state, message),
        };
        match result {
            Ok((state, step)) => {
                self.state = state;
                step
            }
            Err(why) => Step::Refused(why),
        }
    }

    fn advance(&mut self, state: State, message: Option<&[u8]>) -> Result<(State, Step), Why> {
        match (state, message) {
            (State::Start { asked: false }, None) => match self.mechanism {
                // An empty message and none look the same here. Who sends nothing wants to be itself, and has no further
                // message to answer a challenge with.
                Mechanism::External => self.vouched_for(b""),
                Mechanism::Login => Ok((State::LoginName(login()?), Step::Challenge(b"Username:".to_vec()))),
                _ => Ok((State::Start { asked: true }, Step::Challenge(Vec::new()))),
            },
            (State::Start { .. }, Some(message)) => self.first(message),
            (State::LoginName(session), Some(message)) => login_name(session, message),
            (State::LoginPassword(session), Some(message)) => {
                shape::check_password(message)?;
                self.secret_sent(session, message)
            }
            (State::Proof(exchange), Some(message)) => exchange.finish(message),
            // What memcached with Cyrus does: the server's proof is a challenge, and its answer is empty.
            (State::Proven(identity), None | Some(b"")) => Ok((State::Over, Step::Granted(identity))),
            _ => Err(Why::OutOfOrder),
        }
    }

    fn first(&mut self, message: &[u8]) -> Result<(State, Step), Why> {
        if let Some(hash) = self.mechanism.hash() {
            return self.challenge(hash, message);
        }
        match self.mechanism {
            Mechanism::External => return self.vouched_for(message),
            // rsasl asks for the name whatever the first message is.
            Mechanism::Login => return login_name(login()?, message),
            Mechanism::OAuthBearer => shape::check_oauth_bearer(message)?,
            _ => shape::check_plain(message)?,
        }
        self.secret_sent(Session::begin(self.mechanism, None, None).ok_or(Why::Broken)?, message)
    }

    /// Logs in who the transport says the client is, and nobody else. `authzid` is who the client wants to be, if it
    /// says so. The name counts as it is: prepared, it could become somebody else's.
    fn vouched_for(&mut self, authzid: &[u8]) -> Result<(State, Step), Why> {
        let name = self.external.take().ok_or(Why::OutOfOrder)?;
        self.name = Some(name.to_string());
        check_authzid(Some(authzid), &name)?;
        let user = self.users.by_name.get(&*name).ok_or(Why::UnknownUser)?;
        Ok((State::Over, Step::Granted(user.identity(Proof::External))))
    }

    /// The challenge to SCRAM's first message.
    fn challenge(&mut self, hash: Hash, message: &[u8]) -> Result<(State, Step), Why> {
        let first = ClientFirst::parse(message, &self.binding)?;
        self.name = Some(first.name.to_string());
        // Made for everybody, so that time does not tell who exists.
        let fake = Verifier::fake(&self.secret, &first.name, self.users.iterations);
        let user = self.users.by_name.get(&*first.name);
        let user = user.filter(|user| user.passwords.first().is_some_and(|newest| newest.record(hash).is_some()));
        let verifier = user.map_or(&fake, |user| &user.passwords[0]);
        let session =
            Session::begin(self.mechanism, verifier.record(hash).cloned(), self.binding.data()).ok_or(Why::Broken)?;
        match session.step(Some(message)) {
            Outcome::Running(session, server_first) => {
                let exchange = Exchange {
                    session,
                    hash,
                    user: user.cloned(),
                    cbind_input: [first.gs2_header, self.binding.data().unwrap_or_default()].concat(),
                    client_first_bare: first.bare.to_vec(),
                    server_first: server_first.clone(),
                };
                Ok((State::Proof(Box::new(exchange)), Step::Challenge(server_first)))
            }
            Outcome::Failed => Err(Why::Malformed),
            Outcome::Finished(..) | Outcome::Broken => Err(Why::Broken),
        }
    }

    /// The message that has the secret in it.
    fn secret_sent(&self, session: Session, message: &[u8]) -> Result<(State, Step), Why> {
        let verdict = match session.step(Some(message)) {
            Outcome::Finished(verdict, _) => verdict,
            Outcome::Failed => return Err(Why::Malformed),
            Outcome::Running(..) | Outcome::Broken => return Err(Why::Broken),
        };
        let claim = match verdict {
            Verdict::Password { authzid, name, password } => {
                let name = prepare(name.as_bytes())?;
                check_authzid(Some(authzid.as_bytes()), &name)?;
                let password = std::str::from_utf8(&password).map_err(|_| Why::Malformed)?;
                Claim::Password { name, password: Zeroizing::new(password.to_owned()), mechanism: self.mechanism }
            }
            Verdict::Token { authzid, credentials } => {
                let token = shape::bearer_token(&credentials).ok_or(Why::Malformed)?;
                let name = match authzid.as_deref() {
                    None | Some("") => None,
                    Some(authzid) => Some(prepare(&unescape(authzid.as_bytes())?)?),
                };
                Claim::Token { name, token: Zeroizing::new(token.to_owned()) }
            }
            Verdict::Proven => return Err(Why::Broken),
        };
        Ok((State::Over, Step::Check(claim)))
    }
}

/// A session of LOGIN that waits for the name. rsasl's own prompts are not those of Cyrus, so they are dropped.
fn login() -> Result<Session, Why> {
    match Session::begin(Mechanism::Login, None, None).ok_or(Why::Broken)?.step(None) {
        Outcome::Running(session, _) => Ok(session),
        _ => Err(Why::Broken),
    }
}

fn login_name(session: Session, name: &[u8]) -> Result<(State, Step), Why> {
    prepare(name)?;
    match session.step(Some(name)) {
        Outcome::Running(session, _) => Ok((State::LoginPassword(session), Step::Challenge(b"Password:".to_vec()))),
        Outcome::Failed => Err(Why::Malformed),
        Outcome::Finished(..) | Outcome::Broken => Err(Why::Broken),
    }
}

impl Exchange {
    /// Checks the proof against each of the user's passwords.
    fn finish(self, message: &[u8]) -> Result<(State, Step), Why> {
        let nonce = shape::server_nonce(&self.server_first).ok_or(Why::Broken)?;
        let last = ClientFinal::parse(message, &self.cbind_input, nonce, self.hash.key_bytes())?;
        let auth_message = [&self.client_first_bare, &*self.server_first, last.without_proof].join(&b',');
        let (user, verifier, server_final) = match (self.session.step(Some(message)), self.user) {
            (Outcome::Finished(Verdict::Proven, reply), Some(user)) => (user, 0, reply),
            // rsasl knows the newest password only.
            (Outcome::Failed, Some(user)) => {
                let prove = |verifier: &Verifier| {
                    verifier.record(self.hash)?.answer_proof(self.hash, &auth_message, &last.proof)
                };
                let older = user.passwords.iter().enumerate().skip(1);
                let (index, signature) =
                    older.filter_map(|(index, older)| Some((index, prove(older)?))).next().ok_or(Why::BadProof)?;
                (user, index, format!("v={}", STANDARD.encode(signature)).into_bytes())
            }
            (Outcome::Broken | Outcome::Running(..), _) => return Err(Why::Broken),
            (_, None) => return Err(Why::UnknownUser),
            (Outcome::Finished(..), _) => return Err(Why::Broken),
        };
        let identity = user.identity(Proof::Password(user.passwords[verifier].fingerprint()));
        Ok((State::Proven(identity), Step::Challenge(server_final)))
    }
}
