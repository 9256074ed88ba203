// The pages are files in `docs`, so that they can be read in the repository too. Their links lead to other files there,
// and to modules here: `links.md` defines the same links before each page does, and the first definition counts.
#![allow(clippy::doc_markdown, reason = "the pages are prose, with names such as DataHub")]
#![doc = include_str!("guide/links.md")]
#![doc = include_str!("../docs/guide/README.md")]

macro_rules! page {
    ($module:ident, $file:literal) => {
        #[doc = include_str!("guide/links.md")]
        #[cfg_attr(feature = "emulator", doc = "[emulator]: crate::emulator")]
        #[doc = "\n"]
        #[doc = include_str!(concat!("../docs/", $file))]
        // The programs of the pages run on the emulator. Without it, they are shown and not tested.
        #[cfg(any(feature = "emulator", not(doctest)))]
        pub mod $module {}
    };
}

page!(getting_started, "guide/getting-started.md");
page!(submitting, "guide/submitting.md");
page!(following, "guide/following.md");
page!(resuming, "guide/resuming.md");
page!(exporting, "guide/exporting.md");
page!(lineage, "guide/lineage.md");
page!(impact, "guide/impact.md");
page!(nightly_diffs, "guide/nightly-diffs.md");
page!(openlineage, "guide/openlineage.md");
page!(errors, "guide/errors.md");
page!(retries, "guide/retries.md");
page!(credentials, "guide/credentials.md");
page!(on_premise, "guide/on-premise.md");
page!(testing, "guide/testing.md");
page!(many_machines, "guide/many-machines.md");
page!(from_python, "guide/from-python.md");
page!(new_server_version, "guide/new-server-version.md");
page!(promises, "guide/promises.md");
page!(operations, "operations.md");
page!(tracing, "tracing.md");
