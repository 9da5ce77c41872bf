//! What is taken of a file for PostgreSQL.

use super::words::{Piece, Words};
use super::{Verdict, common, refuse_query, refuse_temporary};

/// What stands in the database that the file is loaded into, and goes with it.
const KINDS: &[&str] = &[
    "TABLE",
    "INDEX",
    "TYPE",
    "DOMAIN",
    "SEQUENCE",
    "SCHEMA",
    "EXTENSION",
    "FUNCTION",
    "PROCEDURE",
    "ROUTINE",
    "AGGREGATE",
    "OPERATOR",
    "COLLATION",
    "CAST",
    "VIEW",
    "TRIGGER",
    "RULE",
    "STATISTICS",
    "CONSTRAINT",
    "COLUMN",
    "TEXT",
];

/// What names roles, or works on its own once it is there.
const PASSED_OVER: &[&str] = &["POLICY", "PUBLICATION", "EVENT", "PRIVILEGES"];

/// What is the server's, not the database's.
const REFUSED: &[&str] = &[
    "DATABASE",
    "ROLE",
    "USER",
    "GROUP",
    "TABLESPACE",
    "SERVER",
    "FOREIGN",
    "SUBSCRIPTION",
    "SYSTEM",
    "LANGUAGE",
    "OWNED",
    "ACCESS",
    "CONVERSION",
    "TRANSFORM",
];

/// Settings that say what the statements behind them mean.
const SETTINGS: &[&str] = &[
    "SEARCH_PATH",
    "CHECK_FUNCTION_BODIES",
    "XMLOPTION",
    "DEFAULT_TABLESPACE",
    "DEFAULT_TABLE_ACCESS_METHOD",
];

/// Settings of a client's session, which this one has its own of.
const CLIENT_SETTINGS: &[&str] = &[
    "STATEMENT_TIMEOUT",
    "LOCK_TIMEOUT",
    "IDLE_IN_TRANSACTION_SESSION_TIMEOUT",
    "TRANSACTION_TIMEOUT",
    "CLIENT_ENCODING",
    "CLIENT_MIN_MESSAGES",
    "ROW_SECURITY",
];

/// Whether a semicolon behind these ends the statement: a body `BEGIN ATOMIC … END` has some of its own.
pub(super) fn ends(words: &Words<'_>) -> bool {
    if words.word(0) != "CREATE" || !words.has("ATOMIC") {
        return true;
    }
    let mut open = 0_usize;
    for at in 0..words.0.len() {
        match (words.word(at), words.word(at + 1)) {
            ("BEGIN", "ATOMIC") => open += 1,
            ("CASE", _) if open > 0 => open += 1,
            ("END", _) => open = open.saturating_sub(1),
            _ => {}
        }
    }
    open == 0
}

pub(super) fn verdict(words: &Words<'_>) -> Verdict {
    match words.word(0) {
        "CREATE" | "ALTER" | "DROP" => of_object(words),
        "COMMENT" => match words.word(2) {
            "EXTENSION" | "SUBSCRIPTION" => Verdict::PassOver,
            _ => of_object(words),
        },
        "SET" => of_setting(words),
        "SELECT" => of_select(words),
        "SECURITY" => Verdict::PassOver,
        _ => common(words),
    }
}

fn of_object(words: &Words<'_>) -> Verdict {
    let all: Vec<&str> = [KINDS, PASSED_OVER, REFUSED].concat();
    let Some((at, kind)) = words.object(&all) else { return common(words) };
    let what = format!("{} {kind}", words.word(0));
    if REFUSED.contains(&kind) {
        return Verdict::refuse(format!("{what} is not taken: it reaches beyond the tables of one database"));
    }
    if PASSED_OVER.contains(&kind) {
        return Verdict::PassOver;
    }
    // Who owns it is a right, and the role may not be there.
    if words.word(0) == "ALTER" && is_owner(words) {
        return Verdict::PassOver;
    }
    if words.word(0) != "CREATE" {
        return Verdict::Take;
    }
    if let Some(refused) = refuse_temporary(words) {
        return refused;
    }
    match kind {
        "TABLE" => refuse_query(words).unwrap_or(Verdict::Take),
        "VIEW" if words.word(at - 1) == "MATERIALIZED" && !words.ends(&["WITH", "NO", "DATA"]) => {
            Verdict::Refuse(
                "a materialized view would run its query".to_owned(),
                Some("end it with WITH NO DATA, or leave it out: views are not compared"),
            )
        }
        "INDEX" if words.has("CONCURRENTLY") => Verdict::Refuse(
            "CONCURRENTLY cannot stand in a transaction, and the file is loaded in one".to_owned(),
            Some("write it without: the file says what there is, not how it comes"),
        ),
        _ => Verdict::Take,
    }
}

/// `… OWNER TO name` and nothing else.
fn is_owner(words: &Words<'_>) -> bool {
    let last = words.0.len();
    last > 3
        && words.word(last - 3) == "OWNER"
        && words.word(last - 2) == "TO"
        && words.name(last - 1).is_some()
}

fn of_setting(words: &Words<'_>) -> Verdict {
    let at = if matches!(words.word(1), "SESSION" | "LOCAL") { 2 } else { 1 };
    let setting = words.word(at);
    if SETTINGS.contains(&setting) {
        return Verdict::Take;
    }
    let strings = setting == "STANDARD_CONFORMING_STRINGS" && words.word(at + 2) == "ON";
    if strings || CLIENT_SETTINGS.contains(&setting) {
        return Verdict::PassOver;
    }
    Verdict::refuse(format!("the setting {} is not taken", setting.to_lowercase()))
}

/// The one query that a dump begins with.
fn of_select(words: &Words<'_>) -> Verdict {
    let at = if words.begins(&["SELECT", "PG_CATALOG"]) { 3 } else { 1 };
    let path = |piece: Option<&Piece>| matches!(piece, Some(Piece::Text(text)) if text == "'search_path'");
    let sets_path = words.word(at) == "SET_CONFIG" && path(words.0.get(at + 2)) && words.0.len() == at + 8;
    match sets_path {
        true => Verdict::Take,
        false => Verdict::refuse("a query is not taken: the file says structure alone"),
    }
}
