//! Templates in a script: `{{ … }}`, `${…}`, `$(…)` and `&x` stand for text that is not known until they are rendered.
//!
//! Each is replaced by a name of the same length, so that lines and columns stay, and reported once. `{{ ref('x') }}` and
//! `{{ source('a', 'b') }}` are the names in them; any other template becomes a name made of its letters. Blocks and
//! comments of templates (`{% … %}`, `{# … #}`) are blanked.

use std::borrow::Cow;

use super::dialect::Dialect;

/// A template, and how it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Template {
    /// The byte at which it begins.
    pub(super) at: usize,
    pub(super) text: String,
    /// The name that it was read as. Empty if it was left out.
    pub(super) name: String,
}

/// The kinds of templates, by the text around them.
const BRACKETS: [(&str, &str); 5] = [("{{", "}}"), ("{%", "%}"), ("{#", "#}"), ("${", "}"), ("$(", ")")];

/// Returns the script with names instead of templates, and the templates.
pub(super) fn without_templates(text: &str, dialect: Dialect) -> (Cow<'_, str>, Vec<Template>) {
    let substitutes = dialect == Dialect::Oracle && text.contains('&');
    let is_template =
        |opening: &&(&str, &str)| (opening.0 != "$(" || dialect == Dialect::Mssql) && text.contains(opening.0);
    let brackets: Vec<&(&str, &str)> = BRACKETS.iter().filter(is_template).collect();
    if brackets.is_empty() && !substitutes {
        return (Cow::Borrowed(text), Vec::new());
    }
    let mut written = String::with_capacity(text.len());
    let mut found: Vec<Template> = Vec::new();
    let mut at = 0;
    while at < text.len() {
        let rest = &text[at..];
        let skipped = unread_length(rest);
        if skipped > 0 {
            written.push_str(&rest[..skipped]);
            at += skipped;
            continue;
        }
        let bracketed = brackets.iter().find_map(|(opening, closing)| {
            let end = rest.strip_prefix(opening)?.find(closing)? + opening.len() + closing.len();
            Some((&rest[..end], *opening))
        });
        let variable = || substitutes.then(|| substitution(rest, &written)).flatten().map(|text| (text, "&"));
        let Some((template, opening)) = bracketed.or_else(variable) else {
            let first = rest.chars().next().map_or(1, char::len_utf8);
            written.push_str(&rest[..first]);
            at += first;
            continue;
        };
        let name = if matches!(opening, "{%" | "{#") { String::new() } else { name_of(template) };
        push_in_place(&mut written, &name, template);
        if opening != "{#" && !found.iter().any(|known| known.text == template) {
            found.push(Template { at, text: template.to_owned(), name });
        }
        at += template.len();
    }
    (Cow::Owned(written), found)
}

/// Returns the length of a comment or a string, in which nothing is a template.
fn unread_length(rest: &str) -> usize {
    let until =
        |closing: &str, from: usize| rest[from..].find(closing).map_or(rest.len(), |end| from + end + closing.len());
    if rest.starts_with("--") {
        until("\n", 2)
    } else if rest.starts_with("/*") {
        until("*/", 2)
    } else if rest.starts_with('\'') {
        until("'", 1)
    } else {
        0
    }
}

/// Returns a substitution variable of SQL*Plus, with the period that ends its name.
fn substitution<'a>(rest: &'a str, before: &str) -> Option<&'a str> {
    let stands_alone = before.chars().last().is_none_or(|last| !last.is_alphanumeric() && last != '&');
    let name = rest.strip_prefix("&&").or_else(|| rest.strip_prefix('&')).filter(|_| stands_alone)?;
    let length =
        name.bytes().take_while(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'$' | b'#')).count();
    let begins = name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_');
    let mut end = rest.len() - name.len() + length;
    if rest[end..].starts_with('.') {
        end += 1;
    }
    begins.then(|| &rest[..end])
}

/// Returns the name that a template is read as.
fn name_of(template: &str) -> String {
    let inner = template.trim_start_matches(['{', '$', '(', '&']).trim_end_matches(['}', ')']).trim();
    let call = |function: &str| {
        let arguments = inner.strip_prefix(function)?.trim_start().strip_prefix('(')?;
        let quoted = arguments.split(['\'', '"']).skip(1).step_by(2).collect::<Vec<_>>();
        (!quoted.is_empty()).then(|| quoted.join("."))
    };
    if inner.starts_with("config") && inner[6..].trim_start().starts_with('(') {
        return String::new();
    }
    call("ref").or_else(|| call("source")).unwrap_or_else(|| {
        // As many bytes as the template has, so that what follows is part of the same name. The first is a letter,
        // since not every dialect allows a name to begin with an underscore.
        let line = template.lines().next().unwrap_or_default();
        let letters = line.bytes().map(|byte| if byte.is_ascii_alphanumeric() { char::from(byte) } else { '_' });
        std::iter::once('t').chain(letters.skip(1)).collect()
    })
}

/// Writes a name in place of a template, with as many bytes and the same line breaks.
fn push_in_place(written: &mut String, name: &str, template: &str) {
    let first_line = template.find('\n').unwrap_or(template.len());
    let name: String = name.chars().take(first_line).collect();
    written.push_str(&name);
    for letter in template[name.len().min(template.len())..].bytes() {
        written.push(if letter == b'\n' { '\n' } else { ' ' });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(dialect: Dialect, text: &str) -> (String, Vec<String>) {
        let (written, found) = without_templates(text, dialect);
        assert_eq!(written.len(), text.len());
        (written.into_owned(), found.into_iter().map(|template| template.name).collect())
    }

    #[test]
    fn a_template_becomes_a_name_of_the_same_length() {
        let (written, names) = read(Dialect::Ansi, "select a from ${env}_db.t join {{ ref('x') }} on 1");
        assert_eq!(written, "select a from t_env__db.t join x              on 1");
        assert_eq!(names, ["t_env_", "x"]);
        assert_eq!(read(Dialect::Ansi, "{{ source('a', 'b') }}").0.trim(), "a.b");
        assert_eq!(read(Dialect::Ansi, "{% if x %}\n{# it's #}a").0.trim(), "a");
        assert_eq!(read(Dialect::Ansi, "{{ config(a='b') }} select 1").0.trim(), "select 1");
    }

    #[test]
    fn strings_and_comments_are_unchanged() {
        let sql = "select '${a}' -- {{ b }}\n/* ${c} */ from t";
        assert_eq!(read(Dialect::Ansi, sql), (sql.to_owned(), vec![]));
        assert_eq!(read(Dialect::Mssql, "use $(db)").1, ["t_db_"]);
        assert_eq!(read(Dialect::Postgres, "select $(db)").1, [""; 0]);
    }

    #[test]
    fn sql_plus_variables_are_templates() {
        let (written, names) = read(Dialect::Oracle, "select a&b from &&schema..t where x = &id");
        assert_eq!(names, ["t_schema_", "tid"]);
        assert_eq!(written, "select a&b from t_schema_.t where x = tid");
    }
}
