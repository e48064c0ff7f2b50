//! Whether the kernel hands out huge pages.

use std::fs;

/// Where Linux says what it does about them.
const SETTING: &str = "/sys/kernel/mm/transparent_hugepage/enabled";

/// False where they are switched off or unknown.
pub fn are_available() -> bool {
    fs::read_to_string(SETTING).is_ok_and(|setting| allows(&setting))
}

fn allows(setting: &str) -> bool {
    !setting.contains("[never]")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_word_in_brackets_counts() {
        assert!(allows("always [madvise] never\n"));
        assert!(allows("[always] madvise never\n"));
        assert!(!allows("always madvise [never]\n"));
    }
}
