//! The servers that are measured: started as a child process, watched through `/proc`, stopped by id.

pub(crate) mod accounting;
pub(crate) mod arguments;
pub(crate) mod process;
pub(crate) mod stats;
pub(crate) mod table;
