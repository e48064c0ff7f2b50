//! The real binary on command lines that end before anything is served: where the words go, and the exit status.

use std::process::{Command, Output, Stdio};

fn larder(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_larder"))
        .args(args)
        .stdin(Stdio::null())
        .env_remove("RUST_LOG")
        .output()
        .expect("the binary runs")
}

#[test]
fn pages_go_to_stdout_and_end_with_0() {
    for (flag, contains) in [
        ("-h", "-p, --port=<num>"),
        ("--help", "-p, --port=<num>"),
        ("-V", "memcached 1.6.45 (larder "),
        ("--version", "memcached 1.6.45 (larder "),
        ("-i", "MIT License"),
        ("--license", "MIT License"),
    ] {
        let output = larder(&[flag]);
        assert_eq!(output.status.code(), Some(0), "{flag}");
        assert!(output.stderr.is_empty(), "{flag}");
        assert!(String::from_utf8_lossy(&output.stdout).contains(contains), "{flag}");
    }
}

/// dalli and memcached's tests run `-h` and match the first line.
#[test]
fn the_first_line_of_help_names_a_memcached_version() {
    let help = larder(&["-h"]).stdout;
    let version = larder(&["-V"]).stdout;
    let first = help.split_inclusive(|&byte| byte == b'\n').next();
    assert_eq!(first, Some(&version[..]));
    assert!(version.starts_with(b"memcached 1.6.45 "));
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let mut child = Command::new(env!("CARGO_BIN_EXE_larder"))
        .arg("-h")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary runs");
    drop(child.stdout.take());
    let output = child.wait_with_output().expect("the binary ends");
    assert_eq!(output.status.code(), Some(0));
    assert!(output.stderr.is_empty());
}

#[test]
fn refusals_go_to_stderr_as_one_line() {
    for (args, status, line) in [
        (&["-q"][..], 1, "larder: unknown flag -q; larder -h lists them\n"),
        (&["--bogus"], 1, "larder: unknown flag --bogus; larder -h lists them\n"),
        (&["-p"], 1, "larder: --port <num> needs a value\n"),
        (&["-c", "0"], 1, "larder: -c \"0\" is out of range; give 1 to 2147483647\n"),
        (&["-t", "x"], 1, "larder: -t \"x\" is not a number; give 1 to 1024\n"),
        (&["-p", "70000"], 64, "larder: -p \"70000\" is out of range; give -1 to 65535\n"),
        (&["-B", "http"], 64, "larder: -B \"http\" is no protocol; give auto, ascii or binary\n"),
        (&["-I", "1000"], 64, "larder: -I \"1000\" is out of range; give 1k to 1g\n"),
        (&["-I", "256m"], 64, "larder: -I 256m is more than half of -m 64m; raise -m or lower -I\n"),
        (&["-o", "bogus"], 1, "larder: Illegal suboption \"bogus\"; larder -h lists them\n"),
        (&["-o", "hashpower=5"], 1, "larder: -o hashpower \"5\" is out of range; give 12 to 32\n"),
        (&["-Z"], 64, "larder: -Z needs a certificate; give -o ssl_chain_cert=FILE,ssl_key=FILE\n"),
        (&["-S", "-B", "ascii"], 64, "larder: -S does not go with the text protocol; give -B binary\n"),
    ] {
        let output = larder(args);
        assert_eq!(output.status.code(), Some(status), "{args:?}");
        assert!(output.stdout.is_empty(), "{args:?}");
        assert_eq!(String::from_utf8_lossy(&output.stderr), line, "{args:?}");
    }
}

#[test]
fn missing_features_are_refused_before_anything_is_served() {
    for args in [&["-o", "ext_path=f:1g"][..], &["-o", "proxy_config=f"]] {
        let output = larder(args);
        assert_eq!(output.status.code(), Some(64), "{args:?}");
        let line = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(line.contains(") is not available in this version; "), "{line}");
    }
}
