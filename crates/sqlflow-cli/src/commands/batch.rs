//! Not written yet.
use crate::exit::{Failure, Outcome};
use crate::messages::Messages;
use clap::Args;
/// Not written yet
#[derive(Debug, Args)]
pub(crate) struct Arguments {}
pub(crate) async fn run(_: Arguments, _: &Messages, _: &super::Resumption) -> Outcome {
    Err(Failure::error("not written yet"))
}
