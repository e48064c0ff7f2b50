//! Numbers and what stands round them, written from the end.

/// Bytes that a text may have; a power of two.
const ROOM: usize = 64;

/// `00` to `99`.
const PAIRS: [[u8; 2]; 100] = {
    let mut pairs = [[0; 2]; 100];
    let mut n = 0;
    while n < 100 {
        pairs[n] = [b'0' + (n / 10) as u8, b'0' + (n % 10) as u8];
        n += 1;
    }
    pairs
};

/// A short piece of text that grows at its front. Too long a one is garbage; no caller comes near.
#[derive(Debug)]
pub struct Tail {
    text: [u8; ROOM],
    at: usize,
}

impl Tail {
    /// A text that is to end in a line end.
    #[inline]
    pub fn line() -> Tail {
        let mut text = [0; ROOM];
        text[ROOM - 2..].copy_from_slice(b"\r\n");
        Tail { text, at: ROOM - 2 }
    }

    /// Puts `byte` in front.
    #[inline]
    pub fn byte(&mut self, byte: u8) {
        self.at = self.at.wrapping_sub(1) % ROOM;
        self.text[self.at] = byte;
    }

    /// Puts the digits of `number` in front.
    #[inline]
    pub fn number(&mut self, mut number: u64) {
        while number >= 10 {
            let [tens, ones] = PAIRS[(number % 100) as usize];
            self.byte(ones);
            self.byte(tens);
            number /= 100;
            if number == 0 {
                return;
            }
        }
        self.byte(b'0' + number as u8);
    }

    /// The text.
    #[inline]
    pub fn text(&self) -> &[u8] {
        &self.text[self.at % ROOM..]
    }
}

/// Bytes that [`short_line`] gives.
const SHORT: usize = 8;

/// The digits of a `number` below 10,000 and a line end, and how many of the bytes behind them are to be cut off: a fixed
/// number of bytes is copied by a single instruction, any other by a call.
#[inline]
pub fn short_line(number: usize) -> Option<([u8; SHORT], usize)> {
    let [high, low] = [number / 100, number % 100].map(|two| two as u32);
    let [thousands, hundreds] = PAIRS.get(high as usize)?.map(u32::from);
    let [tens, ones] = PAIRS[low as usize].map(u32::from);
    let digits = thousands | hundreds << 8 | tens << 16 | ones << 24;
    let zeroes = u32::from(number < 1000) + u32::from(number < 100) + u32::from(number < 10);
    let len = 4 - zeroes;
    let line = u64::from(digits >> (8 * zeroes)) | LINE_END << (8 * len);
    Some((line.to_le_bytes(), SHORT - 2 - len as usize))
}

/// CRLF, the first byte lowest.
const LINE_END: u64 = u16::from_le_bytes(*b"\r\n") as u64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_numbers_are_all_there() {
        for number in 0..10_000 {
            let (line, cut) = short_line(number).expect("below the limit");
            assert_eq!(line[..SHORT - cut], *format!("{number}\r\n").as_bytes());
        }
        assert!([10_000, 10_100, usize::MAX].iter().all(|&number| short_line(number).is_none()));
    }

    #[test]
    fn numbers_of_all_lengths_stand_before_the_line_end() {
        let mut tail = Tail::line();
        tail.number(u64::MAX);
        tail.byte(b' ');
        tail.number(u64::from(u32::MAX));
        tail.byte(b' ');
        tail.number(0);
        assert_eq!(tail.text(), b"0 4294967295 18446744073709551615\r\n");
        for number in (0..19).map(|zeroes| 10u64.pow(zeroes)).flat_map(|power| [power - 1, power]) {
            let mut tail = Tail::line();
            tail.number(number);
            assert_eq!(tail.text(), format!("{number}\r\n").as_bytes());
        }
    }

    #[test]
    fn too_much_harms_nobody() {
        let mut tail = Tail::line();
        (0..9).for_each(|_| tail.number(u64::MAX));
        assert!(tail.text().len() <= ROOM);
    }
}
