//! Meta commands, answered the same for every cut.

use super::*;

#[test]
fn every_command() {
    check(
        "ms k 3 F5 c k Oabc\r\nabc\r\nmg k v f s c Oabc\r\nmg none v\r\nmg none q\r\nmn\r\n",
        "HD c1 kk Oabc\r\nVA 3 f5 s3 c1 Oabc\r\nabc\r\nEN\r\nMN\r\n",
    );
    check(
        "ma n N0 J5 v\r\nma n v D7\r\nma n M- q\r\nmd n k\r\nmd n\r\nme n\r\n",
        "VA 1\r\n5\r\nVA 2\r\n12\r\nHD kn\r\nNF\r\nEN\r\n",
    );
    check(
        "ms AAE= 2 b k\r\nab\r\nmg AAE= b v k\r\nmg abc b\r\n",
        "HD kAAE= b\r\nVA 2 kAAE= b\r\nab\r\nCLIENT_ERROR error decoding key\r\n",
    );
}

#[test]
fn leases() {
    check(
        "mg k N30 v\r\nmg k\r\nms k 1\r\na\r\nmd k I\r\nmg k v\r\nmg k\r\n",
        "VA 0 W\r\n\r\nHD Z\r\nHD\r\nHD\r\nVA 1 X W\r\na\r\nHD Z X\r\n",
    );
}

#[test]
fn refusals_stay_in_step() {
    check(
        "ms k 7 v v\r\nversion\r\nms k x\r\nmg k !\r\nmg\r\nma k Tx\r\nmn\r\n",
        "CLIENT_ERROR duplicate flag\r\n".to_owned()
            + &bad_lines(3)
            + "CLIENT_ERROR invalid or duplicate flag\r\nMN\r\n",
    );
    check("ms k 1 q\r\nabc\r\nmn\r\n", "CLIENT_ERROR bad data chunk\r\nCLIENT_ERROR bad command line format\r\nMN\r\n");
}

#[test]
fn large_values() {
    for len in [5000, 9000, 40_000, 200_000] {
        let value = "v".repeat(len);
        check(
            format!("ms k {len} s k Oabc\r\n{value}\r\nms k {len} q\r\n{value}\r\nmg k v s\r\nmn\r\n"),
            format!("HD s{len} kk Oabc\r\nVA {len} s{len}\r\n{value}\r\nMN\r\n"),
        );
        check(
            format!("ms k {len} ME q\r\n{value}\r\nms k {len} ME q O1 c\r\n{value}\r\nms k {len} MA s\r\n{value}\r\n"),
            format!("NS O1 c0\r\nHD s{}\r\n", 2 * len),
        );
        check(format!("ms k {len} q\r\n{value}xymn\r\n"), "CLIENT_ERROR bad data chunk\r\nMN\r\n");
    }
}
