//! Reading: get, gets, gat, gats.

use crate::common::{Server, check};

#[test]
fn get_answers_keys_in_order_repeats_included_and_is_silent_about_misses() {
    check(
        r"
        > set a 1 0 1
        > A
        > set b 2 0 2
        > BB
        < STORED
        < STORED
        >   get b
        < ERROR
        > get  b   missing a  b 
        < VALUE b 2 2
        < BB
        < VALUE a 1 1
        < A
        < VALUE b 2 2
        < BB
        < END
        > gets missing
        < END
        > get
        < CLIENT_ERROR bad command line format
        > gets
        < CLIENT_ERROR bad command line format
        ",
    );
}

#[test]
fn multiget_of_a_thousand_keys_is_answered() {
    let server = Server::start(&[]);
    let mut client = server.connect();
    let stores: String = (0..1000).map(|n| format!("set key_{n} {n} 0 5 noreply\r\nv{n:04}\r\n")).collect();
    client.send(stores);
    let keys: String = (0..1000).map(|n| format!(" key_{n}")).collect();
    client.send_line(format!("get{keys}"));
    for n in 0..1000 {
        client.expect_line(format!("VALUE key_{n} {n} 5"));
        client.expect_line(format!("v{n:04}"));
    }
    client.expect_line("END");
}

#[test]
fn gat_and_gats_return_the_value_and_set_its_time_to_live() {
    check(
        r"
        > set k 3 0 1
        > a
        < STORED
        > gets k
        < VALUE k 3 1 $(unique)
        < a
        < END
        # a touch is no change: the unique number stays
        > gats 100 k missing k
        < VALUE k 3 1 $(unique)
        < a
        < VALUE k 3 1 $(unique)
        < a
        < END
        > gat 0 k
        < VALUE k 3 1
        < a
        < END
        # the value is returned once more, and expires
        > gat -1 k
        < VALUE k 3 1
        < a
        < END
        > gat 0 k
        < END
        ",
    );
}

#[test]
fn gat_refuses_a_bad_time_and_missing_words() {
    check(
        r"
        > gat
        < CLIENT_ERROR bad command line format
        > gat 10
        < CLIENT_ERROR bad command line format
        > gats 10
        < CLIENT_ERROR bad command line format
        > gat x k
        < CLIENT_ERROR invalid exptime argument
        > gats 1x k
        < CLIENT_ERROR invalid exptime argument
        > gat 4294967296 k
        < CLIENT_ERROR invalid exptime argument
        ",
    );
}
