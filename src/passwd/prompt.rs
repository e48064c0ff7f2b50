//! Where a password comes from: the terminal, without echo, or else one line of standard input. Never an argument,
//! which every user of the machine could read.

use std::io::{self, IsTerminal as _};

use zeroize::Zeroizing;

use crate::auth::prepare::{PASSWORD_BYTES_MAX, Prepared};

use super::Refusal;

/// A password to be set, asked for twice at a terminal.
pub(super) fn new_password(name: &str) -> Result<Zeroizing<String>, Refusal> {
    let password = ask(&format!("New password of {name}: "))?;
    if io::stdin().is_terminal() && *ask("The same again: ")? != *password {
        return Err("the two passwords differ; nothing was changed".into());
    }
    Ok(password)
}

/// A password to be checked.
pub(super) fn password(name: &str) -> Result<Zeroizing<String>, Refusal> {
    ask(&format!("Password of {name}: "))
}

fn ask(prompt: &str) -> Result<Zeroizing<String>, Refusal> {
    let password = if io::stdin().is_terminal() {
        Zeroizing::new(rpassword::prompt_password(prompt).map_err(unreadable)?)
    } else {
        line_of(io::stdin())?
    };
    Prepared::new(&password).map_err(|refusal| format!("{refusal}; give another"))?;
    Ok(password)
}

/// The first line without its end. Read byte by byte: nothing behind the line is taken, and no buffer keeps a copy.
fn line_of(input: impl rustix::fd::AsFd) -> Result<Zeroizing<String>, Refusal> {
    // One byte more than a password has, and the line's end.
    let room = PASSWORD_BYTES_MAX + 3;
    let mut line = Zeroizing::new(Vec::with_capacity(room));
    let mut byte = [0];
    while line.len() < room
        && rustix::io::retry_on_intr(|| rustix::io::read(&input, &mut byte)).map_err(unreadable)? == 1
    {
        if byte == *b"\n" {
            break;
        }
        line.push(byte[0]);
    }
    let line = line.strip_suffix(b"\r").unwrap_or(&line);
    match std::str::from_utf8(line) {
        Ok(text) => Ok(Zeroizing::new(text.to_owned())),
        Err(_) => Err("the password is not UTF-8; give another".into()),
    }
}

fn unreadable(error: impl std::fmt::Display) -> Refusal {
    format!("cannot read the password: {error}").into()
}
