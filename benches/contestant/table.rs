//! Figures for people: medians, marks against the targets, numbers of a fitting precision.

/// The middle one; the mean of the two middle ones of an even count; NaN of none.
pub(crate) fn median(figures: &[f64]) -> f64 {
    let mut sorted = figures.to_vec();
    sorted.sort_by(f64::total_cmp);
    match sorted.len() {
        0 => f64::NAN,
        count if count % 2 == 1 => sorted[count / 2],
        count => (sorted[count / 2 - 1] + sorted[count / 2]) / 2.0,
    }
}

/// What we owe and what we want; smaller is better.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Target {
    /// A release must not be above, if such a bound is set.
    pub(crate) must: Option<f64>,
    /// What the design aims at.
    pub(crate) goal: f64,
}

impl Target {
    /// `GOAL`, `PASS` (the must is met, the goal is not), `over`, or `near` when only a goal is set and missed.
    pub(crate) fn mark(self, figure: f64) -> &'static str {
        match self.must {
            _ if figure <= self.goal => "GOAL",
            Some(must) if figure <= must => "PASS",
            _ => "over",
        }
    }

    /// The must for a table cell.
    pub(crate) fn must_cell(self) -> String {
        self.must.map_or_else(|| "-".to_owned(), figure)
    }

    /// The goal for a table cell.
    pub(crate) fn goal_cell(self) -> String {
        figure(self.goal)
    }
}

/// About three digits.
pub(crate) fn figure(number: f64) -> String {
    match number.abs() {
        size if size >= 1000.0 => grouped(number),
        size if size >= 100.0 => format!("{number:.0}"),
        size if size >= 10.0 => format!("{number:.1}"),
        _ => format!("{number:.2}"),
    }
}

/// `1,234,567`.
fn grouped(number: f64) -> String {
    let digits = format!("{number:.0}");
    let mut out = String::new();
    for (position, digit) in digits.char_indices() {
        if position > 0 && (digits.len() - position) % 3 == 0 {
            out.push(',');
        }
        out.push(digit);
    }
    out
}
