//! Channel binding: RFC 5802 section 6, with the `tls-exporter` of RFC 9266.

use ring::{digest, hmac, pbkdf2};

use super::*;

const CREDENTIALS: Credentials = Credentials { authzid: None, name: "user", password: "pencil" };

/// A login of rsasl's client on a connection that for it has these binding data.
fn log_in_on(mechanism: Mechanism, exported: Exported) -> Step {
    let mut server = begin(mechanism);
    let mut client = client_on(mechanism, CREDENTIALS, exported);
    let mut step = server.step(Some(&answer(&mut client, None)));
    while let Step::Challenge(challenge) = &step {
        step = server.step(Some(&answer(&mut client, Some(challenge))));
    }
    step
}

#[test]
fn a_proof_made_for_another_connection_is_refused() {
    for mechanism in PLUS {
        assert_eq!(granted(log_in_on(mechanism, Exported("tls-exporter", BINDING)), "user"), 0);
        let mut near = BINDING;
        near[31] ^= 1;
        for data in [near, [0; 32]] {
            assert_eq!(refused(log_in_on(mechanism, Exported("tls-exporter", data))), Why::ChannelBinding);
        }
        assert_eq!(refused(log_in_on(mechanism, Exported("tls-unique", BINDING))), Why::ChannelBinding);
    }
}

/// Trap 7: rsasl takes `n` for the mechanisms that bind the channel.
#[test]
fn what_binds_the_channel_wants_to_be_bound() {
    for mechanism in PLUS {
        for flag in ["n", "y", "p=tls-unique", "p=tls-server-end-point", "p=", "p=x"] {
            let first = format!("{flag},,n=user,r=a");
            assert_eq!(refused(begin(mechanism).step(Some(first.as_bytes()))), Why::ChannelBinding, "{first}");
        }
        let on_no_channel = || begin_on(mechanism, None);
        refused(on_no_channel().step(Some(b"p=tls-exporter,,n=user,r=a")));
        refused(on_no_channel().step(Some(b"n,,n=user,r=a")));
    }
}

/// Who says `y` was shown another list than ours.
#[test]
fn a_downgrade_is_refused_and_a_client_without_channel_binding_is_not() {
    for mechanism in [Mechanism::ScramSha512, Mechanism::ScramSha256, Mechanism::ScramSha1] {
        for (flag, offered, expected) in [
            ("y", Some(BINDING), Err(Why::ChannelBinding)),
            ("y", None, Ok(())),
            ("n", Some(BINDING), Ok(())),
            ("n", None, Ok(())),
            ("p=tls-exporter", Some(BINDING), Err(Why::ChannelBinding)),
            ("p=tls-exporter", None, Err(Why::ChannelBinding)),
        ] {
            let first = format!("{flag},,n=user,r=a");
            let found = match begin_on(mechanism, offered).step(Some(first.as_bytes())) {
                Step::Challenge(_) => Ok(()),
                step => Err(refused(step)),
            };
            assert_eq!(found, expected, "{first} {offered:?}");
        }
    }
}

/// What RFC 5802 section 3 computes, by other means than the server's: the client's last message, and the server's.
fn last_messages(server_first: &str, bare: &str, cbind_input: &[u8]) -> (String, String) {
    let value = |key: &str| server_first.split(',').find_map(|part| part.strip_prefix(key)).unwrap();
    let mut salted = [0; 32];
    let iterations = value("i=").parse().unwrap();
    pbkdf2::derive(
        pbkdf2::PBKDF2_HMAC_SHA256,
        iterations,
        &STANDARD.decode(value("s=")).unwrap(),
        b"pencil",
        &mut salted,
    );
    let sign = |key: &[u8], text: &[u8]| hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), text).as_ref().to_vec();
    let client_key = sign(&salted, b"Client Key");
    let stored_key = digest::digest(&digest::SHA256, &client_key);
    let without_proof = format!("c={},r={}", STANDARD.encode(cbind_input), value("r="));
    let signed = format!("{bare},{server_first},{without_proof}");
    let signature = sign(stored_key.as_ref(), signed.as_bytes());
    let proof: Vec<u8> = client_key.iter().zip(signature).map(|(one, other)| one ^ other).collect();
    let server_signature = sign(&sign(&salted, b"Server Key"), signed.as_bytes());
    let last = format!("{without_proof},p={}", STANDARD.encode(proof));
    (last, format!("v={}", STANDARD.encode(server_signature)))
}

#[test]
fn messages_are_those_of_the_rfc() {
    let bare = "n=user,r=rOprNGfwEbeRWgbNEkqO";
    for header in ["p=tls-exporter,,", "p=tls-exporter,a=user,"] {
        let first = || {
            let mut server = begin(Mechanism::ScramSha256Plus);
            let server_first = challenge(server.step(Some(format!("{header}{bare}").as_bytes())));
            (server, String::from_utf8(server_first).unwrap())
        };
        let (mut server, server_first) = first();
        let right = [header.as_bytes(), &BINDING].concat();
        let (last, server_last) = last_messages(&server_first, bare, &right);
        assert_eq!(String::from_utf8(challenge(server.step(Some(last.as_bytes())))).unwrap(), server_last);
        assert_eq!(granted(server.step(None), "user"), 0);
        for wrong in [
            header.as_bytes().to_vec(),
            [header.as_bytes(), &BINDING[..31]].concat(),
            [header.as_bytes(), &BINDING, &[0]].concat(),
            [b"n,,", &BINDING[..]].concat(),
            [b"p=tls-exporter,a=two,", &BINDING[..]].concat(),
            BINDING.to_vec(),
            Vec::new(),
        ] {
            let (mut server, server_first) = first();
            let (last, _) = last_messages(&server_first, bare, &wrong);
            assert_eq!(refused(server.step(Some(last.as_bytes()))), Why::ChannelBinding, "{last}");
        }
        // The data are right and the proof is of others.
        let (mut server, server_first) = first();
        let (last, _) = last_messages(&server_first, bare, &[header.as_bytes(), &[0; 32]].concat());
        let proof = last.split_once(",r=").unwrap().1;
        let forged = format!("c={},r={proof}", STANDARD.encode(&right));
        assert_eq!(refused(server.step(Some(forged.as_bytes()))), Why::BadProof);
    }
}
