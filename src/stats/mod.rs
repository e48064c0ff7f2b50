//! Counters and the tables of names that every protocol renders: memcached's names in memcached's order.

pub mod classes;
pub mod conns;
pub mod counters;
mod general;
pub mod hot_keys;
pub mod latency;
pub mod prefixes;
pub mod settings;
pub mod users;

use std::borrow::Cow;

pub use general::{general, reset};

use crate::auth::user::Identity;
use crate::clock::Seconds;
use crate::shared::Shared;

/// The group of this name among those that tell of size classes, and that of users as `asks` may see it.
pub fn of_classes_or_users(group: &[u8], asks: Option<&Identity>, shared: &Shared, now: Seconds) -> Option<Stats> {
    match group {
        b"items" => Some(classes::items(shared, now)),
        b"slabs" => Some(classes::slabs(shared, now)),
        b"sizes" => Some(classes::sizes(shared)),
        b"users" => users::seen_by(asks, shared),
        _ => None,
    }
}

/// Names and values in the order in which they are sent.
#[derive(Debug, Default)]
pub struct Stats {
    rows: Vec<(Cow<'static, str>, String)>,
}

impl Stats {
    fn add(&mut self, name: impl Into<Cow<'static, str>>, value: impl ToString) {
        self.rows.push((name.into(), value.to_string()));
    }

    fn add_flag(&mut self, name: &'static str, value: bool) {
        self.add(name, if value { "yes" } else { "no" });
    }

    /// The value of the row `name`, if there is one.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.iter().find(|(row, _)| *row == name).map(|(_, value)| value)
    }

    /// The rows.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.rows.iter().map(|(name, value)| (name.as_ref(), value.as_str()))
    }
}
