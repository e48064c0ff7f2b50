//! md: deleting, and leaving something behind.

use crate::common::check;

#[test]
fn deletes_and_tells() {
    check(
        r"
        > md k
        < NF
        > md k q O1 k
        < NF O1 kk
        > ms k 1
        > a
        < HD
        > md k k Oabc
        < HD kk Oabc
        > mg k
        < EN
        > ms k 1
        > a
        < HD
        > md k q
        > mg k
        < EN
        ",
    );
}

#[test]
fn deletes_one_version_only() {
    check(
        r"
        > ms k 1 c
        > a
        < HD c$(cas)
        > md k C999999
        < EX
        > md k C999999 q O2
        < EX O2
        > md k C0
        < EX
        > md k C$(cas)
        < HD
        ",
    );
}

#[test]
fn an_emptied_item_keeps_its_number_and_loses_its_flags_and_time() {
    check(
        r"
        > ms k 3 F5 T1000 c
        > abc
        < HD c$(cas)
        > md k x
        < HD
        > mg k v f t c
        < VA 0 f0 t-1 c$(cas)
        <
        > ms k 3 F5
        > abc
        < HD
        > md k x T1000 F3 E777777
        < HD
        > mg k s f t c
        < HD s0 f3 t$(left) c777777
        ",
    );
}

#[test]
fn a_stale_item_gives_its_old_value_and_one_winner() {
    check(
        r"
        > ms k 3 T1000 c
        > abc
        < HD c$(old)
        > md k I T30
        < HD
        > mg k v c
        < VA 3 c$(new) X W
        < abc
        differ old new
        > mg k v t
        < VA 3 t$(left) Z X
        < abc
        > md k I E888888
        < HD
        > mg k c
        < HD c888888 X W
        > ms k 1
        > n
        < HD
        > mg k v
        < VA 1
        < n
        ",
    );
}

#[test]
fn an_emptied_item_can_be_stale() {
    check(
        r"
        > ms k 3 F4
        > abc
        < HD
        > md k I x T1000
        < HD
        > mg k v f t
        < VA 0 f0 t$(left) X W
        <
        ",
    );
}

#[test]
fn an_older_number_stores_a_stale_value() {
    check(
        r"
        > ms k 3 T1000 c
        > abc
        < HD c$(old)
        > md k I T900
        < HD
        > mg k c
        < HD c$(new) X W
        > ms k 3 C$(old)
        > old
        < EX
        > ms k 3 C$(old) I T5
        > old
        < HD
        > mg k v t
        < VA 3 t$(left) Z X
        < old
        > mg k c
        < HD c$(latest) Z X
        > ms k 3 I
        > new
        < HD
        > mg k v
        < VA 3
        < new
        > ms k 3 C18446744073709551615 I
        > abc
        < EX
        > ms k 100000 c
        > {v*100000}
        < HD c$(large)
        > md k I
        < HD
        > ms k 100000 C$(large) I
        > {w*100000}
        < HD
        > mg k s
        < HD s100000 X W
        ",
    );
}
