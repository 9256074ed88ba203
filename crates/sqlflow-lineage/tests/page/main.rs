//! The page, tested in Chromium. The tests need the commands `chromium` and `chromedriver`.

mod accessibility;
mod address;
mod answers;
mod browser;
mod comparison;
mod documents;
mod drawing;
mod drawn;
mod harness;
mod hostile;
mod large;
mod overview;
mod pages;
mod saving;
mod search;
