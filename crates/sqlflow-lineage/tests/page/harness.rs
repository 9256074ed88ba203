//! Tests of the browser that the other tests rely on: it sees what a page does wrong, and leaves nothing behind.

use std::panic;
use std::path::PathBuf;

use fantoccini::key::Key;
use serde_json::json;
use tempfile::TempDir;

use crate::browser::{self, Page};

/// A policy like that of the page: only its own script and style.
const POLICY: &str = "default-src 'none'; script-src 'nonce-good'; style-src 'nonce-good'";

/// Writes a page with this body, and returns its path. The folder has a name that must be encoded in a URL.
fn page(body: &str) -> (TempDir, PathBuf) {
    let folder = tempfile::Builder::new().prefix("a #page? 100% ü").tempdir().unwrap();
    let file = folder.path().join("page.html");
    let html = format!(
        "<!doctype html><html lang=en><meta charset=utf-8>\
         <meta http-equiv=Content-Security-Policy content=\"{POLICY}\"><title>A page</title><body>{body}"
    );
    std::fs::write(&file, html).unwrap();
    (folder, file)
}

/// Returns the errors that a page with this body reports.
fn errors(page_of_test: &Page, body: &str) -> String {
    let (_folder, file) = page(body);
    page_of_test.open(&file);
    // Everything that the page does is done when the next task runs.
    page_of_test.wait_for("document.readyState === 'complete'");
    page_of_test.take_errors().join("\n")
}

#[test]
fn a_page_without_errors_passes() {
    let (_folder, file) = page("<p id=text>Hello</p><script nonce=good>console.warn('only a warning')</script>");
    browser::test(|page| {
        page.open(&file);
        assert_eq!(page.title(), "A page");
        assert_eq!(page.text("#text"), "Hello");
        assert_eq!((page.count("p"), page.count("table")), (1, 0));
    });
}

#[test]
fn a_page_that_breaks_its_policy_fails_its_test() {
    if !browser::is_installed() {
        return;
    }
    let (_folder, file) = page("<script>document.title = 'broken'</script>");
    let failed = panic::catch_unwind(|| browser::test(|page| page.open(&file))).unwrap_err();
    let message = failed.downcast_ref::<String>().unwrap();
    assert!(message.contains("Content Security Policy"), "{message}");
}

#[test]
fn errors_of_every_kind_are_seen() {
    browser::test(|page| {
        for (what, body, expected) in [
            ("a script", "<script>1</script>", "Content Security Policy"),
            // Some versions of Chromium look at a handler only when it is called.
            (
                "a handler",
                "<p onclick='1'><script nonce=good>document.querySelector('p').click()</script>",
                "Content Security Policy",
            ),
            ("a style", "<p style='color: red'>", "Content Security Policy"),
            ("a picture", "<img src='https://example.com/x.png'>", "Content Security Policy"),
            ("code from text", "<script nonce=good>try { eval('1') } catch {}</script>", "Content Security Policy"),
            (
                "a function from text",
                "<script nonce=good>try { new Function('1') } catch {}</script>",
                "Content Security Policy",
            ),
            (
                "a request",
                "<script nonce=good>fetch('https://example.com/').catch(() => {})</script>",
                "Content Security Policy",
            ),
            ("an exception", "<script nonce=good>throw new Error('thrown')</script>", "thrown"),
            ("a rejection", "<script nonce=good>Promise.reject(new Error('rejected'))</script>", "rejected"),
            ("a logged error", "<script nonce=good>console.error('logged')</script>", "logged"),
        ] {
            let errors = errors(page, body);
            assert!(errors.contains(expected), "{what}: {errors:?}");
        }
        assert_eq!(errors(page, "<p>nothing wrong"), "");
    });
}

#[test]
fn a_page_gets_clicks_keys_and_text() {
    let (_folder, file) = page(
        "<input id=first aria-label='First field'><input id=second><button id=add>Add</button><ul></ul>
         <script nonce=good>
         const log = [];
         document.addEventListener('keydown', (event) => log.push((event.ctrlKey ? 'Ctrl+' : '') + event.key));
         document.getElementById('add').addEventListener('click', () => setTimeout(() => {
             document.querySelector('ul').append(Object.assign(document.createElement('li'), { textContent: 'later' }));
         }, 50));
         </script>",
    );
    browser::test(|page| {
        page.open_at(&file, "column=ü b");
        assert_eq!(page.value("decodeURIComponent(location.hash)"), "#column=ü b");
        assert_eq!(page.url().fragment(), Some("column=%C3%BC%20b"));
        page.click("#first");
        page.type_text("abc שלום");
        page.key(Key::Tab);
        page.type_text("👨\u{200d}👩\u{200d}👧");
        page.keys(&[Key::Control, Key::Home]);
        assert_eq!(page.value("[first.value, second.value]"), json!(["abc שלום", "👨\u{200d}👩\u{200d}👧"]));
        let log = page.value("log.join(' ')");
        assert!(log.as_str().unwrap().ends_with("Tab Ctrl+Control Ctrl+Home"), "{log}");
        page.click("#add");
        assert_eq!(page.text("li"), "later");
        assert_eq!(page.wait_for("document.querySelectorAll('li').length"), 1);
        assert_eq!(page.role_and_name("#first"), ("textbox".to_owned(), "First field".to_owned()));
        assert_eq!(page.exec_with("return arguments[0] + 1;", vec![json!(41)]), 42);
    });
}

#[test]
fn a_page_gets_the_colours_the_medium_and_the_size_of_the_reader() {
    let (folder, file) = page("<p>Hello");
    browser::test(|page| {
        page.open(&file);
        let matches = |query: &str| page.value(&format!("matchMedia({query:?}).matches"));
        page.dark(true);
        assert_eq!(matches("(prefers-color-scheme: dark)"), true);
        page.dark(false);
        assert_eq!(matches("(prefers-color-scheme: dark)"), false);
        page.media("print", &[("prefers-reduced-motion", "reduce")]);
        assert_eq!((matches("print"), matches("(prefers-reduced-motion: reduce)")), (json!(true), json!(true)));
        page.media("", &[]);
        assert_eq!(matches("print"), false);
        page.viewport(700, 500);
        assert_eq!(page.value("[innerWidth, innerHeight]"), json!([700, 500]));
        let picture = folder.path().join("picture.png");
        page.screenshot(&picture);
        let picture = std::fs::read(picture).unwrap();
        // The width and the height of a PNG come after its signature and the name of its first chunk.
        assert_eq!((&picture[..4], &picture[16..24]), (&b"\x89PNG"[..], &[0, 0, 2, 188, 0, 0, 1, 244][..]));
        assert!(page.print().starts_with(b"%PDF-"));
    });
}

#[test]
fn a_page_saves_files() {
    let (_folder, file) = page(
        "<button>Save</button><script nonce=good>
         document.querySelector('button').addEventListener('click', () => {
             const link = document.createElement('a');
             link.href = URL.createObjectURL(new Blob(['<svg/>'], { type: 'image/svg+xml' }));
             link.download = 'lineage.svg';
             link.click();
         });
         </script>",
    );
    browser::test(|page| {
        page.open(&file);
        page.click("button");
        assert_eq!(page.download("lineage.svg"), b"<svg/>");
    });
}
