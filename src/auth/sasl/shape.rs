//! What a message must look like before rsasl sees it, whose SCRAM parser slices what it did not check.

/// A SCRAM client's first message (RFC 5802 section 7), its parts cut at the commas.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ClientFirst<'a> {
    /// Who the client wants to act for, unescaped.
    pub(super) authzid: Option<String>,
    /// Who the client is, unescaped.
    pub(super) name: String,
    /// The message behind the GS2 header.
    pub(super) bare: &'a [u8],
}

/// `None` for what is no first message without channel binding.
pub(super) fn client_first(message: &[u8]) -> Option<ClientFirst<'_>> {
    let mut parts = message.split(|&byte| byte == b',');
    let flag = parts.next()?;
    let authzid = parts.next()?;
    let name = attribute(parts.next()?, b'n')?;
    let nonce = attribute(parts.next()?, b'r')?;
    let is_nonce = !nonce.is_empty() && nonce.iter().all(|byte| matches!(byte, 0x21..=0x7e));
    if !matches!(flag, b"n" | b"y") || !is_nonce || parts.any(|part| !is_extension(part)) {
        return None;
    }
    let header_len = flag.len() + 1 + authzid.len() + 1;
    let authzid = match authzid {
        b"" => None,
        given => Some(unescape(attribute(given, b'a')?)?),
    };
    Some(ClientFirst { authzid, name: unescape(name)?, bare: &message[header_len..] })
}

/// A SCRAM client's last message: what stands before its proof, and the proof in base64. The proof has to come last.
pub(super) fn client_final(message: &[u8]) -> Option<(&[u8], &[u8])> {
    let proof_at = message.iter().rposition(|&byte| byte == b',')?;
    let without_proof = &message[..proof_at];
    let proof = attribute(&message[proof_at + 1..], b'p')?;
    let mut parts = without_proof.split(|&byte| byte == b',');
    attribute(parts.next()?, b'c')?;
    attribute(parts.next()?, b'r')?;
    (parts.all(is_extension) && !proof.is_empty()).then_some((without_proof, proof))
}

/// `x=value`, and the value, which may be empty.
fn attribute(part: &[u8], name: u8) -> Option<&[u8]> {
    match part {
        [letter, b'=', value @ ..] if *letter == name => Some(value),
        _ => None,
    }
}

/// RFC 5802 has none that is mandatory, and no proof among them.
fn is_extension(part: &[u8]) -> bool {
    matches!(part, [letter, b'=', ..] if letter.is_ascii_alphabetic() && !matches!(letter, b'm' | b'p'))
}

/// A name with `=2C` and `=3D` for the two letters that could not stand for themselves. Names without a letter, or with
/// control characters, are none.
fn unescape(text: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(text).ok()?;
    let mut parts = text.split('=');
    let mut name = parts.next()?.to_owned();
    for part in parts {
        let rest = part.strip_prefix("2C").map(|rest| (',', rest)).or(part.strip_prefix("3D").map(|rest| ('=', rest)));
        let (letter, rest) = rest?;
        name.push(letter);
        name.push_str(rest);
    }
    is_name(&name).then_some(name)
}

/// Whether this can be anybody's name.
pub(super) fn is_name(text: &str) -> bool {
    !text.is_empty() && text.len() <= super::super::user::NAME_MAX && !text.contains(char::is_control)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_messages() {
        let read = |text: &'static str| {
            client_first(text.as_bytes())
                .map(|first| (first.authzid, first.name, String::from_utf8_lossy(first.bare).into_owned()))
        };
        let some = |authzid: Option<&str>, name: &str, bare: &str| {
            Some((authzid.map(str::to_owned), name.to_owned(), bare.to_owned()))
        };
        assert_eq!(read("n,,n=user,r=abc"), some(None, "user", "n=user,r=abc"));
        assert_eq!(read("y,a=me,n=user,r=abc,x=1"), some(Some("me"), "user", "n=user,r=abc,x=1"));
        assert_eq!(read("n,,n=a=2Cb=3Dc,r=abc"), some(None, "a,b=c", "n=a=2Cb=3Dc,r=abc"));
        for bad in [
            "",
            "n",
            "n,",
            "n,,",
            "n,x,n=u,r=a",
            "n,,n,r=a",
            "n,,n=u",
            "n,,n=u,",
            "n,,n=u,r",
            "n,,n=u,r=",
            "n,,n=,r=a",
            "p=tls-exporter,,n=u,r=a",
            "x,,n=u,r=a",
            "n,,m=x,n=u,r=a",
            "n,,n=a=b,r=c",
            "n,,n=u=2c,r=a",
            "n,,n=u=,r=a",
            "n,,n=u\0,r=a",
            "n,,n=u\n,r=a",
            "n,,n=u,r=a b",
            "n,,n=u,r=a,",
            "n,,n=u,r=a,x",
            "n,a=,n=u,r=a",
        ] {
            assert_eq!(read(bad), None, "{bad:?}");
        }
        assert_eq!(client_first(b"n,,n=\xff,r=a"), None);
    }

    #[test]
    fn last_messages() {
        let read = |text: &'static str| client_final(text.as_bytes()).map(|(before, proof)| [before, proof].concat());
        assert_eq!(read("c=biws,r=abc,p=AAAA"), Some(b"c=biws,r=abcAAAA".to_vec()));
        assert_eq!(read("c=biws,r=abc,x=1,p=AAAA"), Some(b"c=biws,r=abc,x=1AAAA".to_vec()));
        for bad in [
            "",
            "c",
            "c=biws",
            "c=biws,r",
            "c=biws,r=abc",
            "c=biws,p=AAAA",
            "c=biws,r=abc,p",
            "c=biws,r=abc,p=",
            "c=biws,r=abc,p=AAAA,",
            "c=biws,r=abc,p=AAAA,x=1",
            "c=biws,r=abc,p=AAAA,p=AAAA",
            "c=biws,r=abc,,p=AAAA",
            "c=biws,r=abc,x,p=AAAA",
            "r=abc,c=biws,p=AAAA",
            "p=AAAA",
            ",,,",
        ] {
            assert_eq!(read(bad), None, "{bad:?}");
        }
    }
}
