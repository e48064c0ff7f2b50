//! What stands in front of requests: the header of a load balancer (PROXY protocol) and that of a datagram, by the first
//! byte.

#![no_main]

use larder::protocol::{proxy, udp};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let Some((&choice, rest)) = input.split_first() else { return };
    match choice % 2 {
        0 => balancers_header(rest),
        _ => datagram(rest),
    }
});

/// As the acceptor reads it: the fixed part, then as many bytes as that says.
fn balancers_header(bytes: &[u8]) {
    let begins = (0..=bytes.len().min(proxy::FIXED_BYTES)).map(|cut| proxy::may_begin(&bytes[..cut]));
    assert!(begins.is_sorted_by(|before, after| before >= after), "the end of a beginning makes it one");
    let Some((fixed, rest)) = bytes.split_first_chunk() else { return };
    let Ok(length) = proxy::rest_bytes(fixed) else { return };
    assert!(length <= 4096 && proxy::may_begin(fixed) && !proxy::is_version_1(fixed));
    let Some(header) = rest.get(..length) else { return };
    let source = proxy::source(fixed, header);
    // What stands behind the addresses changes nothing.
    if let (Ok(proxy::Source::Client(client)), true) = (source, length > 36) {
        assert_eq!(proxy::source(fixed, &header[..36]), Ok(proxy::Source::Client(client)));
    }
}

/// A request, and its own text as a reply: the datagrams of that hold all of it, in order.
fn datagram(bytes: &[u8]) {
    let Some((header, payload)) = udp::Header::parse(bytes) else {
        assert_eq!(udp::requests(bytes), None);
        return;
    };
    assert_eq!(header.encode()[..6], bytes[..6]);
    if let Some((id, text)) = udp::requests(bytes) {
        assert!(id == header.id && text == payload && !text.is_empty());
    }
    let reply = payload.repeat(usize::from(header.sequence) % 32);
    let parts: Vec<_> = udp::replies(header.id, &reply).collect();
    let mut framed = 0;
    for (number, (part, payload)) in parts.iter().enumerate() {
        assert_eq!((part.id, usize::from(part.sequence), usize::from(part.total)), (header.id, number, parts.len()));
        framed += part.encode().len() + payload.len();
    }
    assert_eq!(framed, udp::framed_bytes(reply.len()));
    assert_eq!(parts.iter().flat_map(|(_, payload)| payload.iter().copied()).collect::<Vec<u8>>(), reply);
}
