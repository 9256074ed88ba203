//! The program `sqlflow`, run as users run it: each command, flag, exit code and schema.

mod batch;
mod doctor;
mod emit;
mod emulator;
mod environment;
mod exit_codes;
mod jobs;
mod lineage;
#[cfg(unix)]
mod nightly;
mod offline;
mod page;
mod parquet;
mod readme;
mod schemas;
mod server;
mod settings;
mod syntax;
