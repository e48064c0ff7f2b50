//! `docs/larder.1` and `docs/flags.md` are what the tables of flags render.
//!
//! After a change to the tables: `LARDER_WRITE_DOCS=1 cargo test --test flags_pages`, and commit the pages with it.

use std::path::Path;

#[test]
fn the_manual_page_is_current() {
    check("docs/larder.1", &larder::cli::man::page());
}

#[test]
fn the_page_of_flags_is_current() {
    check("docs/flags.md", &larder::cli::flags_page::page());
}

fn check(name: &str, rendered: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
    if std::env::var_os("LARDER_WRITE_DOCS").is_some() {
        std::fs::write(&path, rendered).expect("the page can be written");
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        committed == rendered,
        "{name} is out of date; run LARDER_WRITE_DOCS=1 cargo test --test flags_pages and commit it"
    );
}
