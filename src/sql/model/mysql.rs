//! What is taken of a file for MySQL and MariaDB.
//!
//! A database is all that such a file may fill, so its names stand without one. Comments that a server of some version
//! runs are read both as what is run and as what is not: in neither reading may there be anything that is refused.

use sqlparser::dialect::MySqlDialect;
use sqlparser::tokenizer::Tokenizer;

use super::words::{Piece, Words};
use super::{Verdict, common, refuse_query, refuse_temporary};

/// What is compared.
const KINDS: &[&str] = &["TABLE", "INDEX", "SEQUENCE"];

/// What is not, and needs nothing of what is.
const PASSED_OVER: &[&str] = &["VIEW", "TRIGGER", "FUNCTION", "PROCEDURE", "EVENT"];

/// What is the server's.
const REFUSED: &[&str] =
    &["DATABASE", "SCHEMA", "USER", "ROLE", "SERVER", "TABLESPACE", "LOGFILE", "RESOURCE", "INSTANCE"];

/// Settings that say what the statements behind them mean.
const SETTINGS: &[&str] = &[
    "FOREIGN_KEY_CHECKS",
    "UNIQUE_CHECKS",
    "SQL_MODE",
    "DEFAULT_STORAGE_ENGINE",
    "EXPLICIT_DEFAULTS_FOR_TIMESTAMP",
];

/// Settings of a client's session, which this one has its own of.
const CLIENT_SETTINGS: &[&str] = &[
    "NAMES",
    "CHARACTER",
    "CHARACTER_SET_CLIENT",
    "CHARACTER_SET_RESULTS",
    "CHARACTER_SET_CONNECTION",
    "COLLATION_CONNECTION",
    "TIME_ZONE",
    "SQL_NOTES",
    "NOTE_VERBOSITY",
];

pub(super) fn ends(_words: &Words<'_>) -> bool {
    true
}

/// The verdict over a statement, of which `sql` is the text with its comments.
pub(super) fn verdict_of_text(words: &Words<'_>, sql: &str) -> Verdict {
    let verdict = verdict(words);
    let mut tokens = Vec::new();
    let without = Comments::closed(sql);
    let read = Tokenizer::new(&MySqlDialect {}, &without)
        .with_unescape(false)
        .tokenize_with_location_into_buf(&mut tokens);
    let pieces: Vec<Piece> = tokens.iter().filter_map(Piece::of).collect();
    match (verdict, read) {
        (refused @ Verdict::Refuse(..), _) => refused,
        (_, Err(_)) => Verdict::refuse("this cannot be read without its comments for servers of a version"),
        (verdict, Ok(())) if pieces.is_empty() || pieces == words.0 => verdict,
        (verdict, Ok(())) => match self::verdict(&Words(&pieces)) {
            refused @ Verdict::Refuse(..) => refused,
            Verdict::Take | Verdict::PassOver => verdict,
        },
    }
}

fn verdict(words: &Words<'_>) -> Verdict {
    match words.word(0) {
        "DELIMITER" => Verdict::Refuse(
            "DELIMITER is a command of a client, and stands around triggers and routines".to_owned(),
            Some("they are not compared: leave them out (mysqldump --no-data --skip-triggers)"),
        ),
        "USE" => Verdict::Refuse(
            "USE is not taken: the file is loaded into a database of its own".to_owned(),
            Some("dump one database without --databases"),
        ),
        "CREATE" | "ALTER" | "DROP" => of_object(words),
        "LOCK" | "UNLOCK" => Verdict::PassOver,
        "SET" => of_setting(words),
        _ => common(words),
    }
}

fn of_object(words: &Words<'_>) -> Verdict {
    let all: Vec<&str> = [KINDS, PASSED_OVER, REFUSED].concat();
    let Some((_, kind)) = words.object(&all) else { return common(words) };
    if REFUSED.contains(&kind) {
        return Verdict::refuse(format!(
            "{} {kind} is not taken: it reaches beyond the tables of one database",
            words.word(0)
        ));
    }
    if PASSED_OVER.contains(&kind) {
        return Verdict::PassOver;
    }
    if let Some(refused) =
        refuse_temporary(words).or_else(|| refuse_database(words)).or_else(|| refuse_files(words))
    {
        return refused;
    }
    let queries = words.word(0) == "CREATE" && kind == "TABLE";
    let selects = queries && (words.outside("SELECT") || words.outside("AS"));
    match selects {
        true => {
            refuse_query(words).unwrap_or_else(|| Verdict::refuse("a table made of a query is not taken"))
        }
        false => Verdict::Take,
    }
}

/// `shop.users` would be a table of a database that is there.
fn refuse_database(words: &Words<'_>) -> Option<Verdict> {
    let dot = (1..words.0.len()).find(|at| words.is_sign(*at, ".") && words.name(at - 1).is_some())?;
    Some(Verdict::Refuse(
        format!("{} names a database, and the file is loaded into one of its own", words.name(dot - 1)?),
        Some("write names without a database"),
    ))
}

