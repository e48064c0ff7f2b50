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
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Target {
    /// A release must not be above.
    pub(crate) must: Option<f64>,
    /// What the design aims at.
    pub(crate) goal: Option<f64>,
}

impl Target {
    /// `GOAL` if the goal is met, `PASS` if only the must is, `over` if neither; nothing without a target.
    pub(crate) fn mark(self, figure: f64) -> &'static str {
        match (self.must, self.goal) {
            (None, None) => "",
            (_, Some(goal)) if figure <= goal => "GOAL",
            (Some(must), _) if figure <= must => "PASS",
            _ => "over",
        }
    }

    /// The must and the goal, for table cells.
    pub(crate) fn cells(self) -> [String; 2] {
        [self.must, self.goal].map(|bound| bound.map_or_else(|| "-".to_owned(), figure))
    }
}

/// Three digits or more.
pub(crate) fn figure(number: f64) -> String {
    match number.abs() {
        size if size >= 1000.0 => grouped(number),
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
