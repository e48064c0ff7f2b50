//! lru_crawler, lru, slabs reassign, and what begins with `larder`.

use crate::common::{Server, check, check_with};

#[test]
fn crawler_commands_are_checked() {
    check(
        r"
        > lru_crawler
        < ERROR
        > lru_crawler crawl
        < ERROR
        > lru_crawler nonsense all
        < ERROR
        > lru_crawler enable now
        < ERROR
        > lru_crawler enable
        < ERROR failed to start lru crawler thread
        > lru_crawler crawl 64
        < BADCLASS invalid class id
        > lru_crawler crawl 0
        < BADCLASS invalid class id
        > lru_crawler crawl 1,x
        < BADCLASS invalid class id
        > lru_crawler crawl ,
        < NOTSTARTED no items to crawl
        > lru_crawler crawl hash
        < ERROR an unknown error happened
        > lru_crawler metadump 64
        < BADCLASS invalid class id
        > lru_crawler metadump all noreply
        > lru_crawler sleep 1000000
        < OK
        > lru_crawler sleep 1000001
        < CLIENT_ERROR sleep must be one second or less
        > lru_crawler sleep x
        < CLIENT_ERROR bad command line format
        > lru_crawler tocrawl 5
        < OK
        > lru_crawler tocrawl x
        < CLIENT_ERROR bad command line format
        > lru_crawler crawl all
        < OK
        ",
    );
}

#[test]
fn dumps_can_be_forbidden() {
    check_with(
        &["-X"],
        r"
        > lru_crawler metadump all
        < ERROR metadump not allowed
        > lru_crawler mgdump 64
        < ERROR key dump not allowed
        ",
    );
}

#[test]
fn without_a_crawler_there_are_no_dumps() {
    check_with(
        &["-o", "no_lru_crawler"],
        r"
        > lru_crawler metadump all
        < CLIENT_ERROR lru crawler disabled
        > lru_crawler mgdump all
        < CLIENT_ERROR lru crawler disabled
        > lru_crawler crawl all
        < CLIENT_ERROR lru crawler disabled
        ",
    );
}

#[test]
fn crawler_is_switched_and_its_settings_are_shown() {
    let server = Server::start(&[]);
    let mut client = server.connect();
    for (command, name, value) in [
        ("lru_crawler sleep 7", "lru_crawler_sleep", "7"),
        ("lru_crawler tocrawl 9", "lru_crawler_tocrawl", "9"),
        ("lru tune 10 20 0.5 1.25", "hot_lru_pct", "10"),
        ("lru mode flat", "lru_segmented", "no"),
        ("lru temp_ttl 30", "temporary_ttl", "30"),
    ] {
        client.send_line(command);
        client.expect_line("OK");
        assert_eq!(client.statistic("settings", name).as_deref(), Some(value), "{command}");
    }
    assert_eq!(client.statistic("settings", "warm_max_factor").as_deref(), Some("1.25"));
    assert_eq!(client.statistic("settings", "temp_lru").as_deref(), Some("yes"));
    client.send_line("lru_crawler disable");
    client.expect_line("OK");
    client.await_line("lru_crawler mgdump all", "CLIENT_ERROR lru crawler disabled");
    assert_eq!(client.statistic("settings", "lru_crawler").as_deref(), Some("no"));
    assert_eq!(client.statistic("", "lru_crawler_running"), None);
    client.send_line("lru_crawler enable");
    client.expect_line("OK");
    assert_eq!(client.statistic("settings", "lru_crawler").as_deref(), Some("yes"));
    assert_eq!(client.statistic("", "lru_crawler_running").as_deref(), Some("0"));
}

#[test]
fn mgdump_lists_keys_and_the_connection_goes_on() {
    check(
        r"
        > set gone 0 -1 1
        > a
        < STORED
        > set a:%\xff 0 0 1
        > a
        < STORED
        > lru_crawler mgdump all
        < OK
        < mg a:%\xff
        < EN
        > get a:%\xff
        <| VALUE a:%\xff 0 1\r\na\r\nEND\r\n
        ",
    );
}

#[test]
fn keys_that_are_no_text_are_dumped_encoded() {
    check(
        r"
        > ms AP8= 1 b
        > a
        < HD
        > lru_crawler mgdump hash
        < OK
        < mg AP8= b
        < EN
        ",
    );
}

#[test]
fn dump_of_other_classes_is_empty() {
    check(
        r"
        > set k 0 0 1
        > a
        < STORED
        > lru_crawler mgdump 5,6
        < OK
        < EN
        ",
    );
}

