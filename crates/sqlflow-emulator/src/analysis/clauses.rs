//! Clauses that the parser refuses although they change nothing about the lineage: storage, physical layout, hints,
//! formats. They are taken out of the tokens of a statement, or replaced by a spelling that the parser knows.
//!
//! The rules are only applied to statements that do not parse as they are. The tokens that remain keep their positions.

use std::ops::Range;
use std::sync::LazyLock;

use sqlparser::tokenizer::{Span, Token, TokenWithSpan, Tokenizer};

use super::dialect::Dialect;
use super::dialect::Dialect::{
    Bigquery, Databricks, Generic, Hive, Mssql, Mysql, Oracle, Postgres, Redshift, Snowflake, Spark, Teradata,
};
use super::tokens::{is_blank, is_one_of, outside_parentheses};

/// The dialects of a rule. An empty list stands for all.
type Dialects = &'static [Dialect];

const ALL: Dialects = &[];
const HADOOP: Dialects = &[Hive, Spark, Databricks, Generic];
const ORACLE: Dialects = &[Oracle, Generic];
const WAREHOUSES: Dialects = &[Redshift, Postgres, Generic];

/// A pattern of tokens, and the text that replaces it.
///
/// The parts of a pattern are words (`a|b` for alternatives), `(…)` for everything between two parentheses, `name` for a
/// name with its qualifiers, `@name` for a variable, `'…'` for a string, `#` for a number, `any` for any token, `…` for
/// the rest of the statement, `^` for its beginning and `$` for its end. A part with `?` in front may be absent.
struct Rule(Dialects, &'static str, &'static str);

