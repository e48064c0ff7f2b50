//! The table on the terminal and the figures in a file.

use std::fmt::Write;

use crate::contestant::process::Contestant;
use crate::contestant::table::{figure, median};
use crate::load::workload::Losses;
use crate::measure::{Sample, Series};
use crate::rows::Row;

/// The head of the table.
pub(crate) fn head() -> String {
    format!(
        "{:<26}{:>11} {:>8} {:>7} {:>7} {:>7} {:>9} {:>9} {:>9}   {:>5} {:<11}  {:>5} {:>5}",
        "",
        "keys/s",
        "cpu µs",
        "user",
        "system",
        "load µs",
        "p50 µs",
        "p99 µs",
        "p99.9 µs",
        "ratio",
        "(rounds)",
        "must",
        "goal"
    )
}

/// One row: a line per server; those after the first (the anchor) with their ratio to it.
pub(crate) fn row(row: &Row, series: &[Series]) -> String {
    let mut out = format!("{}: {}, {} connections\n", row.name, row.question, row.connections);
    for (at, one) in series.iter().enumerate() {
        // Writing to a string cannot fail.
        if let Some(why) = &one.absent {
            let _ = writeln!(out, "  {:<24}left out: {why}", one.name);
            continue;
        }
        let cells = cells(&one.samples);
        let ratio = if at == 0 { String::new() } else { ratio_cells(row, &series[0], one) };
        let _ = writeln!(out, "  {:<24}{cells}   {ratio}", label(one));
        let notes = notes(row, &one.samples);
        if !notes.is_empty() {
            let _ = writeln!(out, "    {notes}");
        }
    }
    out
}

/// The figures of every round, one JSON object a line.
pub(crate) fn json(row: &Row, series: &[Series]) -> String {
    let mut out = String::new();
    for one in series {
        for (round, sample) in one.samples.iter().enumerate() {
            let _ = writeln!(
                out,
                "{{\"row\":\"{}\",\"server\":{:?},\"version\":{:?},\"round\":{round},\"keys_per_second\":{:.0},\
                 \"cpu_micros\":{:.4},\"user_micros\":{:.4},\"load_micros\":{:.4},\"p50_micros\":{:.1},\"p99_micros\":{:.1},\
                 \"p999_micros\":{:.1},\"hit_share\":{:.4},\"refused\":{}}}",
                row.name,
                one.name,
                one.version,
                sample.keys_per_second,
                sample.cpu_micros,
                sample.user_micros,
                sample.load_micros,
                sample.p50_micros,
                sample.p99_micros,
                sample.p999_micros,
                sample.hit_share,
                sample.refused,
            );
        }
    }
    out
}

/// The name with the version behind its first word: `memcached 1.6.45 -R 100`.
fn label(series: &Series) -> String {
    let (program, options) = series.name.split_once(' ').unwrap_or((&series.name, ""));
    format!("{program} {} {options}", series.version).trim_end().to_owned()
}

fn cells(samples: &[Sample]) -> String {
    let of = |field: fn(&Sample) -> f64| median(&samples.iter().map(field).collect::<Vec<_>>());
    let cpu = of(|sample| sample.cpu_micros);
    let user = of(|sample| sample.user_micros);
    format!(
        "{:>11} {cpu:>8.3} {user:>7.3} {:>7.3} {:>7.3} {:>9} {:>9} {:>9}",
        figure(of(|sample| sample.keys_per_second)),
        cpu - user,
        of(|sample| sample.load_micros),
        figure(of(|sample| sample.p50_micros)),
        figure(of(|sample| sample.p99_micros)),
        figure(of(|sample| sample.p999_micros)),
    )
}

/// The median of the rounds' ratios: both sides of each were measured within seconds of each other.
fn ratio_cells(row: &Row, anchor: &Series, one: &Series) -> String {
    let mut ratios: Vec<f64> =
        one.samples.iter().zip(&anchor.samples).map(|(ours, theirs)| ours.cpu_micros / theirs.cpu_micros).collect();
    ratios.sort_by(f64::total_cmp);
    let ratio = median(&ratios);
    let spread = match (ratios.first(), ratios.last()) {
        (Some(least), Some(most)) => format!("({least:.2}-{most:.2})"),
        _ => String::new(),
    };
    if one.name != Contestant::LARDER {
        return format!("{ratio:>5.2} {spread:<11}");
    }
    let [must, goal] = row.target.cells();
    format!("{ratio:>5.2} {spread:<11}  {must:>5} {goal:>5}  {}", row.target.mark(ratio))
}

fn notes(row: &Row, samples: &[Sample]) -> String {
    let refused: u64 = samples.iter().map(|sample| sample.refused).sum();
    let hit_share = median(&samples.iter().map(|sample| sample.hit_share).collect::<Vec<_>>());
    match row.workload.losses {
        Losses::Forbidden => String::new(),
        Losses::Allowed => format!("hit share {hit_share:.3}, writes refused {refused}"),
    }
}
