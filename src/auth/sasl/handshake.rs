//! One handshake. rsasl sees only messages that have the right shape, in a `catch_unwind`, and is not asked again after
//! its first error or its end. What it says counts as success only if its validation says so; what it wrote is sent only
//! then, or while it goes on.

use std::fmt;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use rsasl::callback::{Context, Request, SessionCallback, SessionData};
use rsasl::config::SASLConfig;
use rsasl::mechanisms::oauthbearer::properties::OAuthBearerValidate;
use rsasl::mechanisms::scram::properties::ScramStoredPassword;
use rsasl::mechanisms::{login, oauthbearer, plain, scram};
use rsasl::prelude::{Mechname, Registry, SASLServer, Session, SessionError, State, Validation};
use rsasl::property::{AuthId, AuthzId, OAuthBearerToken, Password};
use rsasl::validate::{Validate, ValidationError};
use zeroize::Zeroizing;

use super::{Claim, MESSAGE_MAX, Mechanism, Step, Why, rotated, shape};
use crate::auth::user::{Identity, Proof, User, Users};
use crate::auth::verifier::{Hash, Record, Verifier};
use crate::guard::guarded;

/// A handshake in progress.
pub struct Handshake {
    mechanism: Mechanism,
    users: Arc<Users>,
    secret: [u8; 32],
    state: Phase,
}

enum Phase {
    /// No message has come.
    New,
    /// rsasl waits for a message that has no parts.
    Asked(Box<Rsasl>),
    /// The challenge is out, and the proof is next.
    Challenged(Box<Challenged>),
    /// The server's proof is out; an empty message ends the handshake.
    Proven(Box<Identity>),
    Over,
}

struct Challenged {
    rsasl: Rsasl,
    hash: Hash,
    /// `None` for a user who is not there.
    user: Option<Arc<User>>,
    client_first_bare: Vec<u8>,
    server_first: Vec<u8>,
}

impl fmt::Debug for Handshake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handshake").field("mechanism", &self.mechanism).finish_non_exhaustive()
    }
}

impl Handshake {
    /// A handshake with the users of this moment; `secret` makes up what unknown users are challenged with.
    pub fn begin(mechanism: Mechanism, users: Arc<Users>, secret: &[u8; 32]) -> Handshake {
        Handshake { mechanism, users, secret: *secret, state: Phase::New }
    }

    /// Takes a message of the client; `None` if there was no initial response.
    pub fn step(&mut self, message: Option<&[u8]>) -> Step {
        if message.is_some_and(|message| message.len() > MESSAGE_MAX) {
            self.state = Phase::Over;
            return Step::Refused(Why::TooLong);
        }
        let state = std::mem::replace(&mut self.state, Phase::Over);
        let step = match (state, message) {
            (Phase::New, message) => self.first(message),
            (Phase::Asked(rsasl), Some(message)) => self.ask(*rsasl, message),
            (Phase::Challenged(challenged), Some(message)) => self.prove(*challenged, message),
            (Phase::Proven(identity), None | Some(b"")) => Ok(Step::Granted(*identity)),
            (Phase::Asked(_) | Phase::Challenged(_) | Phase::Proven(_) | Phase::Over, _) => Err(Why::OutOfOrder),
        };
        step.unwrap_or_else(Step::Refused)
    }

    fn first(&mut self, message: Option<&[u8]>) -> Result<Step, Why> {
        match (hash(self.mechanism), message) {
            (_, None) if self.mechanism != Mechanism::Login => {
                // The client goes first in all the others; an empty challenge asks it to.
                self.state = Phase::New;
                Ok(Step::Challenge(Vec::new()))
            }
            (Some(hash), Some(message)) => self.challenge(hash, message),
            (_, message) => {
                let mut rsasl = Rsasl::new(self.mechanism, None)?;
                if self.mechanism == Mechanism::Login {
                    rsasl.step(None)?;
                }
                match message {
                    Some(message) => self.ask(rsasl, message),
                    None => {
                        self.state = Phase::Asked(Box::new(rsasl));
                        Ok(Step::Challenge(USER_PROMPT.to_vec()))
                    }
                }
            }
        }
    }