/// The rules. Of several that match at a token, the first is applied.
static RULES: [Rule; 111] = [
    // T-SQL
    Rule(&[Mssql], "option (…)", ""),
    Rule(&[Mssql], "collate name", ""),
    Rule(&[Mssql], "textimage_on|filestream_on name", ""),
    Rule(&[Mssql], ") on name $", ")"),
    Rule(&[Mssql], "not for replication", ""),
    // Oracle
    Rule(ORACLE, "create ?or ?replace ?no force ?editionable|noneditionable view", "create view"),
    Rule(ORACLE, "create ?or ?replace editionable|noneditionable", "create or replace"),
    Rule(ORACLE, "build immediate|deferred", ""),
    Rule(ORACLE, "refresh ?fast|complete|force ?on ?commit|demand ?start ?with", ""),
    Rule(ORACLE, "never refresh", ""),
    Rule(ORACLE, "enable|disable query rewrite", ""),
    Rule(ORACLE, "using ?trusted|enforced constraints", ""),
    Rule(ALL, "with read only", ""),
    Rule(ALL, "with ?local|cascaded check option constraint name", ""),
    Rule(ALL, "with ?local|cascaded check option", ""),
    Rule(ORACLE, "log errors ?into ?name ?(…) reject limit name|#", ""),
    Rule(ORACLE, "log errors ?into ?name ?(…)", ""),
    Rule(ORACLE, "nologging|logging|noparallel|nocompress|compress|nocache|cache|monitoring", ""),
    Rule(ORACLE, "parallel ?#", ""),
    Rule(ORACLE, "tablespace name", ""),
    Rule(ORACLE, "storage (…)", ""),
    Rule(ORACLE, "pctfree|pctused|initrans|maxtrans #", ""),
    Rule(ORACLE, "segment creation immediate|deferred", ""),
    Rule(ORACLE, "organization heap|index", ""),
    Rule(ORACLE, "on commit preserve|delete rows", ""),
    Rule(ORACLE, "partition|subpartition by range|list|hash (…) ?(…)", ""),
    Rule(ORACLE, "partition|subpartition (…)", ""),
    Rule(ORACLE, "using index", ""),
    Rule(ORACLE, "as of scn|timestamp (…)", ""),
    Rule(ORACLE, "sample ?block (…)", ""),
    Rule(ORACLE, "bequeath definer|current_user", ""),
    // PostgreSQL and Redshift
    Rule(WAREHOUSES, "diststyle name", ""),
    Rule(WAREHOUSES, "distkey (…)", ""),
    Rule(WAREHOUSES, "?compound|interleaved sortkey (…)", ""),
    Rule(WAREHOUSES, "sortkey auto", ""),
    Rule(WAREHOUSES, "distkey|sortkey", ""),
    Rule(WAREHOUSES, "encode name", ""),
    Rule(WAREHOUSES, "backup yes|no", ""),
    Rule(WAREHOUSES, "with no schema binding", ""),
    Rule(WAREHOUSES, "with ?no data", ""),
    Rule(WAREHOUSES, "tablespace name", ""),
    Rule(WAREHOUSES, "distributed ?by|randomly|replicated ?(…)", ""),
    Rule(WAREHOUSES, "view name with (…) as", "view name as"),
    // Teradata
    Rule(&[Teradata], "lock|locking row for access|read|write|exclusive ?mode ?nowait", ""),
    Rule(&[Teradata], "lock|locking ?table|view|database name for access|read|write|exclusive ?mode ?nowait", ""),
    Rule(
        &[Teradata],
        "^ create ?multiset|set ?volatile table name as name with data",
        "create table name as select * from last",
    ),
    Rule(
        &[Teradata],
        "^ create ?multiset|set ?volatile table name as name with no data",
        "create table name like last",
    ),
    Rule(&[Teradata], "sel", "select"),
    Rule(&[Teradata], "^ ins", "insert"),
    Rule(&[Teradata], "^ upd", "update"),
    Rule(&[Teradata], "^ del", "delete"),
    Rule(&[Teradata], "^ ct", "create table"),
    Rule(&[Teradata], "( title|format '…' )", ""),
    Rule(&[Teradata], "( format '…' , title '…' )", ""),
    Rule(&[Teradata], "( named name )", "as name"),
    Rule(&[Teradata], "( ?not casespecific|cs )", ""),
    Rule(&[Teradata], "title|format '…'", ""),
    Rule(&[Teradata], "character set latin|unicode", ""),
    Rule(&[Teradata], "?not casespecific", ""),
    Rule(&[Teradata], "with ?no data ?and ?no ?statistics|stats", ""),
    Rule(&[Teradata], "?no ?unique primary index ?name ?(…)", ""),
    Rule(&[Teradata], "partition by range_n|case_n (…)", ""),
    Rule(&[Teradata], "partition by (…)", ""),
    Rule(&[Teradata], "on commit preserve|delete rows", ""),
    Rule(&[Teradata], ", ?no fallback ?protection", ""),
    Rule(&[Teradata], ", ?no|dual ?before|after journal", ""),
    Rule(&[Teradata], ", checksum = name", ""),
    Rule(&[Teradata], ", default mergeblockratio", ""),
    Rule(&[Teradata], "multiset|set ?volatile|global ?temporary table", "table"),
    Rule(&[Teradata], "volatile ?multiset|set table", "table"),
    // Hive and Spark
    Rule(HADOOP, "row format serde '…' ?with ?serdeproperties ?(…)", ""),
    Rule(HADOOP, "row format delimited", ""),
    Rule(HADOOP, "fields|lines|items|keys terminated by '…' ?escaped ?by", ""),
    Rule(HADOOP, "collection items terminated by '…'", ""),
    Rule(HADOOP, "null defined as '…'", ""),
    Rule(HADOOP, "stored as inputformat '…' outputformat '…'", ""),
    Rule(HADOOP, "stored as name", ""),
    Rule(HADOOP, "stored by '…'", ""),
    Rule(HADOOP, "location '…'", ""),
    Rule(HADOOP, "tblproperties|options|dbproperties|serdeproperties (…)", ""),
    Rule(HADOOP, "partitioned by (…)", ""),
    Rule(HADOOP, "clustered by (…) ?sorted ?by ?(…) into # buckets", ""),
    Rule(HADOOP, "cluster by (…)", ""),
    Rule(HADOOP, ") using name", ")"),
    Rule(HADOOP, "table name using name", "table name"),
    Rule(HADOOP, "comment '…'", ""),
    Rule(HADOOP, "^ alter table name exchange partition (…) with table name", "insert into name select * from last"),
    Rule(&[Databricks, Spark], "deep|shallow clone", "clone"),
    Rule(&[Databricks, Spark], "fileformat = name", ""),
    Rule(&[Databricks, Spark], "format_options|copy_options (…)", ""),
    Rule(
        &[Mssql],
        "^ alter table name switch ?partition ?# to name ?partition ?#",
        "insert into last select * from name",
    ),
    Rule(&[Mssql], "^ bulk insert name from '…' …", "copy into name from text"),
    Rule(
        &[Mysql],
        "^ load data ?low_priority|concurrent ?local infile '…' ?replace|ignore into table name …",
        "load data inpath text into table name",
    ),
    Rule(&[Mysql], "^ alter table name rename name $", "alter table name rename to last"),
    Rule(&[Bigquery], "table name copy name", "table name clone last"),
    Rule(ALL, "insert into ?table name table name", "insert into name select * from last"),
    Rule(
        ALL,
        "including|excluding all|defaults|constraints|indexes|storage|comments|identity|generated|statistics",
        "",
    ),
    // Others
    Rule(&[Mysql], "partition by hash|key|range|list ?columns (…) ?partitions ?# ?(…)", ""),
    Rule(&[Bigquery], "options (…)", ""),
    Rule(&[Snowflake], "copy grants", ""),
    Rule(
        &[Snowflake],
        "^ create ?or ?replace stream name on ?external table|view name",
        "create view name as select * from last",
    ),
    Rule(&[Mssql], "primary key clustered|nonclustered", "primary key"),
    Rule(&[Mssql], "unique clustered|nonclustered", "unique"),
    Rule(&[Mssql], "( bulk '…'", "( text"),
    Rule(&[Mssql], "with schemabinding|encryption|view_metadata", ""),
    Rule(&[Snowflake], "at|before ( timestamp|offset|statement|stream = any (…) )", ""),
    Rule(ALL, "with ur|cs|rs|rr $", ""),
    Rule(ALL, "^ delete from table", "delete from"),
    // The body of a table is a query without `AS`.
    Rule(
        &[Hive, Spark, Databricks, Generic, Mysql],
        "create ?external|temporary table ?if ?not ?exists name select",
        "create table name as select",
    ),
    Rule(ALL, "( name )", "name"),
    Rule(ALL, "cross join name on", "join name on"),
];

