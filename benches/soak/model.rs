//! What a key may hold, and whether a reply can be true. A miss always can: the cache is too small for all. Nothing else
//! can that is not what was stored, or comes after its time, a deletion, a flush, or a miss.

use std::time::{Duration, Instant};

use super::request::{Left, Reply, Request, Side, Verb};
use super::values::{Content, Pool};

/// What is known of one key.
#[derive(Default)]
pub(crate) struct Slot {
    held: Option<Held>,
    /// No CAS number up to this one can come again.
    cas_floor: u64,
}

/// What the key holds, if anything.
struct Held {
    content: Content,
    flags: u32,
    /// None where the last change did not tell it.
    cas: Option<u64>,
    dies: Option<Death>,
    /// At this moment it was there for sure.
    there_at: Instant,
}

/// When an item's time is over: between these two, but for the server's clock of whole seconds.
#[derive(Clone, Copy)]
struct Death {
    earliest: Instant,
    latest: Instant,
}

/// When a batch was sent and the reply read, and the last flush that was over before: what was there at that moment, and
/// not stored since, is gone.
#[derive(Clone, Copy)]
pub(crate) struct When {
    pub(crate) sent: Instant,
    pub(crate) read: Instant,
    pub(crate) flushed: Instant,
}

/// What a reply was, for the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Hit,
    Miss,
    Changed,
    Declined,
    Refused,
}

impl Slot {
    /// The CAS number, if there is something and its number is known.
    pub(crate) fn cas(&self) -> Option<u64> {
        self.held.as_ref()?.cas
    }

    /// The length of the value; 0 where there is none.
    pub(crate) fn bytes(&self) -> usize {
        self.held.as_ref().map_or(0, |held| held.content.bytes())
    }

    /// Takes a reply for true, or says why it cannot be.
    pub(crate) fn judge(
        &mut self,
        pool: &Pool,
        request: &Request,
        reply: &Reply,
        found: &[u8],
        when: When,
    ) -> Result<Outcome, String> {
        match (request, reply) {
            (Request::Get, Reply::Value { flags, cas, ttl, .. }) => {
                self.must_be(pool, found, *flags, *cas, when)?;
                self.must_have_left(*ttl, when)?;
                Ok(Outcome::Hit)
            }
            (Request::GetAndTouch(ttl), Reply::Value { flags, cas, .. }) => {
                self.must_be(pool, found, *flags, *cas, when)?;
                self.there(when)?.dies = Death::after(*ttl, when);
                Ok(Outcome::Hit)
            }
            (Request::Touch(ttl), Reply::Done { .. }) => {
                self.there(when)?.dies = Death::after(*ttl, when);
                Ok(Outcome::Changed)
            }
            (Request::Store { verb, content, flags, ttl }, Reply::Done { cas }) => {
                match verb {
                    Verb::Set | Verb::Add => {}
                    Verb::Replace => drop(self.there(when)?),
                    Verb::Cas(unique) => self.must_have_had(*unique, when)?,
                }
                let dies = Death::after(*ttl, when);
                let content = content.clone();
                self.held = Some(Held { content, flags: *flags, cas: None, dies, there_at: when.read });
                self.learn(*cas)?;
                Ok(Outcome::Changed)
            }
            (Request::Join { side, piece }, Reply::Done { cas }) => {
                let held = self.there(when)?;
                let place = if *side == Side::Append { held.content.pieces.len() } else { 0 };
                held.content.pieces.insert(place, *piece);
                held.cas = None;
                self.learn(*cas)?;
                Ok(Outcome::Changed)
            }
            (Request::Count { delta, down }, Reply::Number { number, cas }) => {
                let held = self.there(when)?;
                let old: u64 =
                    std::str::from_utf8(&held.content.literal).ok().and_then(|word| word.parse().ok()).unwrap_or(0);
                let new = if *down { old.saturating_sub(*delta) } else { old.wrapping_add(*delta) };
                if new != *number {
                    return Err(format!("{old} became {number}, not {new}"));
                }
                held.content = Content::number(new);
                held.cas = None;
                self.learn(*cas)?;
                Ok(Outcome::Changed)
            }
            (Request::Delete, Reply::Done { .. }) => {
                self.there(when)?;
                self.held = None;
                Ok(Outcome::Changed)
            }
            // There was something in the way.
            (Request::Store { verb: Verb::Add, .. }, Reply::NotStored | Reply::Exists) => {
                self.there(when)?;
                Ok(Outcome::Declined)
            }
            (Request::Store { verb: Verb::Cas(unique), .. }, Reply::Exists) => {
                if self.there(when)?.cas == Some(*unique) {
                    return Err(format!("{unique} is the CAS number, and was refused"));
                }
                Ok(Outcome::Declined)
            }
            // It may also have been too much to join.
            (Request::Join { .. }, Reply::NotStored) => Ok(Outcome::Declined),
            (Request::Store { verb: Verb::Replace, .. }, Reply::NotStored) | (_, Reply::Missing) => {
                self.held = None;
                Ok(Outcome::Miss)
            }
            // A set that finds no memory leaves nothing that is older.
            (Request::Store { verb: Verb::Set, .. }, Reply::Refused) => {
                self.held = None;
                Ok(Outcome::Refused)
            }
            // What finds no memory is the reply, as in memcached; the item was touched.
            (Request::GetAndTouch(ttl), Reply::Refused) => {
                if let Some(held) = &mut self.held {
                    held.dies = Death::after(*ttl, when);
                }
                Ok(Outcome::Refused)
            }
            (_, Reply::Refused) => Ok(Outcome::Refused),
            _ => Err(format!("{reply:?} is no answer to {request:?}")),
        }
    }

