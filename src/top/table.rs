//! The table, the detail view and the JSON as text. No terminal, no clock.

use std::cmp::Ordering;

use serde_json::{Value, json};

use super::node::State;
use super::sample::{COMMANDS, Figures, rate};

/// The widest name or message of a row, in columns.
const NAME_COLUMNS: usize = 22;

/// A node's line.
#[derive(Clone, Debug)]
pub(super) struct Row {
    pub(super) name: String,
    pub(super) state: State,
    /// Where it stands on the command line.
    pub(super) place: usize,
}

impl Row {
    /// The figures; `None` of a node that is not up.
    fn figures(&self) -> Option<Figures> {
        match &self.state {
            State::Up(readings) => Some(Figures::between(&readings.0, &readings.1, readings.2)),
            State::Asked | State::Down(_) => None,
        }
    }

    /// Whether it answers.
    pub(super) fn is_up(&self) -> bool {
        matches!(self.state, State::Up(_))
    }

    fn word(&self) -> String {
        match &self.state {
            State::Asked => "...".to_owned(),
            State::Down(_) => "down".to_owned(),
            State::Up(readings) if readings.1.version.is_empty() => "up".to_owned(),
            State::Up(readings) => readings.1.version.clone(),
        }
    }
}

/// A column of figures: its head, what it is sorted by, how it is written.
struct Column {
    head: &'static str,
    width: usize,
    key: fn(&Figures) -> f64,
    text: fn(&Figures) -> String,
}

/// The columns behind name and version, the most telling first: a narrow terminal shows those that fit.
const COLUMNS: &[Column] = &[
    Column { head: "REQ/s", width: 7, key: |f| f.requests, text: |f| count(f.requests) },
    Column { head: "HIT%", width: 6, key: |f| f.hit_percent().unwrap_or(-1.0), text: |f| percent(f.hit_percent()) },
    Column { head: "MEM", width: 7, key: |f| f.memory as f64, text: |f| bytes(f.memory as f64) },
    Column { head: "LIMIT", width: 7, key: |f| f.memory_limit as f64, text: |f| bytes(f.memory_limit as f64) },
    Column { head: "EVICT/s", width: 8, key: |f| f.evictions, text: |f| count(f.evictions) },
    Column { head: "CONNS", width: 6, key: |f| f.connections as f64, text: |f| count(f.connections as f64) },
    Column { head: "ITEMS", width: 7, key: |f| f.items as f64, text: |f| count(f.items as f64) },
    Column { head: "GET/s", width: 7, key: |f| f.gets, text: |f| count(f.gets) },
    Column { head: "SET/s", width: 7, key: |f| f.sets, text: |f| count(f.sets) },
    Column { head: "RECL/s", width: 7, key: |f| f.reclaimed, text: |f| count(f.reclaimed) },
    Column { head: "IN/s", width: 7, key: |f| f.bytes_in, text: |f| bytes(f.bytes_in) },
    Column { head: "OUT/s", width: 7, key: |f| f.bytes_out, text: |f| bytes(f.bytes_out) },
    Column { head: "AUTHFAIL/s", width: 11, key: |f| f.auth_failures, text: |f| count(f.auth_failures) },
];

/// What rows are ordered by: 0 as on the command line, else this column's figure, the largest first.
pub(super) const SORTS: usize = COLUMNS.len() + 1;

/// Orders rows; nodes that are not up come last.
pub(super) fn sort(rows: &mut [Row], by: usize) {
    let Some(column) = by.checked_sub(1).and_then(|at| COLUMNS.get(at)) else {
        return rows.sort_by_key(|row| row.place);
    };
    let key = |row: &Row| row.figures().map_or(f64::NEG_INFINITY, |figures| (column.key)(&figures));
    rows.sort_by(|a, b| key(b).partial_cmp(&key(a)).unwrap_or(Ordering::Equal).then(a.place.cmp(&b.place)));
}

