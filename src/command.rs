//! Words that protocols and store share: what a request can ask of an item.

/// The longest key in bytes (protocol.txt, "Keys").
pub const KEY_MAX: usize = 250;

/// Under which condition a value is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Always.
    Set,
    /// Only where nothing is.
    Add,
    /// Only where something is.
    Replace,
    /// Behind the value that is there; its flags and expiry stay.
    Append,
    /// Before the value that is there; its flags and expiry stay.
    Prepend,
    /// Only where the item's CAS number is this one.
    Cas(u64),
}

impl Mode {
    /// Whether the value is added to another.
    #[inline]
    pub fn is_join(self) -> bool {
        matches!(self, Mode::Append | Mode::Prepend)
    }
}

/// Size classes, as clients number them: from 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ClassSet(u64);

impl ClassSet {
    /// Every class.
    pub const ALL: ClassSet = ClassSet(u64::MAX);

    /// The largest class number that can be in a set (memcached's limit as well).
    pub const CLASS_MAX: u32 = 63;

    /// No class is in it.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Puts `class` in. False when there can be no such class.
    pub fn insert(&mut self, class: u32) -> bool {
        let possible = (1..=ClassSet::CLASS_MAX).contains(&class);
        if possible {
            self.0 |= 1 << class;
        }
        possible
    }

    /// Whether `class` is in it.
    pub fn contains(self, class: usize) -> bool {
        class <= ClassSet::CLASS_MAX as usize && self.0 & 1 << class != 0
    }
}

/// Of which items a walk is to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CrawlScope {
    /// All of them, in the order of the index.
    Hash,
    /// Those of some classes.
    Classes(ClassSet),
    /// A class was named that cannot be.
    BadClass,
}

/// `lru tune`: how large HOT and WARM may be, and how old what is in them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LruShares {
    /// Percent for HOT.
    pub hot_pct: u32,
    /// Percent for WARM.
    pub warm_pct: u32,
    /// Age of HOT as a part of that of COLD.
    pub hot_max_factor: f64,
    /// Age of WARM as a part of that of COLD.
    pub warm_max_factor: f64,
}

/// What the bytes of a key are, which decides how it is shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum KeyForm {
    /// Printed as they are.
    #[default]
    Text,
    /// Anything.
    Binary,
}

/// What to do to a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delta {
    /// Add, wrapping at 2^64.
    Incr(u64),
    /// Subtract, stopping at 0.
    Decr(u64),
}

/// Kinds of events that a client can watch, as a set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WatchKinds(u16);

impl WatchKinds {
    /// No events. Also what stands for kinds of which this server has no events.
    pub const NONE: WatchKinds = WatchKinds(0);
    /// Keys that are looked up.
    pub const FETCHERS: WatchKinds = WatchKinds(1);
    /// Values that are stored or refused.
    pub const MUTATIONS: WatchKinds = WatchKinds(1 << 1);
    /// Items that make room for others.
    pub const EVICTIONS: WatchKinds = WatchKinds(1 << 2);
    /// Clients that come and go.
    pub const CONNEVENTS: WatchKinds = WatchKinds(1 << 3);
    /// Items that are deleted.
    pub const DELETIONS: WatchKinds = WatchKinds(1 << 4);
    /// What the server does by itself: pages that move between size classes.
    pub const SYSEVENTS: WatchKinds = WatchKinds(1 << 5);

    /// The kinds of both.
    pub const fn and(self, other: WatchKinds) -> WatchKinds {
        WatchKinds(self.0 | other.0)
    }

    /// Whether the two have a kind in common.
    #[inline]
    pub const fn meets(self, other: WatchKinds) -> bool {
        self.0 & other.0 != 0
    }

    /// The set as a number, to keep it in an atomic.
    pub const fn bits(self) -> u16 {
        self.0
    }

    /// The set that [`WatchKinds::bits`] gave.
    pub const fn from_bits(bits: u16) -> WatchKinds {
        WatchKinds(bits)
    }
}
