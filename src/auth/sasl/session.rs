//! One rsasl session, which can do no harm: its panics are contained, it is gone after its first error or its end, and
//! what it says counts for nothing without a positive verdict.

use rsasl::callback::{Context, Request, SessionCallback, SessionData};
use rsasl::mechanisms::oauthbearer::OAUTHBEARER;
use rsasl::mechanisms::oauthbearer::properties::OAuthBearerValidate;
use rsasl::mechanisms::scram::properties::ScramStoredPassword;
use rsasl::mechanisms::{login, plain, scram};
use rsasl::prelude::{
    ChannelBindingCallback, Mechanism as Implementation, Mechname, Registry, SASLConfig, SASLServer, SessionError,
    Validation,
};
use rsasl::property::{AuthId, AuthzId, OAuthBearerToken, Password};
use rsasl::validate::{Validate, ValidationError};
use zeroize::Zeroizing;

use super::Mechanism;
use crate::auth::verifier::Record;
use crate::panics;

/// Those that bind no channel. rsasl refuses clients that say `y` (RFC 5802 section 6) where the others are at hand too,
/// offered or not.
static UNBOUND: &[Implementation] =
    &[scram::SCRAM_SHA512, scram::SCRAM_SHA256, scram::SCRAM_SHA1, OAUTHBEARER, plain::PLAIN, login::LOGIN];

static BOUND: &[Implementation] = &[scram::SCRAM_SHA512_PLUS, scram::SCRAM_SHA256_PLUS];

/// What rsasl has found; the only word of success that is believed.
pub(super) enum Verdict {
    /// A right proof of the password whose record it was given.
    Proven,
    /// Credentials, not yet checked.
    Password {
        /// As sent; empty if none.
        authzid: String,
        /// As sent, perhaps prepared.
        name: String,
        /// Likewise.
        password: Zeroizing<Vec<u8>>,
    },
    /// A token, not yet checked.
    Token {
        /// As sent, still escaped.
        authzid: Option<String>,
        /// The value of `auth`, scheme and all.
        credentials: Zeroizing<String>,
    },
}

/// Carries the verdict from the callback to whoever steps the session.
struct Judgement;

impl Validation for Judgement {
    type Value = Verdict;
}

/// Gives rsasl the record that the client must prove, and takes from it what the client has sent.
struct Callback {
    record: Option<Record>,
}

impl SessionCallback for Callback {
    fn callback(&self, _: &SessionData, _: &Context<'_>, request: &mut Request<'_>) -> Result<(), SessionError> {
        if let Some(Record { iterations, salt, stored_key, server_key }) = &self.record {
            let stored = ScramStoredPassword::new(*iterations, salt, stored_key, server_key);
            request.satisfy::<ScramStoredPassword<'_>>(&stored)?;
        }
        // So that rsasl goes on to `validate`; nothing is accepted by this.
        request.satisfy::<OAuthBearerValidate>(&Ok(()))?;
        Ok(())
    }

    fn validate(
        &self,
        _: &SessionData,
        context: &Context<'_>,
        validate: &mut Validate<'_>,
    ) -> Result<(), ValidationError> {
        let verdict = if self.record.is_some() {
            Verdict::Proven
        } else if let Some(credentials) = context.get_ref::<OAuthBearerToken>() {
            let authzid = context.get_ref::<AuthzId>().map(str::to_owned);
            Verdict::Token { authzid, credentials: Zeroizing::new(credentials.to_owned()) }
        } else {
            let missing = ValidationError::MissingRequiredProperty;
            let (Some(name), Some(password)) = (context.get_ref::<AuthId>(), context.get_ref::<Password>()) else {
                return Err(missing);
            };
            let authzid = context.get_ref::<AuthzId>().unwrap_or_default().to_owned();
            Verdict::Password { authzid, name: name.to_owned(), password: Zeroizing::new(password.to_vec()) }
        };
        validate.finalize::<Judgement>(verdict);
        Ok(())
    }
}

/// The binding data of whatever the client names: `shape` has seen that it is what the data are of.
struct Binding(Option<Box<[u8]>>);

impl ChannelBindingCallback for Binding {
    fn get_cb_data(&self, _: &str) -> Option<&[u8]> {
        self.0.as_deref()
    }
}

/// A session that wants another message.
pub(super) struct Session(rsasl::prelude::Session<Judgement, Binding>);

/// What has become of a session after a message.
pub(super) enum Outcome {
    /// It goes on; this is to be sent.
    Running(Session, Vec<u8>),
    /// It has ended well; this is to be sent, if anything.
    Finished(Verdict, Vec<u8>),
    /// It has ended otherwise.
    Failed,
    /// It has panicked, or could not begin.
    Broken,
}

impl Session {
    /// Begins one; `record` is what a SCRAM client must prove, and `None` for the mechanisms that send secrets. `binding`
    /// is there for those that bind the channel.
    pub(super) fn begin(mechanism: Mechanism, record: Option<Record>, binding: Option<&[u8]>) -> Option<Session> {
        panics::contain(|| {
            let registry = Registry::with_mechanisms(if binding.is_some() { BOUND } else { UNBOUND });
            let config = SASLConfig::builder().with_registry(registry).with_callback(Callback { record }).ok()?;
            let name = Mechname::parse(mechanism.name().as_bytes()).ok()?;
            let binding = Binding(binding.map(Box::from));
            SASLServer::<Judgement, Binding>::with_cb(config, binding).start_suggested(name).ok().map(Session)
        })
        .flatten()
    }

    /// One message of the client. The session comes back only if it may be used again.
    pub(super) fn step(mut self, message: Option<&[u8]>) -> Outcome {
        panics::contain(move || {
            let mut reply = Vec::new();
            match self.0.step(message, &mut reply) {
                Ok(state) if state.is_running() => Outcome::Running(self, reply),
                // A failed login too is "finished", with a reply that must not be sent.
                Ok(_) => self.0.validation().map_or(Outcome::Failed, |verdict| Outcome::Finished(verdict, reply)),
                Err(_) => Outcome::Failed,
            }
        })
        .unwrap_or(Outcome::Broken)
    }
}
