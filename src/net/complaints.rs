//! Log lines about what clients can cause as often as they like.

use std::time::{Duration, Instant};

/// Lets one line pass in each [`COMPLAINT_PAUSE`] and counts the others.
#[derive(Debug, Default)]
pub(crate) struct Complaints {
    last: Option<Instant>,
    kept_back: u64,
}

impl Complaints {
    pub(crate) fn warn(&mut self, line: &str) {
        let now = Instant::now();
        if self.last.is_some_and(|last| now.duration_since(last) < COMPLAINT_PAUSE) {
            self.kept_back += 1;
            return;
        }
        match self.kept_back {
            0 => log::warn!("{line}"),
            kept_back => log::warn!("{line} (and {kept_back} such lines before)"),
        }
        *self = Complaints { last: Some(now), kept_back: 0 };
    }
}

const COMPLAINT_PAUSE: Duration = Duration::from_secs(10);