#[test]
fn flushed_items_are_not_listed() {
    check(
        r"
        > set k 0 0 1
        > a
        < STORED
        > flush_all
        < OK
        > get k
        < END
        > lru_crawler metadump hash
        < OK
        < END
        ",
    );
}

#[test]
fn a_further_word_of_a_dump_is_a_prefix() {
    check(
        r"
        > set a:1 0 0 1
        > a
        < STORED
        > set b:1 0 0 1
        > b
        < STORED
        > lru_crawler mgdump all a:
        # differs: a further word is an error in memcached
        <larder OK
        <larder mg a:1
        <larder EN
        <memcached ERROR
        > lru_crawler metadump all a: b:
        < ERROR
        ",
    );
}

#[test]
fn delete_prefix_deletes_what_begins_so() {
    check(
        r"
        > set a:1 0 0 1
        > a
        > set a:2 0 0 1
        > a
        > set b:1 0 0 1
        > b
        < STORED
        < STORED
        < STORED
        > larder delete_prefix a:
        # differs: memcached has no such command
        <larder DELETED 2
        <memcached ERROR
        > larder delete_prefix
        # differs: memcached has no such command
        <larder CLIENT_ERROR bad command line format
        <memcached ERROR
        > larder delete_prefix b: c:
        # differs: memcached has no such command
        <larder CLIENT_ERROR bad command line format
        <memcached ERROR
        > larder delete_prefix c: noreply
        > get b:1
        <| VALUE b:1 0 1\r\nb\r\nEND\r\n
        > get a:1
        # differs: memcached has no such command
        <larder END
        <memcached VALUE a:1 0 1
        <memcached a
        <memcached END
        ",
    );
}

#[test]
fn delete_prefix_is_forbidden_where_flush_all_is() {
    check_with(
        &["-F"],
        r"
        > larder delete_prefix a:
        # differs: memcached has no such command
        <larder CLIENT_ERROR delete_prefix not allowed
        <memcached ERROR
        ",
    );
}

#[test]
fn lru_is_tuned_in_bounds() {
    check(
        r"
        > lru tune 10 20 0.5 1
        < OK
        > lru tune 40 40 0.5 1
        < OK
        > lru tune 40 41 0.5 1
        < ERROR hot and warm pcts must not exceed 80
        > lru tune 10 20 0 1
        < ERROR hot/warm age factors must be greater than 0
        > lru tune 10 20 0.5 -1
        < ERROR hot/warm age factors must be greater than 0
        > lru tune 10 20 x 1
        < ERROR
        > lru tune 10 20 0.5
        < ERROR
        > lru mode segmented
        < OK
        > lru mode round
        < ERROR
        > lru mode
        < ERROR
        > lru temp_ttl -1
        < OK
        > lru temp_ttl x
        < ERROR
        ",
    );
}

#[test]
fn lru_has_no_mode_without_a_maintainer() {
    check_with(&["-o", "no_lru_maintainer"], "> lru mode flat\n< ERROR\n> lru temp_ttl 5\n< ERROR");
}

#[test]
fn slabs_reassign_is_checked() {
    check(
        r"
        > slabs reassign 5
        < ERROR
        > slabs reassign 1 2 3
        < ERROR
        > slabs reassign x y
        < CLIENT_ERROR bad command line format
        > slabs reassign 1 1
        < SAME src and dst class are identical
        > slabs reassign -5 70
        < BADCLASS invalid src or dst class id
        > slabs reassign 1 64
        < BADCLASS invalid src or dst class id
        > slabs reassign 2 1
        < NOSPARE source class has no spare pages
        ",
    );
}

#[test]
fn slabs_reassign_can_be_switched_off() {
    check_with(&["-o", "no_slab_reassign"], "> slabs reassign x y\n< CLIENT_ERROR slab reassignment disabled");
}

#[test]
fn slabs_automove_is_checked_and_carried_out() {
    check(
        r"
        > slabs automove 0
        < OK
        > slabs automove 1
        < OK
        > slabs automove 2
        < OK
        > slabs automove 3
        < ERROR
        > slabs automove
        < ERROR
        > slabs automove invalid
        < CLIENT_ERROR bad command line format
        > slabs automove ratio 0.5
        < OK
        > slabs automove window 30
        < OK
        > slabs automove window x
        < CLIENT_ERROR bad command line format
        ",
    );
}
