//! `watch`: the connection leaves its worker and gets lines about events until the client goes.

use super::{Next, Outbox, Phase, Session};
use crate::command::WatchKinds;
use crate::exec::Context;
use crate::exec::watch::WatchOutcome;
use crate::protocol::text::reply::line;
use crate::watch::Seat;

impl Session {
    /// Answers a refusal, or says that the connection is a watcher's now. The `OK` is for the watch thread to send,
    /// so that no line is lost behind it.
    pub(super) fn watch(
        &mut self,
        kinds: Option<WatchKinds>,
        is_first: bool,
        out: &mut Outbox,
        cx: &Context<'_>,
    ) -> Option<Next> {
        match cx.watch(kinds, is_first) {
            WatchOutcome::Seated(seat) => {
                self.phase = Phase::Watch(Box::new(seat));
                return Some(Next::Watch);
            }
            WatchOutcome::Refused => out.say(line::WATCH_REFUSED),
            WatchOutcome::Pipelined => out.say(line::WATCH_PIPELINED),
            WatchOutcome::UnknownKind => out.say(line::ERROR),
            WatchOutcome::TooMany => out.say(line::WATCH_TOO_MANY),
        }
        None
    }

    /// What makes the connection a watcher's, after [`Next::Watch`].
    pub fn take_seat(&mut self) -> Option<Seat> {
        match std::mem::take(&mut self.phase) {
            Phase::Watch(seat) => Some(*seat),
            other => {
                self.phase = other;
                None
            }
        }
    }
}
