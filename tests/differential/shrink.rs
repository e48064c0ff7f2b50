//! Finds a smaller case that still diverges: whole commands go first, then the cuts.

use crate::case::Case;

/// Each trial starts two servers, some 30 ms.
const TRIALS_MAX: usize = 400;

/// Removes ever smaller stretches of steps for as long as the rest still diverges.
pub(crate) fn shrink(case: &Case, diverges: impl Fn(&Case) -> bool) -> Case {
    let mut smallest = case.clone();
    let mut trials = 0;
    let mut try_case = |smallest: &mut Case, candidate: Case| {
        trials += 1;
        let smaller = trials <= TRIALS_MAX && diverges(&candidate);
        if smaller {
            *smallest = candidate;
        }
        smaller
    };
    let uncut = Case { cuts_seed: None, ..smallest.clone() };
    try_case(&mut smallest, uncut);
    let mut stretch = smallest.steps.len().div_ceil(2);
    while stretch > 0 {
        let mut removed = false;
        let mut at = 0;
        while at < smallest.steps.len() {
            let mut candidate = smallest.clone();
            candidate.steps.drain(at..(at + stretch).min(candidate.steps.len()));
            if !candidate.steps.is_empty() && try_case(&mut smallest, candidate) {
                removed = true;
            } else {
                at += stretch;
            }
        }
        if stretch > 1 {
            stretch = stretch.div_ceil(2);
        } else if !removed {
            break;
        }
    }
    smallest
}
