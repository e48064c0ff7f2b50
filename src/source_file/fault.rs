//! What is wrong with a file of users, and on which line.

use std::ops::Range;

/// One thing that is wrong with a file's contents. It names no value of the file but those that are no secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The line, counted from 1; `None` when it is about the whole.
    pub line: Option<usize>,
    /// What is wrong; what to do about it.
    pub text: String,
}

impl Fault {
    /// About the whole file.
    pub fn whole(text: impl Into<String>) -> Fault {
        Fault { line: None, text: text.into() }
    }

    /// About one line.
    pub fn on(line: usize, text: impl Into<String>) -> Fault {
        Fault { line: Some(line), text: text.into() }
    }

    /// About what stands in these bytes of the file.
    pub fn at(file: &str, span: Option<Range<usize>>, text: impl Into<String>) -> Fault {
        let line = span.and_then(|span| file.as_bytes().get(..span.start)).map(line_after);
        Fault { line, text: text.into() }
    }
}

/// The number of the line that these bytes end in.
fn line_after(before: &[u8]) -> usize {
    1 + memchr::memchr_iter(b'\n', before).count()
}
