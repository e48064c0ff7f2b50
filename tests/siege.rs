//! Some seconds of every abuse at once, beside clients that behave: their answers are right, what was acknowledged is
//! there, and memory is bounded (`cargo bench --bench siege` does it for as long as one likes, and measures).

#[path = "../benches/siege/mod.rs"]
#[allow(dead_code, reason = "shared with the bench, which prints what this does not look at")]
mod siege;

use std::path::Path;
use std::time::Duration;

use siege::Stage;

#[test]
fn under_abuse_no_answer_is_wrong_and_no_acknowledged_write_is_lost() {
    let larder = Path::new(env!("CARGO_BIN_EXE_larder"));
    let stage = Stage::start(larder, env!("CARGO_BIN_EXE_larder-passwd").as_ref(), &[]).expect("a server");
    let report = siege::run(&stage, Duration::from_secs(8));
    assert!(report.wrongs.is_empty(), "{}\n{}", report.wrongs.join("\n"), stage.log());
    let friends = &report.friends;
    assert!(friends.writes > 0 && friends.right > 0 && friends.missing == 0, "{}", friends.missing);
    assert!(report.newcomers.count > 0);
    assert_eq!(report.evictions, 0, "foes keep to few keys");
    assert!(report.abuses.iter().filter(|(_, count)| *count > 0).count() > 5, "{:?}", report.abuses);
}
