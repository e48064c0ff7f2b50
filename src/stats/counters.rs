//! Counters that cost one plain add: each has one writing thread and any number of reading ones.

use std::sync::atomic::{AtomicU64, Ordering};

/// A count with a single writer. Readers may see it one request late.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// Adds `n`. Only the owning thread may call this: a second writer would lose counts, nothing worse.
    #[inline]
    pub fn add(&self, n: u64) {
        self.0.store(self.0.load(Ordering::Relaxed).wrapping_add(n), Ordering::Relaxed);
    }

    /// The value now.
    pub fn value(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

macro_rules! counters {
    ($(#[$meta:meta])* $name:ident { $($(#[$field_meta:meta])* $field:ident),+ $(,)? }) => {
        $(#[$meta])*
        #[derive(Debug, Default)]
        pub struct $name { $($(#[$field_meta])* pub $field: Counter),+ }

        impl $name {
            /// Adds the values of all fields to `sums`, which is in field order.
            pub fn sum_into(&self, sums: &mut [u64; Self::FIELDS.len()]) {
                let mut sums = sums.iter_mut();
                $(if let Some(sum) = sums.next() { *sum = sum.wrapping_add(self.$field.value()); })+
            }

            /// The field names, in order.
            pub const FIELDS: &'static [&'static str] = &[$(stringify!($field)),+];
        }
    };
}

counters! {
    /// What one worker counts. Counts per size class are the store's.
    WorkerCounters {
        /// Keys asked for by get, gets (memcached's cmd_get).
        cmd_get,
        /// gat and touch commands.
        cmd_touch,
        /// flush_all commands, refused ones included.
        cmd_flush,
        /// `me` commands.
        cmd_meta,
        /// Times the list of nodes was asked for (ElastiCache's name).
        cmd_config_get,
        /// Keys asked for and not found.
        get_misses,
        /// Of these, found expired.
        get_expired,
        /// Of these, found flushed.
        get_flushed,
        /// delete without an item.
        delete_misses,
        /// incr without an item.
        incr_misses,
        /// decr without an item.
        decr_misses,
        /// cas without an item.
        cas_misses,
        /// touch or gat without an item.
        touch_misses,
        /// Values refused for their size.
        store_too_large,
        /// Values refused for lack of memory.
        store_no_memory,
        /// Connections closed for idling.
        idle_kicks,
        /// Bytes received.
        bytes_read,
        /// Bytes sent.
        bytes_written,
        /// Times a connection was put back in line after `-R` requests.
        conn_yields,
        /// Connections closed because the buffers' memory bound was reached while reading.
        read_buf_oom,
        /// Connections closed because the buffers' memory bound was reached while replying.
        response_obj_oom,
    }
}
