//! One value from the command line, read as the kind of thing its row wants.
//!
//! memcached reads numbers with atoi: `-m 64x` is 64 and `-t x` is 0. Here a number is a number or a refusal, because a
//! typing error in a limit should not be found out under load.

use std::ffi::OsStr;
use std::fmt::Display;
use std::ops::RangeInclusive;
use std::path::PathBuf;

use super::Exit;
use super::row::Row;

/// A value and the row it belongs to.
pub(super) struct Word<'a> {
    row: &'static Row,
    text: &'a OsStr,
}

impl<'a> Word<'a> {
    pub(super) fn new(row: &'static Row, text: &'a OsStr) -> Word<'a> {
        Word { row, text }
    }

    /// The value without spaces around it.
    ///
    /// # Errors
    /// It is not UTF-8.
    pub(super) fn text(&self) -> Result<&'a str, Exit> {
        let text = self.text.to_str().ok_or_else(|| self.refusal("is not UTF-8; write it in ASCII"));
        text.map(str::trim)
    }

    /// A file name, any bytes.
    ///
    /// # Errors
    /// It is empty.
    pub(super) fn path(&self) -> Result<PathBuf, Exit> {
        if self.text.is_empty() {
            return Err(self.refusal("is empty; give a file name"));
        }
        Ok(PathBuf::from(self.text))
    }

    /// A whole number within `limits`.
    pub(super) fn number<N: TryFrom<i64>>(&self, limits: RangeInclusive<i64>) -> Result<N, Exit> {
        let (least, most) = (*limits.start(), *limits.end());
        let Ok(number) = self.text()?.parse::<i64>() else {
            return Err(self.refusal(format_args!("is not a number; give {least} to {most}")));
        };
        (limits.contains(&number))
            .then_some(number)
            .and_then(|number| N::try_from(number).ok())
            .ok_or_else(|| self.refusal(format_args!("is out of range; give {least} to {most}")))
    }

    /// Permission bits in octal, at most 0777.
    pub(super) fn permissions(&self) -> Result<u32, Exit> {
        match u32::from_str_radix(self.text()?, 8) {
            Ok(bits) if bits <= 0o777 => Ok(bits),
            _ => Err(self.refusal("is not an octal permission; give 0 to 0777, such as 0770")),
        }
    }

    /// A finite number above `above`, at most `most`.
    pub(super) fn fraction(&self, above: f64, most: f64) -> Result<f64, Exit> {
        let bound = || {
            if most == f64::MAX {
                format!("a number above {above}")
            } else {
                format!("a number above {above}, at most {most}")
            }
        };
        match self.text()?.parse::<f64>() {
            Ok(number) if number > above && number <= most => Ok(number),
            Ok(_) => Err(self.refusal(format_args!("is out of range; give {}", bound()))),
            Err(_) => Err(self.refusal(format_args!("is not a number; give {}", bound()))),
        }
    }

    /// A size in bytes within `limits`: a whole number of `unit` bytes, or with k, m or g behind it.
    pub(super) fn bytes(&self, unit: u64, limits: RangeInclusive<u64>) -> Result<u64, Exit> {
        let text = self.text()?;
        let (digits, unit) = match text.as_bytes().last() {
            Some(b'k' | b'K') => (&text[..text.len() - 1], 1 << 10),
            Some(b'm' | b'M') => (&text[..text.len() - 1], 1 << 20),
            Some(b'g' | b'G') => (&text[..text.len() - 1], 1 << 30),
            _ => (text, unit),
        };
        let Ok(number) = digits.parse::<u64>() else {
            return Err(self.refusal("is not a size; give a number, with k, m or g behind it if need be"));
        };
        number.checked_mul(unit).filter(|bytes| limits.contains(bytes)).ok_or_else(|| {
            let (least, most) = (size(*limits.start()), size(*limits.end()));
            self.refusal(format_args!("is out of range; give {least} to {most}"))
        })
    }

    /// The whole-line reason why this value will not do: `-t "x"` and then `why`.
    pub(super) fn refusal(&self, why: impl Display) -> Exit {
        let text = self.text.to_string_lossy();
        Exit::refusal(self.row.wrong_value, format!("{} {text:?} {why}", self.row.label()))
    }
}

