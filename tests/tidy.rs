//! Tidiness that a machine can check: who may know whom, how long a file may be, where unsafe code may stand.
//!
//! Comments are taken off before code is looked at; the checks are words, not a parser, and so cheap that they run
//! with every `cargo test`.

use std::fs;
use std::path::{Path, PathBuf};

/// A file longer than this holds two ideas.
const FILE_LINES_MAX: usize = 700;

/// The crate in import order (`docs/architecture.md`, "Code map"): a part may name those before it, not those after.
const ORDER: &[&str] = &[
    "bytes",
    "sys",
    "slab",
    "store",
    "watch",
    "source_file",
    "auth",
    "tls",
    "discovery",
    "passwd",
    "top",
    "protocol",
    "exec",
    "conn",
    "net",
    "cli",
    "admin",
    "server",
];

/// Pairs that must not meet although the order would allow it.
const STRANGERS: &[(&str, &[&str])] = &[
    ("protocol", &["sys", "slab", "store", "auth"]),
    ("auth", &["store", "watch"]),
    ("tls", &["auth", "store", "watch"]),
    ("discovery", &["auth", "store", "watch", "tls"]),
    ("conn", &["slab"]),
];

/// Small tables whose words both sides need; the code map names them.
const TABLES: &[&str] =
    &["crate::net::listen_spec::", "crate::net::roster::", "crate::net::worker::{READ_BUFFER_BYTES, READ_BYTES}"];

/// Where unsafe code may stand: the slab's memory, what is done to every request's bytes, the edge to the operating
/// system, and the test that counts what the allocator is asked for.
const UNSAFE_FOLDERS: &[&str] = &["src/bytes/", "src/slab/", "src/sys/", "tests/allocations.rs"];

/// Macros that mark unfinished work.
const UNFINISHED: &[&str] = &["todo", "dbg", "unimplemented"];

#[test]
fn modules_import_downwards_only() {
    let mut faults = Vec::new();
    for file in rust_files(&["src"]) {
        let part = file.path.split('/').nth(1).map_or("", |part| part.trim_end_matches(".rs"));
        let Some(place) = ORDER.iter().position(|name| *name == part) else { continue };
        let strangers = STRANGERS.iter().find(|(name, _)| *name == part).map_or(&[][..], |(_, strangers)| strangers);
        for (number, line) in file.code() {
            let line = TABLES.iter().fold(line, |line, table| line.replace(table, ""));
            for name in crate_modules(&line) {
                if ORDER[place + 1..].contains(&name) || strangers.contains(&name) {
                    faults.push(format!("{}:{number}: {part} must not know {name}", file.path));
                }
            }
        }
    }
    none(faults);
}

#[test]
fn files_are_short_enough_to_be_one_idea() {
    let files = rust_files(&["src", "tests", "benches"]);
    let long = files.iter().filter(|file| file.text.lines().count() >= FILE_LINES_MAX);
    none(long.map(|file| format!("{}: {FILE_LINES_MAX} lines or more; make it two files", file.path)).collect());
}

#[test]
fn files_say_what_they_are() {
    let files = rust_files(&["src", "tests", "benches"]);
    // Inner attributes may stand above the documentation.
    let silent = files.iter().filter(|file| {
        let first = file.text.lines().find(|line| !line.is_empty() && !line.starts_with("#!["));
        !first.is_some_and(|line| line.starts_with("//! "))
    });
    none(silent.map(|file| format!("{}: starts without a `//!` line", file.path)).collect());
}

#[test]
fn unsafe_code_stands_in_few_places_and_gives_its_reasons() {
    let mut faults = Vec::new();
    for file in rust_files(&["src", "tests", "benches"]) {
        let lines: Vec<&str> = file.text.lines().collect();
        for (number, line) in file.code() {
            if !has_word(&line, "unsafe") {
                continue;
            }
            if !UNSAFE_FOLDERS.iter().any(|folder| file.path.starts_with(folder)) {
                faults.push(format!("{}:{number}: unsafe outside {UNSAFE_FOLDERS:?}", file.path));
            }
            // An unsafe fn states its contract in a `# Safety` section; blocks and impls argue right above.
            let above = || lines[..number - 1].iter().rev().map(|line| line.trim_start());
            let argued = if line.contains("unsafe fn") || line.contains("unsafe extern") {
                above()
                    .take_while(|line| line.starts_with("//") || line.starts_with("#["))
                    .any(|l| l.contains("Safety"))
            } else {
                above().take(8).any(|line| line.starts_with("// SAFETY: "))
            };
            if !argued {
                faults.push(format!("{}:{number}: unsafe without a SAFETY comment", file.path));
            }
        }
    }
    none(faults);
}

#[test]
fn nothing_is_left_unfinished() {
    let mut faults = Vec::new();
    for file in rust_files(&["src", "tests", "benches"]) {
        for (number, line) in file.code() {
            let found = UNFINISHED.iter().filter(|name| has_macro(&line, name));
            faults.extend(found.map(|name| format!("{}:{number}: {name}!", file.path)));
        }
    }
    none(faults);
}

