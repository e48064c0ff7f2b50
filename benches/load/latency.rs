//! A histogram of durations with about 3 % of resolution, from nanoseconds to minutes, in a few kilobytes.

use std::time::Duration;

/// Counts durations in buckets: 32 to each power of two.
pub(crate) struct Latencies {
    buckets: Vec<u64>,
    count: u64,
}

impl Latencies {
    /// Nothing counted yet.
    pub(crate) fn none() -> Self {
        Latencies { buckets: vec![0; bucket_of(NANOS_MAX) + 1], count: 0 }
    }

    /// Counts one duration.
    pub(crate) fn count(&mut self, duration: Duration) {
        let nanos = u64::try_from(duration.as_nanos()).unwrap_or(NANOS_MAX).min(NANOS_MAX);
        self.buckets[bucket_of(nanos)] += 1;
        self.count += 1;
    }

    /// Counts what `other` has counted.
    pub(crate) fn add(&mut self, other: &Latencies) {
        for (bucket, count) in self.buckets.iter_mut().zip(&other.buckets) {
            *bucket += count;
        }
        self.count += other.count;
    }

    /// The duration that a share (0.99) of all counted stayed within, in microseconds; 0 if there are none.
    pub(crate) fn micros_at(&self, share: f64) -> f64 {
        let rank = (share * self.count as f64).ceil() as u64;
        let mut seen = 0;
        for (bucket, count) in self.buckets.iter().enumerate() {
            seen += count;
            if seen >= rank && seen > 0 {
                return nanos_of(bucket) as f64 / 1000.0;
            }
        }
        0.0
    }
}

/// Below 32 each value has its own bucket; above, the five bits after the leading one choose among 32.
fn bucket_of(nanos: u64) -> usize {
    if nanos < 32 {
        return nanos as usize;
    }
    let shift = 58 - nanos.leading_zeros();
    (shift as usize + 1) * 32 + ((nanos >> shift) & 31) as usize
}

/// The lowest value of a bucket.
fn nanos_of(bucket: usize) -> u64 {
    if bucket < 32 {
        return bucket as u64;
    }
    let shift = bucket / 32 - 1;
    (32 + bucket as u64 % 32) << shift
}

/// Nine minutes; longer counts as this.
const NANOS_MAX: u64 = 1 << 39;
