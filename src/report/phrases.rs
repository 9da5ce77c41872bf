//! What a plan amounts to, in the words that every form for people shares: counts, keys, ranges, refusals.

use std::fmt;

use crate::compare::{RowChange, RowCounts};
use crate::plan::{
    Changes, Hazard, PlanKind, RangeDrift, Refusal, Remaining, SchemaAction, SchemaChange, Status, TablePlan,
};
use crate::schema::{ColumnPair, TablePair};
use crate::sides::Sides;
use crate::sql::Alteration;
use crate::value::Key;

use super::Part;
use super::row::Cell;
use super::text_value::{REDACTED, shown};
use super::words::{counted, name, thousands, visible};

/// How many columns of other types are told.
const FITS_MAX: usize = 6;
/// How much of a `where` is shown.
const FILTER_CHARS_MAX: usize = 100;

/// What happens to a row or an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sign {
    /// It is inserted or created.
    Insert,
    /// It is updated or altered.
    Update,
    /// It is deleted or dropped.
    Delete,
}

impl fmt::Display for Sign {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Sign::Insert => "+",
            Sign::Update => "~",
            Sign::Delete => "-",
        })
    }
}

/// The sign of a row's change.
pub fn sign_of(change: &RowChange) -> Sign {
    match change {
        RowChange::Insert { .. } => Sign::Insert,
        RowChange::Update { .. } => Sign::Update,
        RowChange::Delete { .. } => Sign::Delete,
    }
}

/// `2 schema changes`, if any.
pub fn schema_changes_words(changes: u64) -> Option<String> {
    (changes > 0).then(|| counted(changes, "schema change"))
}

/// `1 schema change, 3 rows to insert; withheld: 1 row to update`: what a table needs, if anything.
pub fn table_words(table: &TablePlan) -> Option<String> {
    let words = |changes: Changes| {
        let all = [schema_changes_words(changes.schema_changes), counts_in_words(&changes.rows)];
        all.into_iter().flatten().collect::<Vec<_>>().join(", ")
    };
    let (written, kept) = (words(table.written()), words(table.kept_back()));
    let kept = if kept.is_empty() { kept } else { format!("withheld: {kept}") };
    let both: Vec<String> = [written, kept].into_iter().filter(|words| !words.is_empty()).collect();
    (!both.is_empty()).then(|| both.join("; "))
}

/// `differs in 4 rows`: how a table stands, for behind its name.
pub fn standing(table: &TablePlan, kind: PlanKind) -> String {
    match table.status {
        Status::Error if table.was_compared() => "cannot be written".to_owned(),
        Status::Error => "could not be compared".to_owned(),
        Status::InSync if !table.is_whole() => "is in sync in scope".to_owned(),
        Status::InSync => "is in sync".to_owned(),
        Status::Missing => "is missing on the replica".to_owned(),
        Status::Extra => "is on the replica only".to_owned(),
        Status::Drift if table.changes.is_empty() => "differs in its structure".to_owned(),
        Status::Drift => {
            let mut all = table.summary;
            all += table.withheld;
            let at_least = if table.truncated { "at least " } else { "" };
            // What is undone need not differ from the primary.
            let verb = if kind == PlanKind::Undo { "changes" } else { "differs" };
            format!("{verb} in {at_least}{}", counted(all.total(), "row"))
        }
    }
}

/// `note text as varchar(20) (limited)`: the columns of another engine that do not simply hold what the primary's hold.
pub fn fits_of(pair: &TablePair) -> Option<String> {
    let told = |column: &ColumnPair| {
        let fit = column.fit.filter(|fit| !fit.is_quiet())?;
        let Sides { primary, replica } =
            column.sides.as_ref().map(|column| visible(&column.column_type.declared).to_string());
        Some(format!("{} {primary} as {replica} ({})", name(column.name()), fit.words()))
    };
    let mut fits: Vec<String> = pair.columns.iter().filter_map(told).collect();
    let more = fits.len().saturating_sub(FITS_MAX);
    fits.truncate(FITS_MAX);
    if more > 0 {
        fits.push(format!("… and {more} more"));
    }
    (!fits.is_empty()).then(|| fits.join(", "))
}

/// `1,000 rows on the primary, 999 on the replica`, and what else the counts of a table say.
pub fn notes(table: &TablePlan, kind: PlanKind) -> String {
    let mut notes = rows_words(table.rows, kind);
    if table.truncated {
        notes = format!("stopped looking (--max-diffs) after {notes}");
    }
    if table.pair.as_ref().is_some_and(TablePair::is_keyless) {
        notes.push_str("; no key, so whole rows are compared");
    }
    if let Some(excused) = excused_words(table) {
        notes.push_str(&format!("; {excused}"));
    }
    notes
}