    /// PLAIN, LOGIN, OAUTHBEARER.
    fn ask(&mut self, mut rsasl: Rsasl, message: &[u8]) -> Result<Step, Why> {
        match rsasl.step(Some(message))? {
            Said::Challenge(_) if self.mechanism == Mechanism::Login => {
                self.state = Phase::Asked(Box::new(rsasl));
                Ok(Step::Challenge(PASSWORD_PROMPT.to_vec()))
            }
            Said::Challenge(_) => Err(Why::Malformed),
            Said::End(_, heard) => claim(self.mechanism, heard.ok_or(Why::Malformed)?).map(Step::Check),
        }
    }

    fn challenge(&mut self, hash: Hash, message: &[u8]) -> Result<Step, Why> {
        let first = shape::client_first(message).ok_or(Why::Malformed)?;
        if first.authzid.as_ref().is_some_and(|authzid| *authzid != first.name) {
            return Err(Why::NotAllowed);
        }
        let found = self.users.by_name.get(first.name.as_str()).cloned();
        let user = found.filter(|user| user.passwords.first().is_some_and(|newest| newest.record(hash).is_some()));
        let fake;
        let verifier = match &user {
            Some(user) => user.passwords.first(),
            None => {
                fake = Verifier::fake(&self.secret, &first.name, self.users.iterations);
                Some(&fake)
            }
        };
        let record = verifier.and_then(|verifier| verifier.record(hash)).ok_or(Why::BadProof)?;
        let mut rsasl = Rsasl::new(self.mechanism, Some(record.clone()))?;
        let Said::Challenge(server_first) = rsasl.step(Some(message))? else { return Err(Why::Malformed) };
        let client_first_bare = first.bare.to_vec();
        let challenged = Challenged { rsasl, hash, user, client_first_bare, server_first: server_first.clone() };
        self.state = Phase::Challenged(Box::new(challenged));
        Ok(Step::Challenge(server_first))
    }

    fn prove(&mut self, challenged: Challenged, message: &[u8]) -> Result<Step, Why> {
        let Challenged { mut rsasl, hash, user, client_first_bare, server_first } = challenged;
        let (without_proof, proof) = shape::client_final(message).ok_or(Why::Malformed)?;
        let Said::End(said, heard) = rsasl.step(Some(message))? else { return Err(Why::Malformed) };
        let user = user.ok_or(Why::BadProof)?;
        let (server_final, password) = match heard {
            Some(Heard::Proof) => (said, user.passwords.first().ok_or(Why::BadProof)?),
            // The binding and the nonce are rsasl's to compare; it says what it did not like.
            _ if said == b"e=invalid-proof" && echoes(&server_first, without_proof) => {
                let signed = rotated::auth_message(&client_first_bare, &server_first, without_proof);
                let older = user.passwords.iter().skip(1).find_map(|password| {
                    let server_final = rotated::server_final(hash, password.record(hash)?, &signed, proof)?;
                    Some((server_final, password))
                });
                older.ok_or(Why::BadProof)?
            }
            _ => return Err(Why::BadProof),
        };
        self.state = Phase::Proven(Box::new(user.identity(Proof::Password(password.fingerprint()))));
        Ok(Step::Challenge(server_final))
    }
}

/// Whether the client's last message has the nonce of the challenge. (rsasl answers a wrong nonce and a wrong proof
/// alike.)
fn echoes(server_first: &[u8], client_final: &[u8]) -> bool {
    let nonce = |message: &[u8], at| message.split(|&byte| byte == b',').nth(at).map(<[u8]>::to_vec);
    nonce(server_first, 0).is_some_and(|ours| nonce(client_final, 1) == Some(ours))
}

fn hash(mechanism: Mechanism) -> Option<Hash> {
    match mechanism {
        Mechanism::ScramSha512 => Some(Hash::Sha512),
        Mechanism::ScramSha256 => Some(Hash::Sha256),
        Mechanism::ScramSha1 => Some(Hash::Sha1),
        Mechanism::OAuthBearer | Mechanism::Plain | Mechanism::Login => None,
    }
}

fn claim(mechanism: Mechanism, heard: Heard) -> Result<Claim, Why> {
    match heard {
        Heard::Password { name, authzid, password } => {
            if authzid.is_some_and(|authzid| authzid != name) {
                return Err(Why::NotAllowed);
            }
            let is_password = !password.is_empty() && !password.contains('\0');
            let claim = Claim::Password { name, password, mechanism };
            match &claim {
                Claim::Password { name, .. } if is_password && shape::is_name(name) => Ok(claim),
                _ => Err(Why::Malformed),
            }
        }
        Heard::Token { authzid, token } => {
            let (scheme, bare) = token.split_once(' ').ok_or(Why::Malformed)?;
            if !scheme.eq_ignore_ascii_case("Bearer") || authzid.as_ref().is_some_and(|name| !shape::is_name(name)) {
                return Err(Why::Malformed);
            }
            Ok(Claim::Token { name: authzid, token: Zeroizing::new(bare.trim_start_matches(' ').to_owned()) })
        }
        Heard::Proof => Err(Why::Malformed),
    }
}

