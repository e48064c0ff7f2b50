//! stats and its groups: what monitoring reads, and what the groups reply.

use std::collections::HashMap;

use crate::common::{Client, Flavour, Server, check, check_with};

/// What prometheus/memcached_exporter reads of `stats`; collectd's plugin and Munin's read a part of it.
const GENERAL: &str = "
    pid uptime time version rusage_user rusage_system
    max_connections curr_connections total_connections rejected_connections
    cmd_get cmd_set cmd_flush cmd_touch get_hits get_misses delete_misses delete_hits incr_misses incr_hits decr_misses
    decr_hits cas_misses cas_hits cas_badval touch_hits touch_misses store_too_large store_no_memory
    bytes_read bytes_written limit_maxbytes accepting_conns listen_disabled_num threads conn_yields
    lru_crawler_starts unexpected_napi_ids round_robin_fallback
    bytes curr_items total_items evictions reclaimed crawler_reclaimed crawler_items_checked
    moves_to_cold moves_to_warm moves_within_lru direct_reclaims";

/// The same of `stats settings`.
const SETTINGS: &str = "
    maxconns lru_crawler lru_crawler_sleep lru_crawler_tocrawl lru_maintainer_thread hot_lru_pct warm_lru_pct
    hot_max_factor warm_max_factor slab_automove_freeratio hashpower_init";

/// The same of `stats items`, for each class.
const ITEMS: &str = "
    number number_hot number_warm number_cold number_temp age_hot age_warm age mem_requested evicted evicted_nonzero
    evicted_time outofmemory tailrepairs reclaimed expired_unfetched evicted_unfetched crawler_reclaimed
    moves_to_cold moves_to_warm moves_within_lru hits_to_hot hits_to_warm hits_to_cold hits_to_temp";

/// The same of `stats slabs`, for each class.
const SLABS: &str = "
    chunk_size chunks_per_page total_pages total_chunks used_chunks free_chunks free_chunks_end
    get_hits cmd_set delete_hits incr_hits decr_hits cas_hits cas_badval touch_hits";

/// Commands with a known outcome, all on items of one size.
const TRAFFIC: &str = "set n 0 0 1\r\n5\r\nget n\r\nget n\r\nget none\r\nincr n 1\r\nincr none 1\r\ndecr n 1\r\n\
    decr none 1\r\ntouch n 0\r\ntouch none 0\r\ncas n 0 0 1 0\r\n5\r\ncas none 0 0 1 1\r\n5\r\nset k 0 0 1\r\n5\r\n\
    delete k\r\ndelete none\r\nset large 0 0 2000000\r\n";

/// Lines of its replies: one each but for the last, and two more for each hit of get.
const TRAFFIC_LINES: usize = 15 + 2 * 2;

fn is_figure(text: &str) -> bool {
    text.parse::<f64>().is_ok() || text == "yes" || text == "no"
}

/// Asks for a group and holds each of `names` behind `prefix` to have a figure for a value.
#[track_caller]
fn figures(client: &mut Client, group: &str, prefix: &str, names: &str) -> HashMap<String, String> {
    let rows: HashMap<String, String> = client.statistics(group).into_iter().collect();
    let missing: Vec<&str> = names
        .split_whitespace()
        .filter(|name| *name != "version")
        .filter(|name| !rows.get(&format!("{prefix}{name}")).is_some_and(|value| is_figure(value)))
        .collect();
    assert!(missing.is_empty(), "`stats {group}` has no figure for {missing:?}");
    rows
}

