//! Callgrind, and what it counted.

use std::fs;
use std::path::Path;

/// The words that run a program under callgrind, which writes the counts of each thread to a file whose name begins with
/// `output`.
pub(crate) fn words(output: &Path) -> Vec<String> {
    ["valgrind", "--quiet", "--tool=callgrind"]
        .map(str::to_owned)
        .into_iter()
        .chain(["--separate-threads=yes".to_owned(), format!("--callgrind-out-file={}", output.display())])
        .collect()
}

/// Instructions of each thread, in the order in which they began.
pub(crate) fn of_threads(output: &Path) -> Result<Vec<u64>, String> {
    let folder = output.parent().ok_or("no folder for the counts of callgrind")?;
    let unread = |error| format!("no counts of callgrind: {error}");
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).map_err(unread)? {
        let path = entry.map_err(unread)?.path();
        // The number of the thread stands behind the name, with as many digits for each.
        if path.to_string_lossy().starts_with(&format!("{}-", output.display())) {
            files.push(path);
        }
    }
    files.sort();
    files.iter().map(|path| total(&fs::read_to_string(path).map_err(unread)?)).collect()
}

fn total(text: &str) -> Result<u64, String> {
    let counted = text.lines().find_map(|line| line.strip_prefix("totals: ").or(line.strip_prefix("summary: ")));
    counted.and_then(|count| count.trim().parse().ok()).ok_or_else(|| "callgrind told no total".to_owned())
}
