//! Counters and the tables of names that every protocol renders.

pub mod counters;
