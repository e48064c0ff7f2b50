//! The classic text protocol: one line a request (and a value behind storage commands), one line a reply.

pub mod admin;
pub mod crawler;
pub mod dump;
pub mod login;
pub mod number;
pub mod parse;
pub mod reply;
mod watch;
pub mod words;
