//! me and mn.

use crate::common::check;

#[test]
fn an_item_is_described_without_being_touched() {
    check(
        r"
        > me none
        < EN
        > ms k 1 c
        > a
        < HD c$(cas)
        > me k
        < ME k exp=-1 la=$(<60) cas=$(cas) fetch=no cls=$(class) size=$(size)
        > me k extra words
        < ME k exp=-1 la=$(<60) cas=$(cas) fetch=no cls=$(class) size=$(size)
        > mg k
        < HD
        > me k
        < ME k exp=-1 la=$(<60) cas=$(cas) fetch=yes cls=$(class) size=$(size)
        > mg k T1000
        < HD
        > me k
        < ME k exp=$(<1001) la=$(<60) cas=$(cas) fetch=yes cls=$(class) size=$(size)
        ",
    );
}

#[test]
fn the_barrier_answers_whatever_follows_it() {
    check(
        r"
        > mn
        < MN
        > mn extra words
        < MN
        >| mn\n
        < CLIENT_ERROR bad command line format
        ",
    );
}
