//! Memory for items: size classes, the arena they live in, the layout of one item, and the pages that hold them.
//!
//! ```text
//! arena (one per shard)   | page 0 | page 1 | page 2 | ...          64 KiB each, one class a page
//! page of class 3         | chunk | chunk | chunk | chunk | slack   equal chunks, an item or a piece of one in each
//! chunk                   | header | key | client flags | value | unused
//! ```
//!
//! Nothing here knows about keys being found, evicted or expired: that is `store`. All `unsafe` of both is in
//! [`arena`], which is bounds-checked memory with a safe interface.

pub(crate) mod arena;
pub(crate) mod backing;
pub(crate) mod classes;
pub(crate) mod items;
pub(crate) mod pages;
