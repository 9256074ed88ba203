//! Not written yet.
use crate::exit::{Failure, Outcome};
use crate::messages::Messages;
/// Not written yet
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Not written yet
    List,
}
pub(crate) async fn run(_: Command, _: &Messages) -> Outcome {
    Err(Failure::error("not written yet"))
}
