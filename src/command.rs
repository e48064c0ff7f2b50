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
