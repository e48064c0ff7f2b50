//! The list of nodes (`crate::discovery`), by ElastiCache's command and as the virtual item that stood for it before.
//!
//! Nothing of that name is in the store, so that only a miss has to ask whether it was meant, and nobody may write it.

use std::sync::Arc;

use super::Context;
use crate::discovery::{Announced, CONFIG_KEY, OLD_KEY};

/// What is told of the configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConfigOutcome {
    /// This server has no list, and no such command.
    NotOffered,
    /// There is a list, and something else was asked for.
    UnknownKey,
    /// A name server has still to answer.
    NotYet,
    /// The list.
    List(Arc<Announced>),
}

impl Context<'_> {
    /// config get.
    pub fn config_get(&self, key: &[u8]) -> ConfigOutcome {
        let Some(discovery) = &self.shared.discovery else { return ConfigOutcome::NotOffered };
        self.counters.cmd_config_get.add(1);
        match discovery.announced() {
            _ if key != CONFIG_KEY => ConfigOutcome::UnknownKey,
            None => ConfigOutcome::NotYet,
            Some(list) => ConfigOutcome::List(list),
        }
    }

    /// The list, where `key` is its old one.
    pub fn list_of_key(&self, key: &[u8]) -> Option<Arc<Announced>> {
        if !self.is_list_key(key) {
            return None;
        }
        self.counters.cmd_config_get.add(1);
        self.shared.discovery.as_ref()?.announced()
    }

    /// Whether this key stands for the list: whoever is logged in may read it, and nobody may write it.
    #[inline]
    pub fn is_list_key(&self, key: &[u8]) -> bool {
        // Nearly every key is told apart by its length.
        key.len() == OLD_KEY.len() && key == OLD_KEY && self.shared.discovery.is_some()
    }

    /// Whether the list is told before a login.
    pub fn tells_list_before_login(&self) -> bool {
        self.shared.discovery.as_ref().is_some_and(|discovery| discovery.is_told_before_login())
    }
}
