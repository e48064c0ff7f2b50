//! The authority of one server: who the users are now, and how their logins are decided.
//!
//! Workers ask it what is quick. What takes long (PBKDF2, signatures), or has to wait because its address has failed too
//! often, is submitted and decided by the login threads. The table of users is replaced as a whole, and a number that
//! goes up with it tells connections to look themselves up again.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use arc_swap::ArcSwap;
use parking_lot::Mutex;
use ring::rand::{SecureRandom as _, SystemRandom};

use super::client::Client;
pub use super::desk::cause::{Cause, Kind};
pub use super::desk::failures::Failure;
use super::desk::failures::Failures;
use super::desk::line::{Job, Line};
use super::desk::successes::Successes;
use super::desk::tally::Tally;
pub use super::desk::throttle::Admission;
use super::desk::throttle::Throttle;
use super::sasl::{Claim, Handshake, Mechanism};
use super::sources::{Sources, Stamp};
use super::token::{TokenFault, TokenRules, Verified};
use super::user::{Identity, Proof, Users};
use super::verifier::Verifier;
use crate::clock::Seconds;
use crate::panics::contain;

/// Threads that decide logins: hashing gives way to serving.
const LOGIN_THREADS: usize = 1;

/// What is to be decided, or waited for.
#[derive(Debug)]
pub enum Work {
    /// Whether a secret is right.
    Check {
        /// The secret, and whose it is said to be.
        claim: Claim,
        /// Where it came from.
        address: Option<IpAddr>,
        /// Now.
        now: Seconds,
        /// Now, in seconds of the Unix epoch.
        unix_secs: u64,
    },
    /// Nothing; its time is to come.
    Pause {
        /// Whose.
        address: Option<IpAddr>,
    },
    /// Nothing; a failure that is known, which takes as long as others.
    Refuse,
}

/// What was decided.
#[derive(Debug)]
pub enum Verdict {
    /// The secret is right.
    Granted(Identity),
    /// The pause is over.
    Go,
    /// The login has failed.
    Refused,
}

/// How logins are to be done.
#[derive(Debug)]
pub struct Config {
    /// Where the users are.
    pub sources: Sources,
    /// What is offered, the first one first.
    pub mechanisms: Vec<Mechanism>,
    /// Secrets may come in the clear over a network.
    pub takes_plain: bool,
}

/// See the module.
#[derive(Debug)]
pub struct Authority {
    config: Config,
    desk: Arc<Desk>,
    line: Line<Verdict>,
    /// What the files were like when they were read last. Held while they are read.
    stamp: Mutex<Stamp>,
}

/// What login threads share with workers.
#[derive(Debug)]
struct Desk {
    users: ArcSwap<Users>,
    /// Goes up whenever `users` is replaced.
    generation: AtomicU64,
    /// Of this process alone. It makes up the salts of users who are not there.
    secret: [u8; 32],
    successes: Successes<Identity>,
    throttle: Throttle,
    failures: Failures,
    tally: Tally,
}

impl Authority {
    /// Reads the users and starts the login threads.
    ///
    /// # Errors
    /// A file that cannot be read or is wrong; a thread that cannot be made.
    pub fn start(config: Config) -> Result<Authority, String> {
        let mut secrets = [[0; 32]; 2];
        for secret in &mut secrets {
            SystemRandom::new().fill(secret).map_err(|_| "cannot start logins: no random numbers".to_owned())?;
        }
        let [secret, success_key] = secrets;
        let stamp = config.sources.stamp();
        let users = config.sources.load(None, &secret).map_err(|error| error.to_string())?;
        let line = Line::start(LOGIN_THREADS).map_err(|error| format!("cannot start a login thread: {error}"))?;
        let desk = Desk {
            users: ArcSwap::from_pointee(users),
            generation: AtomicU64::new(1),
            secret,
            successes: Successes::new(&success_key),
            throttle: Throttle::default(),
            failures: Failures::default(),
            tally: Tally::default(),
        };
        Ok(Authority { config, desk: Arc::new(desk), line, stamp: Mutex::new(stamp) })
    }

    /// The users now.
    pub fn users(&self) -> Arc<Users> {
        self.desk.users.load_full()
    }

    /// A number that is another one after each reload.
    #[inline]
    pub fn generation(&self) -> u64 {
        self.desk.generation.load(Ordering::Acquire)
    }

