//! Keys that are no text.

use crate::common::check;

#[test]
fn keys_travel_encoded_and_come_back_so() {
    check(
        r"
        > ms Zm9v 3 b k
        > abc
        < HD kZm9v b
        > mg Zm9v b v k
        < VA 3 kZm9v b
        < abc
        > get foo
        < VALUE foo 0 3
        < abc
        < END
        > mg foo k
        < HD kZm9v b
        > mg YWJz b k
        < EN kYWJz b
        > mg Zm9v
        < EN
        > md Zm9v b k
        < HD kZm9v b
        > ms foo 1 k
        > a
        < HD kfoo
        > mg Zm9v b k v
        < VA 1 kfoo
        < a
        > ms /wD/ 1 b
        > a
        < HD
        > ma /wD/ b k
        < CLIENT_ERROR cannot increment or decrement non-numeric value
        > ma AAA= N0 b k v
        < VA 1 kAAA= b
        < 0
        ",
    );
}

#[test]
fn a_key_stays_what_it_is_through_changes() {
    check(
        r"
        > ms AAE= 2 b
        > 99
        < HD
        > ms AAE= 1 MA b
        > 9
        < HD
        > ma AAE= b
        < HD
        > mg AAE= b k v
        # differs: memcached forgets on append, incr, md x and mg N that the key is no text, and prints its bytes
        <larder VA 4 kAAE= b
        <memcached VA 4 k\0\x01
        < 1000
        > md AAE= b x
        < HD
        > mg AAE= b k
        # differs: as above
        <larder HD kAAE= b
        <memcached HD k\0\x01
        > mg AAI= b k N0
        # differs: as above
        <larder HD kAAI= b W
        <memcached HD k\0\x02 W
        ",
    );
}

#[test]
fn the_decoded_key_is_what_counts() {
    check(
        r"
        > ms {A*248} 1 b k
        > a
        < HD k{A*248} b
        > ms {A*333}A== 1 b
        > a
        # differs: memcached looks at the encoded key's length, so that 186 bytes are the most
        <larder HD
        <memcached CLIENT_ERROR bad command line format
        > mg {A*336} b
        # differs: the error of 251 bytes
        <larder CLIENT_ERROR error decoding key
        <memcached CLIENT_ERROR bad command line format
        ",
    );
}

#[test]
fn what_does_not_decode_is_refused() {
    check(
        r"
        > mg a b
        < CLIENT_ERROR error decoding key
        > mg abc b v
        < CLIENT_ERROR error decoding key
        > ms abc 1 b
        > a
        < CLIENT_ERROR error decoding key
        > md abc b
        < CLIENT_ERROR error decoding key
        > ma abc b
        < CLIENT_ERROR invalid or duplicate flag
        > mn
        < MN
        ",
    );
}

#[test]
fn me_decodes() {
    check(
        r"
        > ms AAE= 1 b
        > a
        < HD
        > me AAE= b x
        < ME AAE= exp=-1 la=$(<60) cas=$(cas) fetch=no cls=$(class) size=$(size)
        > me AAE=
        < EN
        ",
    );
}
