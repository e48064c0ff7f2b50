//! One flag or one `-o` option as data: names, words for people, what it does here, how it writes into the settings.

use std::ffi::OsStr;

use super::Exit;
use super::draft::Draft;
use super::word::Word;
use crate::exit_status;

/// How the operator calls it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Name {
    /// `-p`, `--port`; a long name may be absent.
    Flag { short: char, long: Option<&'static str> },
    /// `--users`: a flag that memcached does not have.
    Long(&'static str),
    /// A word of the list after `-o`.
    Option(&'static str),
}

/// The headings of the pages, in their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Group {
    Network,
    Logins,
    Requests,
    Memory,
    Process,
    About,
}

impl Group {
    pub(super) const ALL: [Group; 6] =
        [Group::Network, Group::Logins, Group::Requests, Group::Memory, Group::Process, Group::About];

    pub(super) fn title(self) -> &'static str {
        match self {
            Group::Network => "Network and connections",
            Group::Logins => "Logins",
            Group::Requests => "Requests",
            Group::Memory => "Memory and items",
            Group::Process => "Process",
            Group::About => "About",
        }
    }
}

/// What giving it does in this version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Effect {
    /// As documented.
    Works,
    /// It tunes an internal of memcached that we do not have: accepted, shown, and named in a log line.
    Inert,
    /// Refused, because going on without it would not be what was asked for.
    Later {
        /// The feature's name in messages and on the pages.
        feature: &'static str,
        /// What to do meanwhile.
        instead: &'static str,
    },
}

/// How it writes into the draft.
enum Set {
    /// Takes no value. An option's superfluous value (`lru_crawler=1`) is passed over, as in memcached.
    Switch(fn(&mut Draft)),
    Value(fn(&mut Draft, &Word<'_>) -> Result<(), Exit>),
    MaybeValue(fn(&mut Draft, Option<&Word<'_>>) -> Result<(), Exit>),
    /// Ends the process with this page.
    Page(fn() -> String),
}

/// Whether a value follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Takes {
    Nothing,
    Value,
    MaybeValue,
}

/// One row of the tables.
pub(super) struct Row {
    pub(super) name: Name,
    pub(super) group: Group,
    /// One to three sentences for people, without a full stop at the end.
    pub(super) help: &'static str,
    /// The value's name, empty when there is none to speak of.
    pub(super) argument: &'static str,
    /// The value that is in force when it is not given; empty when the help says it in words.
    pub(super) default: &'static str,
    pub(super) effect: Effect,
    /// The exit status for a wrong value.
    pub(super) wrong_value: i32,
    set: Set,
}

impl Row {
    /// A flag; `long` may be empty. A wrong value ends with 64.
    pub(super) const fn flag(short: char, long: &'static str, group: Group, help: &'static str) -> Row {
        let long = if long.is_empty() { None } else { Some(long) };
        Row::new(Name::Flag { short, long }, group, help, exit_status::USAGE)
    }

    /// A flag that memcached does not have. A wrong value ends with 64.
    pub(super) const fn long(name: &'static str, group: Group, help: &'static str) -> Row {
        Row::new(Name::Long(name), group, help, exit_status::USAGE)
    }

    /// A word of the list after `-o`. A wrong value ends with 1.
    pub(super) const fn option(name: &'static str, group: Group, help: &'static str) -> Row {
        Row::new(Name::Option(name), group, help, exit_status::FAILURE)
    }

    const fn new(name: Name, group: Group, help: &'static str, wrong_value: i32) -> Row {
        Row {
            name,
            group,
            help,
            argument: "",
            default: "",
            effect: Effect::Works,
            wrong_value,
            set: Set::Switch(|_| {}),
        }
    }

    pub(super) const fn switch(mut self, set: fn(&mut Draft)) -> Row {
        self.set = Set::Switch(set);
        self
    }

    pub(super) const fn value(
        mut self,
        argument: &'static str,
        default: &'static str,
        set: fn(&mut Draft, &Word<'_>) -> Result<(), Exit>,
    ) -> Row {
        self.argument = argument;
        self.default = default;
        self.set = Set::Value(set);
        self
    }

    pub(super) const fn maybe_value(
        mut self,
        argument: &'static str,
        default: &'static str,
        set: fn(&mut Draft, Option<&Word<'_>>) -> Result<(), Exit>,
    ) -> Row {
        self.argument = argument;
        self.default = default;
        self.set = Set::MaybeValue(set);
        self
    }

    pub(super) const fn page(mut self, page: fn() -> String) -> Row {
        self.set = Set::Page(page);
        self
    }

    pub(super) const fn without_effect(mut self) -> Row {
        self.effect = Effect::Inert;
        self
    }

    pub(super) const fn later(mut self, feature: &'static str, instead: &'static str) -> Row {
        self.effect = Effect::Later { feature, instead };
        self
    }

    /// A wrong value ends with 1 instead of 64.
    pub(super) const fn wrong_value_exits_1(mut self) -> Row {
        self.wrong_value = exit_status::FAILURE;
        self
    }

    /// The short name in messages: `-p`, `-o hashpower`.
    pub(super) fn label(&self) -> String {
        match self.name {
            Name::Flag { short, .. } => format!("-{short}"),
            Name::Long(name) => format!("--{name}"),
            Name::Option(name) => format!("-o {name}"),
        }
    }

    /// All names and the value's: `-p, --port=<num>`, `-o hashpower=<num>`.
    pub(super) fn usage(&self) -> String {
        let (names, equals) = match self.name {
            Name::Flag { short, long: Some(long) } => (format!("-{short}, --{long}"), "="),
            Name::Flag { short, long: None } => (format!("-{short}"), " "),
            Name::Long(name) => (format!("--{name}"), "="),
            Name::Option(name) => (format!("-o {name}"), "="),
        };
        match self.takes() {
            Takes::Nothing => names,
            Takes::Value => format!("{names}{equals}<{}>", self.argument),
            Takes::MaybeValue if self.argument.is_empty() => names,
            Takes::MaybeValue => format!("{names}[{equals}<{}>]", self.argument),
        }
    }

    /// The help with the default after it.
    pub(super) fn help_and_default(&self) -> String {
        match self.default {
            "" => self.help.to_owned(),
            default => format!("{} (default: {default})", self.help),
        }
    }

    pub(super) fn takes(&self) -> Takes {
        match self.set {
            Set::Switch(_) | Set::Page(_) => Takes::Nothing,
            Set::Value(_) => Takes::Value,
            Set::MaybeValue(_) => Takes::MaybeValue,
        }
    }

    /// Does what the row is for.
    ///
    /// # Errors
    /// The value is missing or wrong, or the row asks for a page.
    pub(super) fn apply(&'static self, draft: &mut Draft, value: Option<&OsStr>) -> Result<(), Exit> {
        let word = value.map(|text| Word::new(self, text));
        match (&self.set, word) {
            (Set::Switch(set), _) => set(draft),
            (Set::Value(set), Some(word)) => set(draft, &word)?,
            (Set::Value(_), None) => {
                return Err(Exit::refusal(
                    self.wrong_value,
                    format!("{} needs a value; write {}", self.label(), self.usage()),
                ));
            }
            (Set::MaybeValue(set), word) => set(draft, word.as_ref())?,
            (Set::Page(page), _) => return Err(Exit::page(page())),
        }
        draft.note(self);
        Ok(())
    }
}
