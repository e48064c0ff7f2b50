//! What a message must look like before rsasl sees it.
//!
//! Stricter than the grammars where they allow what nobody uses: SCRAM extensions, which rsasl would leave out of the
//! signed text so that the proof fails in the end, are refused at once.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::Why;
use super::name::{self, prepare};
use crate::auth::prepare::PASSWORD_BYTES_MAX;
use crate::auth::user::NAME_MAX;

/// The longest client-first-message of SCRAM in bytes: two names of [`NAME_MAX`] whose every byte is escaped, and some
/// hundred bytes of nonce. Several copies of it are kept until the proof comes, for clients that nobody knows yet.
pub(super) const CLIENT_FIRST_MAX: usize = 2 << 10;

/// What a client has to say of channel binding in SCRAM (RFC 5802 section 6).
#[derive(Clone, Debug)]
pub(super) enum Binding {
    /// That it binds its login to the channel that these bytes tell from others.
    Used([u8; 32]),
    /// That it does not support it. If it does, and believes that we do not, somebody has changed what we offered.
    NotUsed,
    /// That it does not support it, or believes that we do not, and rightly so.
    Absent,
}

impl Binding {
    /// The binding data.
    pub(super) fn data(&self) -> Option<&[u8]> {
        if let Binding::Used(data) = self { Some(data) } else { None }
    }

    fn check(&self, flag: &[u8]) -> Result<(), Why> {
        match (flag, self) {
            (b"p=tls-exporter", Binding::Used(_)) => Ok(()),
            (b"n", Binding::NotUsed | Binding::Absent) => Ok(()),
            (b"y", Binding::Absent) => Ok(()),
            (b"n" | b"y" | [b'p', b'=', ..], _) => Err(Why::ChannelBinding),
            _ => Err(Why::Malformed),
        }
    }
}

/// A client-first-message of SCRAM (RFC 5802 section 7).
#[derive(Debug, PartialEq, Eq)]
pub(super) struct ClientFirst<'a> {
    /// Up to and with the second comma.
    pub(super) gs2_header: &'a [u8],
    /// What follows it.
    pub(super) bare: &'a [u8],
    /// The user's name, prepared.
    pub(super) name: String,
}

impl<'a> ClientFirst<'a> {
    /// Reads one, and checks that the authorization identity is the user's own.
    pub(super) fn parse(message: &'a [u8], binding: &Binding) -> Result<ClientFirst<'a>, Why> {
        if message.len() > CLIENT_FIRST_MAX {
            return Err(Why::TooLong);
        }
        let parts: Vec<&[u8]> = message.splitn(5, |byte| *byte == b',').collect();
        let [flag, authzid, user, nonce] = parts[..] else { return Err(Why::Malformed) };
        binding.check(flag)?;
        let authzid = match authzid {
            b"" => None,
            _ => Some(name::unescape(attribute(authzid, b'a')?)?),
        };
        let name = prepare(&name::unescape(attribute(user, b'n')?)?)?;
        if !is_nonce(attribute(nonce, b'r')?) {
            return Err(Why::Malformed);
        }
        name::check_authzid(authzid.as_deref(), &name)?;
        let (gs2_header, bare) = message.split_at(message.len() - user.len() - 1 - nonce.len());
        Ok(ClientFirst { gs2_header, bare, name })
    }
}

/// A client-final-message of SCRAM (RFC 5802 section 7).
#[derive(Debug, PartialEq, Eq)]
pub(super) struct ClientFinal<'a> {
    /// Up to the comma before the proof.
    pub(super) without_proof: &'a [u8],
    /// ClientProof.
    pub(super) proof: Vec<u8>,
}

