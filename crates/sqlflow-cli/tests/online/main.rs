//! The commands that talk to a server, run as a program against the emulator.

mod exit_codes;
mod jobs;
mod lineage;
mod schemas;
mod server;
mod syntax;
