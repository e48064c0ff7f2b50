//! `docs/metrics.md` is what the table of metrics renders.
//!
//! After a change to the table: `LARDER_WRITE_DOCS=1 cargo test --test metrics_page`, and commit the page with it.

use std::path::Path;

#[test]
fn the_page_of_metrics_is_current() {
    let name = "docs/metrics.md";
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
    let rendered = larder::admin::metrics::docs_page();
    if std::env::var_os("LARDER_WRITE_DOCS").is_some() {
        std::fs::write(&path, &rendered).expect("the page can be written");
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        committed == rendered,
        "{name} is out of date; run LARDER_WRITE_DOCS=1 cargo test --test metrics_page and commit it"
    );
}