    /// Reads the files again. If there is a fault in them, the users stay as they are.
    pub fn reload(&self) {
        let mut stamp = self.stamp.lock();
        // Taken before: what changes while it is read is read again.
        *stamp = self.config.sources.stamp();
        match self.config.sources.load(Some(&self.users()), &self.desk.secret) {
            Ok(users) => {
                let count = users.by_name.len();
                self.desk.users.store(Arc::new(users));
                self.desk.generation.fetch_add(1, Ordering::Release);
                log::info!("users read again users={count}");
            }
            Err(error) => log::error!("users stay as they were: {error}"),
        }
    }

    /// Does so if they have changed.
    pub fn reload_if_changed(&self) {
        let changed = *self.stamp.lock() != self.config.sources.stamp();
        if changed {
            self.reload();
        }
    }

    /// Whether secrets may come in the clear over a network.
    pub fn takes_plain(&self) -> bool {
        self.config.takes_plain
    }

    fn offered(&self, client: &Client) -> impl Iterator<Item = Mechanism> {
        self.config.mechanisms.iter().copied().filter(|mechanism| client.may_use(*mechanism))
    }

    /// The names of the mechanisms for a client, with blanks between them.
    pub fn mechanism_names(&self, client: &Client) -> String {
        self.offered(client).map(Mechanism::name).collect::<Vec<_>>().join(" ")
    }

    /// The mechanism of this name, if it is offered to the client.
    pub fn mechanism(&self, name: &[u8], client: &Client) -> Option<Mechanism> {
        let mechanism = Mechanism::parse(name)?;
        self.offered(client).find(|offered| *offered == mechanism)
    }

    /// Begins a handshake with the users of this moment.
    pub fn begin(&self, mechanism: Mechanism, client: &Client) -> Handshake {
        let mut client = client.clone();
        // A client that believes it cannot bind the channel is right where no mechanism for it is offered.
        client.channel_binding = client.channel_binding.filter(|_| self.offered(&client).any(Mechanism::binds_channel));
        Handshake::begin(mechanism, self.users(), &self.desk.secret, &client)
    }

    /// Who this is, if the password was right a moment ago: that is a success.
    pub fn recall(&self, claim: &Claim, now: Seconds) -> Option<Identity> {
        let Claim::Password { name, password, mechanism } = claim else { return None };
        let found = self.desk.successes.recall(self.generation(), name, password, now);
        found.inspect(|_| self.note_success(*mechanism))
    }

    /// Charges an attempt to its address.
    pub fn admit(&self, address: Option<IpAddr>) -> Admission {
        self.desk.throttle.charge(address, Instant::now())
    }

    /// The attempt that was charged was a success.
    pub fn refund(&self, address: Option<IpAddr>) {
        self.desk.throttle.refund(address);
    }

    /// Counts a success that a handshake has decided.
    pub fn note_success(&self, mechanism: Mechanism) {
        self.desk.tally.add_success(mechanism);
    }

    /// What came of all logins.
    pub fn tally(&self) -> &Tally {
        &self.desk.tally
    }

    /// What is offered to those who can use it.
    pub fn mechanisms(&self) -> &[Mechanism] {
        &self.config.mechanisms
    }

    /// Logs a failure, and counts it, for its user as well.
    pub fn note_failure(&self, failure: &Failure<'_>) {
        self.desk.note_failure(failure);
    }

    /// Has something decided, not before a time; `deliver` is called with the verdict, on another thread.
    pub fn submit(&self, not_before: Option<Instant>, work: Work, deliver: impl FnOnce(Verdict) + Send + 'static) {
        let deliver = Box::new(move |verdict: Option<Verdict>| deliver(verdict.unwrap_or(Verdict::Refused)));
        let not_before = not_before.unwrap_or_else(Instant::now);
        let (address, work): (_, Box<dyn FnOnce() -> Option<Verdict> + Send>) = match work {
            Work::Check { claim, address, now, unix_secs } => {
                let desk = Arc::clone(&self.desk);
                let check = move || {
                    let decided = contain(|| desk.check(&claim, address, now, unix_secs));
                    if decided.is_none() {
                        let cause = Cause::Undecided;
                        desk.note_failure(&Failure { address, mechanism: None, user: None, cause });
                    }
                    decided.flatten().map(Verdict::Granted)
                };
                (address, Box::new(check))
            }
            Work::Pause { address } => (address, Box::new(|| Some(Verdict::Go))),
            // It was noted by whoever knows why.
            Work::Refuse => return self.line.refuse(deliver),
        };
        if let Err(job) = self.line.submit(Job { not_before, work, deliver }) {
            self.note_failure(&Failure { address, mechanism: None, user: None, cause: Cause::LineFull });
            self.line.refuse(job.deliver);
        }
    }

