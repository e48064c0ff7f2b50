//! `lru` and `slabs reassign`.

use crate::exec::Context;
use crate::exec::admin::TuneOutcome;
use crate::protocol::text::admin::LruOrder;
use crate::protocol::text::reply::line;
use crate::store::Reassign;

/// Carries out `lru`; the reply.
pub(super) fn tune(order: LruOrder, cx: &Context<'_>) -> &'static [u8] {
    match order {
        LruOrder::Tune(shares) => match cx.tune_lru(shares) {
            TuneOutcome::Done => line::OK,
            TuneOutcome::TooLargeShares => line::LRU_SHARES,
            TuneOutcome::FactorNotPositive => line::LRU_FACTORS,
        },
        LruOrder::Mode { segmented } if cx.set_lru_mode(segmented) => line::OK,
        LruOrder::TemporaryTtl(secs) if cx.set_temporary_ttl(secs) => line::OK,
        LruOrder::Mode { .. } | LruOrder::TemporaryTtl(_) => line::ERROR,
    }
}

/// Carries out `slabs reassign`; the reply. `classes` is `None` where they are no numbers.
pub(super) fn reassign(classes: Option<(i32, i32)>, cx: &Context<'_>) -> &'static [u8] {
    if !cx.shared.settings.slab_reassign {
        return line::REASSIGN_DISABLED;
    }
    let Some((from, to)) = classes else { return line::BAD_FORMAT };
    match cx.shared.store.reassign(from, to, cx.now) {
        Reassign::Moved => line::OK,
        Reassign::Busy => line::REASSIGN_BUSY,
        Reassign::BadClass => line::REASSIGN_BAD_CLASS,
        Reassign::NoSpare => line::REASSIGN_NO_SPARE,
        Reassign::Same => line::REASSIGN_SAME,
    }
}
