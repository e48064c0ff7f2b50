//! Which key is asked for next.

use crate::load::random::Random;

/// How popular the keys are.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Popularity {
    /// All alike.
    Uniform,
    /// The k-th most popular key is asked for in proportion to `k^-exponent`.
    Zipf {
        /// 0.99 is customary (YCSB).
        exponent: f64,
    },
    /// One after the other, round and round: fills a cache with each key exactly once.
    Sequential,
}

/// Draws key numbers `0..count`.
pub(crate) enum Picker {
    /// See [`Popularity::Uniform`].
    Uniform {
        /// Number of keys.
        count: u64,
    },
    /// See [`Popularity::Zipf`].
    Zipf(Zipf),
    /// See [`Popularity::Sequential`].
    Sequential {
        /// Number of keys.
        count: u64,
        /// The next one.
        next: u64,
    },
}

impl Picker {
    /// A picker among `count` keys.
    pub(crate) fn among(count: u64, popularity: Popularity) -> Self {
        assert!(count > 0, "there is at least one key");
        match popularity {
            Popularity::Uniform => Picker::Uniform { count },
            Popularity::Zipf { exponent } => Picker::Zipf(Zipf::among(count, exponent)),
            Popularity::Sequential => Picker::Sequential { count, next: 0 },
        }
    }

    /// The next key number.
    pub(crate) fn pick(&mut self, random: &mut Random) -> u64 {
        match self {
            Picker::Uniform { count } => random.below(*count),
            Picker::Zipf(zipf) => zipf.pick(random),
            Picker::Sequential { count, next } => {
                let key = *next;
                *next = (key + 1) % *count;
                key
            }
        }
    }
}

/// Zipf's law by rejection-inversion (Hörmann and Derflinger 1996): exact for any number of keys, without a table, at
/// about two logarithms a draw.
pub(crate) struct Zipf {
    count: f64,
    exponent: f64,
    integral_low: f64,
    integral_high: f64,
    squeeze: f64,
}

impl Zipf {
    /// Key 0 is the most popular of `count`.
    pub(crate) fn among(count: u64, exponent: f64) -> Self {
        assert!(exponent > 0.0 && exponent.is_finite(), "a Zipf exponent is positive");
        let mut zipf = Zipf { count: count as f64, exponent, integral_low: 0.0, integral_high: 0.0, squeeze: 0.0 };
        zipf.integral_low = zipf.integral(1.5) - 1.0;
        zipf.integral_high = zipf.integral(zipf.count + 0.5);
        zipf.squeeze = 2.0 - zipf.integral_inverse(zipf.integral(2.5) - zipf.weight(2.0));
        zipf
    }

    /// Draws a key number.
    pub(crate) fn pick(&self, random: &mut Random) -> u64 {
        loop {
            let area = self.integral_high + random.unit() * (self.integral_low - self.integral_high);
            let point = self.integral_inverse(area);
            let rank = point.round().clamp(1.0, self.count);
            let accepted = rank - point <= self.squeeze || area >= self.integral(rank + 0.5) - self.weight(rank);
            if accepted {
                return rank as u64 - 1;
            }
        }
    }

    fn weight(&self, rank: f64) -> f64 {
        (-self.exponent * rank.ln()).exp()
    }

    /// The integral of `weight` up to `x`, for any exponent, 1 included.
    fn integral(&self, x: f64) -> f64 {
        let log = x.ln();
        quotient_exp((1.0 - self.exponent) * log) * log
    }

    fn integral_inverse(&self, area: f64) -> f64 {
        let scaled = (area * (1.0 - self.exponent)).max(-1.0);
        (quotient_log(scaled) * area).exp()
    }
}

/// `(exp(x) - 1) / x`, which is 1 at 0.
fn quotient_exp(x: f64) -> f64 {
    if x.abs() > 1e-8 { x.exp_m1() / x } else { 1.0 + x / 2.0 }
}

/// `ln(1 + x) / x`, which is 1 at 0.
fn quotient_log(x: f64) -> f64 {
    if x.abs() > 1e-8 { x.ln_1p() / x } else { 1.0 - x / 2.0 }
}
