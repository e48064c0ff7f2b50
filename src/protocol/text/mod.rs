//! The classic text protocol: one line a request (and a value behind storage commands), one line a reply.

pub mod number;
pub mod parse;
pub mod reply;
pub mod uri;
pub mod words;
