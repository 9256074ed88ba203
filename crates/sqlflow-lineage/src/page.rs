//! Pages: one HTML file in which a person finds their way through a lineage.
//!
//! - `content` is the data of a page, as JSON that the page reads; `whole` fills it from a lineage, and `comparison` from
//!   the differences between two.
//! - `template` puts the data, the styles and the scripts into one file, with the policy that keeps everything else out.
//!
//! The styles and scripts are in `assets`, and the library that lays out a drawing is in `vendor`.

mod comparison;
mod content;
mod template;
mod whole;

use std::fmt;
use std::io::{self, BufWriter, Write};

use super::Lineage;
use super::diff::Diff;
use super::graph::Vertex;
use super::kinds::Mode;

/// A page: a lineage, or the differences between two, as one HTML file for a browser; created by [`Lineage::page`] and
/// [`Diff::page`].
///
/// The file needs nothing else: no server, no network, no files beside it. A content security policy in it forbids the
/// browser to load or run anything that is not part of it, and names are always shown as text, whatever they hold.
///
/// The page opens on a search field and an overview: schemas, the busiest tables, what could not be followed, errors and
/// warnings. From there, every table and column leads to a drawing of its surroundings.
///
/// ```
/// # use sqlflow_lineage::Lineage;
/// # let lineage: Lineage = r#"{"dbobjs": [
/// #     {"id": "1", "name": "ORDERS", "type": "table", "columns": [{"id": "2", "name": "TOTAL"}]},
/// #     {"id": "3", "name": "REPORT", "type": "view", "columns": [{"id": "4", "name": "SUM"}]}],
/// #   "relationships": [{"id": "5", "type": "fdd", "target": {"id": "4"}, "sources": [{"id": "2"}]}]}"#.parse()?;
/// let mut html = Vec::new();
/// lineage.page().title("Nightly load").open_at(lineage.find("REPORT.SUM")?).write(&mut html)?;
/// assert!(html.starts_with(b"<!doctype html>"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Completeness
///
/// A page says at its top if the lineage is a summary, lacks record sets, has errors in its SQL, or has relationships
/// that cannot be followed, and lists them. A caller who knows more, for example that the job succeeded only in part,
/// adds a [reason](Self::reason).
///
/// # Writing
///
/// The page holds every record of the lineage that a question can reach, in a form that is a fraction of the size of the
/// document. The same lineage always gives the same bytes. All current browsers can read it.
#[derive(Clone)]
#[must_use = "shows nothing until it is written"]
pub struct Page<'a> {
    subject: Subject<'a>,
    title: Option<String>,
    reasons: Vec<String>,
    open_at: Option<Vertex<'a>>,
}

#[derive(Clone)]
enum Subject<'a> {
    Lineage(&'a Lineage),
    Diff(&'a Diff<'a>),
}

impl Lineage {
    /// Returns a page that shows this lineage in a browser.
    ///
    /// ```no_run
    /// # use sqlflow_lineage::Lineage;
    /// # let lineage: Lineage = "{}".parse()?;
    /// lineage.page().write(std::fs::File::create("lineage.html")?)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn page(&self) -> Page<'_> {
        Page::new(Subject::Lineage(self))
    }
}

impl<'a> Diff<'a> {
    /// Returns a page that shows these differences in a browser: what was added and removed in colour, among what stayed
    /// the same.
    ///
    /// ```no_run
    /// # use sqlflow_lineage::Lineage;
    /// # let (old, new): (Lineage, Lineage) = ("{}".parse()?, "{}".parse()?);
    /// old.diff(&new).page().write(std::fs::File::create("changes.html")?)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn page(&'a self) -> Page<'a> {
        Page::new(Subject::Diff(self))
    }
}

impl<'a> Page<'a> {
    fn new(subject: Subject<'a>) -> Self {
        Self { subject, title: None, reasons: Vec::new(), open_at: None }
    }

    /// Sets the title, which is otherwise made from the labels of the documents.
    pub fn title(mut self, title: impl Into<String>) -> Self {
        self.title = Some(title.into());
        self
    }

    /// Adds a reason for which the lineage may be less than the whole: a sentence without a full stop, shown at the top
    /// with its first letter in upper case.
    pub fn reason(mut self, reason: impl Into<String>) -> Self {
        self.reasons.push(reason.into());
        self
    }

    /// Opens the page at a column or object of this lineage instead of the overview.
    pub fn open_at(mut self, vertex: impl Into<Vertex<'a>>) -> Self {
        self.open_at = Some(vertex.into());
        self
    }

