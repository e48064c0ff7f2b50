//! Callgrind, and what it counted.

use std::fs;
use std::path::Path;

/// The words that run a program under callgrind, which writes its counts to `output`.
pub(crate) fn words(output: &Path) -> Vec<String> {
    ["valgrind", "--quiet", "--tool=callgrind"]
        .map(str::to_owned)
        .into_iter()
        .chain([format!("--callgrind-out-file={}", output.display())])
        .collect()
}

/// Instructions of all threads together.
pub(crate) fn total(output: &Path) -> Result<u64, String> {
    let text = fs::read_to_string(output).map_err(|error| format!("no counts of callgrind: {error}"))?;
    let counted = text.lines().find_map(|line| line.strip_prefix("totals: ").or(line.strip_prefix("summary: ")));
    counted.and_then(|count| count.trim().parse().ok()).ok_or_else(|| "callgrind told no total".to_owned())
}
