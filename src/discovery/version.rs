//! The version of a list: a number that clients compare with the last one they saw.
//!
//! Some take the list only where the number is greater (xmemcached for good), so it must never go back, not over a restart
//! either; and they ask any node, so all should have the same. A number that the operator writes has both properties. Times
//! have the first as long as clocks are right, and the second where all nodes got the same file; see "The version"
//! in `docs/discovery.md`.

use std::fmt;
use std::time::{SystemTime, UNIX_EPOCH};

/// The greatest number in a file. Clients in Java and C keep it in 32 bits with a sign.
pub(super) const VERSION_MAX: u64 = i32::MAX as u64;

/// What a source says of the version of its list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stated {
    /// The operator wrote it into the file.
    Number(u64),
    /// The file was written then; seconds of the Unix epoch. The same list with a later time has another version, as the
    /// other nodes may not have seen the earlier file.
    Written(u64),
    /// Other nodes were seen then; seconds of the Unix epoch.
    Observed(u64),
}

impl Stated {
    pub(super) fn observed_now() -> Stated {
        Stated::Observed(SystemTime::now().duration_since(UNIX_EPOCH).map_or(1, |since| since.as_secs()))
    }

    /// The version of a first list.
    pub(super) fn number(self) -> u64 {
        let (Stated::Number(number) | Stated::Written(number) | Stated::Observed(number)) = self;
        number.max(1)
    }
}

/// Why a list is not announced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// Clients would not look at it, or have looked at another one of this number.
    NotAbove { stated: u64, last: u64 },
    /// Clients have seen the greatest version that they can hold.
    NoneLeft,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refusal::NotAbove { stated, last } => {
                write!(f, "version {stated} is not above {last}, which clients have seen; raise it")
            }
            Refusal::NoneLeft => write!(
                f,
                "clients have seen version {VERSION_MAX} and can hold none above it; restart all nodes, then the clients"
            ),
        }
    }
}

/// The version of a list that follows `last`: its version, and whether it has the same nodes.
///
/// # Errors
/// The operator's number is not above the last one, or none is left.
pub(super) fn next(last: Option<(u64, bool)>, stated: Stated) -> Result<u64, Refusal> {
    let Some((last, is_same)) = last else { return Ok(stated.number()) };
    match stated {
        Stated::Number(number) if number > last || number == last && is_same => Ok(number),
        Stated::Number(stated) => Err(Refusal::NotAbove { stated, last }),
        Stated::Observed(_) if is_same => Ok(last),
        Stated::Written(time) if is_same => Ok(time.max(last)),
        Stated::Written(_) | Stated::Observed(_) if last >= VERSION_MAX => Err(Refusal::NoneLeft),
        Stated::Written(time) | Stated::Observed(time) => Ok(time.max(last + 1)),
    }
}

#[cfg(test)]
mod tests {
    use super::Stated::{Number, Observed, Written};
    use super::*;

    #[test]
    fn versions_never_go_back() {
        let (same, other) = (true, false);
        let refused = |stated, last| Err(Refusal::NotAbove { stated, last });
        for (last, stated, expected) in [
            (None, Number(7), Ok(7)),
            (None, Written(100), Ok(100)),
            (None, Written(0), Ok(1)),
            (None, Observed(100), Ok(100)),
            (Some((7, other)), Number(8), Ok(8)),
            (Some((7, same)), Number(8), Ok(8)),
            (Some((7, same)), Number(7), Ok(7)),
            (Some((7, other)), Number(7), refused(7, 7)),
            (Some((7, other)), Number(6), refused(6, 7)),
            (Some((7, same)), Number(6), refused(6, 7)),
            (Some((100, other)), Written(101), Ok(101)),
            (Some((100, same)), Written(101), Ok(101)),
            (Some((100, other)), Written(100), Ok(101)),
            (Some((100, other)), Written(50), Ok(101)),
            (Some((100, same)), Written(50), Ok(100)),
            (Some((100, other)), Observed(200), Ok(200)),
            (Some((100, same)), Observed(200), Ok(100)),
            (Some((100, other)), Observed(99), Ok(101)),
            (Some((VERSION_MAX - 1, other)), Written(50), Ok(VERSION_MAX)),
            (Some((VERSION_MAX, same)), Written(50), Ok(VERSION_MAX)),
            (Some((VERSION_MAX, other)), Written(50), Err(Refusal::NoneLeft)),
            (Some((VERSION_MAX, other)), Observed(50), Err(Refusal::NoneLeft)),
        ] {
            assert_eq!(next(last, stated), expected, "{last:?} {stated:?}");
        }
    }
}
