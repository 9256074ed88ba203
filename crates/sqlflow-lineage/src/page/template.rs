//! The file of a page: the skeleton, the styles and the scripts, around the data.

use std::io::{self, Write};
use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};

use super::content::Content;

const SKELETON: &str = include_str!("assets/page.html");
const STYLE: &str = include_str!("assets/style.css");
/// The library that lays out a drawing.
const LAYOUT: &str = include_str!("vendor/dagre/dagre.min.js");

/// The licence of that library, which asks to be in all copies.
const LICENCE: &str = include_str!("vendor/dagre/LICENSE");

/// The scripts of the page, each after those that it imports.
const MODULES: [&str; 14] = [
    include_str!("assets/dom.js"),
    include_str!("assets/content.js"),
    include_str!("assets/graph.js"),
    include_str!("assets/stars.js"),
    include_str!("assets/walk.js"),
    include_str!("assets/search.js"),
    include_str!("assets/selection.js"),
    include_str!("assets/layout.js"),
    include_str!("assets/drawing.js"),
    include_str!("assets/details.js"),
    include_str!("assets/overview.js"),
    include_str!("assets/save.js"),
    include_str!("assets/address.js"),
    include_str!("assets/main.js"),
];

static SCRIPT: LazyLock<String> = LazyLock::new(|| MODULES.iter().copied().map(without_imports).collect());

/// Returns a module as a part of the one script that the page has: the modules share one scope, so that nothing is
/// imported or exported.
fn without_imports(module: &str) -> String {
    let mut script = String::with_capacity(module.len());
    let mut is_import = false;
    for line in module.lines() {
        is_import |= line.starts_with("import ");
        if !is_import {
            script.push_str(line.strip_prefix("export ").unwrap_or(line));
            script.push('\n');
        }
        is_import &= !line.ends_with(';');
    }
    script
}

/// Returns a policy that allows the parts of the page and nothing else.
fn policy() -> String {
    let hash = |text: &str| format!("'sha256-{}'", STANDARD.encode(Sha256::digest(text)));
    format!(
        "default-src 'none'; script-src {} {}; style-src {}; img-src blob: data:; base-uri 'none'; form-action 'none'; \
         require-trusted-types-for 'script'",
        hash(LAYOUT),
        hash(&SCRIPT),
        hash(STYLE)
    )
}

pub(super) fn write(content: &Content<'_>, writer: &mut impl Write) -> io::Result<()> {
    let mut rest = SKELETON;
    while let Some((before, after)) = rest.split_once("{{") {
        let (name, after) = after.split_once("}}").unwrap_or((after, ""));
        writer.write_all(before.as_bytes())?;
        match name {
            "policy" => writer.write_all(policy().as_bytes())?,
            "title" => write_escaped(&content.title, writer)?,
            "style" => writer.write_all(STYLE.as_bytes())?,
            "licence" => writer.write_all(LICENCE.as_bytes())?,
            "layout" => writer.write_all(LAYOUT.as_bytes())?,
            "script" => writer.write_all(SCRIPT.as_bytes())?,
            "content" => serde_json::to_writer(InScript(&mut *writer), content)?,
            _ => {}
        }
        rest = after;
    }
    writer.write_all(rest.as_bytes())
}

fn write_escaped(text: &str, writer: &mut impl Write) -> io::Result<()> {
    for character in text.chars() {
        match character {
            '&' => writer.write_all(b"&amp;")?,
            '<' => writer.write_all(b"&lt;")?,
            '"' => writer.write_all(b"&quot;")?,
            _ => write!(writer, "{character}")?,
        }
    }
    Ok(())
}

/// Writes JSON in an element `script`, which no text in the JSON can end: `<`, which JSON has in texts only, is escaped.
struct InScript<W>(W);

impl<W: Write> Write for InScript<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        for (at, part) in bytes.split(|&byte| byte == b'<').enumerate() {
            if at > 0 {
                self.0.write_all(br"\u003c")?;
            }
            self.0.write_all(part)?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_ends_the_script_that_it_is_in() {
        let mut written = Vec::new();
        serde_json::to_writer(InScript(&mut written), &["</script><!--", "a"]).unwrap();
        assert_eq!(String::from_utf8(written).unwrap(), r#"["\u003c/script>\u003c!--","a"]"#);
    }

    #[test]
    fn no_part_of_the_page_ends_the_element_that_it_is_in() {
        for script in [LAYOUT, &*SCRIPT] {
            assert!(!script.contains("</script") && !script.contains("<!--"));
        }
        assert!(!STYLE.contains("</style") && !LICENCE.contains("--"));
        assert!([SKELETON, STYLE, LAYOUT, &*SCRIPT].iter().all(|part| !part.contains('\r')), "browsers hash LF only");
    }

    #[test]
    fn modules_become_one_script() {
        let module = "import { a } from \"./a.js\";\nimport {\n    b,\n} from \"./b.js\";\n\nexport function c() {}\n";
        assert_eq!(without_imports(module), "\nfunction c() {}\n");
    }
}