    /// There is an item: its record, unless there can be none.
    fn there(&mut self, when: When) -> Result<&mut Held, String> {
        let Some(held) = &mut self.held else { return Err("there is something where nothing can be".into()) };
        if held.dies.is_some_and(|death| when.sent > death.latest + CLOCK_STEP) {
            return Err(format!("it outlived its time by {:?}", when.sent - held.dies.expect("it dies").latest));
        }
        if held.there_at < when.flushed {
            return Err(format!("it outlived a flush, {:?} ago", when.sent - when.flushed));
        }
        held.there_at = when.read;
        Ok(held)
    }

    fn must_be(&mut self, pool: &Pool, found: &[u8], flags: u32, cas: u64, when: When) -> Result<(), String> {
        let held = self.there(when)?;
        // A number that becomes shorter is filled up with blanks.
        let value = if held.content.pieces.is_empty() { found.trim_ascii_end() } else { found };
        if !pool.matches(&held.content, value) {
            return Err(format!("{} bytes that are not the {} stored", found.len(), held.content.bytes()));
        }
        if held.flags != flags {
            return Err(format!("flags {flags} instead of {}", held.flags));
        }
        match held.cas {
            Some(known) if known != cas => Err(format!("CAS number {cas} instead of {known}, and nobody changed it")),
            Some(_) => Ok(()),
            None => self.learn(Some(cas)),
        }
    }

    fn must_have_left(&mut self, told: Left, when: When) -> Result<(), String> {
        let dies = self.there(when)?.dies;
        let fits = match (told, dies) {
            (Left::Untold, _) | (Left::Forever, None) => true,
            (Left::Seconds(seconds), Some(death)) => {
                let seconds = Duration::from_secs(seconds.into());
                when.read + seconds + CLOCK_STEP >= death.earliest && when.sent + seconds <= death.latest + CLOCK_STEP
            }
            _ => false,
        };
        match fits {
            true => Ok(()),
            false => {
                let left = dies.map(|death| death.latest.saturating_duration_since(when.sent));
                Err(format!("the time left is told as {told:?} and is {left:?}"))
            }
        }
    }

    /// A change by CAS went through: that number was the item's.
    fn must_have_had(&mut self, unique: u64, when: When) -> Result<(), String> {
        let known = self.there(when)?.cas;
        match known {
            Some(known) if known != unique => Err(format!("CAS by {unique} went through, the number was {known}")),
            None if unique <= self.cas_floor => {
                Err(format!("CAS by {unique} went through, the number was a later one"))
            }
            _ => Ok(()),
        }
    }

    /// The number of a change.
    fn learn(&mut self, cas: Option<u64>) -> Result<(), String> {
        let (Some(cas), Some(held)) = (cas, &mut self.held) else { return Ok(()) };
        if cas <= self.cas_floor {
            return Err(format!("CAS number {cas} is not above {}, an older one", self.cas_floor));
        }
        held.cas = Some(cas);
        self.cas_floor = cas;
        Ok(())
    }
}

impl Death {
    fn after(ttl: u32, when: When) -> Option<Death> {
        let life = Duration::from_secs(ttl.into());
        (ttl > 0).then(|| Death { earliest: when.sent + life, latest: when.read + life })
    }
}

/// The server's clock counts whole seconds.
const CLOCK_STEP: Duration = Duration::from_secs(1);