impl<'a> ClientFinal<'a> {
    /// Reads one that answers a challenge with this nonce. `cbind_input` is the first message's header, and the binding
    /// data behind it if there is one.
    pub(super) fn parse(
        message: &'a [u8],
        cbind_input: &[u8],
        nonce: &[u8],
        proof_bytes: usize,
    ) -> Result<ClientFinal<'a>, Why> {
        let parts: Vec<&[u8]> = message.splitn(4, |byte| *byte == b',').collect();
        let [binding, echo, proof] = parts[..] else { return Err(Why::Malformed) };
        let binding = decode(attribute(binding, b'c')?)?;
        let proof = decode(attribute(proof, b'p')?)?;
        let echo = attribute(echo, b'r')?;
        if proof.len() != proof_bytes {
            return Err(Why::Malformed);
        }
        if binding != cbind_input {
            return Err(Why::ChannelBinding);
        }
        if echo != nonce {
            return Err(Why::BadProof);
        }
        let proof_text = parts[2].len();
        Ok(ClientFinal { without_proof: &message[..message.len() - proof_text - 1], proof })
    }
}

/// The nonce of a server-first-message, which is its first part.
pub(super) fn server_nonce(server_first: &[u8]) -> Option<&[u8]> {
    server_first.split(|byte| *byte == b',').next()?.strip_prefix(b"r=")
}

/// The value of `k=value`.
fn attribute(part: &[u8], key: u8) -> Result<&[u8], Why> {
    match part {
        [first, b'=', value @ ..] if *first == key => Ok(value),
        _ => Err(Why::Malformed),
    }
}

fn is_nonce(value: &[u8]) -> bool {
    !value.is_empty() && value.iter().all(|byte| byte.is_ascii_graphic() && *byte != b',')
}

fn decode(text: &[u8]) -> Result<Vec<u8>, Why> {
    STANDARD.decode(text).map_err(|_| Why::Malformed)
}

/// Checks a message of PLAIN (RFC 4616): identity, NUL, name, NUL, password.
pub(super) fn check_plain(message: &[u8]) -> Result<(), Why> {
    let parts: Vec<&[u8]> = message.splitn(4, |byte| *byte == 0).collect();
    let [authzid, name, password] = parts[..] else { return Err(Why::Malformed) };
    check_name(authzid)?;
    check_name(name)?;
    check_password(password)
}

/// Checks the length of a name; what it consists of is checked when it is prepared.
pub(super) fn check_name(name: &[u8]) -> Result<(), Why> {
    if name.len() > NAME_MAX { Err(Why::TooLong) } else { Ok(()) }
}

/// Checks that a password is text and no longer than any, or that it can be a signed token, which may come in its
/// place. Preparing a long text takes time on a worker thread, unless it is ASCII.
pub(super) fn check_password(password: &[u8]) -> Result<(), Why> {
    if password.is_empty() || std::str::from_utf8(password).is_err() {
        Err(Why::Malformed)
    } else if password.len() <= PASSWORD_BYTES_MAX || password.iter().all(u8::is_ascii_graphic) {
        Ok(())
    } else {
        Err(Why::TooLong)
    }
}

/// Checks a message of OAUTHBEARER (RFC 7628 section 3.1): a GS2 header without channel binding, then pairs, one of
/// them `auth`. Each part ends in 0x01, and the message in another.
pub(super) fn check_oauth_bearer(message: &[u8]) -> Result<(), Why> {
    let inner = message.strip_suffix(b"\x01\x01").ok_or(Why::Malformed)?;
    let mut parts = inner.split(|byte| *byte == 1);
    let header: Vec<&[u8]> = parts.next().unwrap_or(b"").split(|byte| *byte == b',').collect();
    let [b"n", authzid, b""] = header[..] else { return Err(Why::Malformed) };
    if !authzid.is_empty() {
        attribute(authzid, b'a')?;
    }
    if parts.filter(|part| part.starts_with(b"auth=")).count() == 1 { Ok(()) } else { Err(Why::Malformed) }
}