#[test]
fn every_figure_that_monitoring_reads_is_there_and_true() {
    let server = Server::start(&["-o", "maxconns_fast,temporary_ttl=5"]);
    let mut client = server.connect();
    client.send([TRAFFIC.as_bytes(), &[b'v'; 2_000_000], b"\r\n"].concat());
    for _ in 0..TRAFFIC_LINES {
        client.line();
    }
    client.expect_line("SERVER_ERROR object too large for cache");

    let general = figures(&mut client, "", "", GENERAL);
    assert_eq!(general["version"].split('.').count(), 3);
    for name in
        "get_misses delete_hits delete_misses incr_hits incr_misses decr_hits decr_misses cas_misses cas_badval \
                 touch_hits touch_misses store_too_large curr_items curr_connections accepting_conns"
            .split_whitespace()
    {
        assert_eq!(general[name], "1", "{name}");
    }
    for (name, value) in [
        ("get_hits", "2"),
        ("cmd_get", "3"),
        ("cmd_touch", "2"),
        ("max_connections", "1024"),
        ("limit_maxbytes", "67108864"),
        ("threads", "4"),
        ("rejected_connections", "0"),
        ("evictions", "0"),
    ] {
        assert_eq!(general[name], value, "{name}");
    }
    for name in ["pid", "time", "bytes", "bytes_read", "bytes_written", "cmd_set", "total_items"] {
        assert_ne!(general[name], "0", "{name}");
    }

    let settings = figures(&mut client, "settings", "", SETTINGS);
    for (name, value) in [
        ("maxconns", "1024"),
        ("lru_crawler", "yes"),
        ("lru_crawler_sleep", "100"),
        ("lru_crawler_tocrawl", "0"),
        ("lru_maintainer_thread", "yes"),
        ("hot_lru_pct", "20"),
        ("warm_lru_pct", "40"),
        ("hot_max_factor", "0.20"),
        ("warm_max_factor", "2.00"),
        ("slab_automove_freeratio", "0.010"),
        ("hashpower_init", "0"),
    ] {
        assert_eq!(settings[name], value, "{name}");
    }

    let items = figures(&mut client, "items", "items:1:", ITEMS);
    assert_eq!(items["items:1:number"], "1");
    let slabs = figures(&mut client, "slabs", "1:", SLABS);
    for (name, value) in [("1:get_hits", "2"), ("1:incr_hits", "1"), ("1:touch_hits", "1"), ("1:used_chunks", "1")] {
        assert_eq!(slabs[name], value, "{name}");
    }
    for name in ["active_slabs", "total_malloced"] {
        assert_ne!(slabs[name], "0", "{name}");
    }
}

#[test]
fn reset_zeroes_counts_and_leaves_gauges() {
    let server = Server::start(&[]);
    let mut client = server.connect();
    client.send("set k 0 0 1\r\na\r\nget k none\r\ndelete none\r\nstats reset\r\n");
    client.expect("STORED\r\nVALUE k 0 1\r\na\r\nEND\r\nNOT_FOUND\r\nRESET\r\n");
    let general: HashMap<String, String> = client.statistics("").into_iter().collect();
    for name in "cmd_get cmd_set get_hits get_misses delete_misses total_items total_connections".split_whitespace() {
        assert_eq!(general[name], "0", "{name}");
    }
    for name in ["curr_items", "curr_connections", "accepting_conns"] {
        assert_eq!(general[name], "1", "{name}");
    }
    let slabs: HashMap<String, String> = client.statistics("slabs").into_iter().collect();
    for (name, value) in [("1:cmd_set", "0"), ("1:get_hits", "0"), ("1:used_chunks", "1")] {
        assert_eq!(slabs[name], value, "{name}");
    }
    client.send_line("get k");
    client.expect("VALUE k 0 1\r\na\r\nEND\r\n");
    assert_eq!(client.statistic("", "get_hits").as_deref(), Some("1"), "counting goes on");
}

#[test]
fn groups_may_be_cut_short_as_in_memcached() {
    check(
        r"
        > stats r
        < RESET
        > stats reset and more
        < RESET
        > stats reset noreply
        < RESET
        > stats d
        < CLIENT_ERROR usage: stats detail on|off|dump
        > stats c
        < CLIENT_ERROR bad command line
        > stats cachedump 1
        < CLIENT_ERROR bad command line
        > stats cachedump x 0
        < CLIENT_ERROR bad command line format
        > stats cachedump 64 0
        < CLIENT_ERROR Illegal slab id
        # These are not.
        > stats item
        < ERROR
        > stats slab
        < ERROR
        > stats siz
        < ERROR
        > stats malloc
        < ERROR
        > stats noreply
        < ERROR
        ",
    );
}

#[test]
fn detail_counts_by_prefix_from_on_to_off() {
    check(
        r"
        > get early:k
        < END
        > stats detail dump
        < END
        > stats detail on
        < OK
        > get a:k b:k
        < END
        > set a:k 0 0 1
        > v
        < STORED
        > get a:k
        < VALUE a:k 0 1
        < v
        < END
        > delete a:k
        < DELETED
        > stats detail off
        < OK
        > get a:k
        < END
        > stats detail
        < CLIENT_ERROR usage: stats detail on|off|dump
        > stats detail nonsense
        < CLIENT_ERROR usage: stats detail on|off|dump
        # Words may be cut short, and further ones count for nothing.
        > stats detail o
        < OK
        > stats detail off really off
        < OK
        > stats reset
        < RESET
        > stats detail d
        < END
        ",
    );
    let server = Server::start(&["-D", ":"]);
    let mut client = server.connect();
    client.send("get a:k\r\nset a:k 0 0 1\r\nv\r\nget a:k\r\ndelete a:k\r\nstats detail dump\r\n");
    client.expect("END\r\nSTORED\r\nVALUE a:k 0 1\r\nv\r\nEND\r\nDELETED\r\n");
    client.expect("PREFIX a get 2 hit 1 set 1 del 1\r\nEND\r\n");
}

