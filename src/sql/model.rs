//! A file of DDL that says what tables are to look like: where its statements begin and end, and which of them are taken.
//!
//! Each engine has a list of what makes structure ([`Verdict::Take`]), of what it does without harm when it is left out
//! ([`Verdict::PassOver`]: owners, grants, settings of a client), and refuses all else: rows, queries, and whatever would
//! reach beyond the database that the file is loaded into. Statements are told apart by their tokens alone, for there is
//! more DDL than any parser reads; what they mean is said by the server that they are given to.

mod mysql;
mod postgres;
mod sqlite;
mod words;

use sqlparser::dialect::{Dialect as Grammar, MySqlDialect, PostgreSqlDialect, SQLiteDialect};
use sqlparser::tokenizer::{Location, Token, TokenWithSpan, Tokenizer, Whitespace};

use super::EngineName;
use words::{Piece, Words};

/// A statement that is taken, with its place in the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelStatement {
    /// Its text as the file has it, without the semicolon.
    pub sql: String,
    /// Its line, from 1.
    pub line: u32,
    /// Its column in characters, from 1.
    pub column: u32,
}

/// What is wrong with a file at one place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelFault {
    /// The line, from 1.
    pub line: u32,
    /// The column in characters, from 1.
    pub column: u32,
    /// What, lower-case.
    pub message: String,
    /// What to do about it.
    pub hint: Option<&'static str>,
}

/// What becomes of a statement.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Verdict {
    /// It makes structure.
    Take,
    /// It says nothing of what is compared.
    PassOver,
    /// It has no place in such a file: why, and what to do.
    Refuse(String, Option<&'static str>),
}

impl Verdict {
    fn refuse(why: impl Into<String>) -> Verdict {
        Verdict::Refuse(why.into(), None)
    }
}

/// The hint for a dump with rows in it.
const WITHOUT_ROWS: &str = "rows come from the primary: leave them out (pg_dump --schema-only, mysqldump --no-data, sqlite3 .schema)";

/// The statements of a file that are taken, in its order.
///
/// # Errors
/// All that is refused, and where the text cannot be read on.
pub fn read_model(engine: EngineName, text: &str) -> Result<Vec<ModelStatement>, Vec<ModelFault>> {
    let reading = match engine {
        EngineName::Mysql | EngineName::Mariadb => mysql::Comments::opened(text),
        EngineName::Postgres | EngineName::Sqlite => text.to_owned(),
    };
    let mut tokens = Vec::new();
    let grammar = grammar(engine);
    let unread = Tokenizer::new(grammar, &reading)
        .with_unescape(false)
        .tokenize_with_location_into_buf(&mut tokens)
        .err();
    let mut splitter = Splitter { engine, text, lines: line_starts(text), from: 0 };
    let (mut taken, mut faults) = (Vec::new(), Vec::new());
    let mut rest = tokens.as_slice();
    while let Some(statement) = splitter.next(&mut rest, unread.is_none()) {
        match statement.verdict {
            Verdict::Take => taken.push(ModelStatement {
                sql: statement.sql,
                line: statement.at.line as u32,
                column: statement.at.column as u32,
            }),
            Verdict::PassOver => {}
            Verdict::Refuse(message, hint) => faults.push(fault(statement.at, message, hint)),
        }
        if statement.ends_all {
            return Err(faults);
        }
    }
    if let Some(unread) = unread.filter(|_| faults.is_empty()) {
        faults.push(fault(unread.location, format!("this cannot be read: {}", unread.message), None));
    }
    match faults.is_empty() {
        true => Ok(taken),
        false => Err(faults),
    }
}

fn fault(at: Location, message: String, hint: Option<&'static str>) -> ModelFault {
    ModelFault { line: at.line as u32, column: at.column as u32, message, hint }
}

fn grammar(engine: EngineName) -> &'static dyn Grammar {
    match engine {
        EngineName::Sqlite => &SQLiteDialect {},
        EngineName::Postgres => &PostgreSqlDialect {},
        EngineName::Mysql | EngineName::Mariadb => &MySqlDialect {},
    }
}

fn line_starts(text: &str) -> Vec<usize> {
    std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect()
}

/// A statement, before anybody asks the server about it.
struct Split {
    verdict: Verdict,
    sql: String,
    at: Location,
    /// What follows cannot be told apart any more.
    ends_all: bool,
}

struct Splitter<'a> {
    engine: EngineName,
    text: &'a str,
    lines: Vec<usize>,
    /// Where the text of the next statement begins, in bytes.
    from: usize,
}

