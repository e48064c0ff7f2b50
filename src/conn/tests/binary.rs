//! Binary requests, answered the same for every cut.

use super::*;
use crate::protocol::binary::reply::{Echo, Status};

const OPAQUE: [u8; 4] = [1, 2, 3, 4];

fn request(opcode: u8, extras: &[u8], key: &[u8], value: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0x80, opcode, 0, key.len() as u8, extras.len() as u8, 0, 0, 0];
    bytes.extend_from_slice(&((extras.len() + key.len() + value.len()) as u32).to_be_bytes());
    bytes.extend_from_slice(&OPAQUE);
    bytes.extend_from_slice(&[0; 8]);
    [&bytes, extras, key, value].concat()
}

fn reply(opcode: u8, write: impl FnOnce(Echo, &mut Vec<u8>)) -> Vec<u8> {
    let mut bytes = Vec::new();
    write(Echo { opcode, opaque: OPAQUE }, &mut bytes);
    bytes
}

fn noop() -> (Vec<u8>, Vec<u8>) {
    (request(0x0a, &[], &[], &[]), reply(0x0a, |echo, out| echo.success(out, &[], 0)))
}

fn found(opcode: u8, key: &[u8], value: &[u8], cas: u64) -> Vec<u8> {
    reply(opcode, |echo, out| {
        out.extend(echo.header(Status::Success, 4, key.len(), value.len(), cas));
        out.extend_from_slice(&[0, 0, 0, 7]);
        out.extend_from_slice(key);
        out.extend_from_slice(value);
    })
}

const FLAGS_7: [u8; 8] = [0, 0, 0, 7, 0, 0, 0, 0];

#[test]
fn values_of_all_sizes() {
    for len in [0, 1, 3, 4093, 4096, 8191, 8192, 8193, 32_768, 40_000, 200_000] {
        let value = vec![b'v'; len];
        let input = [
            request(0x01, &FLAGS_7, b"k", &value),
            request(0x0c, &[], b"k", &[]),
            request(0x11, &FLAGS_7, b"k", &value),
            request(0x09, &[], b"k", &[]),
            noop().0,
        ]
        .concat();
        let expected = [
            reply(0x01, |echo, out| echo.success(out, &[], 1)),
            found(0x0c, b"k", &value, 1),
            found(0x09, b"", &value, 2),
            noop().1,
        ]
        .concat();
        check(input, expected);
    }
}

#[test]
fn refused_values_and_unknown_bodies_are_skipped() {
    let large = vec![b'v'; 70_000];
    let settings = Settings { item_size_max_bytes: 64 << 10, ..settings() };
    let input = [
        request(0x01, &FLAGS_7, b"k", &large),
        request(0x99, b"extras", b"key", &vec![b'x'; 5000]),
        request(0x0e, &[], b"none", &vec![b'x'; 20_000]),
        noop().0,
        b"mn\r\n".to_vec(),
    ]
    .concat();
    let expected = [
        reply(0x01, |echo, out| echo.error(out, Status::TooLarge)),
        reply(0x99, |echo, out| echo.error(out, Status::UnknownCommand)),
        reply(0x0e, |echo, out| echo.error(out, Status::NotStored)),
        noop().1,
        b"MN\r\n".to_vec(),
    ]
    .concat();
    check_with(&settings, input, expected);
}

#[test]
fn faults_end_the_session() {
    for bytes in [request(0x00, &[], &[], &[]), request(0x0a, &[], b"k", &[]), request(0x01, b"shrt", b"k", b"v")] {
        let opcode = bytes[1];
        let error = reply(opcode, |echo, out| echo.error(out, Status::InvalidArguments));
        check_closing([noop().0, bytes].concat(), [noop().1, error].concat());
    }
}