/// `1 row differs only in what the spec excuses`, if any does.
pub fn excused_words(table: &TablePlan) -> Option<String> {
    let verb = if table.excused == 1 { "differs" } else { "differ" };
    let rows = counted(table.excused, "row");
    (table.excused > 0).then(|| format!("{rows} {verb} only in what the spec excuses"))
}

/// `where total > 5, 3 of 5 columns`: what of a table the spec takes in, where that is not all of it.
pub fn scope_of(table: &TablePlan, redact: bool) -> Option<String> {
    let pair = table.pair.as_ref().filter(|pair| !pair.is_whole())?;
    // A condition may quote values.
    let shown = |filter: &str| if redact { REDACTED.to_owned() } else { on_a_line(filter) };
    let rows = pair.filter.as_deref().map(|filter| format!("where {}", shown(filter)));
    let all = pair.columns_in_all();
    let columns = (pair.compared_columns < all)
        .then(|| format!("{} of {}", thousands(pair.compared_columns as u64), counted(all as u64, "column")));
    Some(rows.into_iter().chain(columns).collect::<Vec<_>>().join(", "))
}

/// A condition of many lines as a short one.
fn on_a_line(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(FILTER_CHARS_MAX) {
        Some((end, _)) => visible(&line[..end]) + "…",
        None => visible(&line),
    }
}

/// ` in what was compared: 4 tables, 1 of them in part`: what stands behind "matches", where less than all tables of the
/// spec and all their rows and columns were compared.
pub fn compared_words(parts: &[Part<'_>]) -> String {
    let tables = tables_of(parts).count() as u64;
    let in_part = tables_of(parts).filter(|table| !table.is_whole()).count() as u64;
    let chosen = parts.iter().any(|part| part.tables_chosen);
    if in_part == 0 && !chosen {
        return String::new();
    }
    let chosen = if chosen { " (--table)" } else { "" };
    let in_part = match (in_part, tables) {
        (0, _) => String::new(),
        (1, 1) => ", in part".to_owned(),
        (all, tables) if all == tables => ", all in part".to_owned(),
        (some, _) => format!(", {} of them in part", thousands(some)),
    };
    format!(" in what was compared: {}{chosen}{in_part}", counted(tables, "table"))
}

/// `add column shop.orders.note (withheld)`, and its sign.
pub fn schema_change_words(change: &SchemaChange) -> (Sign, String) {
    use SchemaAction::{
        Add, AddColumn, AddEnumValue, CreateTable, CreateType, Drop, DropColumn, DropEnumValue, DropTable,
        DropType,
    };
    let is_there = change.before.is_some() && change.after.is_some();
    let sign = match change.action {
        Add(_) if is_there => Sign::Update,
        CreateTable
        | AddColumn
        | Add(_)
        | CreateType
        | AddEnumValue
        | SchemaAction::AddPartition
        | SchemaAction::CreateSchema => Sign::Insert,
        DropTable | DropColumn | Drop(_) | DropType | DropEnumValue | SchemaAction::DropPartition => {
            Sign::Delete
        }
        _ => Sign::Update,
    };
    let mut what = change.action.as_str().replace('_', " ");
    if let Some(Alteration::Validate(_)) = change.alteration {
        what = what.replacen("add", "validate", 1);
    }
    let withheld = if change.withheld { " (withheld)" } else { "" };
    let hazards = match change.hazards.as_slice() {
        [] => String::new(),
        hazards => {
            let mut names: Vec<&str> = Vec::new();
            for name in hazards.iter().map(|hazard| hazard.name.as_str()) {
                if !names.contains(&name) {
                    names.push(name);
                }
            }
            format!(" (needs --allow {})", names.join(","))
        }
    };
    (sign, format!("{what} {}{hazards}{withheld}", name(&change.object)))
}

/// `DELETES_DATA: the column holds values (12 rows)`
pub fn hazard_words(hazard: &Hazard) -> String {
    let rows = hazard.rows.map(|rows| format!(" ({})", counted(rows, "row"))).unwrap_or_default();
    visible(&format!("{}: {}{rows}", hazard.name, hazard.message))
}

/// `id = 5, line = 2`; nothing for a table without key.
pub fn key_words(key: &[Cell]) -> String {
    let words: Vec<String> =
        key.iter().map(|cell| format!("{} = {}", name(&cell.name), shown(&cell.value))).collect();
    words.join(", ")
}

/// `id from 5 to before 9: 4 rows on the primary, 3 on the replica`
pub fn range_line(pair: &TablePair, range: &RangeDrift, kind: PlanKind) -> String {
    let bound = |key: &Key| {
        let values: Vec<String> = pair.key_values(key).iter().map(shown).collect();
        if values.len() == 1 { values.concat() } else { format!("({})", values.join(", ")) }
    };
    let columns: Vec<String> = pair.key().iter().map(|column| name(column.name())).collect();
    let columns = columns.join(", ");
    let keys = match (&range.range.from, &range.range.to) {
        (Some(from), Some(to)) => format!("{columns} from {} to before {}", bound(from), bound(to)),
        (Some(from), None) => format!("{columns} from {} on", bound(from)),
        (None, Some(to)) => format!("{columns} before {}", bound(to)),
        (None, None) => "all keys".to_owned(),
    };
    format!("{keys}: {}", rows_words(range.rows, kind))
}

/// Where a plan is undone the primary has no part in it: the rows are those before and after.
fn rows_words(rows: Sides<u64>, kind: PlanKind) -> String {
    let Sides { primary, replica } = rows;
    match kind {
        PlanKind::Changes => {
            format!("{} on the primary, {} on the replica", counted(primary, "row"), thousands(replica))
        }
        PlanKind::Undo => format!("{} before this, {} after it", counted(replica, "row"), thousands(primary)),
    }
}

/// `table t: limits.deletes, 6 of 10 rows (allowed: 50%, more with --max-deletes)`
pub fn refusal_words(refusal: &Refusal) -> String {
    let table = refusal.table.as_ref().map(|table| format!("table {}: ", name(table))).unwrap_or_default();
    let more = match refusal.rule.as_str() {
        "limits.deletes" => ", more with --max-deletes",
        "limits.changes" => ", more with --max-changes",
        _ => "",
    };
    visible(&format!("{table}{}, {} (allowed: {}{more})", refusal.rule, refusal.found, refusal.limit))
}

/// `3 rows to insert, 1 to update`; only what there is.
pub fn counts_in_words(counts: &RowCounts) -> Option<String> {
    let all = [(counts.insert, "insert"), (counts.update, "update"), (counts.delete, "delete")];
    let mut words = Vec::new();
    for (count, verb) in all.into_iter().filter(|(count, _)| *count > 0) {
        let rows = if words.is_empty() { counted(count, "row") } else { thousands(count) };
        words.push(format!("{rows} to {verb}"));
    }
    (!words.is_empty()).then(|| words.join(", "))
}

/// The tables of some replicas.
pub fn tables_of<'a>(parts: &[Part<'a>]) -> impl Iterator<Item = &'a TablePlan> + Clone {
    parts.iter().flat_map(|part| &part.plan.tables).collect::<Vec<_>>().into_iter()
}

