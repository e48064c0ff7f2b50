//! `larder-passwd` as its users meet it: the real binary, its files, its exit status, its terminal.

use std::fs::{self, Permissions};
use std::io::{Read, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use larder::auth::sources::{Sources, read_users_file};
use tempfile::TempDir;

/// Runs it with this standard input. It may end before it has read all of it.
fn passwd(file: &Path, arguments: &[&str], input: &[u8]) -> Output {
    run(Command::new(env!("CARGO_BIN_EXE_larder-passwd")).arg(file).args(arguments), input)
}

fn run(command: &mut Command, input: &[u8]) -> Output {
    let streams = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = streams.spawn().expect("the binary runs");
    let _ = child.stdin.take().unwrap().write_all(input);
    child.wait_with_output().unwrap()
}

/// Runs what must succeed and say nothing.
#[track_caller]
fn done(file: &Path, arguments: &[&str], password: &str) {
    let output = passwd(file, arguments, format!("{password}\n").as_bytes());
    assert_eq!(text(&output.stderr), "");
    assert_eq!((output.status.code(), text(&output.stdout)), (Some(0), String::new()));
}

/// Runs what must fail with status 1, and gives the line without the program's name.
#[track_caller]
fn refused(file: &Path, arguments: &[&str], input: &[u8]) -> String {
    let output = passwd(file, arguments, input);
    assert_eq!((output.status.code(), text(&output.stdout)), (Some(1), String::new()), "{arguments:?}");
    let line = text(&output.stderr);
    assert_eq!(line.matches('\n').count(), 1, "{line}");
    line.strip_prefix("larder-passwd: ").expect("the program's name").trim_end().to_owned()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A directory with a file of one user, alice with the password "one".
fn with_alice() -> (TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("users.toml");
    done(&file, &["-c", "add", "alice", "--iterations", "4096"], "one");
    (directory, file)
}

/// Whether the server would let this user in with this password.
fn lets_in(file: &Path, name: &str, password: &str) -> bool {
    let users = Sources::new(Some(file.to_owned()), None, None).load(None, &[0; 32]).unwrap();
    users.by_name.get(name).is_some_and(|user| user.passwords.iter().any(|kept| kept.matches(password)))
}

#[test]
fn a_new_file_belongs_to_its_owner_alone() {
    let (directory, file) = with_alice();
    assert_eq!(fs::metadata(&file).unwrap().mode() & 0o7777, 0o600);
    assert!(lets_in(&file, "alice", "one") && !lets_in(&file, "alice", "two"));
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1, "nothing is left beside it");
    done(&file, &["-c", "add", "bob"], "two");
    assert!(lets_in(&file, "alice", "one"), "-c takes nothing away");
}

#[test]
fn passwords_change_rotate_and_retire() {
    let (_directory, file) = with_alice();
    let good = |expected: [bool; 4]| {
        assert_eq!(["one", "two", "three", "four"].map(|password| lets_in(&file, "alice", password)), expected);
    };
    done(&file, &["rotate", "alice"], "two");
    good([true, true, false, false]);
    done(&file, &["rotate", "alice"], "three");
    good([false, true, true, false]);
    done(&file, &["retire", "alice"], "");
    good([false, false, true, false]);
    done(&file, &["change", "alice", "--iterations", "5000"], "four");
    good([false, false, false, true]);
    let user = &read_users_file(&file).unwrap().users[0];
    assert_eq!(user.passwords[0].iterations(), Some(5000));
    done(&file, &["delete", "alice"], "");
    good([false; 4]);
}

#[test]
fn a_password_is_verified_by_the_exit_status() {
    let (_directory, file) = with_alice();
    done(&file, &["verify", "alice"], "one");
    done(&file, &["verify", "alice"], "one\r");
    assert_eq!(passwd(&file, &["verify", "alice"], b"one").status.code(), Some(0), "without the line's end");
    assert_eq!(refused(&file, &["verify", "alice"], b"two\n"), "this is no password of \"alice\"");
    let link = file.with_file_name("link");
    symlink(&file, &link).unwrap();
    done(&link, &["verify", "alice"], "one");
}

#[test]
fn the_list_shows_no_secret() {
    let (_directory, file) = with_alice();
    done(&file, &["add", "bob", "--rights", "read", "--prefix", "a:", "--prefix", "-b"], "two");
    done(&file, &["rights", "alice", "--rights", "admin,read"], "");
    let list = passwd(&file, &["list"], b"");
    let expected = "alice rights=read,admin passwords=1\nbob rights=read passwords=1 prefix=\"a:\" prefix=\"-b\"\n";
    assert_eq!(text(&list.stdout), expected);
    done(&file, &["rights", "bob", "--all-keys"], "");
    assert!(text(&passwd(&file, &["list"], b"").stdout).ends_with("bob rights=read passwords=1\n"));
}

#[test]
fn comments_order_and_permissions_stay() {
    let (_directory, file) = with_alice();
    let old = format!("# ours\n\n[users.zoe] # first\nrights = [ \"read\" ]\n\n{}", fs::read_to_string(&file).unwrap());
    fs::write(&file, &old).unwrap();
    fs::set_permissions(&file, Permissions::from_mode(0o640)).unwrap();
    let inode = fs::metadata(&file).unwrap().ino();
    done(&file, &["add", "bob"], "two");
    let new = fs::read_to_string(&file).unwrap();
    assert!(new.starts_with(&old) && new.len() > old.len(), "{new}");
    let found = fs::metadata(&file).unwrap();
    assert_eq!(found.mode() & 0o7777, 0o640);
    assert_ne!(found.ino(), inode, "replaced, not written over");
}

#[test]
fn what_cannot_be_done_changes_nothing() {
    let (directory, file) = with_alice();
    let before = fs::read(&file).unwrap();
    let long = "x".repeat(1025);
    for (arguments, input, line) in [
        (&["add", "alice"][..], &b"two\n"[..], "\"alice\" is there already; change gives a new password"),
        (&["add", "a\tb"], b"two\n", "a name has control characters or others that RFC 4013 forbids; give another"),
        (&["change", "bob"], b"two\n", "no user is called \"bob\"; list shows them all"),
        (&["delete", "bob"], b"", "no user is called \"bob\"; list shows them all"),
        (&["retire", "alice"], b"", "\"alice\" has no older password; rotate gives a new one first"),
        (&["rotate", "alice"], b"one\n", "this is a password of \"alice\" already; give another"),
        (&["change", "alice"], b"", "the password is empty, longer than 1024 bytes or"),
        (&["change", "alice"], b"\nsecond\n", "the password is empty, longer"),
        (&["change", "alice"], b"a\0b\n", "the password is empty, longer than 1024 bytes or has control characters"),
        (&["change", "alice"], long.as_bytes(), "the password is empty, longer than 1024 bytes"),
        (&["change", "alice"], b"\xFF\n", "the password is not UTF-8; give another"),
        (
            &["rights", "alice", "--rights", "admin", "--prefix", "p"],
            b"",
            "nothing was changed: admin concerns all keys and does not go with prefixes; take one of them away",
        ),
    ] {
        let refusal = refused(&file, arguments, input);
        assert!(refusal.starts_with(line), "{arguments:?}: {refusal}");
        assert_eq!(fs::read(&file).unwrap(), before, "{arguments:?}");
    }
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
}

#[test]
fn files_that_are_none_are_refused() {
    let (directory, file) = with_alice();
    let missing = directory.path().join("missing");
    assert_eq!(refused(&missing, &["list"], b"").split(": ").nth(1), Some("cannot be read"));
    assert!(refused(&missing, &["add", "bob"], b"two\n").ends_with("is not there; -c creates it"));
    assert!(!missing.exists());
    let link = directory.path().join("link");
    symlink(&file, &link).unwrap();
    assert!(refused(&link, &["delete", "alice"], b"").ends_with("is a symbolic link; give the file that it leads to"));
    fs::set_permissions(&file, Permissions::from_mode(0o644)).unwrap();
    let line = refused(&file, &["delete", "alice"], b"");
    assert_eq!(line, format!("users_file={0}: others may read it; chmod o= {0}", file.display()));
    fs::set_permissions(&file, Permissions::from_mode(0o600)).unwrap();
    fs::write(&file, "[users.alice]\nright = 1\n").unwrap();
    let line = refused(&file, &["delete", "alice"], b"");
    assert!(line.starts_with(&format!("users_file={} line=2: no key is called", file.display())), "{line}");
}

#[test]
fn a_wrong_command_line_ends_with_64_and_one_line() {
    let (_directory, file) = with_alice();
    for arguments in [
        &[][..],
        &["bogus"],
        &["add"],
        &["add", "bob", "secret"],
        &["add", "bob", "--rights", "all"],
        &["add", "bob", "--iterations", "4095"],
        &["add", "bob", "--iterations", "1000001"],
        &["rights", "alice"],
        &["rights", "alice", "--all-keys", "--prefix", "p"],
    ] {
        let output = passwd(&file, arguments, b"two\n");
        let line = text(&output.stderr);
        assert_eq!(output.status.code(), Some(64), "{arguments:?} {line}");
        assert!(line.starts_with("larder-passwd: ") && line.ends_with("; larder-passwd --help shows the usage\n"));
        assert_eq!(line.matches('\n').count(), 1, "{line}");
    }
    for flag in ["--help", "--version"] {
        let output = run(Command::new(env!("CARGO_BIN_EXE_larder-passwd")).arg(flag), b"");
        assert_eq!((output.status.code(), output.stdout.is_empty()), (Some(0), false), "{flag}");
    }
}

#[test]
fn edits_at_the_same_time_are_all_kept() {
    let (_directory, file) = with_alice();
    let names: Vec<String> = (0..8).map(|number| format!("user{number}")).collect();
    std::thread::scope(|scope| {
        for name in &names {
            let file = &file;
            scope.spawn(move || done(file, &["add", name, "--iterations", "4096"], "two"));
        }
    });
    for name in &names {
        assert!(lets_in(&file, name, "two"), "{name}");
    }
}

/// Waits until a terminal no longer shows what is typed; the prompt comes a moment earlier.
fn await_silence(terminal: &str) {
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        let state = Command::new("stty").args(["-F", terminal.trim(), "-a"]).output().expect("stty runs");
        if text(&state.stdout).split_whitespace().any(|word| word == "-echo") {
            return;
        }
        assert!(Instant::now() < deadline, "{terminal} goes on showing what is typed");
    }
}