/// Spellings that the parser reads as something else, and which are therefore replaced before it sees them.
static RESPELLINGS: [Rule; 17] = [
    Rule(&[Mssql], "set @name = name =", "set last ="),
    Rule(&[Mssql], "^ update|delete top (…)", "first"),
    Rule(&[Mssql], "insert top (…)", "insert"),
    Rule(&[Mssql], "with ( holdlock|serializable|tablock|tablockx|updlock|rowlock|xlock|paglock|readpast )", ""),
    Rule(&[Redshift], "approximate count", "count"),
    Rule(&[Oracle], "keep ( dense_rank first|last order by", "over ( order by"),
    Rule(&[Oracle], "bulk collect into", "into"),
    Rule(&[Postgres, Redshift], "into strict", "into"),
    Rule(&[Bigquery], "^ create ?or ?replace ?temp|temporary table function", "create function"),
    // The script that transforms the rows has no name.
    Rule(&[Hive, Spark, Databricks], ") using '…' as (", ") as ("),
    Rule(&[Teradata], "^ replace view", "create or replace view"),
    Rule(&[Teradata], "^ replace macro|procedure", "create procedure"),
    // A cast to a type, perhaps with a format.
    Rule(
        &[Teradata],
        "( decimal|numeric|number|char|varchar|byte|varbyte|timestamp|time|float (…) ?, ?format ?'…' )",
        "",
    ),
    Rule(
        &[Teradata],
        "( integer|int|smallint|bigint|byteint|decimal|float|real|date|time|timestamp|char|varchar ?, ?format ?'…' )",
        "",
    ),
    Rule(&[Teradata], "( ?date ?, format '…' )", ""),
    Rule(&[Generic], "^ create column|row table", "create table"),
    Rule(&[Databricks, Spark], "^ create or refresh ?streaming|live table", "create or replace table"),
];

/// A rule that is ready to be applied.
struct Pattern {
    dialects: Dialects,
    parts: Vec<Part>,
    text: &'static str,
}

