//! Storage commands of all protocols: values that come with their line, values that come later, and what is said
//! in the end.

use std::borrow::Cow;

use super::binary::BinaryTell;
use super::text::say;
use super::{LINE_BYTES_MAX, Outbox, Phase, Session, Step, Uploading, WAITING_VALUE_BYTES, binary, meta};
use crate::command::KeyForm;
use crate::exec::Context;
use crate::protocol::text::parse::Reply;
use crate::protocol::text::reply::line;
use crate::store::{End, Finish, Outcome, Put, Terms};

/// A storage command whose line is read.
#[derive(Debug)]
pub(super) struct Storing<'a> {
    pub(super) put: Put<'a>,
    pub(super) terms: Terms,
    /// Bytes of the value, without its end.
    pub(super) value_len: usize,
    /// What stands behind the value.
    pub(super) end: End,
    pub(super) tell: Tell<'a>,
}

/// How its outcome is told.
#[derive(Debug)]
pub(super) enum Tell<'a> {
    /// set and its kin.
    Classic(Reply),
    /// ms.
    Meta(MetaTell<'a>),
    /// A binary storage command.
    Binary(BinaryTell),
}

/// What the answer to ms returns.
#[derive(Debug)]
pub(super) struct MetaTell<'a> {
    /// The flags as sent.
    pub(super) flags: Cow<'a, [u8]>,
    /// Whether success is not told.
    pub(super) is_quiet: bool,
    /// How the key is shown.
    pub(super) key_form: KeyForm,
    /// Bytes of the value as sent.
    pub(super) value_len: usize,
}

impl Tell<'_> {
    fn to_owned(&self) -> Tell<'static> {
        match self {
            Tell::Classic(reply) => Tell::Classic(*reply),
            Tell::Binary(tell) => Tell::Binary(*tell),
            Tell::Meta(tell) => Tell::Meta(MetaTell { flags: Cow::Owned(tell.flags.to_vec()), ..*tell }),
        }
    }

    /// Of `line`: errors are told to quiet meta requests as well.
    fn error(&self, out: &mut Outbox, line: &[u8]) {
        match self {
            Tell::Classic(reply) => say(out, line, *reply),
            Tell::Meta(_) => out.say(line),
            Tell::Binary(_) => {}
        }
    }

    /// Nobody has the right.
    fn unauthorized(&self, out: &mut Outbox) {
        match self {
            Tell::Binary(tell) => binary::say_unauthorized(out, tell),
            _ => self.error(out, line::UNAUTHORIZED),
        }
    }

    #[inline]
    fn outcome(&self, out: &mut Outbox, outcome: Outcome, key: &[u8]) {
        match (self, outcome) {
            (Tell::Binary(tell), _) => binary::say_stored(out, tell, outcome),
            (_, Outcome::TooLarge) => self.error(out, line::TOO_LARGE),
            (_, Outcome::NoMemory) => self.error(out, line::NO_MEMORY),
            (Tell::Meta(tell), _) => meta::say_stored(out, tell, outcome, key),
            (Tell::Classic(reply), Outcome::Stored { .. }) => say(out, line::STORED, *reply),
            (Tell::Classic(reply), Outcome::NotStored) => say(out, line::NOT_STORED, *reply),
            (Tell::Classic(reply), Outcome::Exists) => say(out, line::EXISTS, *reply),
            (Tell::Classic(reply), Outcome::NotFound) => say(out, line::NOT_FOUND, *reply),
        }
    }
}

