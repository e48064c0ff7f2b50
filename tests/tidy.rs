//! Tidiness that a machine can check: who may know whom, how long a file may be, where unsafe code may stand, where
//! links of the pages lead.
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

/// Links that lead nowhere, in the pages that people read: a file that is not there, or a heading that is not.
#[test]
fn links_of_the_pages_lead_somewhere() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut faults = Vec::new();
    let mut links = 0;
    for page in pages() {
        for link in relative_links(&page.text) {
            links += 1;
            let (file, anchor) = link.split_once('#').map_or((&*link, None), |(file, anchor)| (file, Some(anchor)));
            let path = resolve(&page.path, file);
            let target = root.join(&path);
            if !target.exists() {
                faults.push(format!("{}: {link}: no file {path}", page.path));
            } else if let Some(anchor) = anchor {
                let text = fs::read_to_string(&target).unwrap_or_default();
                if !anchors(&text).iter().any(|there| there == anchor) {
                    faults.push(format!("{}: {link}: no such heading in {path}", page.path));
                }
            }
        }
    }
    assert!(links > 100, "only {links} links found");
    none(faults);
}

#[test]
fn pages_that_the_code_names_are_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut faults = Vec::new();
    for file in rust_files(&["src", "tests", "benches"]) {
        for rest in file.text.split("docs/").skip(1) {
            let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && !"-_.".contains(c)).unwrap_or(rest.len());
            // What ends a sentence is no part of a name.
            let name = rest[..end].trim_end_matches('.');
            if name.ends_with(".md") && !root.join("docs").join(name).exists() {
                faults.push(format!("{}: no page docs/{name}", file.path));
            }
        }
    }
    none(faults);
}

#[test]
fn pages_can_be_reached_from_the_readme() {
    let pages = pages();
    let mut reached = vec!["README.md".to_owned()];
    let mut next = 0;
    while let Some(path) = reached.get(next).cloned() {
        next += 1;
        let Some(page) = pages.iter().find(|page| page.path == path) else { continue };
        for link in relative_links(&page.text) {
            let target = resolve(&page.path, link.split('#').next().unwrap_or(""));
            if !reached.contains(&target) {
                reached.push(target);
            }
        }
    }
    let lost = pages.iter().filter(|page| !reached.contains(&page.path));
    none(lost.map(|page| format!("{}: no way from README.md", page.path)).collect());
}

#[test]
fn headings_get_the_anchors_that_github_gives_them() {
    let page =
        "# `-m`: how *large*?\n```sh\n# no heading\n```\n## With a_word, [a link](x.md)\n## Memory\n### Memory\n#no\n";
    assert_eq!(anchors(page), ["-m-how-large", "with-a_word-a-link", "memory", "memory-1"]);
    let text = "[a](b.md#c) `[no](no.md)` [two\nlines](d.md) <https://x> [far](https://y) ![drawn](e.svg)\n```\n[no](no.md)\n```\n";
    assert_eq!(relative_links(text), ["b.md#c", "d.md", "e.svg"]);
    assert_eq!(resolve("docs/start.md", "../README.md"), "README.md");
    assert_eq!(resolve("docs/start.md", ""), "docs/start.md");
}

/// What people read: the pages at the root and those in `docs/`.
fn pages() -> Vec<SourceFile> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut paths: Vec<String> = ["README.md", "CHANGELOG.md", "SECURITY.md"].map(str::to_owned).into();
    for entry in fs::read_dir(root.join("docs")).expect("the folder is there") {
        let name = entry.expect("a folder can be listed to its end").file_name().to_string_lossy().into_owned();
        if name.ends_with(".md") {
            paths.push(format!("docs/{name}"));
        }
    }
    let read = |path: String| {
        let text = fs::read_to_string(root.join(&path)).unwrap_or_else(|error| panic!("{path}: {error}"));
        SourceFile { path, text }
    };
    paths.into_iter().map(read).collect()
}

/// The lines of a page that are no code blocks.
fn prose(page: &str) -> impl Iterator<Item = &str> {
    let mut in_code = false;
    page.lines().filter(move |line| {
        let is_fence = line.trim_start().starts_with("```");
        in_code ^= is_fence;
        !in_code && !is_fence
    })
}

/// Where a page's links lead within the repository. Code between backticks may go over the end of a line, but not over
/// that of a paragraph.
fn relative_links(page: &str) -> Vec<String> {
    let mut links = Vec::new();
    for paragraph in prose(page).collect::<Vec<_>>().join("\n").split("\n\n") {
        for text in paragraph.split('`').step_by(2) {
            let targets = text.split("](").skip(1).filter_map(|rest| rest.split(')').next());
            links.extend(targets.filter(|target| !target.contains("://")).map(str::to_owned));
        }
    }
    links
}

/// The anchors of a page's headings by GitHub's rule: small letters, blanks as hyphens, no punctuation; what is there
/// already gets a number.
fn anchors(page: &str) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for line in prose(page) {
        let heading = line.trim_start_matches('#');
        let level = line.len() - heading.len();
        if !(1..=6).contains(&level) || !heading.starts_with(' ') {
            continue;
        }
        // Of a link the words count, not where it leads.
        let words = heading.split("](").enumerate().map(|(index, part)| match part.split_once(')') {
            Some((_, rest)) if index > 0 => rest,
            _ => part,
        });
        let words: String = words.collect();
        let kept = words.trim().chars().filter(|&c| c.is_alphanumeric() || c == ' ' || c == '-' || c == '_');
        let anchor: String = kept.map(|c| if c == ' ' { '-' } else { c }).collect::<String>().to_lowercase();
        let taken = |anchor: &str| found.iter().any(|there| there == anchor);
        let numbered = (1..).map(|number| format!("{anchor}-{number}"));
        let free = std::iter::once(anchor.clone()).chain(numbered).find(|anchor| !taken(anchor));
        found.extend(free);
    }
    found
}

/// The file that a link in the page at `from` names, relative to the package; no file is the page itself.
fn resolve(from: &str, link: &str) -> String {
    if link.is_empty() {
        return from.to_owned();
    }
    let mut parts: Vec<&str> = from.split('/').collect();
    parts.pop();
    for part in link.split('/') {
        match part {
            ".." => drop(parts.pop()),
            "." => {}
            _ => parts.push(part),
        }
    }
    parts.join("/")
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
