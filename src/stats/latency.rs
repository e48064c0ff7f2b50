//! How long batches of requests take, by the kind of their first request: counted by each worker for one batch in
//! [`BATCHES_PER_SAMPLE`] where there is an admin port to tell it, so that the others cost a decrement, and for each where
//! there is a log of slow requests.

use std::time::Duration;

use super::counters::Counter;

/// Batches of a worker of which one is timed. A prime, as clients repeat themselves: of a client that gets and sets in
/// turns every 64th batch is a get, or every one a set.
const BATCHES_PER_SAMPLE: u32 = 61;

/// Buckets of a histogram. Bucket N holds what took less than 2^(N + 10) ns, about a microsecond times 2^N; the last
/// one holds the rest.
pub const BUCKETS: usize = 20;

const FIRST_BOUND_BITS: u32 = 10;

/// What a batch begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    /// Look-ups in any protocol.
    Get,
    /// Values that are stored.
    Set,
    /// Numbers that are changed.
    Arithmetic,
    /// Deletions.
    Delete,
    /// New lifetimes.
    Touch,
    /// The rest: administration, statistics, logins, what is no request.
    Other,
}

/// All kinds, in the order of their numbers.
pub const KINDS: [Kind; 6] = [Kind::Get, Kind::Set, Kind::Arithmetic, Kind::Delete, Kind::Touch, Kind::Other];

impl Kind {
    /// The label of its histogram.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Get => "get",
            Kind::Set => "set",
            Kind::Arithmetic => "arithmetic",
            Kind::Delete => "delete",
            Kind::Touch => "touch",
            Kind::Other => "other",
        }
    }

    /// The kind of the request that `bytes` begin with.
    pub fn of(bytes: &[u8]) -> Kind {
        if let [0x80, opcode, ..] = bytes {
            return Kind::of_opcode(*opcode);
        }
        let word = bytes.split(|byte| *byte <= b' ').next().unwrap_or_default();
        match word {
            b"get" | b"gets" | b"gat" | b"gats" | b"mg" => Kind::Get,
            b"set" | b"add" | b"replace" | b"append" | b"prepend" | b"cas" | b"ms" => Kind::Set,
            b"incr" | b"decr" | b"ma" => Kind::Arithmetic,
            b"delete" | b"md" => Kind::Delete,
            b"touch" => Kind::Touch,
            _ => Kind::Other,
        }
    }

    /// By memcached's numbers of the binary protocol, those of quiet requests included.
    fn of_opcode(opcode: u8) -> Kind {
        match opcode {
            0x00 | 0x09 | 0x0c | 0x0d | 0x1d | 0x1e | 0x23 | 0x24 => Kind::Get,
            0x01..=0x03 | 0x0e | 0x0f | 0x11..=0x13 | 0x19 | 0x1a => Kind::Set,
            0x04 | 0x14 => Kind::Delete,
            0x05 | 0x06 | 0x15 | 0x16 => Kind::Arithmetic,
            0x1c => Kind::Touch,
            _ => Kind::Other,
        }
    }
}

/// Says which batches of a worker are timed.
#[derive(Debug)]
pub struct Sampler {
    /// Batches until the next one.
    left: u32,
    /// Batches between two.
    between: u32,
}

/// Which batches are to be timed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Timing {
    /// One in four billions, which is as good as none.
    None,
    /// One in [`BATCHES_PER_SAMPLE`].
    Samples,
    /// Each.
    All,
}

impl Sampler {
    /// See [`Timing`].
    pub fn new(timing: Timing) -> Sampler {
        match timing {
            Timing::None => Sampler { left: u32::MAX, between: u32::MAX },
            Timing::Samples => Sampler { left: 0, between: BATCHES_PER_SAMPLE - 1 },
            Timing::All => Sampler { left: 0, between: 0 },
        }
    }

    /// Whether the batch that comes now is one of them.
    #[inline]
    pub fn is_due(&mut self) -> bool {
        let left = self.left.checked_sub(1);
        self.left = left.unwrap_or(self.between);
        left.is_none()
    }
}

/// What one worker has timed.
#[derive(Debug, Default)]
pub struct Latency {
    of_kinds: [OfKind; KINDS.len()],
}

#[derive(Debug, Default)]
struct OfKind {
    counts: [Counter; BUCKETS],
    nanos: Counter,
}

impl Latency {
    /// Counts a batch. For the worker alone.
    pub fn note(&self, kind: Kind, took: Duration) {
        let nanos = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        let of_kind = &self.of_kinds[kind as usize];
        of_kind.counts[bucket_of(nanos)].add(1);
        of_kind.nanos.add(nanos);
    }
}