#[test]
fn sizes_are_counted_only_when_asked_for_at_the_start() {
    check(
        r"
        > stats sizes
        < STAT sizes_status disabled
        < END
        > stats sizes_enable
        < ERROR
        > stats sizes_disable
        < ERROR
        ",
    );
    check_with(
        &["-o", "track_sizes"],
        r"
        > stats sizes
        < END
        > set a 0 0 100
        > {v*100}
        < STORED
        > set b 0 0 100
        > {v*100}
        < STORED
        > stats sizes
        # differs: our items are smaller
        <larder STAT 128 2
        # differs: the same
        <memcached STAT 160 2
        < END
        > delete b
        < DELETED
        > set a 0 0 0
        >
        < STORED
        > stats sizes
        # differs: the same
        <larder STAT 32 1
        # differs: the same
        <memcached STAT 64 1
        < END
        > stats reset
        < RESET
        > stats sizes
        # differs: the same
        <larder STAT 32 1
        # differs: the same
        <memcached STAT 64 1
        < END
        ",
    );
}

#[test]
fn connections_are_listed_with_address_and_state() {
    let server = Server::start(&[]);
    let mut client = server.connect();
    let mut other = server.connect();
    other.send_line("mn");
    other.expect_line("MN");
    let own = server.address();
    // The other client counts as idle a moment after it has its reply.
    let rows = loop {
        let rows = client.statistics("conns");
        if rows.iter().any(|(name, value)| name.ends_with(":state") && value == "conn_read") {
            break rows;
        }
    };
    let of_kind = |kind: &str| -> Vec<&str> {
        rows.iter().filter(|(name, _)| name.ends_with(kind)).map(|(_, value)| value.as_str()).collect()
    };
    assert_eq!(of_kind(":listen_addr"), vec![format!("tcp:{own}"); 2]);
    assert!(of_kind(":addr").contains(&format!("tcp:{own}").as_str()), "the listener is there: {rows:?}");
    assert_eq!(of_kind(":addr").len(), 3);
    let mut states = of_kind(":state");
    states.sort_unstable();
    assert_eq!(states, ["conn_listening", "conn_parse_cmd", "conn_read"]);
    assert_eq!(of_kind(":secs_since_last_cmd").len(), 3);
}

#[test]
fn hot_keys_are_those_that_are_asked_for_most() {
    let server = Server::start(&[]);
    if server.flavour() == Flavour::Memcached {
        // Ours alone; memcached answers ERROR, so nobody asks it by accident.
        check("> stats hotkeys\n< ERROR");
        return;
    }
    let mut client = server.connect();
    assert_eq!(client.statistics("hotkeys"), [], "nothing is hot in an idle server");
    // Of ten requests six are for one key (which is not even there), three for another, one for one of thousands.
    for round in 0..40 {
        let (first, second) = ("get user:1\r\n".repeat(6), "set b 0 0 1\r\nv\r\n".repeat(3));
        client.send((0..100).map(|n| format!("{first}{second}get rare:{round}:{n}\r\n")).collect::<String>());
        client.expect(("END\r\n".repeat(6) + &"STORED\r\n".repeat(3) + "END\r\n").repeat(100));
    }
    let rows: HashMap<String, String> = client.statistics("hotkeys").into_iter().collect();
    assert_eq!(rows["hot:1:key"], "user%3A1");
    assert_eq!(rows["hot:2:key"], "b");
    let figure = |name: &str| rows[name].parse::<f64>().expect("a figure");
    assert!((0.5..0.7).contains(&figure("hot:1:share")), "{rows:?}");
    assert!((0.2..0.4).contains(&figure("hot:2:share")), "{rows:?}");
    assert!(figure("hot:1:per_second") > figure("hot:2:per_second"), "{rows:?}");
    assert!(figure("hot:2:per_second") > 0.0, "{rows:?}");
    client.send_line("stats reset");
    client.expect_line("RESET");
    assert_eq!(client.statistics("hotkeys"), []);
}

#[test]
fn hot_keys_are_kept_back_where_keys_may_not_be_listed() {
    check_with(
        &["-X"],
        r"
        > stats hotkeys
        # differs: memcached has no such group
        <larder CLIENT_ERROR stats hotkeys not allowed
        # differs: memcached has no such group
        <memcached ERROR
        > stats detail dump
        < CLIENT_ERROR stats detail not allowed
        > stats cachedump 1 0
        < CLIENT_ERROR stats cachedump not allowed
        ",
    );
}
