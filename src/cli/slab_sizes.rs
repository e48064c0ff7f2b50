//! The grammar of `-o slab_sizes`. The sizes change nothing here; a list that memcached refuses is still refused, so
//! that a command line that works here can go back.

use crate::settings::Settings;

/// Checks `96-192-384`: ascending sizes in bytes.
///
/// # Errors
/// A size that is no number or outside `-n` to `-o slab_chunk_max`, one that is not more than 8 bytes larger than the
/// one before it, or more than 62 of them (memcached's message for the 63rd is "too many").
pub(super) fn check(list: &str, settings: &Settings) -> Result<(), String> {
    let (least, most) = (settings.chunk_size_min, settings.slab_chunk_max_bytes);
    let mut last = 0_u32;
    let mut count = 0;
    for text in list.split('-').filter(|text| !text.is_empty()) {
        let size = text.parse::<u32>().ok().filter(|size| (least..=most).contains(size));
        let Some(size) = size else {
            return Err(format!("-o slab_sizes: {text:?} is not a size from {least} to {most} bytes"));
        };
        if size <= last.saturating_add(CHUNK_ALIGN_BYTES) {
            return Err(format!(
                "-o slab_sizes: {size} must be more than {CHUNK_ALIGN_BYTES} bytes larger than {last} before it"
            ));
        }
        last = size;
        count += 1;
        if count > CLASSES_MAX {
            return Err(format!("-o slab_sizes: too many slab classes; give at most {CLASSES_MAX}"));
        }
    }
    if count == 0 {
        return Err("-o slab_sizes: no sizes; write them as 96-192-384".to_owned());
    }
    Ok(())
}

const CHUNK_ALIGN_BYTES: u32 = 8;
/// memcached has room for 64 classes; 0 and 63 are taken, and its reader stops when it has read one less than fit.
const CLASSES_MAX: usize = 62;

#[cfg(test)]
mod tests {
    use super::*;

    fn ascending(count: u32) -> String {
        (1..=count).map(|n| (n * 100).to_string()).collect::<Vec<_>>().join("-")
    }

    #[test]
    fn sizes_ascend_within_their_limits() {
        for list in ["48", "96-192-384", "100-109", "96-524288", "--96--192-", &ascending(62)] {
            assert_eq!(check(list, &Settings::default()), Ok(()), "{list}");
        }
        for list in [
            "",
            "-",
            "x",
            "96-x",
            "47",
            "0",
            "96-524289",
            "192-96",
            "96-96",
            "96-104",
            "96,192",
            "4294967296",
            &ascending(63),
        ] {
            assert!(check(list, &Settings::default()).is_err(), "{list}");
        }
    }

    #[test]
    fn the_limits_follow_other_flags() {
        let settings = Settings { chunk_size_min: 100, slab_chunk_max_bytes: 200, ..Settings::default() };
        assert_eq!(check("100-200", &settings), Ok(()));
        assert!(check("99-200", &settings).is_err());
        assert!(check("100-201", &settings).is_err());
    }
}
