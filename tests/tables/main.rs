//! The queries of docs/tables.md, run by `DuckDB` on Parquet files, give the same answers as the library.

mod duck;
mod estate;
mod known;
mod libraries;
mod nights;
mod questions;
