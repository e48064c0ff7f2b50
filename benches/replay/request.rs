//! One step of a trace, and the sizes that keys have.

use crate::load::random::mixed;

/// What the application does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// Reads; stores the value where there is none.
    Read,
    /// Deletes, because the object has changed: its next value is another one.
    Change,
}

/// One request of the application.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Request {
    pub(crate) action: Action,
    /// The object.
    pub(crate) key: u64,
    /// Length of its value; follows from the key.
    pub(crate) bytes: usize,
    /// Seconds that the value lives once it is stored; 0 is for ever.
    pub(crate) ttl: u32,
}

impl Request {
    /// A read of an object that lives for ever.
    pub(crate) fn read(key: u64, bytes: usize) -> Request {
        Request { action: Action::Read, key, bytes, ttl: 0 }
    }
}

/// The longest value of any row, in bytes.
pub(crate) const BYTES_MAX: usize = 512 << 10;

/// A length of the log-normal law with this median, chosen by the key. With a median of 250 bytes and sigma 0.8, two
/// thirds lie between 112 and 556 bytes and the mean is 344.
pub(crate) fn log_normal(key: u64, median: f64, sigma: f64) -> usize {
    let bits = mixed(key ^ SIZE_SALT);
    // Box and Muller's transform of two uniform numbers, the first of them never 0.
    let radius = (-2.0 * (f64::from((bits >> 32) as u32) + 1.0).ln() + 2.0 * 32.0 * std::f64::consts::LN_2).sqrt();
    let angle = f64::from(bits as u32) / f64::from(u32::MAX) * std::f64::consts::TAU;
    let bytes = median * (sigma * radius * angle.cos()).exp();
    (bytes as usize).clamp(1, BYTES_MAX)
}

/// A length between two bounds, alike often, chosen by the key.
pub(crate) fn between(key: u64, least: usize, most: usize) -> usize {
    least + (mixed(key ^ SIZE_SALT) % (most - least + 1) as u64) as usize
}

const SIZE_SALT: u64 = 0x6279_7465;
