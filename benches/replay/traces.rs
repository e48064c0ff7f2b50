//! Recorded traces, from files that are not part of the repository; where to get them stands in `docs/benchmarks.md`.
//!
//! They hold no sizes, so a value's length follows from a hash of its key, or from the number of blocks.

use std::path::Path;
use std::process::{Command, Stdio};

use crate::request::{BYTES_MAX, Request, log_normal};

/// A file and how to read it.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Trace {
    /// `scarab-recs.trace.xz`: 8-byte big-endian ids.
    Recommendations,
    /// `orm-busy.trace.xz`: 4-byte big-endian ids.
    Orm,
    /// `P3.lis.zst`: lines of first block, count, and two more numbers.
    Blocks,
}

impl Trace {
    /// Reads all requests.
    ///
    /// # Errors
    /// When the file or the program that unpacks it is missing, or the contents are not as expected.
    pub(crate) fn read(self, folder: &Path) -> Result<Vec<Request>, String> {
        match self {
            // Median 250 bytes: most have 100 to 600.
            Trace::Recommendations => Ok(ids::<8>(&unpacked("xz", &folder.join("scarab-recs.trace.xz"))?, 250.0)),
            // There are few objects, so they are larger ones.
            Trace::Orm => Ok(ids::<4>(&unpacked("xz", &folder.join("orm-busy.trace.xz"))?, 1000.0)),
            Trace::Blocks => blocks(&unpacked("zstd", &folder.join("P3.lis.zst"))?),
        }
    }
}

fn ids<const WIDTH: usize>(contents: &[u8], median: f64) -> Vec<Request> {
    let (words, _) = contents.as_chunks::<WIDTH>();
    let keys = words.iter().map(|word| word.iter().fold(0, |id, &byte| id << 8 | u64::from(byte)));
    keys.map(|key| Request::read(key, log_normal(key, median, 0.8))).collect()
}

fn blocks(contents: &[u8]) -> Result<Vec<Request>, String> {
    let text = str::from_utf8(contents).map_err(|_| "a trace of blocks is no text".to_owned())?;
    text.lines().map(|line| extent(line).ok_or_else(|| format!("not a line of blocks: {line:?}"))).collect()
}

/// Blocks that are read together are one object, of [`BLOCK_BYTES`] times their count.
fn extent(line: &str) -> Option<Request> {
    let mut numbers = line.split(' ').map(|word| word.parse::<u64>().ok());
    let (first, count) = (numbers.next()??, numbers.next()??);
    let bytes = (count as usize * BLOCK_BYTES).clamp(1, BYTES_MAX);
    Some(Request::read(first << 16 | count & 0xffff, bytes))
}

fn unpacked(program: &str, path: &Path) -> Result<Vec<u8>, String> {
    let mut command = Command::new(program);
    command.args(["-d", "-c"]).arg(path).stdin(Stdio::null());
    let output = command.output().map_err(|error| format!("cannot start {program}: {error}"))?;
    match output.status.success() {
        true => Ok(output.stdout),
        false => Err(format!("{command:?}: {}", String::from_utf8_lossy(&output.stderr).trim_end())),
    }
}

const BLOCK_BYTES: usize = 512;
