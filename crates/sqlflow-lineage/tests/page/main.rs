//! The page, tested in Chromium. The tests need the commands `chromium` and `chromedriver`.

mod address;
mod answers;
mod browser;
mod documents;
mod drawing;
mod drawn;
mod harness;
mod overview;
mod pages;
mod search;