impl Splitter<'_> {
    /// The next statement, which is taken off `rest`. `whole`: the tokens are those of all the text; of one that is cut off
    /// the last statement has no end.
    fn next(&mut self, rest: &mut &[TokenWithSpan], whole: bool) -> Option<Split> {
        let first = rest.iter().position(|token| !is_blank(&token.token))?;
        *rest = &rest[first..];
        let at = rest[0].span.start;
        if rest[0].token == Token::Backslash {
            return Some(self.command_of_client(rest));
        }
        let end = self.end(rest);
        if end.is_none() && !whole {
            *rest = &[];
            return None;
        }
        let end = end.unwrap_or(rest.len());
        let pieces: Vec<Piece> = rest[..end].iter().filter_map(Piece::of).collect();
        let until = rest.get(end).map_or(self.text.len(), |semicolon| self.offset(semicolon.span.start));
        // On the MySQL family the mark of a comment that is run may stand before the first word.
        let from = match self.engine {
            EngineName::Mysql | EngineName::Mariadb => self.from,
            EngineName::Sqlite | EngineName::Postgres => self.offset(at),
        };
        let sql = self.text.get(from..until).unwrap_or_default().trim().to_owned();
        self.from = rest.get(end).map_or(self.text.len(), |semicolon| self.offset(semicolon.span.end));
        *rest = rest.get(end + 1..).unwrap_or_default();
        let words = Words(&pieces);
        let verdict = self.verdict(&words, &sql);
        let refused = matches!(verdict, Verdict::Refuse(..));
        // Behind it stand rows that are no SQL, or other ends of statements.
        let ends_all = refused && (words.word(0) == "DELIMITER" || words.word(0) == "COPY");
        Some(Split { verdict, sql, at, ends_all })
    }

    /// `\connect shop`: a line of the client's own.
    fn command_of_client(&mut self, rest: &mut &[TokenWithSpan]) -> Split {
        let at = rest[0].span.start;
        let is_end = |token: &TokenWithSpan| {
            matches!(
                token.token,
                Token::Whitespace(Whitespace::Newline | Whitespace::SingleLineComment { .. })
            )
        };
        let end = rest.iter().position(is_end).unwrap_or(rest.len());
        let name: String = rest[1..end].first().map(|token| token.token.to_string()).unwrap_or_default();
        self.from = rest.get(end).map_or(self.text.len(), |token| self.offset(token.span.start));
        *rest = &rest[end..];
        let verdict = match name.as_str() {
            // What pg_dump puts around a dump.
            "restrict" | "unrestrict" if self.engine == EngineName::Postgres => Verdict::PassOver,
            _ => Verdict::refuse(format!("`\\{name}` is a command of a client, not SQL")),
        };
        Split { verdict, sql: String::new(), at, ends_all: false }
    }

    /// Where the semicolon stands that ends the first statement.
    fn end(&self, tokens: &[TokenWithSpan]) -> Option<usize> {
        let is_end = match self.engine {
            EngineName::Sqlite => sqlite::ends,
            EngineName::Postgres => postgres::ends,
            EngineName::Mysql | EngineName::Mariadb => mysql::ends,
        };
        let mut pieces = Vec::new();
        for (place, token) in tokens.iter().enumerate() {
            if token.token == Token::SemiColon && is_end(&Words(&pieces)) {
                return Some(place);
            }
            pieces.extend(Piece::of(token));
        }
        None
    }

    fn verdict(&self, words: &Words<'_>, sql: &str) -> Verdict {
        if words.0.is_empty() {
            return Verdict::PassOver;
        }
        match self.engine {
            EngineName::Sqlite => sqlite::verdict(words),
            EngineName::Postgres => postgres::verdict(words),
            EngineName::Mysql | EngineName::Mariadb => mysql::verdict_of_text(words, sql),
        }
    }

    /// The place in bytes.
    fn offset(&self, at: Location) -> usize {
        let line = self.lines.get((at.line as usize).saturating_sub(1)).copied().unwrap_or(self.text.len());
        let rest = &self.text[line..];
        let column = (at.column as usize).saturating_sub(1);
        rest.char_indices().nth(column).map_or(self.text.len(), |(byte, _)| line + byte)
    }
}

fn is_blank(token: &Token) -> bool {
    matches!(token, Token::Whitespace(_) | Token::EOF)
}

/// What every engine's files may have besides, and what none may.
fn common(words: &Words<'_>) -> Verdict {
    match words.word(0) {
        "BEGIN" | "COMMIT" | "END" | "START" => Verdict::PassOver,
        "GRANT" | "REVOKE" => Verdict::PassOver,
        first @ ("INSERT" | "UPDATE" | "DELETE" | "REPLACE" | "COPY" | "TRUNCATE" | "MERGE" | "LOAD"
        | "VALUES") => Verdict::Refuse(
            format!("{first} is about rows, and the file says structure alone"),
            Some(WITHOUT_ROWS),
        ),
        "SELECT" | "WITH" => Verdict::refuse("a query is not taken: the file says structure alone"),
        "" => Verdict::refuse("no statement begins like this"),
        first => Verdict::refuse(format!(
            "{first} is not taken: the file says structure alone (CREATE, ALTER, COMMENT and the like)"
        )),
    }
}

/// CREATE TABLE … AS: a query would run.
fn refuse_query(words: &Words<'_>) -> Option<Verdict> {
    words.outside("AS").then(|| {
        Verdict::Refuse(
            "a table made of a query is not taken".to_owned(),
            Some("write its columns: CREATE TABLE name (column type, …)"),
        )
    })
}

fn refuse_temporary(words: &Words<'_>) -> Option<Verdict> {
    let is_temporary = (1..4).any(|at| matches!(words.word(at), "TEMP" | "TEMPORARY"));
    is_temporary.then(|| Verdict::refuse("what is temporary is no part of a structure"))
}

#[cfg(test)]
mod tests;
