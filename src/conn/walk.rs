//! Answers that need a walk over all items: dumps, and deleting by prefix. The session goes a few slices at a time, stops
//! where the outbox is full, and gives its turn to others in between.

use super::login::Standing;
use super::{Outbox, Phase, Session, Step};
use crate::auth::rights::Demand;
use crate::clock::NEVER;
use crate::command::ClassSet;
use crate::crawler::{DeleteRight, DumpRight};
use crate::exec::Context;
use crate::exec::crawler::CrawlRefusal;
use crate::protocol::text::crawler::{CrawlerOrder, DumpFormat};
use crate::protocol::text::dump;
use crate::protocol::text::parse::Reply;
use crate::protocol::text::reply::{self, line};
use crate::store::{Cursor, Scanned};

/// Items after which a turn of a connection ends with the slice: a millisecond or two. One slice has about 4,096 in a
/// full cache.
const ITEMS_PER_TURN: usize = 2048;

/// What a slice costs beside its items, counted in items.
const SLICE_COST: usize = 32;

/// A walk that is under way.
#[derive(Debug)]
pub(super) struct Walk {
    cursor: Cursor,
    /// What the keys begin with that are meant.
    prefix: Box<[u8]>,
    task: Task,
}

#[derive(Debug)]
enum Task {
    Dump {
        format: DumpFormat,
        classes: ClassSet,
        /// Nobody else dumps meanwhile.
        _right: DumpRight,
    },
    Delete {
        deleted: u64,
        reply: Reply,
        /// `None` until it is this session's turn to delete.
        right: Option<DeleteRight>,
    },
}

impl Session {
    /// lru_crawler.
    pub(super) fn crawl(
        &mut self,
        order: CrawlerOrder<'_>,
        reply: Reply,
        line_len: usize,
        out: &mut Outbox,
        cx: &Context<'_>,
    ) -> Step {
        let answer = match order {
            CrawlerOrder::Dump { format, scope, prefix } => {
                match self.dump_right(out, cx).and_then(|()| cx.begin_dump(scope).map_err(DumpRefusal::Crawler)) {
                    Ok((right, classes)) => {
                        out.say(line::OK);
                        let task = Task::Dump { format, classes, _right: right };
                        return self.begin_walk(prefix, task, line_len);
                    }
                    Err(refusal) => dump_refusal(refusal, format),
                }
            }
            CrawlerOrder::Enable if cx.enable_crawler() => line::OK,
            CrawlerOrder::Enable => line::CRAWLER_RUNS,
            CrawlerOrder::Disable => {
                cx.disable_crawler();
                line::OK
            }
            CrawlerOrder::Crawl(scope) => cx.crawl(scope).map_or_else(crawl_refusal, |()| line::OK),
            CrawlerOrder::Sleep(sleep_us) => {
                cx.set_crawler_sleep(sleep_us);
                line::OK
            }
            CrawlerOrder::ToCrawl(items) => {
                cx.set_crawler_tocrawl(items);
                line::OK
            }
        };
        if reply == Reply::Send {
            out.say(answer);
        }
        Step::answered(line_len)
    }

    fn dump_right(&self, out: &Outbox, cx: &Context<'_>) -> Result<(), DumpRefusal> {
        if self.one_datagram {
            return Err(DumpRefusal::Datagram);
        }
        cx.may_dump().map_err(DumpRefusal::Crawler)?;
        // As in memcached, which cannot hand a connection with unsent replies to its crawler.
        if out.is_empty() { Ok(()) } else { Err(DumpRefusal::Pipelined) }
    }

    /// larder delete_prefix.
    pub(super) fn delete_prefix(
        &mut self,
        prefix: &[u8],
        reply: Reply,
        line_len: usize,
        out: &mut Outbox,
        cx: &Context<'_>,
    ) -> Step {
        let refusal = if self.one_datagram {
            line::ERROR
        } else if !cx.may_delete_prefix() {
            line::DELETE_PREFIX_REFUSED
        } else {
            return self.begin_walk(prefix, Task::Delete { deleted: 0, reply, right: None }, line_len);
        };
        if reply == Reply::Send {
            out.say(refusal);
        }
        Step::answered(line_len)
    }

    fn begin_walk(&mut self, prefix: &[u8], task: Task, line_len: usize) -> Step {
        self.phase = Phase::Walk(Box::new(Walk { cursor: Cursor::default(), prefix: prefix.into(), task }));
        // It begins with the next turn: whoever waits for the right to delete has it before the same client again.
        Step::later_after(line_len)
    }

