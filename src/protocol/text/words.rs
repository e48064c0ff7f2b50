//! The words of a line: separated by one or more blanks; nothing else separates (memcached 1.6.45).

use crate::bytes::scan;

/// An iterator over the words of a line without its line end.
#[derive(Clone, Copy, Debug)]
pub struct Words<'a> {
    rest: &'a [u8],
}

impl<'a> Words<'a> {
    /// The words of `line`.
    pub fn of(line: &'a [u8]) -> Words<'a> {
        Words { rest: line }
    }

    /// What has not been taken yet, with its blanks.
    pub fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// Whether they end as the first line of an HTTP request does.
    pub fn end_in_http(self) -> bool {
        self.last_word().is_some_and(|word| word.starts_with(b"HTTP/"))
    }

    /// The last of the words that are left.
    pub fn last_word(self) -> Option<&'a [u8]> {
        let end = self.rest.iter().rposition(|&byte| byte != b' ')? + 1;
        let start = self.rest[..end].iter().rposition(|&byte| byte == b' ').map_or(0, |blank| blank + 1);
        Some(&self.rest[start..end])
    }
}

impl<'a> Iterator for Words<'a> {
    type Item = &'a [u8];

    #[inline]
    fn next(&mut self) -> Option<&'a [u8]> {
        let mut rest = self.rest;
        while let [b' ', more @ ..] = rest {
            rest = more;
        }
        if rest.is_empty() {
            self.rest = rest;
            return None;
        }
        let end = scan::find(rest, b' ').unwrap_or(rest.len());
        let (word, rest) = rest.split_at(end);
        self.rest = rest;
        Some(word)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blanks_separate_and_tabs_do_not() {
        let cases: [(&[u8], &[&[u8]]); 6] = [
            (b"", &[]),
            (b"   ", &[]),
            (b"get", &[b"get"]),
            (b" get  a ", &[b"get", b"a"]),
            (b"get a\tb \x00", &[b"get", b"a\tb", b"\x00"]),
            (b"a b c", &[b"a", b"b", b"c"]),
        ];
        for (line, expected) in cases {
            assert_eq!(Words::of(line).collect::<Vec<_>>(), expected);
            assert_eq!(Words::of(line).last_word(), expected.last().copied());
        }
    }
}