static CLAUSES: LazyLock<Vec<Pattern>> = LazyLock::new(|| patterns(&RULES));
static MISREADINGS: LazyLock<Vec<Pattern>> = LazyLock::new(|| patterns(&RESPELLINGS));

fn patterns(rules: &[Rule]) -> Vec<Pattern> {
    let pattern = |Rule(dialects, pattern, text): &Rule| Pattern {
        dialects,
        parts: pattern.split(' ').map(Part::parse).collect(),
        text,
    };
    rules.iter().map(pattern).collect()
}

/// Returns the tokens with other spellings of what the parser would misread, or `None` if there is nothing of the kind.
pub(super) fn respelled(tokens: &[TokenWithSpan], dialect: Dialect) -> Option<Vec<TokenWithSpan>> {
    let respelled = apply(&MISREADINGS, tokens, dialect);
    match dialect {
        Postgres | Redshift => move_into(respelled.as_deref().unwrap_or(tokens)).or(respelled),
        _ => respelled,
    }
}

/// Returns the tokens without the clauses that change nothing, and with the spellings that the parser knows.
pub(super) fn reduced(tokens: &[TokenWithSpan], dialect: Dialect) -> Vec<TokenWithSpan> {
    let respelled = respelled(tokens, dialect);
    let tokens = respelled.as_deref().unwrap_or(tokens);
    without_clauses(tokens, dialect).unwrap_or_else(|| tokens.to_vec())
}

/// Returns `SELECT INTO v a FROM s` as `SELECT a INTO v FROM s`.
fn move_into(tokens: &[TokenWithSpan]) -> Option<Vec<TokenWithSpan>> {
    let tokens = significant(tokens);
    let select =
        tokens.windows(2).position(|pair| is_word(&pair[0].token, "select") && is_word(&pair[1].token, "into"))?;
    let mut after = name_end(&tokens, select + 2)?;
    while tokens.get(after).is_some_and(|token| token.token == Token::Comma) {
        after = name_end(&tokens, after + 1)?;
    }
    let ends = |index: &usize| {
        let token = &tokens[after + index].token;
        is_word(token, "from") || *token == Token::SemiColon
    };
    let from = outside_parentheses(&tokens[after..]).find(ends).map_or(tokens.len(), |index| after + index);
    let parts = [&tokens[..=select], &tokens[after..from], &tokens[select + 1..after], &tokens[from..]];
    (from > after).then(|| parts.into_iter().flatten().map(|token| (*token).clone()).collect())
}

/// Returns the tokens after all rules that match, or `None` if none does.
pub(super) fn without_clauses(tokens: &[TokenWithSpan], dialect: Dialect) -> Option<Vec<TokenWithSpan>> {
    let reduced = apply(&CLAUSES, tokens, dialect);
    let mut changed = reduced.is_some();
    let written = reduced.unwrap_or_else(|| significant(tokens).into_iter().cloned().collect());
    let (written, assigned) = expand_assignments(written);
    let rewritten = match dialect {
        Mysql => insert_into_file(&written).or_else(|| join_updated_tables(&written)),
        _ if HADOOP.contains(&dialect) => one_insert_for_each(&written),
        _ => None,
    };
    let rewritten = rewritten.or_else(|| unwrap_inserted_query(&written));
    changed |= assigned || rewritten.is_some();
    changed.then(|| rewritten.unwrap_or(written))
}

/// Returns the tokens that are not white space.
fn significant(tokens: &[TokenWithSpan]) -> Vec<&TokenWithSpan> {
    tokens.iter().filter(|token| !is_blank(token)).collect()
}

