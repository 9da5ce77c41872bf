//! What is taken of a file for SQLite.

use super::words::Words;
use super::{Verdict, common, refuse_query, refuse_temporary};

/// Whether a semicolon behind these ends the statement: a trigger's body has some of its own, and ends with `; END`.
pub(super) fn ends(words: &Words<'_>) -> bool {
    let is_trigger = words.word(0) == "CREATE" && (1..3).any(|at| words.word(at) == "TRIGGER");
    let last = words.0.len().wrapping_sub(1);
    !is_trigger || (words.word(last) == "END" && words.is_sign(last.wrapping_sub(1), ";"))
}

pub(super) fn verdict(words: &Words<'_>) -> Verdict {
    const KINDS: &[&str] = &["TABLE", "INDEX", "VIEW", "TRIGGER"];
    match words.word(0) {
        // A table of a module has no rows of its own, and is compared by nobody.
        "CREATE" if words.word(1) == "VIRTUAL" => Verdict::PassOver,
        "PRAGMA" | "ANALYZE" | "REINDEX" => Verdict::PassOver,
        "CREATE" | "ALTER" | "DROP" => match words.object(KINDS) {
            Some((at, kind)) => of_object(words, words.past_if(at + 1), kind),
            None => common(words),
        },
        _ => common(words),
    }
}

fn of_object(words: &Words<'_>, name: usize, kind: &str) -> Verdict {
    if let Some(refused) = refuse_temporary(words) {
        return refused;
    }
    let database = words.name(name).filter(|_| words.is_sign(name + 1, "."));
    if let Some(database) = database.filter(|database| !database.eq_ignore_ascii_case("main")) {
        return Verdict::refuse(format!("{database} is another database"));
    }
    // SQLite makes its own tables itself.
    let own = words.name(name).is_some_and(|name| name.to_ascii_lowercase().starts_with("sqlite_"));
    match (own, kind) {
        (true, _) => Verdict::PassOver,
        (false, "TABLE") if words.word(0) == "CREATE" => refuse_query(words).unwrap_or(Verdict::Take),
        (false, _) => Verdict::Take,
    }
}
