//! Commands that walk over all items.

use std::sync::atomic::Ordering;

use super::Context;
use crate::command::{ClassSet, CrawlScope};
use crate::crawler::{DeleteRight, DumpRight};

/// Why a walk does not begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CrawlRefusal {
    /// The crawler is switched off.
    Disabled,
    /// `-X`, or `-F` for what deletes.
    NotAllowed,
    /// Another walk is under way.
    Busy,
    /// A class that cannot be.
    BadClass,
    /// No class was named.
    NoClass,
    /// A sweep cannot go by the index.
    Unknown,
}

impl Context<'_> {
    /// lru_crawler enable. False when it was enabled.
    pub fn enable_crawler(&self) -> bool {
        self.shared.crawler.enable()
    }

    /// lru_crawler disable.
    pub fn disable_crawler(&self) {
        self.shared.crawler.disable();
    }

    /// lru_crawler sleep, which is shown and changes nothing.
    pub fn set_crawler_sleep(&self, sleep_us: u32) {
        self.shared.crawler.sleep_us.store(sleep_us, Ordering::Relaxed);
    }

    /// lru_crawler tocrawl, which is shown and changes nothing.
    pub fn set_crawler_tocrawl(&self, items: u32) {
        self.shared.crawler.tocrawl.store(items, Ordering::Relaxed);
    }

    /// lru_crawler crawl: one sweep for expired items, soon, in the background.
    ///
    /// # Errors
    /// Why not.
    pub fn crawl(&self, scope: CrawlScope) -> Result<(), CrawlRefusal> {
        self.crawler_is_enabled()?;
        let classes = match scope {
            CrawlScope::Hash => return Err(CrawlRefusal::Unknown),
            scope => classes(scope)?,
        };
        if self.shared.crawler.ask_for_sweep(classes) { Ok(()) } else { Err(CrawlRefusal::Busy) }
    }

    /// Whether dumps are allowed at all.
    ///
    /// # Errors
    /// Why not.
    pub fn may_dump(&self) -> Result<(), CrawlRefusal> {
        self.crawler_is_enabled()?;
        if self.shared.settings.dumping { Ok(()) } else { Err(CrawlRefusal::NotAllowed) }
    }

    /// The right to dump, where that is allowed, and the classes that are meant.
    ///
    /// # Errors
    /// Why not.
    pub fn begin_dump(&self, scope: CrawlScope) -> Result<(DumpRight, ClassSet), CrawlRefusal> {
        let classes = classes(scope)?;
        let right = self.shared.crawler.begin_dump().ok_or(CrawlRefusal::Busy)?;
        Ok((right, classes))
    }

    /// Whether deleting by prefix is allowed: `-F` forbids that as it forbids flush_all.
    pub fn may_delete_prefix(&self) -> bool {
        self.shared.settings.flush_all
    }

    /// The right to go on with deleting by prefix; `None` while somebody else does.
    pub fn begin_delete(&self) -> Option<DeleteRight> {
        self.shared.crawler.begin_delete()
    }

    fn crawler_is_enabled(&self) -> Result<(), CrawlRefusal> {
        if self.shared.crawler.is_enabled() { Ok(()) } else { Err(CrawlRefusal::Disabled) }
    }
}

fn classes(scope: CrawlScope) -> Result<ClassSet, CrawlRefusal> {
    match scope {
        CrawlScope::Hash => Ok(ClassSet::ALL),
        CrawlScope::Classes(classes) if classes.is_empty() => Err(CrawlRefusal::NoClass),
        CrawlScope::Classes(classes) => Ok(classes),
        CrawlScope::BadClass => Err(CrawlRefusal::BadClass),
    }
}
