//! What a shard counts, under its own lock, by size class.

macro_rules! plain_counters {
    ($(#[$meta:meta])* $name:ident { $($(#[$field_meta:meta])* $field:ident),+ $(,)? }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, Default)]
        pub struct $name { $($(#[$field_meta])* pub $field: u64),+ }

        impl $name {
            /// Adds every field of `other`.
            pub fn add(&mut self, other: &$name) {
                $(self.$field = self.$field.wrapping_add(other.$field);)+
            }
        }
    };
}

plain_counters! {
    /// Counts of one size class, with memcached's names.
    ClassCounters {
        /// Hits of get and its kin.
        get_hits,
        /// Values stored or tried to.
        cmd_set,
        /// Items deleted by clients.
        delete_hits,
        /// Successful incr.
        incr_hits,
        /// Successful decr.
        decr_hits,
        /// cas that matched.
        cas_hits,
        /// cas that did not.
        cas_badval,
        /// Successful touch and gat.
        touch_hits,
        /// Items that had to go for new ones.
        evicted,
        /// Of these, with an expiry.
        evicted_nonzero,
        /// Of these, never fetched.
        evicted_unfetched,
        /// Of these, fetched lately.
        evicted_active,
        /// Items that were refused for lack of memory.
        outofmemory,
        /// Expired items whose memory a new item took.
        reclaimed,
        /// Expired items that were never fetched.
        expired_unfetched,
        /// Expired items that the sweep freed.
        crawler_reclaimed,
        /// Items that the sweep looked at.
        crawler_items_checked,
        /// Second chances that the clock hand gave.
        moves_within_lru,
        /// Items copied to save them from a page that moved.
        rescued,
    }
}

plain_counters! {
    /// Gauges of one size class.
    ClassGauges {
        /// Chunk size in bytes.
        chunk_size,
        /// Chunks in a page.
        chunks_per_page,
        /// Pages of the class.
        total_pages,
        /// Chunks in use.
        used_chunks,
        /// Live items.
        number,
        /// Bytes of the live items.
        mem_requested,
        /// Seconds since the item at the clock hand was last used.
        age,
        /// Seconds since the last evicted item had been used.
        evicted_time,
    }
}

plain_counters! {
    /// Counts and gauges of the whole store.
    StoreTotals {
        /// Live items.
        curr_items,
        /// Items ever stored.
        total_items,
        /// Bytes of the live items.
        bytes,
        /// Memory of the index in bytes.
        index_bytes,
        /// Buckets of the index.
        index_buckets,
        /// Pages in the pool.
        free_pages,
        /// Pages that moved between classes.
        slabs_moved,
        /// Sweeps that went over all pages.
        sweeps,
        /// Pages that could not be moved because a chunk was in use.
        pages_busy,
        /// Pages that hold memory.
        resident_pages,
    }
}