    /// Writes the page. It buffers what it writes and flushes it at the end.
    ///
    /// # Errors
    ///
    /// Those of the writer.
    pub fn write(&self, writer: impl Write) -> io::Result<()> {
        let mut writer = BufWriter::new(writer);
        let mut content = match &self.subject {
            Subject::Lineage(lineage) => whole::content(lineage, self.open_at),
            Subject::Diff(diff) => comparison::content(diff, self.open_at),
        };
        if let Some(title) = &self.title {
            content.title.clone_from(title);
        }
        content.reasons.splice(0..0, self.reasons.iter().cloned());
        template::write(&content, &mut writer)?;
        writer.flush()
    }
}

impl fmt::Debug for Page<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Page").field("title", &self.title).field("reasons", &self.reasons).finish_non_exhaustive()
    }
}

/// Returns a sentence about what the server left out of a lineage, if it says so.
fn omission(lineage: &Lineage) -> Option<&'static str> {
    match lineage.mode()? {
        Mode::Summary => Some("This is a summary: the server left out columns and relationships"),
        Mode::IgnoreRecordSet => Some("The server left out record sets, and with them filters and joins"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use crate::fixtures::{LAYOUT_A, LAYOUT_B, LAYOUT_C1, read};
    use crate::{Lineage, Page};

    fn html(page: &Page<'_>) -> String {
        let mut html = Vec::new();
        page.write(&mut html).unwrap();
        String::from_utf8(html).unwrap()
    }

    /// Returns the data in a page.
    fn data(html: &str) -> Value {
        let (_, rest) = html.split_once(r#"<script type="application/json" id="lineage">"#).unwrap();
        serde_json::from_str(rest.split_once("</script>").unwrap().0).unwrap()
    }

    #[test]
    fn a_page_has_the_same_bytes_each_time() {
        for document in [LAYOUT_A, LAYOUT_B, LAYOUT_C1] {
            // Another lineage of the same document has other maps, in another order.
            assert_eq!(html(&read(document).page()), html(&read(document).page()));
        }
        let (old, new) = (read(LAYOUT_A), read(LAYOUT_C1));
        assert_eq!(html(&old.diff(&new).page()), html(&read(LAYOUT_A).diff(&read(LAYOUT_C1)).page()));
    }

    #[test]
    fn a_page_refers_to_nothing_outside_itself() {
        let html = html(&read(r#"{"dbobjs": []}"#).page());
        let (policy, _) = html.split_once("default-src 'none'").map(|(_, rest)| rest.split_once('"').unwrap()).unwrap();
        assert!(!policy.contains("unsafe") && !policy.contains("http"), "{policy}");
        for reference in
            ["src=", "href=", "@import", "@font-face", "url(http", "url(/", "srcset", "<link", "<base", "<iframe"]
        {
            assert!(!html.contains(reference), "{reference}");
        }
        let addresses = html.match_indices("http").map(|(at, _)| html[at..].lines().next().unwrap());
        // A namespace is a name, and loads nothing; the other addresses are in comments of the library.
        let named = addresses.filter(|rest| rest.starts_with("http://") || rest.starts_with("https://"));
        let others: Vec<&str> = named.filter(|rest| !rest.starts_with("http://www.w3.org/2000/svg")).collect();
        assert!(others.is_empty(), "{others:?}");
        assert_eq!(html.matches("<script").count(), 3);
        assert_eq!(html.matches("<style").count(), 1);
    }

    #[test]
    fn a_page_opens_at_the_vertex_that_was_asked_for() {
        let lineage = read(LAYOUT_C1);
        let at = |page: Page<'_>| data(&html(&page))["openAt"].clone();
        assert_eq!(at(lineage.page()), Value::Null);
        for (number, column) in lineage.columns().enumerate() {
            assert_eq!(at(lineage.page().open_at(column)), number);
        }
        for (number, object) in lineage.objects().enumerate() {
            assert_eq!(at(lineage.page().open_at(object)), lineage.columns().len() + number);
        }
    }

    #[test]
    fn the_reasons_of_the_maker_come_before_those_of_the_document() {
        let lineage: Lineage =
            r#"{"dbobjs": [], "errors": [{"errorMessage": "m", "errorType": "SyntaxError"}]}"#.parse().unwrap();
        let page = lineage.page().title("<title>").reason("first").reason("second");
        let html = html(&page);
        assert!(html.contains("<title>&lt;title></title>"));
        let data = data(&html);
        assert_eq!(data["title"], "<title>");
        assert_eq!(data["reasons"][0], "first");
        assert_eq!(data["reasons"][1], "second");
        assert_eq!(data["reasons"].as_array().map(Vec::len), Some(3));
    }
}
