//! `packaging/completions` is what the command lines render, and bash completes with it.
//!
//! After a change to flags: `LARDER_WRITE_DOCS=1 cargo test --test completions`, and commit the files with it.

use std::path::{Path, PathBuf};
use std::process::Command;

use clap_complete::{Shell, generate};

/// Each program, and the file names that its shells look for.
fn files() -> Vec<(clap::Command, &'static str, Shell, String)> {
    let programs = [
        (larder::cli::completion::command(), "larder"),
        (larder::passwd::command(), "larder-passwd"),
        (larder::top::command(), "larder-top"),
    ];
    programs
        .into_iter()
        .flat_map(|(command, name)| {
            let files = [
                (Shell::Bash, format!("{name}.bash")),
                (Shell::Zsh, format!("_{name}")),
                (Shell::Fish, format!("{name}.fish")),
            ];
            files.map(|(shell, file)| (command.clone(), name, shell, file))
        })
        .collect()
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("packaging/completions")
}

#[test]
fn the_files_are_current() {
    for (mut command, name, shell, file) in files() {
        let mut rendered = Vec::new();
        generate(shell, &mut command, name, &mut rendered);
        // Generators leave blanks at the ends of lines.
        let rendered = String::from_utf8(rendered).expect("completions are text");
        let rendered: String = rendered.lines().map(|line| format!("{}\n", line.trim_end())).collect();
        let path = folder().join(&file);
        if std::env::var_os("LARDER_WRITE_DOCS").is_some() {
            std::fs::write(&path, &rendered).expect("the file can be written");
        }
        let committed = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(
            committed == rendered,
            "{file} is out of date; run LARDER_WRITE_DOCS=1 cargo test --test completions and commit it"
        );
    }
}

/// What bash offers behind these words.
fn offered(program: &str, words: &[&str]) -> String {
    let function = program.replace('-', "__");
    let line = format!(
        "source {}/{program}.bash; COMP_WORDS=({program} {}); COMP_CWORD={}; _{function} {program} '{}' '{}'; echo \"${{COMPREPLY[@]}}\"",
        folder().display(),
        words.join(" "),
        words.len(),
        words.last().expect("a word"),
        words.iter().rev().nth(1).unwrap_or(&program),
    );
    let output = Command::new("bash").args(["--norc", "-c", &line]).output().expect("bash starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text").trim().to_owned()
}

#[test]
fn bash_completes_flags_and_commands() {
    assert_eq!(offered("larder", &["--admin-"]), "--admin-token-file");
    let all = offered("larder", &["-"]);
    assert!(all.split(' ').any(|word| word == "-m") && all.contains("--memory-limit"), "{all}");
    assert!(!all.contains("passed over"), "{all}");
    assert!(offered("larder-passwd", &["ad"]).split(' ').any(|word| word == "add"));
}