/// Replaces whatever matches a pattern.
fn apply(patterns: &'static [Pattern], tokens: &[TokenWithSpan], dialect: Dialect) -> Option<Vec<TokenWithSpan>> {
    let patterns: Vec<&Pattern> =
        patterns.iter().filter(|pattern| pattern.dialects.is_empty() || pattern.dialects.contains(&dialect)).collect();
    if patterns.is_empty() {
        return None;
    }
    let tokens = significant(tokens);
    let mut found: Vec<(Range<usize>, &str)> = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        let begins = at == 0 || tokens[at - 1].token == Token::SemiColon;
        let replaced = patterns.iter().find_map(|pattern| {
            let end = matched(&pattern.parts, &tokens, at, begins)?;
            is_allowed(pattern.text, &tokens, at, end).then_some((end, pattern.text))
        });
        match replaced {
            Some((end, text)) if end > at => {
                found.push((at..end, text));
                at = end;
            }
            _ => at += 1,
        }
    }
    // Most statements match none, and are not copied.
    if found.is_empty() {
        return None;
    }
    let mut written = Vec::with_capacity(tokens.len());
    let mut done = 0;
    let copy = |range: Range<usize>| tokens[range].iter().map(|token| (*token).clone());
    for (range, text) in found {
        written.extend(copy(done..range.start));
        written.extend(replacement(text, &tokens[range.clone()]));
        done = range.end;
    }
    written.extend(copy(done..tokens.len()));
    Some(written)
}

/// Returns the tokens of an assignment such as `SET a += b` as `SET a = a + b`.
fn expand_assignments(tokens: Vec<TokenWithSpan>) -> (Vec<TokenWithSpan>, bool) {
    let updates = tokens.iter().any(|token| is_word(&token.token, "set"));
    let mut written: Vec<TokenWithSpan> = Vec::with_capacity(tokens.len());
    let mut changed = false;
    let mut tokens = tokens.into_iter().peekable();
    while let Some(token) = tokens.next() {
        let operator = matches!(
            token.token,
            Token::Plus
                | Token::Minus
                | Token::Mul
                | Token::Div
                | Token::Mod
                | Token::Ampersand
                | Token::Pipe
                | Token::Caret
        );
        let assigns = updates && operator && tokens.peek().is_some_and(|next| next.token == Token::Eq);
        let name = if assigns { assigned_name(&written) } else { Vec::new() };
        match tokens.next_if(|_| !name.is_empty()) {
            Some(equals) => {
                written.push(equals);
                written.extend(name);
                written.push(token);
                changed = true;
            }
            None => written.push(token),
        }
    }
    (written, changed)
}

/// Returns the name at the end of some tokens, up to the `SET` before it.
fn assigned_name(written: &[TokenWithSpan]) -> Vec<TokenWithSpan> {
    let is_part =
        |token: &TokenWithSpan| matches!(token.token, Token::Word(_) | Token::Period) && !is_word(&token.token, "set");
    let length = written.iter().rev().take(7).take_while(|token| is_part(token)).count();
    written[written.len() - length..].to_vec()
}

/// Returns `SELECT … INTO OUTFILE 'path' …` as `INSERT OVERWRITE DIRECTORY 'path' SELECT … …`.
fn insert_into_file(tokens: &[TokenWithSpan]) -> Option<Vec<TokenWithSpan>> {
    let into = tokens.windows(3).position(|three| {
        is_word(&three[0].token, "into")
            && ["outfile", "dumpfile"].iter().any(|word| is_word(&three[1].token, word))
            && is_text(&three[2].token)
    })?;
    let path = &tokens[into + 2];
    let mut written = replacement("insert overwrite directory", &[&tokens[into]]);
    written.push(path.clone());
    written.extend_from_slice(&tokens[..into]);
    written.extend_from_slice(&tokens[into + 3..]);
    Some(written)
}

/// Returns `UPDATE t, s SET …` as `UPDATE t CROSS JOIN s SET …`.
fn join_updated_tables(tokens: &[TokenWithSpan]) -> Option<Vec<TokenWithSpan>> {
    let set = tokens.iter().position(|token| is_word(&token.token, "set"))?;
    let begins = is_word(&tokens.first()?.token, "update");
    let commas = outside_parentheses(&tokens[..set]).filter(|index| tokens[*index].token == Token::Comma);
    let mut written = Vec::with_capacity(tokens.len());
    let mut done = 0;
    for comma in commas {
        written.extend_from_slice(&tokens[done..comma]);
        written.extend(replacement("cross join", &[&tokens[comma]]));
        done = comma + 1;
    }
    written.extend_from_slice(&tokens[done..]);
    (begins && done > 0).then_some(written)
}

