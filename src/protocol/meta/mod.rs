//! The meta protocol (protocol.txt, "Meta Commands"): mg ms md ma me, their flags, and the lines that answer them.
//!
//! `<command> <key> [<bytes>] <flag>*`; a flag is a letter with an argument glued to it. mn has no flags and is a
//! request of the classic protocol's parser.

pub mod key;
pub mod parse;
pub mod reply;