fn bucket_of(nanos: u64) -> usize {
    let bits = u64::BITS - nanos.leading_zeros();
    (bits.saturating_sub(FIRST_BOUND_BITS) as usize).min(BUCKETS - 1)
}

/// The upper bound of bucket `bucket`, which is not the last, in seconds.
pub fn bound_secs(bucket: usize) -> f64 {
    (1_u64 << (bucket as u32 + FIRST_BOUND_BITS)) as f64 / 1e9
}

/// The histograms of all workers together, in the order of [`KINDS`].
#[derive(Debug, Default)]
pub struct Histograms {
    /// One for each kind.
    pub of_kinds: [Histogram; KINDS.len()],
}

/// How many batches took how long.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Histogram {
    /// By bucket, not cumulative.
    pub counts: [u64; BUCKETS],
    /// All together, in nanoseconds.
    pub nanos: u64,
}

impl Histograms {
    /// Adds what one worker has timed.
    pub fn add(&mut self, latency: &Latency) {
        for (sum, of_kind) in self.of_kinds.iter_mut().zip(&latency.of_kinds) {
            for (count, counter) in sum.counts.iter_mut().zip(&of_kind.counts) {
                *count += counter.value();
            }
            sum.nanos += of_kind.nanos.value();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clients_that_repeat_themselves_are_timed_in_each_phase() {
        for period in 2..=16 {
            let mut sampler = Sampler::new(Timing::Samples);
            let mut phases = [0; 16];
            (0..period * 1000).filter(|_| sampler.is_due()).for_each(|batch| phases[batch % period] += 1);
            assert!(phases[..period].iter().all(|count| (14..=18).contains(count)), "{period}: {phases:?}");
        }
    }

    #[test]
    fn requests_have_kinds_in_every_protocol() {
        for (bytes, kind) in [
            (&b"get a\r\n"[..], Kind::Get),
            (b"mg a v\r\n", Kind::Get),
            (b"\x80\x0d\0\x01", Kind::Get),
            (b"set a 0 0 1\r\n", Kind::Set),
            (b"\x80\x01\0\x01", Kind::Set),
            (b"ms a 1\r\n", Kind::Set),
            (b"incr a 1\r\n", Kind::Arithmetic),
            (b"\x80\x15\0\x01", Kind::Arithmetic),
            (b"delete a\r\n", Kind::Delete),
            (b"\x80\x04\0\x01", Kind::Delete),
            (b"touch a 1\r\n", Kind::Touch),
            (b"\x80\x1c\0\x01", Kind::Touch),
            (b"version\r\n", Kind::Other),
            (b"getter", Kind::Other),
            (b"\x80", Kind::Other),
            (b"", Kind::Other),
        ] {
            assert_eq!(Kind::of(bytes), kind, "{bytes:?}");
        }
        for (place, kind) in KINDS.iter().enumerate() {
            assert_eq!(*kind as usize, place);
        }
    }

    #[test]
    fn one_batch_in_61_is_due_or_each_or_none() {
        let due = |timing, batches| {
            let mut sampler = Sampler::new(timing);
            (0..batches).filter(|_| sampler.is_due()).count()
        };
        assert_eq!([1, 61, 62, 610].map(|batches| due(Timing::Samples, batches)), [1, 1, 2, 10]);
        assert_eq!(due(Timing::All, 1000), 1000);
        assert_eq!(due(Timing::None, 1000), 0);
    }

    #[test]
    fn times_fall_below_the_bounds_of_their_buckets() {
        for nanos in [0, 1, 1023, 1024, 1025, 2047, 2048, 1 << 20, (1 << 28) - 1] {
            let bucket = bucket_of(nanos);
            assert!((nanos as f64) < bound_secs(bucket) * 1e9, "{nanos}");
            assert!(bucket == 0 || nanos as f64 >= bound_secs(bucket - 1) * 1e9, "{nanos}");
        }
        for nanos in [1 << 28, 1 << 40, u64::MAX] {
            assert_eq!(bucket_of(nanos), BUCKETS - 1, "{nanos}");
        }
    }

    #[test]
    fn workers_are_summed_up() {
        let workers = [Latency::default(), Latency::default()];
        workers[0].note(Kind::Get, Duration::from_nanos(10));
        workers[1].note(Kind::Get, Duration::from_nanos(3000));
        workers[1].note(Kind::Other, Duration::MAX);
        let mut sums = Histograms::default();
        for worker in &workers {
            sums.add(worker);
        }
        let get = sums.of_kinds[Kind::Get as usize];
        assert_eq!((get.counts[0], get.counts[2], get.nanos), (1, 1, 3010));
        assert_eq!(sums.of_kinds[Kind::Other as usize].counts[BUCKETS - 1], 1);
    }
}