/// A page that says what proves it must not outlive the proof.
#[test]
fn tests_that_the_security_page_names_are_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = fs::read_to_string(root.join("docs/security.md")).expect("the page is there");
    let code: String = rust_files(&["src", "tests"]).into_iter().map(|file| file.text).collect();
    // Names of tests are sentences: four words or more.
    let is_test = |word: &&str| {
        word.matches('_').count() >= 3 && word.chars().all(|c| c == '_' || c.is_ascii_lowercase() || c.is_ascii_digit())
    };
    let named: Vec<&str> = page.split('`').skip(1).step_by(2).filter(is_test).collect();
    assert!(named.len() > 25, "only {} names found", named.len());
    let missing = named.into_iter().filter(|name| !code.contains(&format!("fn {name}()")));
    none(missing.map(|name| format!("docs/security.md: no test {name}")).collect());
}

#[test]
fn flags_that_the_security_page_names_are_there() {
    let page_of = |name: &str| {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs").join(name);
        fs::read_to_string(path).expect("the page is there")
    };
    let known = page_of("flags.md") + &page_of("authentication.md");
    let page = page_of("security.md");
    let outside_of_flags = |c: char| c != '-' && !c.is_ascii_lowercase();
    let named: Vec<&str> =
        page.split(outside_of_flags).filter(|word| word.starts_with("--") && word.len() > 4).collect();
    let is_known = |flag: &str| known.split(outside_of_flags).any(|word| word == flag);
    assert!(named.len() > 15, "only {} flags found", named.len());
    let missing = named.into_iter().filter(|flag| !flag.trim_matches('-').is_empty() && !is_known(flag));
    none(missing.map(|flag| format!("docs/security.md: no flag {flag}")).collect());
}

#[test]
fn failures_of_memcacheds_tests_are_explained_to_users() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let read = |path: &str| fs::read_to_string(root.join(path)).expect("it is there");
    let page = read("docs/compatibility.md");
    let listed = read("tests/memcached_suite/expected.txt");
    let failing: Vec<&str> = listed
        .lines()
        .filter_map(|line| line.split_once(' '))
        .filter(|(test, rest)| !test.contains('@') && rest.trim_start().starts_with("fail"))
        .map(|(test, _)| test.trim_end_matches("+tls"))
        .collect();
    assert!(failing.len() > 10, "only {} failures found", failing.len());
    let silent = failing.into_iter().filter(|test| !page.contains(&format!("`{test}`")));
    none(silent.map(|test| format!("docs/compatibility.md: nothing about `{test}`")).collect());
}

/// Fails with every fault on a line of its own.
#[track_caller]
fn none(faults: Vec<String>) {
    assert!(faults.is_empty(), "{} faults\n{}", faults.len(), faults.join("\n"));
}

/// One source file, its path relative to the package.
struct SourceFile {
    path: String,
    text: String,
}

impl SourceFile {
    /// The lines that hold code, with their numbers, without comments.
    fn code(&self) -> impl Iterator<Item = (usize, String)> {
        let numbered = self.text.lines().enumerate().map(|(index, line)| (index + 1, line));
        numbered.filter_map(|(number, line)| {
            let code = line.split("//").next().unwrap_or("").trim();
            (!code.is_empty()).then(|| (number, code.to_owned()))
        })
    }
}

fn rust_files(folders: &[&str]) -> Vec<SourceFile> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut pending: Vec<PathBuf> =
        folders.iter().map(|folder| root.join(folder)).filter(|path| path.exists()).collect();
    let mut files = Vec::new();
    while let Some(folder) = pending.pop() {
        for entry in fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display())) {
            let path = entry.expect("a folder can be listed to its end").path();
            if path.is_dir() {
                pending.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
                let path = path.strip_prefix(root).expect("found under the root").to_string_lossy().into_owned();
                files.push(SourceFile { path, text });
            }
        }
    }
    assert!(!files.is_empty(), "no source files under {}", root.display());
    files
}

/// The top-level modules a line of code names: what follows `crate::`, each name when it is a list.
fn crate_modules(line: &str) -> Vec<&str> {
    let mut names = Vec::new();
    for (at, found) in line.match_indices("crate::") {
        let rest = &line[at + found.len()..];
        match rest.strip_prefix('{') {
            Some(list) => names.extend(list.split([',', '}']).map(first_name)),
            None => names.push(first_name(rest)),
        }
    }
    names
}

fn first_name(text: &str) -> &str {
    let text = text.trim_start();
    let end = text.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(text.len());
    &text[..end]
}

/// Whether code has this word; what stands in a string is no code.
fn has_word(line: &str, word: &str) -> bool {
    let outside_strings = line.split('"').step_by(2);
    outside_strings.flat_map(|code| code.split(|c: char| !c.is_alphanumeric() && c != '_')).any(|found| found == word)
}

fn has_macro(line: &str, name: &str) -> bool {
    has_word(line, name) && line.contains(&format!("{name}!"))
}