/// Bytes as people write them: `512k`, `1g`, `1000`.
pub(super) fn size(bytes: u64) -> String {
    for (shift, letter) in [(30, 'g'), (20, 'm'), (10, 'k')] {
        if bytes >= 1 << shift && bytes.is_multiple_of(1 << shift) {
            return format!("{}{letter}", bytes >> shift);
        }
    }
    bytes.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::row::Group;

    static ROW: Row = Row::flag('x', "example", Group::About, "for the tests");

    fn word(text: &str) -> Word<'_> {
        Word::new(&ROW, OsStr::new(text))
    }

    #[test]
    fn numbers_are_numbers_or_refused() {
        for (text, expected) in [
            ("5", Ok(5)),
            (" 5 ", Ok(5)),
            ("+5", Ok(5)),
            ("-1", Ok(-1)),
            ("10", Ok(10)),
            ("11", Err("is out of range; give -1 to 10")),
            ("-2", Err("is out of range; give -1 to 10")),
            ("", Err("is not a number; give -1 to 10")),
            ("5x", Err("is not a number; give -1 to 10")),
            ("0x5", Err("is not a number; give -1 to 10")),
            ("5.0", Err("is not a number; give -1 to 10")),
            ("99999999999999999999", Err("is not a number; give -1 to 10")),
        ] {
            let number = word(text).number::<i32>(-1..=10).map_err(|exit| exit.message);
            assert_eq!(number, expected.map_err(|why| format!("-x {text:?} {why}")), "{text}");
        }
    }

    #[test]
    fn limits_wider_than_the_field_refuse_instead_of_wrapping() {
        assert!(word("300").number::<u8>(0..=1000).is_err());
    }

    #[test]
    fn permissions_are_octal() {
        for (text, expected) in [("700", Some(0o700)), ("0777", Some(0o777)), ("0", Some(0))] {
            assert_eq!(word(text).permissions().ok(), expected, "{text}");
        }
        for text in ["9", "1000", "", "-1", "rwx", "0o700"] {
            assert!(word(text).permissions().is_err(), "{text}");
        }
    }

    #[test]
    fn fractions_are_finite_and_bounded() {
        for (text, fits) in [
            ("1.25", true),
            ("2", true),
            ("1", false),
            ("2.5", false),
            ("nan", false),
            ("inf", false),
            ("", false),
            ("1,5", false),
        ] {
            assert_eq!(word(text).fraction(1.0, 2.0).is_ok(), fits, "{text}");
        }
        assert!(word("inf").fraction(1.0, f64::MAX).is_err());
    }

    #[test]
    fn sizes_take_k_m_and_g() {
        for (text, expected) in [
            ("3", Some(3 << 20)),
            ("3k", Some(3 << 10)),
            ("3K", Some(3 << 10)),
            ("3m", Some(3 << 20)),
            ("3M", Some(3 << 20)),
            ("1g", Some(1 << 30)),
            ("1G", Some(1 << 30)),
            ("2g", None),
            ("1023", Some(1023 << 20)),
            ("1025", None),
            ("0", None),
            ("k", None),
            ("-1k", None),
            ("1t", None),
            ("1kb", None),
            ("18446744073709551615g", None),
        ] {
            assert_eq!(word(text).bytes(1 << 20, 1024..=1 << 30).ok(), expected, "{text}");
        }
    }

    #[test]
    fn sizes_are_written_short() {
        let sizes = [1000, 1024, 1536, 1 << 20, 3 << 30].map(size);
        assert_eq!(sizes, ["1000", "1k", "1536", "1m", "3g"]);
    }

    #[test]
    #[cfg(unix)]
    fn bytes_that_are_not_utf8_are_refused_as_text_but_fine_as_a_path() {
        use std::os::unix::ffi::OsStrExt;
        let word = Word::new(&ROW, OsStr::from_bytes(b"a\xff"));
        assert!(word.text().is_err());
        assert!(word.path().is_ok());
        assert!(super::Word::new(&ROW, OsStr::new("")).path().is_err());
    }
}