/// `2 schema changes, 3 rows to insert, 1 to update, 4 to delete.`
pub fn sums(parts: &[Part<'_>]) -> String {
    let changes: Changes = parts.iter().map(|part| part.plan.summary()).sum();
    let more = match tables_of(parts).any(|table| table.truncated) {
        true => "; there may be more, looking stopped early (--max-diffs).",
        false => ".",
    };
    let structure = match changes.schema_changes {
        0 => String::new(),
        changes => format!("{}, ", counted(changes, "schema change")),
    };
    format!(
        "{structure}{} to insert, {} to update, {} to delete{more}",
        counted(changes.rows.insert, "row"),
        thousands(changes.rows.update),
        thousands(changes.rows.delete)
    )
}

/// `1 schema change, 2 rows to update`: what the spec withholds, if anything.
pub fn withheld_words(parts: &[Part<'_>]) -> Option<String> {
    let withheld: Changes = parts.iter().map(|part| part.plan.withheld()).sum();
    let structure = schema_changes_words(withheld.schema_changes);
    let words: Vec<String> = structure.into_iter().chain(counts_in_words(&withheld.rows)).collect();
    (!words.is_empty()).then(|| words.join(", "))
}

/// `1 replica and 2 tables could not be compared; 1 table cannot be written.`
pub fn could_not(parts: &[Part<'_>]) -> String {
    let in_error = || tables_of(parts).filter(|table| table.status == Status::Error);
    let unwritable = in_error().filter(|table| table.was_compared()).count();
    let replicas = parts.iter().filter(|part| part.plan.error.is_some()).count();
    let words: Vec<String> = [(replicas, "replica"), (in_error().count() - unwritable, "table")]
        .into_iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, noun)| counted(count as u64, noun))
        .collect();
    let unread = (!words.is_empty()).then(|| format!("{} could not be compared", words.join(" and ")));
    let unwritable =
        (unwritable > 0).then(|| format!("{} cannot be written", counted(unwritable as u64, "table")));
    format!("{}.", unread.into_iter().chain(unwritable).collect::<Vec<_>>().join("; "))
}
/// What the check after an apply found. Rows that a trigger may have written are not those of the plan.
pub fn remaining_words(remaining: &Remaining, kind: PlanKind) -> Vec<String> {
    let mut words = Vec::new();
    if remaining.rows > 0 || remaining.stirred.is_empty() {
        let from = match kind {
            PlanKind::Changes => "the primary",
            PlanKind::Undo => "the plan",
        };
        words.push(format!("rows written differ from {from} again"));
    }
    let stirred =
        |table: &String| format!("table {} may have been written by a trigger, and differs", name(table));
    words.extend(remaining.stirred.iter().map(stirred));
    words
}
