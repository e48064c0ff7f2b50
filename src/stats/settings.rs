//! `stats settings`: every setting under memcached's name, also those without effect here.

use std::sync::atomic::Ordering;

use super::Stats;
use crate::settings::ProtocolChoice;
use crate::shared::Shared;

/// `stats settings`.
pub fn all(shared: &Shared) -> Stats {
    let settings = &shared.settings;
    let mut stats = Stats::default();
    let path = |path: &Option<std::path::PathBuf>, absent: &str| {
        path.as_ref().map_or_else(|| absent.to_owned(), |path| path.display().to_string())
    };
    stats.add("maxbytes", shared.memory_limit_bytes.load(Ordering::Relaxed));
    stats.add("maxconns", settings.conn_limit);
    stats.add("tcpport", settings.tcp_port);
    stats.add("udpport", settings.udp_port);
    stats.add("inter", if settings.listen_text.is_empty() { "NULL" } else { &settings.listen_text });
    stats.add("verbosity", shared.verbosity());
    stats.add("oldest", 0);
    stats.add("evictions", if settings.evictions { "on" } else { "off" });
    stats.add("domain_socket", path(&settings.unix_socket, "NULL"));
    stats.add("umask", format!("{:o}", settings.unix_mask));
    stats.add_flag("shutdown_command", settings.shutdown_command);
    stats.add("growth_factor", format!("{:.2}", settings.growth_factor));
    stats.add("chunk_size", settings.chunk_size_min);
    stats.add("num_threads", settings.threads);
    stats.add("num_threads_per_udp", settings.threads);
    stats.add("stat_key_prefix", char::from(settings.prefix_delimiter));
    stats.add_flag("detail_enabled", shared.detail.load(Ordering::Relaxed));
    stats.add("reqs_per_event", settings.requests_per_event);
    stats.add_flag("cas_enabled", settings.cas);
    stats.add("tcp_backlog", settings.listen_backlog);
    let protocol = match settings.protocol {
        ProtocolChoice::Auto => "auto-negotiate",
        ProtocolChoice::Ascii => "ascii",
        ProtocolChoice::Binary => "binary",
    };
    stats.add("binding_protocol", protocol);
    stats.add_flag("auth_enabled_sasl", shared.authority.is_some());
    stats.add("auth_enabled_ascii", path(&settings.auth_file, "no"));
    stats.add("item_size_max", settings.item_size_max_bytes);
    stats.add_flag("maxconns_fast", settings.maxconns_fast);
    stats.add("hashpower_init", settings.hashpower);
    stats.add_flag("slab_reassign", settings.slab_reassign);
    stats.add("slab_automove", shared.automove.load(Ordering::Relaxed));
    stats.add("slab_automove_ratio", format!("{:.2}", settings.slab_automove_ratio));
    stats.add("slab_automove_window", settings.slab_automove_window);
    stats.add("slab_chunk_max", settings.slab_chunk_max_bytes);
    stats.add_flag("lru_crawler", shared.crawler.is_enabled());
    stats.add("lru_crawler_sleep", shared.crawler.sleep_us.load(Ordering::Relaxed));
    stats.add("lru_crawler_tocrawl", shared.crawler.tocrawl.load(Ordering::Relaxed));
    stats.add("tail_repair_time", settings.tail_repair_time_secs);
    stats.add_flag("flush_enabled", settings.flush_all);
    stats.add_flag("dump_enabled", settings.dumping);
    stats.add("hash_algorithm", &settings.hash_algorithm);
    stats.add_flag("lru_maintainer_thread", settings.lru_maintainer);
    let lru = *shared.lru.lock();
    stats.add_flag("lru_segmented", lru.segmented);
    stats.add("hot_lru_pct", lru.shares.hot_pct);
    stats.add("warm_lru_pct", lru.shares.warm_pct);
    stats.add("hot_max_factor", format!("{:.2}", lru.shares.hot_max_factor));
    stats.add("warm_max_factor", format!("{:.2}", lru.shares.warm_max_factor));
    stats.add_flag("temp_lru", lru.temporary);
    stats.add("temporary_ttl", lru.temporary_ttl_secs);
    stats.add("idle_timeout", settings.idle_timeout_secs);
    stats.add("watcher_logbuf_size", settings.watcher_logbuf_bytes);
    stats.add("worker_logbuf_size", settings.worker_logbuf_bytes);
    stats.add("read_buf_mem_limit", settings.read_buf_mem_limit_bytes);
    stats.add_flag("track_sizes", settings.track_sizes);
    stats.add_flag("inline_ascii_response", false);
    stats.add_flag("drop_privileges", settings.drop_privileges);
    stats.add("slab_automove_freeratio", format!("{:.3}", settings.slab_automove_freeratio));
    let tls = &settings.tls;
    stats.add_flag("ssl_enabled", tls.enabled);
    stats.add("ssl_chain_cert", path(&tls.chain_cert, "(null)"));
    stats.add("ssl_key", path(&tls.key, "(null)"));
    // As OpenSSL counts them: verify, demand, once.
    stats.add("ssl_verify_mode", [0, 1, 3, 7][usize::from(tls.verify_mode.min(3))]);
    stats.add("ssl_keyformat", tls.key_format as u8);
    stats.add("ssl_ciphers", tls.ciphers_text.as_deref().unwrap_or("NULL"));
    stats.add("ssl_ca_cert", path(&tls.ca_cert, "NULL"));
    stats.add("ssl_wbuf_size", tls.wbuf_bytes);
    stats.add_flag("ssl_session_cache", tls.session_cache);
    stats.add_flag("ssl_kernel_tls", tls.kernel_tls);
    stats.add("ssl_min_version", if tls.min_version >= 3 { "tlsv1.3" } else { "tlsv1.2" });
    stats.add("num_napi_ids", settings.napi_ids);
    stats.add("memory_file", path(&settings.memory_file, "(null)"));
    stats.add("client_flags_size", size_of::<u32>());
    stats
}
