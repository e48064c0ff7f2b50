//! The page: one file, with what it needs inside, and a policy that lets nothing else run.

use std::borrow::Cow;
use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::digest::{SHA256, digest};

use super::response::{Response, Status};

const PAGE: &str = include_str!("page.html");

/// Content Security Policy: this style, this script, and data from this server.
static POLICY: LazyLock<String> = LazyLock::new(|| {
    format!(
        "default-src 'none'; style-src '{}'; script-src '{}'; connect-src 'self'; img-src data:; base-uri 'none'; \
         form-action 'none'; frame-ancestors 'none'",
        hash_of("style"),
        hash_of("script")
    )
});

/// The page itself holds no data, so it needs no token: it asks for one.
pub(super) fn response() -> Response {
    let content = Cow::Borrowed(PAGE.as_bytes());
    Response { status: Status::Ok, media_type: "text/html; charset=utf-8", policy: POLICY.as_str(), content }
}

/// The hash that allows the only element of this name.
fn hash_of(element: &str) -> String {
    let inside =
        PAGE.split_once(&format!("<{element}>")).and_then(|(_, behind)| behind.split_once(&format!("</{element}>")));
    debug_assert!(inside.is_some(), "the page has one {element}");
    let hash = digest(&SHA256, inside.map_or("", |(text, _)| text).as_bytes());
    format!("sha256-{}", STANDARD.encode(hash))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_is_one_file_that_asks_nobody_else() {
        for element in ["<style", "<script", "</script"] {
            assert_eq!(PAGE.matches(element).count(), 1, "{element}");
        }
        for outside in ["http://", "https://", "src=", "@import", "url(", " style=", " onclick=", "innerHTML", "eval("]
        {
            let found = PAGE.matches(outside).count()
                - PAGE.matches("http://www.w3.org/2000/svg").count() * usize::from(outside == "http://");
            assert_eq!(found, 0, "{outside}");
        }
    }

    #[test]
    fn the_policy_names_both_hashes() {
        let policy = POLICY.as_str();
        assert_eq!(policy.matches("'sha256-").count(), 2, "{policy}");
        assert!(!policy.contains("unsafe"), "{policy}");
    }
}