/// The lines: head, a row for each node, the total. `sorted` marks the head it names.
pub(super) fn lines(rows: &[Row], columns: usize, sorted: usize) -> Vec<String> {
    let heads = COLUMNS.iter().enumerate();
    let heads = heads.map(|(at, column)| format!("{}{}", if at + 1 == sorted { "*" } else { "" }, column.head));
    let mut lines = vec![line("NODE", "VERSION", heads, columns)];
    for row in rows {
        lines.push(match (&row.state, row.figures()) {
            (State::Down(why), _) => cut(format!("{:NAME_COLUMNS$} down: {why}", name(&row.name)), columns),
            (_, figures) => cells(&row.name, &row.word(), figures, columns),
        });
    }
    let up = rows.iter().filter(|row| row.is_up()).count();
    let total = (up > 0).then(|| total(rows));
    lines.push(cells("total", &format!("{up}/{} up", rows.len()), total, columns));
    lines
}

fn total(rows: &[Row]) -> Figures {
    let mut total = Figures::default();
    rows.iter().filter_map(Row::figures).for_each(|figures| total.add(&figures));
    total
}

fn cells(name: &str, word: &str, figures: Option<Figures>, columns: usize) -> String {
    let text = |column: &Column| figures.map_or("-".to_owned(), |figures| (column.text)(&figures));
    line(name, word, COLUMNS.iter().map(text), columns)
}

fn line(left: &str, word: &str, cells: impl Iterator<Item = String>, columns: usize) -> String {
    let mut line = format!("{:NAME_COLUMNS$} {:9}", name(left), cut(word.to_owned(), 9));
    for (column, cell) in COLUMNS.iter().zip(cells) {
        // The first that does not fit ends the line, so that cells stay under their heads.
        if line.len() + column.width + 1 > columns {
            break;
        }
        line.push_str(&format!(" {cell:>width$}", width = column.width));
    }
    cut(line, columns)
}

/// One node by itself: its commands and its slab classes by memory.
pub(super) fn detail(row: &Row, columns: usize) -> Vec<String> {
    let mut lines = lines(std::slice::from_ref(row), columns, 0);
    lines.pop();
    if let State::Up(readings) = &row.state {
        let (before, now, apart) = &**readings;
        lines.push(String::new());
        lines.push(format!("{:10} {:>10} {:>20}", "COMMAND", "/s", "SINCE START"));
        for (name, counters) in COMMANDS {
            let since: u64 = counters.iter().fold(0, |sum, name| sum.saturating_add(now.number(name)));
            let rate = count(rate(before, now, counters, *apart));
            lines.push(format!("{name:10} {rate:>10} {since:>20}"));
        }
        lines.push(String::new());
        lines.push(format!("{:10} {:>10} {:>10} {:>10} {:>12}", "CLASS", "CHUNK", "PAGES", "MEMORY", "USED CHUNKS"));
        for [class, chunk, pages, memory, used] in now.slabs() {
            lines.push(format!("{class:<10} {chunk:>10} {pages:>10} {:>10} {used:>12}", bytes(memory as f64)));
        }
    }
    lines.into_iter().map(|line| cut(line, columns)).collect()
}

/// All of it for programs. Rates are per second; figures of a node that is down are not there.
pub(super) fn json(rows: &[Row]) -> Value {
    let nodes: Vec<Value> = rows.iter().map(node).collect();
    json!({ "nodes": nodes, "total": figures(&total(rows)) })
}

fn node(row: &Row) -> Value {
    let mut value = row.figures().map_or_else(|| json!({}), |of| figures(&of));
    value["node"] = row.name.clone().into();
    value["up"] = row.is_up().into();
    match &row.state {
        State::Up(readings) => value["version"] = readings.1.version.clone().into(),
        State::Down(why) => value["error"] = why.clone().into(),
        State::Asked => {}
    }
    value
}

fn figures(of: &Figures) -> Value {
    json!({
        "requests": of.requests,
        "gets": of.gets,
        "hit_percent": of.hit_percent(),
        "sets": of.sets,
        "evictions": of.evictions,
        "reclaimed": of.reclaimed,
        "auth_failures": of.auth_failures,
        "bytes_in": of.bytes_in,
        "bytes_out": of.bytes_out,
        "memory_bytes": of.memory,
        "memory_limit_bytes": of.memory_limit,
        "items": of.items,
        "connections": of.connections,
    })
}

