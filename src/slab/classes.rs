//! The sizes that chunks come in.
//!
//! From [`CHUNK_MIN`], eight steps for each doubling (but at least 8 bytes apart), each size then widened until the
//! chunks of a page leave less than one granule of slack each, up to half a page. Small pages pay for steps this
//! fine; the figures are in `docs/storage.md`.

/// Bytes of a page.
pub(crate) const PAGE: usize = 64 << 10;

/// Chunk sizes and addresses are multiples of this many bytes.
pub(crate) const GRANULE: usize = 8;

/// The smallest chunk in bytes.
pub(crate) const CHUNK_MIN: usize = 48;

/// The largest chunk in bytes; what does not fit is a chain of chunks.
pub(crate) const CHUNK_MAX: usize = PAGE / 2;

/// A size class, counted from 0.
pub(crate) type ClassId = u8;

/// The table of sizes with the way from a size to its class.
#[derive(Debug)]
pub(crate) struct Classes {
    sizes: Vec<u32>,
    /// Class of a size in granules.
    by_granules: Vec<ClassId>,
}

impl Default for Classes {
    fn default() -> Classes {
        Classes::new()
    }
}

impl Classes {
    /// The one table there is.
    pub(crate) fn new() -> Classes {
        let sizes = sizes();
        let mut by_granules = Vec::with_capacity(CHUNK_MAX / GRANULE + 1);
        for granules in 0..=CHUNK_MAX / GRANULE {
            let class = sizes.partition_point(|&size| (size as usize) < granules * GRANULE);
            by_granules.push(class as ClassId);
        }
        Classes { sizes, by_granules }
    }

    /// The class with the smallest chunk that holds `bytes`; `None` above [`CHUNK_MAX`].
    #[inline]
    pub(crate) fn class_of(&self, bytes: usize) -> Option<ClassId> {
        self.by_granules.get(bytes.div_ceil(GRANULE)).copied()
    }

    /// Chunk size of `class` in bytes.
    #[inline]
    pub(crate) fn size(&self, class: ClassId) -> usize {
        self.sizes[class as usize] as usize
    }

    /// Chunks in a page of `class`.
    #[inline]
    pub(crate) fn chunks_per_page(&self, class: ClassId) -> usize {
        PAGE / self.size(class)
    }

    /// How many classes there are.
    pub(crate) fn len(&self) -> usize {
        self.sizes.len()
    }

    /// The class of [`CHUNK_MAX`].
    pub(crate) fn largest(&self) -> ClassId {
        (self.sizes.len() - 1) as ClassId
    }
}

fn sizes() -> Vec<u32> {
    let mut sizes = Vec::new();
    let mut step_base = CHUNK_MIN;
    let mut size = CHUNK_MIN;
    while size < CHUNK_MAX {
        let per_page = PAGE / size;
        let widened = PAGE / per_page / GRANULE * GRANULE;
        if sizes.last() != Some(&(widened as u32)) {
            sizes.push(widened as u32);
        }
        if size >= step_base * 2 {
            step_base *= 2;
        }
        let step = (step_base / 8).div_ceil(GRANULE) * GRANULE;
        size += step.max(GRANULE);
    }
    if sizes.last() != Some(&(CHUNK_MAX as u32)) {
        sizes.push(CHUNK_MAX as u32);
    }
    sizes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_ascend_in_granules_and_fill_their_page() {
        let classes = Classes::new();
        assert!((40..=80).contains(&classes.len()), "{} classes: {:?}", classes.len(), classes.sizes);
        assert!(classes.sizes.windows(2).all(|pair| pair[0] < pair[1]), "{:?}", classes.sizes);
        assert_eq!(classes.size(classes.largest()), CHUNK_MAX);
        for class in 0..classes.len() as ClassId {
            let size = classes.size(class);
            assert_eq!(size % GRANULE, 0);
            let slack = PAGE - size * classes.chunks_per_page(class);
            assert!(slack < GRANULE * classes.chunks_per_page(class), "size {size} wastes {slack}");
        }
    }

    #[test]
    fn every_size_gets_the_tightest_class() {
        let classes = Classes::new();
        for bytes in 1..=CHUNK_MAX {
            let class = classes.class_of(bytes).expect("fits");
            assert!(classes.size(class) >= bytes);
            assert!(class == 0 || classes.size(class - 1) < bytes, "{bytes} bytes in class {class}");
        }
        assert_eq!(classes.class_of(CHUNK_MAX + 1), None);
    }

    #[test]
    fn steps_waste_little() {
        let classes = Classes::new();
        for pair in classes.sizes.windows(2) {
            let (small, large) = (f64::from(pair[0]), f64::from(pair[1]));
            assert!(large - small <= 8.0 || large / small < 1.51, "{small} to {large}");
        }
    }
}