/// What stands beside the server's own files, or on another server.
fn refuse_files(words: &Words<'_>) -> Option<Verdict> {
    let beyond = ["CONNECTION", "FEDERATED", "IMPORT", "DISCARD", "EXCHANGE"];
    let directory =
        |at: usize| matches!(words.word(at), "DATA" | "INDEX") && words.word(at + 1) == "DIRECTORY";
    let found = match (1..words.0.len()).any(directory) {
        true => "DIRECTORY",
        false => beyond.into_iter().find(|word| words.outside(word))?,
    };
    Some(Verdict::refuse(format!("{found} reaches beyond the database, and is not taken")))
}

fn of_setting(words: &Words<'_>) -> Verdict {
    let refused = ["GLOBAL", "PERSIST", "PERSIST_ONLY", "PASSWORD", "ROLE"];
    let server_wide = |word: &str| {
        let name = word.trim_start_matches('@');
        refused.iter().any(|other| name == *other || name.starts_with(&format!("{other}.")))
    };
    let all = || (1..words.0.len()).map(|at| words.word(at));
    if all().any(server_wide) {
        return Verdict::Refuse(
            "a setting of the server is not taken".to_owned(),
            Some("leave it out (mysqldump --set-gtid-purged=OFF)"),
        );
    }
    let quotes = |piece: &Piece| match piece {
        Piece::Text(text) => {
            let text = text.to_uppercase();
            ["ANSI", "BACKSLASH", "ORACLE", "MSSQL", "DB2", "POSTGRESQL", "MAXDB"]
                .iter()
                .any(|mode| text.contains(mode))
        }
        Piece::Word(..) | Piece::Name(_) | Piece::Sign(_) => false,
    };
    if words.has("SQL_MODE") && words.0.iter().any(quotes) {
        return Verdict::refuse("this sql_mode would give quotes or backslashes another meaning");
    }
    if all().any(|word| SETTINGS.contains(&word.trim_start_matches('@'))) {
        return Verdict::Take;
    }
    let is_clients = |word: &str| CLIENT_SETTINGS.contains(&word.trim_start_matches('@'));
    let is_variable = words.word(1).starts_with('@');
    match all().any(is_clients) || is_variable {
        true => Verdict::PassOver,
        false => Verdict::refuse(format!("the setting {} is not taken", words.word(1).to_lowercase())),
    }
}

/// Comments that some servers run: `/*!50100 … */`, `/*M!100600 … */`.
pub(super) struct Comments;

/// What a text is in, where that goes on over characters.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Inside {
    Sql,
    Quotes(char),
    Line,
    Comment,
    /// A comment that is taken out as a whole.
    Blanked,
}

impl Comments {
    /// The text as if all of them were run: only their marks are blank. Each character keeps its place.
    pub(super) fn opened(text: &str) -> String {
        Comments::read(text, true)
    }

    /// The text as if none were run.
    pub(super) fn closed(text: &str) -> String {
        Comments::read(text, false)
    }

    fn read(text: &str, open: bool) -> String {
        let mut out = String::with_capacity(text.len());
        let mut inside = Inside::Sql;
        let mut opened = false;
        let mut at = 0;
        while let Some(first) = text[at..].chars().next() {
            let rest = &text[at..];
            let mut length = first.len_utf8();
            let mut keep = inside != Inside::Blanked;
            match inside {
                Inside::Sql => {
                    if let Some(mark) = mark(rest) {
                        // The mark of a dump that nobody runs.
                        let never = rest.starts_with("/*M!999999");
                        (inside, opened) = match open && !never {
                            true => (Inside::Sql, true),
                            false => (Inside::Blanked, opened),
                        };
                        (length, keep) = (mark, false);
                    } else if opened && rest.starts_with("*/") {
                        (opened, length, keep) = (false, 2, false);
                    } else if rest.starts_with("/*") {
                        (inside, length) = (Inside::Comment, 2);
                    } else if first == '#' || is_dashes(rest) {
                        inside = Inside::Line;
                    } else if matches!(first, '\'' | '"' | '`') {
                        inside = Inside::Quotes(first);
                    }
                }
                Inside::Quotes('\'' | '"') if first == '\\' => {
                    length += rest[1..].chars().next().map_or(0, char::len_utf8);
                }
                // Doubled quotes end one text and begin another.
                Inside::Quotes(quote) if first == quote => inside = Inside::Sql,
                Inside::Line if first == '\n' => inside = Inside::Sql,
                Inside::Comment | Inside::Blanked if rest.starts_with("*/") => {
                    (inside, length) = (Inside::Sql, 2);
                }
                Inside::Quotes(_) | Inside::Line | Inside::Comment | Inside::Blanked => {}
            }
            let piece = &rest[..length];
            match keep {
                true => out.push_str(piece),
                false => out.extend(piece.chars().map(|one| if one == '\n' { '\n' } else { ' ' })),
            }
            at += length;
        }
        out
    }
}

/// The length of a mark that begins such a comment.
fn mark(rest: &str) -> Option<usize> {
    let after = rest.strip_prefix("/*M!").or_else(|| rest.strip_prefix("/*!"))?;
    let digits = after.bytes().take_while(u8::is_ascii_digit).count().min(6);
    Some(rest.len() - after.len() + digits)
}

/// `--` begins a comment where a blank follows.
fn is_dashes(rest: &str) -> bool {
    rest.strip_prefix("--").is_some_and(|after| after.chars().next().is_none_or(char::is_whitespace))
}