/// Returns `INSERT INTO t (WITH … SELECT …)` without the parentheses around the query.
fn unwrap_inserted_query(tokens: &[TokenWithSpan]) -> Option<Vec<TokenWithSpan>> {
    let references: Vec<&TokenWithSpan> = tokens.iter().collect();
    let open =
        references.windows(2).position(|pair| pair[0].token == Token::LParen && is_word(&pair[1].token, "with"))?;
    let inserts = is_word(&tokens.first()?.token, "insert")
        && tokens[..open].iter().all(|token| matches!(token.token, Token::Word(_) | Token::Period));
    let close = closing(&references, open)?;
    let ends = tokens[close..].iter().all(|token| token.token == Token::SemiColon);
    (inserts && ends).then(|| {
        let inner = tokens[open + 1..close - 1].iter();
        tokens[..open].iter().chain(inner).chain(&tokens[close..]).cloned().collect()
    })
}

/// Returns `FROM s INSERT INTO t SELECT a INSERT INTO u SELECT b` as one insert for each target.
fn one_insert_for_each(tokens: &[TokenWithSpan]) -> Option<Vec<TokenWithSpan>> {
    const AFTER_FROM: [&str; 10] =
        ["where", "group", "having", "order", "cluster", "distribute", "sort", "limit", "lateral", "window"];
    if !is_word(&tokens.first()?.token, "from") {
        return None;
    }
    let top: Vec<usize> = outside_parentheses(tokens).collect();
    let at = |word: &str| top.iter().copied().filter(|index| is_word(&tokens[*index].token, word)).collect::<Vec<_>>();
    let inserts = at("insert");
    let source = &tokens[..*inserts.first()?];
    let mut written = Vec::new();
    for (number, begin) in inserts.iter().copied().enumerate() {
        let end = inserts.get(number + 1).copied().unwrap_or(tokens.len());
        let select = at("select").into_iter().find(|index| (begin..end).contains(index))?;
        let after = top.iter().copied().find(|index| {
            (select..end).contains(index) && AFTER_FROM.iter().any(|word| is_word(&tokens[*index].token, word))
        });
        let middle = after.unwrap_or(end);
        written.extend_from_slice(&tokens[begin..middle]);
        written.extend_from_slice(source);
        written.extend_from_slice(&tokens[middle..end]);
        written.push(TokenWithSpan { token: Token::SemiColon, span: tokens[end - 1].span });
    }
    Some(written)
}

/// One part of a pattern.
struct Part {
    optional: bool,
    kind: PartKind,
}

enum PartKind {
    Beginning,
    End,
    Words(Vec<&'static str>),
    Parentheses,
    Name,
    Variable,
    Text,
    Number,
    Any,
    Rest,
}

impl Part {
    fn parse(text: &'static str) -> Self {
        let (optional, text) = match text.strip_prefix('?') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let kind = match text {
            "^" => PartKind::Beginning,
            "$" => PartKind::End,
            "(…)" => PartKind::Parentheses,
            "name" => PartKind::Name,
            "@name" => PartKind::Variable,
            "'…'" => PartKind::Text,
            "#" => PartKind::Number,
            "any" => PartKind::Any,
            "…" => PartKind::Rest,
            words => PartKind::Words(words.split('|').collect()),
        };
        Self { optional, kind }
    }

