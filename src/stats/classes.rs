//! `stats items`, `stats slabs`, `stats sizes`: by size class, with memcached's names.
//!
//! Our classes have one clock each and no LRU segments: what memcached says of its COLD segment, we say of the class;
//! the other segments are empty.

use super::Stats;
use crate::clock::Seconds;
use crate::shared::Shared;
use crate::slab::classes::PAGE;

/// `stats items`: classes that hold an item.
pub fn items(shared: &Shared, now: Seconds) -> Stats {
    let mut stats = Stats::default();
    let settings = &shared.settings;
    let temporary = shared.lru.lock().temporary;
    for report in shared.store.classes(now) {
        let (counters, gauges) = (&report.counters, &report.gauges);
        if gauges.number == 0 {
            continue;
        }
        let mut add = |name: &str, value: u64| stats.add(format!("items:{}:{name}", report.class), value);
        add("number", gauges.number);
        if settings.lru_maintainer {
            add("number_hot", 0);
            add("number_warm", 0);
            add("number_cold", gauges.number);
            if temporary {
                add("number_temp", 0);
            }
            add("age_hot", 0);
            add("age_warm", 0);
        }
        add("age", gauges.age);
        add("mem_requested", gauges.mem_requested);
        add("evicted", counters.evicted);
        add("evicted_nonzero", counters.evicted_nonzero);
        add("evicted_time", gauges.evicted_time);
        add("outofmemory", counters.outofmemory);
        add("tailrepairs", 0);
        add("reclaimed", counters.reclaimed);
        add("expired_unfetched", counters.expired_unfetched);
        add("evicted_unfetched", counters.evicted_unfetched);
        if settings.lru_maintainer {
            add("evicted_active", counters.evicted_active);
        }
        add("crawler_reclaimed", counters.crawler_reclaimed);
        add("crawler_items_checked", counters.crawler_items_checked);
        add("lrutail_reflocked", 0);
        if settings.lru_maintainer {
            add("moves_to_cold", 0);
            add("moves_to_warm", 0);
            add("moves_within_lru", counters.moves_within_lru);
            add("direct_reclaims", 0);
            add("hits_to_hot", 0);
            add("hits_to_warm", 0);
            add("hits_to_cold", counters.get_hits);
            add("hits_to_temp", 0);
        }
    }
    stats
}

/// `stats slabs`: classes that own a page, or whose counters tell of one.
pub fn slabs(shared: &Shared, now: Seconds) -> Stats {
    let mut stats = Stats::default();
    let mut active = 0;
    let mut pages = 0;
    for report in shared.store.classes(now) {
        let (counters, gauges) = (&report.counters, &report.gauges);
        if gauges.total_pages == 0 && counters.cmd_set == 0 {
            continue;
        }
        active += u64::from(gauges.total_pages > 0);
        pages += gauges.total_pages;
        let total_chunks = gauges.total_pages * gauges.chunks_per_page;
        let mut add = |name: &str, value: u64| stats.add(format!("{}:{name}", report.class), value);
        add("chunk_size", gauges.chunk_size);
        add("chunks_per_page", gauges.chunks_per_page);
        add("total_pages", gauges.total_pages);
        add("total_chunks", total_chunks);
        add("used_chunks", gauges.used_chunks);
        add("free_chunks", total_chunks - gauges.used_chunks);
        add("free_chunks_end", 0);
        add("get_hits", counters.get_hits);
        add("cmd_set", counters.cmd_set);
        add("delete_hits", counters.delete_hits);
        add("incr_hits", counters.incr_hits);
        add("decr_hits", counters.decr_hits);
        add("cas_hits", counters.cas_hits);
        add("cas_badval", counters.cas_badval);
        add("touch_hits", counters.touch_hits);
    }
    stats.add("active_slabs", active);
    // Without the pages of the pool, which memcached counts: theirs never shrinks, ours follows what is in use.
    stats.add("total_malloced", pages * PAGE as u64);
    stats
}

/// `stats sizes`: live items by size, when `-o track_sizes` keeps count.
pub fn sizes(shared: &Shared) -> Stats {
    let mut stats = Stats::default();
    match shared.store.sizes() {
        None => stats.add("sizes_status", "disabled"),
        Some(sizes) => {
            for (bytes, count) in sizes {
                stats.add(bytes.to_string(), count);
            }
        }
    }
    stats
}
