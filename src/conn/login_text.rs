//! Lines of text that belong to a login.

use memchr::memchr;

use super::login::{LoginTell, Message};
use super::{LINE_BYTES_MAX, Outbox, Outcome, Session, Step};
use crate::auth::sasl::MESSAGE_MAX;
use crate::exec::Context;
use crate::protocol::text::login::{self, LoginLine, SaslLine};
use crate::protocol::text::reply::{self, line};

/// What stands behind a message.
const END: &[u8] = b"\r\n";

impl Session {
    /// A line before the login: most are refused, and none comes near the store.
    pub(super) fn line_before_login(&mut self, input: &[u8], out: &mut Outbox, cx: &Context<'_>) -> Step {
        let Some(end) = memchr(b'\n', input) else {
            return if input.len() > LINE_BYTES_MAX { Step::over() } else { Step::starved(input.len() + 1) };
        };
        let (request_line, behind) = input.split_at(end + 1);
        let refusal = match login::parse(request_line) {
            LoginLine::Short | LoginLine::Http => return Step::over(),
            LoginLine::Sasl(sasl_line) => return self.sasl_line(sasl_line, request_line.len(), behind, out, cx),
            LoginLine::Token { len, is_meta } if len as usize <= MESSAGE_MAX => {
                let tell = if is_meta { LoginTell::MetaSet } else { LoginTell::Set };
                return self.message(request_line.len(), len as usize, behind, out, |session, bytes, out| {
                    session.token(bytes, tell, out, cx)
                });
            }
            // memcached does not wait for it to pass either.
            LoginLine::Token { .. } => line::TOKEN_TOO_LONG,
            LoginLine::Other => match self.discover_before_login(request_line, out, cx) {
                Some(step) => return step,
                None => line::UNAUTHENTICATED,
            },
        };
        out.say(refusal);
        Step::answered(request_line.len())
    }

    /// `sasl`, before or after a login. Where none is asked for, everybody is welcome (arcus-memcached).
    pub(super) fn sasl_line(
        &mut self,
        sasl_line: SaslLine<'_>,
        line_len: usize,
        behind: &[u8],
        out: &mut Outbox,
        cx: &Context<'_>,
    ) -> Step {
        let (len, name) = match sasl_line {
            SaslLine::Mechanisms => {
                match self.mechanisms(cx) {
                    Some(names) => reply::sasl_mechanisms(out.bytes(), &names),
                    None => out.say(line::SASL_OK),
                }
                return Step::answered(line_len);
            }
            SaslLine::Start { mechanism, len } => (len as usize, Some(mechanism)),
            SaslLine::Step { len } => (len as usize, None),
            SaslLine::Bad => {
                out.say(line::BAD_FORMAT);
                return Step::answered(line_len);
            }
        };
        let tell = LoginTell::Sasl;
        if len > MESSAGE_MAX {
            out.say(line::TOKEN_TOO_LONG);
            self.swallow(len + END.len());
            return Step { consumed: line_len, outcome: self.oversized() };
        }
        self.message(line_len, len, behind, out, |session, bytes, out| match name {
            _ if session.login.is_none() => {
                out.say(line::SASL_OK);
                Outcome::Answered
            }
            Some(name) => session.sasl(Message::First(name, bytes), tell, out, cx),
            None => session.sasl(Message::Next(bytes), tell, out, cx),
        })
    }

    /// Has `take` take the message of `len` bytes behind a line of `line_len`, once it is here. Both are kept until
    /// then, so a line that is longer than any other may be is refused, and its message thrown away.
    fn message(
        &mut self,
        line_len: usize,
        len: usize,
        behind: &[u8],
        out: &mut Outbox,
        take: impl FnOnce(&mut Session, &[u8], &mut Outbox) -> Outcome,
    ) -> Step {
        self.note_secret();
        if line_len > LINE_BYTES_MAX {
            out.say(line::BAD_FORMAT);
            self.swallow(len + END.len());
            return Step::answered(line_len);
        }
        let Some(whole) = behind.get(..len + END.len()) else { return Step::starved(line_len + len + END.len()) };
        let (message, end) = whole.split_at(len);
        let outcome = if end == END {
            take(self, message, out)
        } else {
            out.say(line::BAD_TERMINATION);
            Outcome::Answered
        };
        Step { consumed: line_len + whole.len(), outcome }
    }
}