    /// Returns the end of the tokens that this part matches.
    fn end(&self, tokens: &[&TokenWithSpan], at: usize, begins: bool) -> Option<usize> {
        if matches!(self.kind, PartKind::Beginning) {
            return begins.then_some(at);
        }
        if matches!(self.kind, PartKind::End) {
            return tokens.get(at).is_none_or(|token| token.token == Token::SemiColon).then_some(at);
        }
        if matches!(self.kind, PartKind::Rest) {
            let end = tokens[at..].iter().position(|token| token.token == Token::SemiColon);
            return Some(end.map_or(tokens.len(), |end| at + end));
        }
        let token = &tokens.get(at)?.token;
        let one = |is_it: bool| is_it.then_some(at + 1);
        match &self.kind {
            PartKind::Beginning | PartKind::End | PartKind::Rest => None,
            PartKind::Words(words) => words.iter().find_map(|word| match *word {
                "name" => name_end(tokens, at),
                "#" => one(matches!(token, Token::Number(..))),
                word => one(is_word(token, word)),
            }),
            PartKind::Parentheses => (*token == Token::LParen).then(|| closing(tokens, at)).flatten(),
            PartKind::Name => name_end(tokens, at),
            PartKind::Variable => one(matches!(token, Token::Word(word) if word.value.starts_with('@'))),
            PartKind::Text => one(matches!(token, Token::SingleQuotedString(_) | Token::DoubleQuotedString(_))
                || matches!(token, Token::Word(word) if word.quote_style == Some('"'))),
            PartKind::Number => one(matches!(token, Token::Number(..))),
            PartKind::Any => Some(at + 1),
        }
    }
}

/// Returns `true` for a string. Some dialects write it in double quotes.
fn is_text(token: &Token) -> bool {
    matches!(token, Token::SingleQuotedString(_) | Token::DoubleQuotedString(_))
        || matches!(token, Token::Word(word) if word.quote_style == Some('"'))
}

fn is_word(token: &Token, word: &str) -> bool {
    match token {
        Token::SemiColon | Token::LParen | Token::RParen | Token::Comma | Token::Eq => token.to_string() == word,
        token => is_one_of(token, &[word]),
    }
}

/// Returns the end of a name with its qualifiers.
fn name_end(tokens: &[&TokenWithSpan], mut at: usize) -> Option<usize> {
    loop {
        let Token::Word(_) = tokens.get(at)?.token else { return None };
        at += 1;
        match tokens.get(at) {
            Some(dot) if dot.token == Token::Period => at += 1,
            _ => return Some(at),
        }
    }
}

/// Returns the token after the parenthesis that closes the one at a token.
fn closing(tokens: &[&TokenWithSpan], open: usize) -> Option<usize> {
    let mut depth = 0_usize;
    for (index, token) in tokens.iter().enumerate().skip(open) {
        match token.token {
            Token::LParen => depth += 1,
            Token::RParen => {
                depth -= 1;
                if depth == 0 {
                    return Some(index + 1);
                }
            }
            _ => {}
        }
    }
    None
}

fn matched(pattern: &[Part], tokens: &[&TokenWithSpan], at: usize, begins: bool) -> Option<usize> {
    let mut end = at;
    for part in pattern {
        match part.end(tokens, end, begins && end == at) {
            Some(next) => end = next,
            None if part.optional => {}
            None => return None,
        }
    }
    Some(end)
}

/// Returns `true` if a match may be replaced. A name in parentheses is only a table after `FROM`, a comma or `JOIN`.
fn is_allowed(text: &str, tokens: &[&TokenWithSpan], at: usize, end: usize) -> bool {
    let before = at.checked_sub(1).map(|before| &tokens[before].token);
    let follows = |words: &[&str]| before.is_some_and(|token| words.iter().any(|word| is_word(token, word)));
    match text {
        "name" => follows(&["from", "join"]),
        "select" => !follows(&[".", ",", "select"]),
        // `cache` and the like may be names of columns.
        "" if matches!(tokens[at].token, Token::Word(_)) => {
            !follows(&[",", "(", "select", "distinct", "by"])
                && before.is_none_or(|token| *token != Token::Period)
                && tokens.get(end).is_none_or(|token| token.token != Token::Period)
        }
        _ => true,
    }
}

/// Returns the tokens of a replacement. `name` stands for the first name that was matched, `last` for the last one,
/// `text` for the string and `first` for the first token.
fn replacement(text: &str, matched: &[&TokenWithSpan]) -> Vec<TokenWithSpan> {
    let span = matched.first().map_or_else(Span::empty, |token| token.span);
    let mut written = Vec::new();
    for word in text.split(' ').filter(|word| !word.is_empty()) {
        if word == "name" {
            let from = matched.iter().position(|token| is_free_name(&token.token)).unwrap_or_default();
            let end = name_end(matched, from).unwrap_or(from);
            written.extend(matched[from..end].iter().map(|token| (*token).clone()));
            continue;
        }
        if word == "first" {
            written.extend(matched.first().map(|token| (*token).clone()));
            continue;
        }
        if word == "text" {
            let text = matched.iter().find(|token| is_text(&token.token));
            written.extend(text.map(|token| (*token).clone()));
            continue;
        }
        if word == "last" {
            let end = matched.iter().rposition(|token| is_free_name(&token.token)).map_or(0, |last| last + 1);
            let qualified = matched[..end].windows(2).rev().take_while(|pair| is_part_of_name(pair));
            let from = end.saturating_sub(qualified.count() + 1);
            written.extend(matched[from..end].iter().map(|token| (*token).clone()));
            continue;
        }
        let tokens = Tokenizer::new(Generic.grammar(), word).tokenize().unwrap_or_default();
        written.extend(tokens.into_iter().map(|token| TokenWithSpan { token, span }));
    }
    written
}

/// Returns `true` for two tokens of one name, of which one is the period between its parts.
fn is_part_of_name(pair: &[&TokenWithSpan]) -> bool {
    pair.iter().any(|token| token.token == Token::Period)
}

/// Returns `true` for a word that a pattern does not spell.
fn is_free_name(token: &Token) -> bool {
    const SPELLED: [&str; 41] = [
        "view",
        "table",
        "named",
        "cross",
        "join",
        "on",
        "using",
        "with",
        "create",
        "or",
        "replace",
        "multiset",
        "set",
        "volatile",
        "as",
        "temporary",
        "no",
        "data",
        "stream",
        "external",
        "if",
        "not",
        "exists",
        "select",
        "alter",
        "exchange",
        "partition",
        "switch",
        "to",
        "bulk",
        "insert",
        "from",
        "load",
        "low_priority",
        "concurrent",
        "local",
        "infile",
        "ignore",
        "into",
        "rename",
        "copy",
    ];
    matches!(token, Token::Word(_)) && !SPELLED.iter().any(|word| is_word(token, word))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn left(dialect: Dialect, sql: &str) -> Option<String> {
        let tokens = Tokenizer::new(dialect.grammar(), sql).tokenize_with_location().unwrap();
        let left = without_clauses(&tokens, dialect)?;
        Some(left.iter().map(|token| token.token.to_string()).collect::<Vec<_>>().join(" "))
    }

    #[test]
    fn clauses_without_influence_are_taken_out() {
        assert_eq!(left(Mssql, "select a from s option (maxdop 1)").unwrap(), "select a from s");
        assert_eq!(left(Oracle, "create or replace force view v as select 1").unwrap(), "create view v as select 1");
        assert_eq!(left(Teradata, "sel a (title 'x') from s").unwrap(), "select a from s");
        assert_eq!(left(Teradata, "select a (named b) from s").unwrap(), "select a as b from s");
        assert_eq!(left(Generic, "select a from (s.t)").unwrap(), "select a from s . t");
        assert_eq!(left(Redshift, "create table t (a int encode lzo)").unwrap(), "create table t ( a int )");
    }

    #[test]
    fn other_spellings_are_replaced() {
        assert_eq!(left(Mssql, "update t set t.a += b, c -= 1").unwrap(), "update t set t . a = t . a + b , c = c - 1");
        assert_eq!(
            left(Hive, "from (select 1) s insert into t select a where b insert into u select c").unwrap(),
            "insert into t select a from ( select 1 ) s where b ; insert into u select c from ( select 1 ) s ;"
        );
        assert_eq!(
            left(Teradata, "create table a.t as b.s with data").unwrap(),
            "create table a . t as select * from b . s"
        );
        assert_eq!(left(Spark, "create table t select a from s").unwrap(), "create table t as select a from s");
    }

    #[test]
    fn names_that_look_like_clauses_stay() {
        assert_eq!(left(Mssql, "select t.collate, option from t"), None);
        assert_eq!(left(Generic, "select sum (a) from t"), None);
    }

    #[test]
    fn every_rule_has_a_pattern_that_can_match() {
        for Rule(_, pattern, text) in RULES.iter().chain(&RESPELLINGS) {
            assert!(pattern.split(' ').any(|part| !part.starts_with('?') && part != "^"), "{pattern}");
            assert!(!text.contains("name") || pattern.contains("name"), "{pattern}");
        }
    }
}