    /// Whether an identity that came in some time ago is still that of an administrator.
    pub fn is_still_admin(&self, identity: &Identity, unix_secs: u64) -> bool {
        !identity.is_over(unix_secs) && self.renew(identity).is_some_and(|identity| identity.rights.admin)
    }

    /// The identity as it is after the users have changed; `None` when it is none any more.
    pub fn renew(&self, identity: &Identity) -> Option<Identity> {
        let users = self.users();
        match &identity.proof {
            Proof::Password(fingerprint) => {
                let user = users.by_name.get(&*identity.name)?;
                let stands = user.passwords.iter().any(|password| password.fingerprint() == *fingerprint);
                stands.then(|| user.identity(identity.proof.clone()))
            }
            Proof::External => Some(users.by_name.get(&*identity.name)?.identity(Proof::External)),
            Proof::Token { key, expires, scope } => {
                let tokens = users.tokens.as_ref().filter(|tokens| tokens.has_key(key))?;
                let (subject, scope, key) = (identity.name.to_string(), scope.clone(), Arc::clone(key));
                tokens.identity(&users, &Verified { subject, scope, key, expires: *expires }).ok()
            }
        }
    }
}

impl Desk {
    fn note_failure(&self, failure: &Failure<'_>) {
        let users = self.users.load();
        if let Some(user) = failure.user.and_then(|name| users.by_name.get(name)) {
            user.counts.failures.fetch_add(1, Ordering::Relaxed);
        }
        self.tally.add_failure(failure.cause.into());
        self.failures.log(failure);
    }

    /// Who this is, if the secret is right.
    fn check(&self, claim: &Claim, address: Option<IpAddr>, now: Seconds, unix_secs: u64) -> Option<Identity> {
        // Before the users: an older number than theirs is never asked for, a newer one would outlive them.
        let generation = self.generation.load(Ordering::Acquire);
        let users = self.users.load();
        let (mechanism, name) = match claim {
            Claim::Password { name, mechanism, .. } => (*mechanism, Some(name.as_str())),
            Claim::Token { name, .. } => (Mechanism::OAuthBearer, name.as_deref()),
        };
        if let Claim::Password { name, password, .. } = claim
            && let Some(identity) = self.successes.recall(generation, name, password, now)
        {
            // It was remembered while this one stood in line: of many clients that come back together one is hashed.
            self.throttle.refund(address);
            self.tally.add_success(mechanism);
            return Some(identity);
        }
        let checked = match claim {
            Claim::Password { name, password, .. } if is_token(&users, password) => {
                check_token(&users, Some(name), password, unix_secs)
            }
            Claim::Password { name, password, .. } => self.check_password(&users, name, password),
            Claim::Token { name, token } => check_token(&users, name.as_deref(), token, unix_secs),
        };
        match checked {
            Ok(identity) => {
                self.throttle.refund(address);
                self.tally.add_success(mechanism);
                if let (Claim::Password { name, password, .. }, Proof::Password(_)) = (claim, &identity.proof) {
                    self.successes.remember(generation, name, password, identity.clone(), now);
                }
                Some(identity)
            }
            Err(cause) => {
                self.note_failure(&Failure { address, mechanism: Some(mechanism.name()), user: name, cause });
                None
            }
        }
    }

    /// An unknown user costs what a known one does: one PBKDF2 for each password.
    fn check_password(&self, users: &Users, name: &str, password: &str) -> Result<Identity, Cause> {
        let Some(user) = users.by_name.get(name).filter(|user| !user.passwords.is_empty()) else {
            let fake = Verifier::fake(&self.secret, name, users.iterations);
            // Nothing matches it, and the time was spent.
            let _ = fake.matches(password);
            return Err(Cause::WrongPassword);
        };
        let found = user.passwords.iter().find(|verifier| verifier.matches(password));
        let verifier = found.ok_or(Cause::WrongPassword)?;
        Ok(user.identity(Proof::Password(verifier.fingerprint())))
    }
}

/// Whether this password is to be checked as a token: tokens are taken, and it looks like one.
fn is_token(users: &Users, password: &str) -> bool {
    users.tokens.is_some() && TokenRules::looks_like_token(password)
}