impl Session {
    /// Executes a storage command, or begins to; `behind` is what follows its line of `line_len` bytes.
    #[inline]
    pub(super) fn store(
        &mut self,
        storing: &Storing<'_>,
        line_len: usize,
        behind: &[u8],
        out: &mut Outbox,
        cx: &Context<'_>,
    ) -> Step {
        let &Storing { ref put, ref terms, value_len, end: expected, ref tell } = storing;
        let need = value_len + expected.bytes();
        if cx.is_list_key(put.key) {
            tell.unauthorized(out);
            self.swallow(need);
            return Step::answered(line_len);
        }
        if !cx.shared.store.fits(put.key.len(), put.client_flags, value_len) {
            cx.refuse_store(terms, put, Outcome::TooLarge);
            tell.outcome(out, Outcome::TooLarge, put.key);
            self.swallow(need);
            return Step::answered(line_len);
        }
        let joins_in_steps = put.mode.is_join() && cx.shared.store.joins_in_steps() && !self.one_datagram;
        if behind.len() >= need && !joins_in_steps {
            let (value, end) = behind[..need].split_at(value_len);
            if expected == End::None || end == b"\r\n" {
                tell.outcome(out, cx.store(terms, put, value), put.key);
            } else {
                cx.refuse_chunk(put);
                tell.error(out, line::BAD_DATA_CHUNK);
            }
            return Step::answered(line_len + need);
        }
        // A line can fill the buffer that the rest of the value is to be read into, so behind a long one none waits.
        if line_len <= LINE_BYTES_MAX && behind.len() < WAITING_VALUE_BYTES.min(need) {
            self.awaits_value = true;
            return Step::starved(line_len + WAITING_VALUE_BYTES.min(need));
        }
        match cx.begin_upload(terms, put, value_len) {
            Ok(upload) => {
                self.phase = Phase::Upload(Box::new(Uploading { upload, end: expected, tell: tell.to_owned() }));
                Step::advanced(line_len)
            }
            Err(outcome) => {
                tell.outcome(out, outcome, put.key);
                self.swallow(need);
                Step::answered(line_len)
            }
        }
    }

    /// Takes more of a value that is under way.
    pub(super) fn receive(&mut self, input: &[u8], out: &mut Outbox, cx: &Context<'_>) -> Step {
        let Phase::Upload(uploading) = &mut self.phase else { return Step::advanced(0) };
        let part = input.len().min(uploading.upload.left());
        let written = uploading.upload.write(&input[..part], cx.now);
        if written.is_ok() && uploading.upload.left() > 0 {
            return Step::starved_after(part, 1);
        }
        let expected = uploading.end;
        let Some(end) = input.get(part..part + expected.bytes()).filter(|_| written.is_ok()) else {
            if written.is_ok() {
                return Step::starved_after(part, expected.bytes());
            }
            return self.fail_upload(out, cx);
        };
        let Phase::Upload(uploading) = std::mem::take(&mut self.phase) else { return Step::advanced(0) };
        if expected == End::None || end == b"\r\n" {
            let consumed = part + expected.bytes();
            return Step { consumed, ..self.finish(uploading, out, cx) };
        }
        let Uploading { upload, tell, .. } = *uploading;
        drop(upload);
        tell.error(out, line::BAD_DATA_CHUNK);
        Step::answered(part + expected.bytes())
    }

    /// Stores a value that is complete, or does a step of that.
    pub(super) fn finish(&mut self, uploading: Box<Uploading>, out: &mut Outbox, cx: &Context<'_>) -> Step {
        let Uploading { upload, end, tell } = *uploading;
        let key = upload.key().to_vec();
        match cx.finish_upload(upload) {
            Finish::Done(outcome) => {
                tell.outcome(out, outcome, &key);
                Step::answered(0)
            }
            Finish::Later(upload) => {
                self.phase = Phase::Finish(Box::new(Uploading { upload: *upload, end, tell }));
                Step::later_after(0)
            }
        }
    }

    /// Goes on with what [`Phase::Finish`] began.
    pub(super) fn finish_on(&mut self, out: &mut Outbox, cx: &Context<'_>) -> Step {
        let Phase::Finish(uploading) = std::mem::take(&mut self.phase) else { return Step::advanced(0) };
        self.finish(uploading, out, cx)
    }

    fn fail_upload(&mut self, out: &mut Outbox, cx: &Context<'_>) -> Step {
        let Phase::Upload(uploading) = std::mem::take(&mut self.phase) else { return Step::advanced(0) };
        let Uploading { upload, end, tell } = *uploading;
        let left = upload.left() + end.bytes();
        let key = upload.key().to_vec();
        cx.fail_upload(upload);
        tell.outcome(out, Outcome::NoMemory, &key);
        self.swallow(left);
        Step::answered(0)
    }
}