/// `script` of util-linux gives the program a terminal.
#[test]
fn a_terminal_is_asked_twice_and_shows_nothing() {
    let (_directory, file) = with_alice();
    for (second, status, outcome) in [("fresh", 0, ""), ("stale", 1, "the two passwords differ")] {
        let command = format!("tty; exec {} {} change alice", env!("CARGO_BIN_EXE_larder-passwd"), file.display());
        let mut child = Command::new("script")
            .args(["-q", "-e", "-c", &command, "/dev/null"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("script runs");
        let mut input = child.stdin.take().unwrap();
        let mut output = child.stdout.take().unwrap();
        let mut shown = String::new();
        for (prompt, answer) in [("New password of alice: ", "fresh"), ("The same again: ", second)] {
            while !shown.ends_with(prompt) {
                let mut byte = [0];
                assert_eq!(output.read(&mut byte).unwrap(), 1, "ended before the prompt: {shown}");
                shown.push(byte[0].into());
            }
            await_silence(shown.lines().next().unwrap());
            input.write_all(format!("{answer}\n").as_bytes()).unwrap();
        }
        output.read_to_string(&mut shown).unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(status), "{shown}");
        assert!(shown.contains(outcome) && !shown.contains("fresh") && !shown.contains("stale"), "{shown}");
    }
    assert!(lets_in(&file, "alice", "fresh"));
}

/// The manual page is written by hand; this keeps it complete.
#[test]
fn the_manual_page_has_every_command_and_option() {
    let page = include_str!("../docs/larder-passwd.1").replace("\\-", "-");
    let command = larder::passwd::command();
    for verb in command.get_subcommands() {
        assert!(page.contains(&format!("\n.TP\n.B {}\n", verb.get_name())), "{}", verb.get_name());
        for option in verb.get_arguments().filter_map(clap::Arg::get_long) {
            assert!(page.contains(&format!("--{option}\\fR")), "--{option}");
        }
    }
    assert!(page.contains("-c, --create"));
    assert!(page.contains("4096 to 1000000 (default: 15000)"));
}