    /// Goes on with the walk: a turn's worth of it.
    pub(super) fn walk(&mut self, out: &mut Outbox, cx: &Context<'_>) -> Step {
        let Phase::Walk(walk) = &self.phase else { return Step::advanced(0) };
        // It may take long, and the user's rights may have changed since it began.
        if self.standing != Standing::FREE && !self.may(walk.demand()) {
            return Step::over();
        }
        let Phase::Walk(walk) = &mut self.phase else { return Step::advanced(0) };
        if !walk.may_go_on(cx) {
            return Step::later_after(0);
        }
        let mut cost = 0;
        while cost < ITEMS_PER_TURN {
            if out.is_full() {
                return Step::full(0);
            }
            let Some(items) = walk.slice(out, cx) else {
                walk.finish(out);
                self.phase = Phase::Command;
                return Step::answered(0);
            };
            cost += items + SLICE_COST;
        }
        Step::later_after(0)
    }
}

impl Walk {
    /// The right that it takes.
    fn demand(&self) -> Demand<'_> {
        match self.task {
            Task::Dump { .. } => Demand::Admin,
            Task::Delete { .. } => Demand::WriteAll(&self.prefix),
        }
    }

    fn may_go_on(&mut self, cx: &Context<'_>) -> bool {
        match &mut self.task {
            Task::Dump { .. } => true,
            Task::Delete { right, .. } => {
                if right.is_none() {
                    *right = cx.begin_delete();
                }
                right.is_some()
            }
        }
    }

    /// One slice; how many items it has, `None` when the walk is over.
    fn slice(&mut self, out: &mut Outbox, cx: &Context<'_>) -> Option<usize> {
        let store = &cx.shared.store;
        match &mut self.task {
            Task::Dump { format, classes, .. } => store.scan(&mut self.cursor, cx.now, |item| {
                if classes.contains(item.class) && item.key.starts_with(&self.prefix) {
                    dump_line(out.bytes(), item, *format, cx);
                }
            }),
            Task::Delete { deleted, .. } => {
                let slice = store.delete_prefix(&mut self.cursor, &self.prefix, cx.now)?;
                *deleted += slice.deleted as u64;
                Some(slice.items)
            }
        }
    }

    fn finish(&self, out: &mut Outbox) {
        match self.task {
            Task::Dump { format: DumpFormat::Fields, .. } => out.say(line::END),
            Task::Dump { format: DumpFormat::MetaGet, .. } => out.say(line::END_OF_KEYS),
            Task::Delete { deleted, reply: Reply::Send, .. } => reply::deleted_line(out.bytes(), deleted),
            Task::Delete { reply: Reply::Omit, .. } => {}
        }
    }
}

fn dump_line(out: &mut Vec<u8>, item: &Scanned<'_>, format: DumpFormat, cx: &Context<'_>) {
    match format {
        DumpFormat::Fields => {
            let clock = &cx.shared.clock;
            let fields = dump::Fields {
                key: item.key,
                expiry: (item.expiry != NEVER).then(|| clock.unix(item.expiry)),
                accessed: clock.unix(item.accessed),
                cas: item.cas,
                fetched: item.fetched,
                class: item.class,
                bytes: item.bytes,
                client_flags: item.client_flags,
            };
            dump::fields_line(out, &fields);
        }
        DumpFormat::MetaGet => dump::meta_get_line(out, item.key, item.key_form),
    }
}

/// Why a dump does not begin.
#[derive(Clone, Copy, Debug)]
enum DumpRefusal {
    Crawler(CrawlRefusal),
    Pipelined,
    /// Over UDP, where a reply has an end.
    Datagram,
}

fn dump_refusal(refusal: DumpRefusal, format: DumpFormat) -> &'static [u8] {
    match (refusal, format) {
        (DumpRefusal::Datagram, _) => line::ERROR,
        (DumpRefusal::Pipelined, DumpFormat::Fields) => line::METADUMP_PIPELINED,
        (DumpRefusal::Pipelined, DumpFormat::MetaGet) => line::MGDUMP_PIPELINED,
        (DumpRefusal::Crawler(CrawlRefusal::NotAllowed), DumpFormat::MetaGet) => line::MGDUMP_REFUSED,
        (DumpRefusal::Crawler(refusal), _) => crawl_refusal(refusal),
    }
}

fn crawl_refusal(refusal: CrawlRefusal) -> &'static [u8] {
    match refusal {
        CrawlRefusal::Disabled => line::CRAWLER_DISABLED,
        CrawlRefusal::NotAllowed => line::METADUMP_REFUSED,
        CrawlRefusal::Busy => line::CRAWLER_BUSY,
        CrawlRefusal::BadClass => line::CRAWLER_BAD_CLASS,
        CrawlRefusal::NoClass => line::CRAWLER_NO_CLASS,
        CrawlRefusal::Unknown => line::CRAWLER_UNKNOWN,
    }
}