/// A name that fits; of a long one the end, which tells ports and sockets apart.
fn name(name: &str) -> String {
    let over = name.chars().count().saturating_sub(NAME_COLUMNS);
    name.chars().skip(over).collect()
}

fn cut(text: String, columns: usize) -> String {
    text.chars().take(columns).collect()
}

/// Rates below ten have a digit behind the point: a login that fails every other second is not nothing.
fn count(number: f64) -> String {
    let tenths = (number * 10.0).round() / 10.0;
    if tenths > 0.0 && tenths < 10.0 && tenths.fract() > 0.0 {
        return format!("{tenths:.1}");
    }
    scaled(number, 1000.0, &["", "k", "M", "G", "T", "P", "E"])
}

fn bytes(number: f64) -> String {
    scaled(number, 1024.0, &["B", "K", "M", "G", "T", "P", "E"])
}

fn percent(number: Option<f64>) -> String {
    number.map_or("-".to_owned(), |number| format!("{number:.1}"))
}

/// Whole numbers below ten steps, then one digit behind the point.
fn scaled(mut number: f64, step: f64, units: &[&str]) -> String {
    let mut unit = 0;
    while number >= if unit == 0 { 10.0 * step } else { step } && unit + 1 < units.len() {
        number /= step;
        unit += 1;
    }
    if unit == 0 { format!("{number:.0}{}", units[0]) } else { format!("{number:.1}{}", units[unit]) }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::sample::Sample;
    use super::*;

    fn up(name: &str, place: usize, gets: u64) -> Row {
        let mut now = Sample::default();
        for line in [format!("STAT cmd_get {gets}"), format!("STAT get_hits {gets}"), "STAT version 1.6".to_owned()] {
            now.take(line.as_bytes()).unwrap();
        }
        let state = State::Up(Box::new((Sample::default(), now, Duration::from_secs(1))));
        Row { name: name.to_owned(), state, place }
    }

    fn down(name: &str, place: usize) -> Row {
        Row { name: name.to_owned(), state: State::Down("refused".to_owned()), place }
    }

    #[test]
    fn no_line_is_wider_than_the_terminal() {
        let rows = [up("a-name-that-is-much-too-long-for-a-row:11211", 0, 9), down("b", 1)];
        for columns in [0, 1, 20, 40, 80, 81, 200] {
            let lines = lines(&rows, columns, 1).into_iter().chain(detail(&rows[0], columns));
            assert!(lines.into_iter().all(|line| line.chars().count() <= columns), "{columns}");
        }
    }

    #[test]
    fn rows_are_sorted_and_the_down_ones_last() {
        let mut rows = [down("a", 0), up("b", 1, 1), up("c", 2, 5)];
        let names = |rows: &[Row]| rows.iter().map(|row| row.name.clone()).collect::<String>();
        sort(&mut rows, 1);
        assert_eq!(names(&rows), "cba");
        sort(&mut rows, 0);
        assert_eq!(names(&rows), "abc");
    }

    #[test]
    fn the_total_counts_those_that_are_up() {
        let rows = [down("a", 0), up("b", 1, 1), up("c", 2, 5)];
        let lines = lines(&rows, 200, 0);
        assert!(lines[1].contains("down: refused"), "{lines:?}");
        assert!(
            lines[4].starts_with("total") && lines[4].contains("2/3 up") && lines[4].contains("      6"),
            "{lines:?}"
        );
        let json = json(&rows);
        assert_eq!((&json["total"]["gets"], &json["nodes"][0]["error"]), (&json!(6.0), &json!("refused")));
    }

    #[test]
    fn numbers_are_short() {
        assert_eq!([0.0, 0.04, 0.5, 3.0, 9.96, 10.4].map(count), ["0", "0", "0.5", "3", "10", "10"]);
        assert_eq!([9999.0, 10000.0, 2.5e6, 1.8e19].map(count), ["9999", "10.0k", "2.5M", "18.0E"]);
        assert_eq!([0.0, 10240.0, 67108864.0].map(bytes), ["0B", "10.0K", "64.0M"]);
    }
}