/// Who a token logs in. The name beside it, if there is one, must be that of the token.
fn check_token(users: &Users, name: Option<&str>, token: &str, unix_secs: u64) -> Result<Identity, Cause> {
    let rules = users.tokens.as_ref().ok_or(Cause::NoTokens)?;
    let verified = rules.check(token, unix_secs).map_err(Cause::Token)?;
    if name.is_some_and(|name| name != verified.subject) {
        return Err(Cause::Token(TokenFault::Subject));
    }
    rules.identity(users, &verified).map_err(Cause::Token)
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use zeroize::Zeroizing;

    use super::super::rights::Rights;
    use super::super::sasl::Step;
    use super::super::verifier::Fingerprint;
    use super::*;

    fn authority(mechanisms: &[Mechanism]) -> Authority {
        let sources = Sources::new(None, None, None);
        Authority::start(Config { sources, mechanisms: mechanisms.to_vec(), takes_plain: false }).unwrap()
    }

    #[test]
    fn a_client_is_offered_what_it_can_use() {
        let authority = authority(Mechanism::DEFAULT);
        let far = Client::default();
        let near = Client { may_send_secrets: true, ..far.clone() };
        let known = Client { external: Some("app".into()), ..far.clone() };
        let bound = Client { channel_binding: Some([1; 32]), ..far.clone() };
        for (client, before, behind) in [
            (&far, "", ""),
            (&near, "", " OAUTHBEARER PLAIN"),
            (&known, "EXTERNAL ", ""),
            (&bound, "SCRAM-SHA-512-PLUS SCRAM-SHA-256-PLUS ", ""),
        ] {
            let names = format!("{before}SCRAM-SHA-512 SCRAM-SHA-256 SCRAM-SHA-1{behind}");
            assert_eq!(authority.mechanism_names(client), names);
        }
        for (name, client) in [("EXTERNAL", &known), ("SCRAM-SHA-256-PLUS", &bound), ("PLAIN", &near)] {
            assert!(authority.mechanism(name.as_bytes(), client).is_some(), "{name}");
            for other in [&far, &near, &known, &bound].into_iter().filter(|other| !std::ptr::eq(*other, client)) {
                assert!(authority.mechanism(name.as_bytes(), other).is_none(), "{name} {other:?}");
            }
        }
    }

    /// RFC 5802 section 6: `y` is refused of a client that could have seen that we bind channels.
    #[test]
    fn a_client_may_miss_channel_binding_where_none_is_offered() {
        let bound = Client { channel_binding: Some([1; 32]), ..Client::default() };
        let missed = |mechanisms: &[Mechanism], client: &Client| {
            let step = authority(mechanisms).begin(Mechanism::ScramSha256, client).step(Some(b"y,,n=app,r=x"));
            matches!(step, Step::Challenge(_))
        };
        assert!(!missed(Mechanism::DEFAULT, &bound));
        assert!(!missed(&[Mechanism::ScramSha512Plus, Mechanism::ScramSha256], &bound));
        assert!(missed(&[Mechanism::ScramSha256], &bound));
        assert!(missed(Mechanism::DEFAULT, &Client::default()));
    }

    /// What was right a moment ago is not hashed again: here there is nothing it could be hashed against.
    #[test]
    fn a_login_that_was_right_while_this_one_stood_in_line_is_not_hashed_again() {
        let desk = Desk {
            users: ArcSwap::from_pointee(Users { by_name: HashMap::new(), tokens: None, iterations: 1 }),
            generation: AtomicU64::new(1),
            secret: [1; 32],
            successes: Successes::new(&[2; 32]),
            throttle: Throttle::default(),
            failures: Failures::default(),
            tally: Tally::default(),
        };
        let claim = |password: &str| Claim::Password {
            name: "app".to_owned(),
            password: Zeroizing::new(password.to_owned()),
            mechanism: Mechanism::Plain,
        };
        let identity = Identity {
            name: "app".into(),
            proof: Proof::Password(Fingerprint([0; 16])),
            rights: Arc::new(Rights::ALL),
            counts: Arc::default(),
        };
        desk.successes.remember(1, "app", "right", identity, 100);
        let now = Instant::now();
        for _ in 0..200 {
            assert_eq!(desk.throttle.charge(None, now), Admission::Now, "successes are not paid for");
            let found = desk.check(&claim("right"), None, 100, 0).expect("it was right a moment ago");
            assert_eq!(&*found.name, "app");
        }
        assert!(desk.check(&claim("wrong"), None, 100, 0).is_none());
        desk.generation.store(2, Ordering::Release);
        assert!(desk.check(&claim("right"), None, 100, 0).is_none(), "the users have changed");
    }
}
