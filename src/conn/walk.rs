//! Answers that need a walk over all items: dumps, and deleting by prefix. The session goes a few slices at a time, stops
//! where the outbox is full, and gives its turn to others in between.

use super::{Outbox, Phase, Session, Step};
use crate::clock::NEVER;
use crate::command::ClassSet;
use crate::crawler::DumpRight;
use crate::exec::Context;
use crate::exec::crawler::CrawlRefusal;
use crate::protocol::text::crawler::{CrawlerOrder, DumpFormat};
use crate::protocol::text::dump;
use crate::protocol::text::parse::Reply;
use crate::protocol::text::reply::{self, line};
use crate::store::{Cursor, Scanned};

/// Slices of the store in one turn of a connection; one takes well under 2 ms.
const SLICES_PER_TURN: usize = 4;

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
            return self.begin_walk(prefix, Task::Delete { deleted: 0, reply }, line_len);
        };
        if reply == Reply::Send {
            out.say(refusal);
        }
        Step::answered(line_len)
    }

    fn begin_walk(&mut self, prefix: &[u8], task: Task, line_len: usize) -> Step {
        self.phase = Phase::Walk(Box::new(Walk { cursor: Cursor::default(), prefix: prefix.into(), task }));
        Step::advanced(line_len)
    }

    /// Goes on with the walk: a turn's worth of it.
    pub(super) fn walk(&mut self, out: &mut Outbox, cx: &Context<'_>) -> Step {
        let Phase::Walk(walk) = &mut self.phase else { return Step::advanced(0) };
        for _ in 0..SLICES_PER_TURN {
            if out.is_full() {
                return Step::full(0);
            }
            if !walk.slice(out, cx) {
                walk.finish(out);
                self.phase = Phase::Command;
                return Step::answered(0);
            }
        }
        Step::turn()
    }
}

impl Walk {
    /// One slice; false when the walk is over.
    fn slice(&mut self, out: &mut Outbox, cx: &Context<'_>) -> bool {
        let store = &cx.shared.store;
        match &mut self.task {
            Task::Dump { format, classes, .. } => store.scan(&mut self.cursor, cx.now, |item| {
                if classes.contains(item.class) && item.key.starts_with(&self.prefix) {
                    dump_line(out.bytes(), item, *format, cx);
                }
            }),
            Task::Delete { deleted, .. } => match store.delete_prefix(&mut self.cursor, &self.prefix, cx.now) {
                Some(more) => {
                    *deleted += more as u64;
                    true
                }
                None => false,
            },
        }
    }

    fn finish(&self, out: &mut Outbox) {
        match self.task {
            Task::Dump { format: DumpFormat::Fields, .. } => out.say(line::END),
            Task::Dump { format: DumpFormat::MetaGet, .. } => out.say(line::END_OF_KEYS),
            Task::Delete { deleted, reply: Reply::Send } => reply::deleted_line(out.bytes(), deleted),
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