/// Cyrus' prompts, which clients know better than rsasl's.
const USER_PROMPT: &[u8] = b"Username:";
const PASSWORD_PROMPT: &[u8] = b"Password:";

/// What rsasl's session comes to know.
enum Heard {
    Proof,
    Password { name: String, authzid: Option<String>, password: Zeroizing<String> },
    Token { authzid: Option<String>, token: Zeroizing<String> },
}

struct Hearing;

impl Validation for Hearing {
    type Value = Heard;
}

/// What rsasl says to a message.
enum Said {
    Challenge(Vec<u8>),
    /// Its last words, and what it knows now, if the handshake was a success.
    End(Vec<u8>, Option<Heard>),
}

/// rsasl's session behind the guard.
struct Rsasl(Session<Hearing>);

impl Rsasl {
    fn new(mechanism: Mechanism, record: Option<Record>) -> Result<Rsasl, Why> {
        let begin = || {
            let builder = SASLConfig::builder().with_registry(Registry::with_mechanisms(KNOWN));
            let config = builder.with_callback(Listener { record }).ok()?;
            let name = Mechname::parse(mechanism.name().as_bytes()).ok()?;
            SASLServer::<Hearing>::new(config).start_suggested(name).ok()
        };
        let session = guarded(AssertUnwindSafe(begin)).ok_or(Why::Broken)?;
        session.map(Rsasl).ok_or(Why::Broken)
    }

    /// To be called no more after an error or an end.
    fn step(&mut self, message: Option<&[u8]>) -> Result<Said, Why> {
        let session = &mut self.0;
        let step = || {
            let mut out = Vec::new();
            let state = session.step(message, &mut out).map_err(|_| Why::Malformed)?;
            Ok(match state {
                State::Running => Said::Challenge(out),
                State::Finished(_) => Said::End(out, session.validation()),
            })
        };
        guarded(AssertUnwindSafe(step)).unwrap_or(Err(Why::Broken))
    }
}

static KNOWN: &[rsasl::prelude::Mechanism] = &[
    scram::SCRAM_SHA512,
    scram::SCRAM_SHA256,
    scram::SCRAM_SHA1,
    oauthbearer::OAUTHBEARER,
    plain::PLAIN,
    login::LOGIN,
];

/// Tells rsasl the record of one user, and keeps what it hears.
struct Listener {
    record: Option<Record>,
}

impl SessionCallback for Listener {
    fn callback(&self, _: &SessionData, _: &Context<'_>, request: &mut Request<'_>) -> Result<(), SessionError> {
        if let Some(record) = &self.record {
            let Record { iterations, salt, stored_key, server_key } = record;
            let stored = ScramStoredPassword::new(*iterations, salt, stored_key, server_key);
            request.satisfy::<ScramStoredPassword<'_>>(&stored)?;
        }
        // Whether a token is good is found out later, by others.
        request.satisfy::<OAuthBearerValidate>(&Ok(()))?;
        Ok(())
    }

    fn validate(
        &self,
        _: &SessionData,
        context: &Context<'_>,
        validate: &mut Validate<'_>,
    ) -> Result<(), ValidationError> {
        let authzid = context.get_ref::<AuthzId>().filter(|authzid| !authzid.is_empty()).map(str::to_owned);
        let heard = if self.record.is_some() {
            Heard::Proof
        } else if let Some(token) = context.get_ref::<OAuthBearerToken>() {
            Heard::Token { authzid, token: Zeroizing::new(token.to_owned()) }
        } else if let (Some(name), Some(password)) = (context.get_ref::<AuthId>(), context.get_ref::<Password>()) {
            let Ok(password) = std::str::from_utf8(password) else { return Ok(()) };
            Heard::Password { name: name.to_owned(), authzid, password: Zeroizing::new(password.to_owned()) }
        } else {
            return Ok(());
        };
        validate.finalize::<Hearing>(heard);
        Ok(())
    }
}

#[cfg(test)]
mod tests;
