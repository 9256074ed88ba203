//! Pages in temporary files, and their start in the browser.

use std::path::PathBuf;

use sqlflow_lineage::Lineage;
use tempfile::TempDir;

use crate::browser::Page;

/// A page in a temporary file, which is deleted when this is dropped.
pub(crate) struct File {
    _folder: TempDir,
    pub(crate) path: PathBuf,
}

/// Writes a page into a file.
pub(crate) fn write(page: &sqlflow_lineage::Page<'_>) -> File {
    let folder = tempfile::Builder::new().prefix("sqlflow-page-").tempdir().expect("cannot create a folder");
    let path = folder.path().join("lineage.html");
    let file = std::fs::File::create(&path).expect("cannot create a file");
    page.write(file).expect("cannot write a page");
    File { _folder: folder, path }
}

/// Reads a document and writes its page into a file.
pub(crate) fn of(document: &str) -> File {
    write(&read(document).page())
}

pub(crate) fn read(document: &str) -> Lineage {
    document.parse().expect("the document is a lineage")
}

impl Page {
    /// Opens a page at a fragment such as `column=…`, and waits until it is ready.
    #[track_caller]
    pub(crate) fn start(&self, file: &File, fragment: &str) {
        self.open_at(&file.path, fragment);
        self.wait_until_ready();
    }

    #[track_caller]
    pub(crate) fn wait_until_ready(&self) {
        self.wait_for("document.documentElement.dataset.ready");
    }

    /// Returns the texts of all elements that a CSS selector matches, as they are in the document.
    #[track_caller]
    pub(crate) fn texts(&self, selector: &str) -> Vec<String> {
        let texts = self.exec_with(
            "return [...document.querySelectorAll(arguments[0])].map((one) => one.textContent.trim());",
            vec![selector.into()],
        );
        serde_json::from_value(texts).expect("texts")
    }

    /// Returns `true` if an element is in view.
    #[track_caller]
    pub(crate) fn is_shown(&self, selector: &str) -> bool {
        let script = "return document.querySelector(arguments[0])?.checkVisibility() ?? false;";
        self.exec_with(script, vec![selector.into()]) == true
    }
}
