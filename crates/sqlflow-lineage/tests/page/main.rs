//! The page, tested in Chromium. The tests need the commands `chromium` and `chromedriver`.

mod browser;
mod documents;
mod harness;