/// The token of `Bearer token`, whose scheme is in any case (RFC 9110 section 11.1).
pub(super) fn bearer_token(credentials: &str) -> Option<&str> {
    let (scheme, token) = credentials.split_once(' ')?;
    let token = token.trim_start_matches(' ');
    let body = token.trim_end_matches('=');
    let valid = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+/".contains(&byte);
    (scheme.eq_ignore_ascii_case("bearer") && !body.is_empty() && body.bytes().all(valid)).then_some(token)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_first_message_is_taken_apart() {
        let first = ClientFirst::parse(b"n,,n=user,r=fyko+d2lbbFgONRv9qkxdawL", &Binding::Absent).unwrap();
        assert_eq!(first.gs2_header, b"n,,");
        assert_eq!(first.bare, b"n=user,r=fyko+d2lbbFgONRv9qkxdawL");
        assert_eq!(first.name, "user");
        let first = ClientFirst::parse(b"y,a=a=2Cb,n=a=2Cb,r=x", &Binding::Absent).unwrap();
        assert_eq!((first.gs2_header, first.bare, &*first.name), (&b"y,a=a=2Cb,"[..], &b"n=a=2Cb,r=x"[..], "a,b"));
        let first = ClientFirst::parse(b"p=tls-exporter,,n=user,r=x", &Binding::Used([0; 32])).unwrap();
        assert_eq!((first.gs2_header, first.bare), (&b"p=tls-exporter,,"[..], &b"n=user,r=x"[..]));
    }

    /// RFC 5802 section 6.
    #[test]
    fn a_client_says_of_channel_binding_what_is_so() {
        let bindings = [Binding::Used([0; 32]), Binding::NotUsed, Binding::Absent];
        let (ok, refused) = (Ok(()), Err(Why::ChannelBinding));
        for (flag, expected) in [
            ("p=tls-exporter", [ok, refused, refused]),
            ("n", [refused, ok, ok]),
            ("y", [refused, refused, ok]),
            ("p=tls-unique", [refused; 3]),
            ("p=tls-server-end-point", [refused; 3]),
            ("p=TLS-EXPORTER", [refused; 3]),
            ("p=tls-exporter ", [refused; 3]),
            ("p=", [refused; 3]),
            ("p", [Err(Why::Malformed); 3]),
            ("P=tls-exporter", [Err(Why::Malformed); 3]),
            ("", [Err(Why::Malformed); 3]),
        ] {
            for (binding, expected) in bindings.iter().zip(expected) {
                let message = format!("{flag},,n=user,r=x");
                let parsed = ClientFirst::parse(message.as_bytes(), binding).map(|_| ());
                assert_eq!(parsed, expected, "{message} {binding:?}");
            }
        }
    }

    #[test]
    fn client_first_messages_of_other_shapes_are_refused() {
        for message in [
            "",
            "n",
            "n,",
            "n,,",
            "n,,n",
            "n,,n=",
            "n,,n=u",
            "n,,n=u,",
            "n,,n=u,r",
            "n,,n=u,r=",
            "n,x,n=u,r=a",
            "n,,n,r=a",
            "n,,r=a,n=u",
            "x,,n=u,r=a",
            ",,n=u,r=a",
            "n,,m=x,n=u,r=a",
            "n,,n=u,r=a,x=1",
            "n,,n=u,r=a,",
            "n,,n=u,r=a b",
            "n,,n=u,r=\u{e9}",
            "n,,n=u\0,r=a",
            "n,,n=a=2cb,r=a",
            "n,,n==,r=a",
            "n,a=,n=u,r=a=,",
            "nn,,n=u,r=a",
        ] {
            assert_eq!(ClientFirst::parse(message.as_bytes(), &Binding::Absent), Err(Why::Malformed), "{message:?}");
        }
        assert_eq!(ClientFirst::parse(b"n,a=v,n=u,r=a", &Binding::Absent), Err(Why::NotAllowed));
    }

    #[test]
    fn a_client_final_message_answers_its_challenge() {
        let proof = STANDARD.encode([7; 20]);
        let parse = |message: &str| ClientFinal::parse(message.as_bytes(), b"n,,", b"abc", 20).map(|found| found.proof);
        assert_eq!(parse(&format!("c=biws,r=abc,p={proof}")), Ok(vec![7; 20]));
        for message in [
            String::new(),
            "c".into(),
            "c=biws".into(),
            "c=biws,r".into(),
            "c=biws,r=abc".into(),
            "c=biws,r=abc,p".into(),
            "c=biws,r=abc,p=".into(),
            format!("c=biws,r=abc,p={proof},"),
            format!("c=biws,r=abc,p={proof},x=1"),
            format!("c=biws,r=abc,x=1,p={proof}"),
            format!("c=biw,r=abc,p={proof}"),
            format!("r=abc,c=biws,p={proof}"),
            "c=biws,r=abc,p=AAA".into(),
            format!("c=biws,r=abc,p={}", STANDARD.encode([7; 19])),
            format!("c=biws,r=abc,p={}", STANDARD.encode([7; 21])),
        ] {
            assert_eq!(parse(&message), Err(Why::Malformed), "{message:?}");
        }
        assert_eq!(parse(&format!("c=biws,r=abcd,p={proof}")), Err(Why::BadProof));
        for binding in ["y,,", "n,a=u,", "n,,\0", "p=tls-exporter,,"] {
            let message = format!("c={},r=abc,p={proof}", STANDARD.encode(binding));
            assert_eq!(parse(&message), Err(Why::ChannelBinding), "{message:?}");
        }
    }

    #[test]
    fn plain_has_three_parts_of_bounded_length() {
        assert_eq!(check_plain(b"\0a\0b"), Ok(()));
        for message in [&b""[..], b"a", b"a\0b", b"\0a\0", b"\0a\0b\0", b"\0a\0\xFF"] {
            assert_eq!(check_plain(message), Err(Why::Malformed), "{message:?}");
        }
        let long = |name: usize, password: &str, times: usize| {
            check_plain(&[&b"\0"[..], &vec![b'n'; name], b"\0", password.repeat(times).as_bytes()].concat())
        };
        assert_eq!(long(NAME_MAX, "p q", PASSWORD_BYTES_MAX / 3), Ok(()));
        assert_eq!(long(NAME_MAX + 1, "p", 1), Err(Why::TooLong));
        assert_eq!(long(1, "\u{FDFA}", PASSWORD_BYTES_MAX / 3), Ok(()));
        assert_eq!(long(1, "\u{FDFA}", PASSWORD_BYTES_MAX / 3 + 1), Err(Why::TooLong));
        assert_eq!(long(1, "p q", PASSWORD_BYTES_MAX), Err(Why::TooLong));
        // A signed token in place of a password is longer.
        assert_eq!(long(1, "eyJ.", PASSWORD_BYTES_MAX), Ok(()));
    }

    #[test]
    fn bearer_messages_have_one_token() {
        for message in [
            "n,a=user@example.com,\x01host=server.example.com\x01port=143\x01auth=Bearer x\x01\x01",
            "n,,\x01auth=Bearer x\x01\x01",
        ] {
            assert_eq!(check_oauth_bearer(message.as_bytes()), Ok(()), "{message:?}");
        }
        for message in [
            "",
            "\x01",
            "\x01\x01",
            "n,,\x01\x01",
            "n,,\x01auth=Bearer x\x01",
            "n,,auth=Bearer x\x01\x01",
            "n,\x01auth=Bearer x\x01\x01",
            "n,,x\x01auth=Bearer x\x01\x01",
            "p=x,,\x01auth=Bearer x\x01\x01",
            "n,x,\x01auth=Bearer x\x01\x01",
            "n,,\x01auth=Bearer x\x01auth=Bearer y\x01\x01",
        ] {
            assert_eq!(check_oauth_bearer(message.as_bytes()), Err(Why::Malformed), "{message:?}");
        }
    }

    #[test]
    fn a_token_follows_its_scheme() {
        for (text, token) in [
            ("Bearer a.b-c_d~e+f/1==", Some("a.b-c_d~e+f/1==")),
            ("bEARER  x", Some("x")),
            ("Bearer", None),
            ("Bearer ", None),
            ("Bearer ==", None),
            ("Bearer a b", None),
            ("Bearer a=b", None),
            ("Bearer \u{e9}", None),
            ("Basic x", None),
            ("x", None),
            ("", None),
        ] {
            assert_eq!(bearer_token(text), token, "{text:?}");
        }
    }
}
