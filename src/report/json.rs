//! The JSON document of plan, apply and verify, written as a stream.
//!
//! What could not be told is `null`, never a number that looks like one that was counted.

use std::io::{self, Write};

use crate::compare::{RowChange, RowCounts};
use crate::failure::Failure;
use crate::plan::{
    Applied, Changes, Hazard, Outcome, PlannedChange, RangeDrift, Refusal, SchemaChange, Status, TablePlan,
};
use crate::schema::{ColumnPair, TablePair};
use crate::value::Key;

use super::cause::cause_words;
use super::json_value::{put_redacted, put_value};
use super::json_writer::{JsonWriter, Layout};
use super::row::{Cell, decoded, with_copies};
use super::{Command, Part, Report, Rows, moment};

const FORMAT_VERSION: &str = "1.0";

type Json<'w> = JsonWriter<'w>;

/// Writes the whole document.
pub fn write(report: &Report<'_>, out: &mut dyn Write) -> io::Result<()> {
    write_with(report, Json::new(&mut *out))?;
    out.write_all(b"\n")
}

/// Writes the whole document as one line.
pub fn write_line(report: &Report<'_>, out: &mut dyn Write) -> io::Result<()> {
    write_with(report, Json::compact(&mut *out))?;
    out.write_all(b"\n")
}

fn write_with(report: &Report<'_>, mut json: Json<'_>) -> io::Result<()> {
    json.object(Layout::Block, |json| {
        json.key("format_version")?.string(FORMAT_VERSION)?;
        json.key("trueup_version")?.string(env!("CARGO_PKG_VERSION"))?;
        json.key("command")?.string(report.command.as_str())?;
        json.key("created_at")?.string(&moment(report.plan.created_at))?;
        json.key("primary")?.object(Layout::Line, |json| {
            json.key("engine")?.string(report.plan.primary.engine.as_str())?;
            // Empty where a watch never reached it.
            let version = Some(report.plan.primary.version.as_str()).filter(|version| !version.is_empty());
            json.key("version")?.string_or_null(version)?;
            put_snapshot(json, &report.plan.primary_snapshot)?;
            match &report.plan.primary_error {
                Some(error) => put_error(json.key("error")?, Some(error), report.redact),
                None => Ok(()),
            }
        })?;
        json.key("replicas")?
            .array(Layout::Block, report.parts(), |json, part| put_replica(json, report, &part))?;
        put_summary(json.key("summary")?, report)?;
        put_applied_in_all(json, report)?;
        json.key("in_sync")?.raw(report.in_sync())
    })
}

/// How the moment was held in which a side was read; nothing where it was not read.
fn put_snapshot(json: &mut Json<'_>, method: &str) -> io::Result<()> {
    if method.is_empty() {
        return Ok(());
    }
    json.key("snapshot")?.string(method)
}

fn put_replica(json: &mut Json<'_>, report: &Report<'_>, part: &Part<'_>) -> io::Result<()> {
    let plan = part.plan;
    let server = plan.server.as_ref();
    json.object(Layout::Block, |json| {
        json.key("name")?.string(&plan.name)?;
        json.key("engine")?.string_or_null(server.map(|server| server.engine.as_str()))?;
        json.key("version")?.string_or_null(server.map(|server| server.version.as_str()))?;
        put_snapshot(json, &plan.snapshot)?;
        json.key("outcome")?.string(part.outcome().as_str())?;
        json.key("refusals")?.array(Layout::Block, &plan.refusals, put_refusal)?;
        if !plan.notes.is_empty() {
            json.key("notes")?.array(Layout::Block, &plan.notes, |json, note| json.string(note))?;
        }
        // What went wrong while writing comes after what went wrong before.
        let error = plan.error.as_ref().or(part.applied_failure());
        put_error(json.key("error")?, error, report.redact)?;
        json.key("tables")?
            .array(Layout::Block, &plan.tables, |json, table| put_table(json, report, table))?;
        json.key("summary")?.object(Layout::Line, |json| put_all_changes(json, &plan.summary()))?;
        part.applied.map_or(Ok(()), |applied| put_applied(json, &[applied]))
    })
}

fn put_refusal(json: &mut Json<'_>, refusal: &Refusal) -> io::Result<()> {
    json.object(Layout::Line, |json| {
        json.key("rule")?.string(&refusal.rule)?;
        json.key("table")?.string_or_null(refusal.table.as_deref())?;
        json.key("limit")?.string(&refusal.limit)?;
        json.key("found")?.string(&refusal.found)
    })
}

fn put_error(json: &mut Json<'_>, error: Option<&Failure>, redact: bool) -> io::Result<()> {
    let Some(error) = error else { return json.raw("null") };
    json.object(Layout::Line, |json| {
        json.key("kind")?.string(error.kind.as_str())?;
        json.key("message")?.string(&error.shown(redact))
    })
}

fn put_table(json: &mut Json<'_>, report: &Report<'_>, table: &TablePlan) -> io::Result<()> {
    json.object(Layout::Block, |json| {
        json.key("table")?.string(&table.table)?;
        json.key("replica_table")?.string(&table.replica_table)?;
        put_pair(json, table.pair.as_ref())?;
        json.key("status")?.string(status_word(table.status))?;
        put_rows(json.key("rows")?, table)?;
        put_digest(json.key("digest")?, table)?;
        json.key("schema_changes")?.array(Layout::Block, &table.schema_changes, put_schema_change)?;
        json.key("summary")?.object(Layout::Line, |json| put_counts(json, &table.summary))?;
        json.key("withheld")?.object(Layout::Line, |json| put_counts(json, &table.withheld))?;
        json.key("excused")?.raw(table.excused)?;
        if table.truncated {
            json.key("truncated")?.raw(true)?;
        }
        put_ranges(json.key("ranges")?, table)?;
        put_causes(json.key("causes")?, table)?;
        if report.command != Command::Verify || report.rows == Rows::All {
            put_changes(json.key("changes")?, table, report.redact)?;
        }
        put_error(json.key("error")?, table.error.as_ref(), report.redact)?;
        if table.further_errors.is_empty() {
            return Ok(());
        }
        json.key("further_errors")?.array(Layout::Block, &table.further_errors, |json, error| {
            put_error(json, Some(error), report.redact)
        })
    })
}

fn status_word(status: Status) -> &'static str {
    match status {
        Status::InSync => "in_sync",
        Status::Drift => "drift",
        Status::Missing => "missing",
        Status::Extra => "extra",
        Status::Error => "error",
    }
}

fn put_pair(json: &mut Json<'_>, pair: Option<&TablePair>) -> io::Result<()> {
    let Some(pair) = pair else {
        json.key("key")?.raw("null")?;
        return json.key("columns")?.raw("null");
    };
    json.key("key")?.array(Layout::Line, pair.key(), |json, column| json.string(column.name()))?;
    json.key("columns")?.array(Layout::Block, &pair.columns, put_column)
}

fn put_column(json: &mut Json<'_>, column: &ColumnPair) -> io::Result<()> {
    json.object(Layout::Line, |json| {
        json.key("name")?.string(column.name())?;
        json.key("replica_name")?.string(&column.sides.replica.name)?;
        json.key("domain")?.string(column.domain.name())?;
        match column.fit {
            Some(fit) => json.key("fit")?.string(fit.as_str()),
            None => Ok(()),
        }
    })
}

fn put_rows(json: &mut Json<'_>, table: &TablePlan) -> io::Result<()> {
    if !table.counted() || table.truncated {
        return json.raw("null");
    }
    json.object(Layout::Line, |json| {
        json.key("primary")?.raw(table.rows.primary)?;
        json.key("replica")?.raw(table.rows.replica)
    })
}

fn put_digest(json: &mut Json<'_>, table: &TablePlan) -> io::Result<()> {
    let Some(digest) = table.digest.as_ref().filter(|_| !table.truncated) else { return json.raw("null") };
    json.object(Layout::Line, |json| {
        json.key("primary")?.string(&digest.primary.hex())?;
        json.key("replica")?.string(&digest.replica.hex())?;
        json.key("method")?.string(table.digest_method.as_str())
    })
}

fn put_schema_change(json: &mut Json<'_>, change: &SchemaChange) -> io::Result<()> {
    json.object(Layout::Line, |json| {
        json.key("action")?.string(change.action.as_str())?;
        json.key("object")?.string(&change.object)?;
        json.key("sql")?.array(Layout::Line, &change.sql, |json, sql| json.string(sql))?;
        json.key("hazards")?.array(Layout::Line, &change.hazards, put_hazard)?;
        json.key("withheld")?.raw(change.withheld)
    })
}

fn put_hazard(json: &mut Json<'_>, hazard: &Hazard) -> io::Result<()> {
    json.object(Layout::Line, |json| {
        json.key("name")?.string(&hazard.name)?;
        json.key("message")?.string(&hazard.message)?;
        match hazard.rows {
            Some(rows) => json.key("rows")?.raw(rows),
            None => json.key("rows")?.raw("null"),
        }
    })
}

fn put_counts(json: &mut Json<'_>, counts: &RowCounts) -> io::Result<()> {
    json.key("insert")?.raw(counts.insert)?;
    json.key("update")?.raw(counts.update)?;
    json.key("delete")?.raw(counts.delete)
}

fn put_ranges(json: &mut Json<'_>, table: &TablePlan) -> io::Result<()> {
    let Some(pair) = &table.pair else { return json.raw("[]") };
    json.array(Layout::Block, &table.ranges, |json, range| put_range(json, pair, range))
}

fn put_causes(json: &mut Json<'_>, table: &TablePlan) -> io::Result<()> {
    let Some(pair) = &table.pair else { return json.raw("[]") };
    json.array(Layout::Block, &table.causes, |json, found| {
        let column = pair.columns.get(usize::from(found.column));
        json.object(Layout::Line, |json| {
            json.key("column")?.string(column.map_or("", ColumnPair::name))?;
            json.key("cause")?.string(found.cause.name())?;
            json.key("values")?.raw(found.values)?;
            json.key("of")?.raw(found.of)?;
            json.key("option")?.string_or_null(found.option.as_deref())?;
            json.key("message")?.string(&cause_words(pair, found))
        })
    })
}

fn put_range(json: &mut Json<'_>, pair: &TablePair, range: &RangeDrift) -> io::Result<()> {
    json.object(Layout::Line, |json| {
        put_bound(json.key("from")?, pair, range.range.from.as_ref())?;
        put_bound(json.key("to")?, pair, range.range.to.as_ref())?;
        json.key("primary_rows")?.raw(range.rows.primary)?;
        json.key("replica_rows")?.raw(range.rows.replica)
    })
}

fn put_bound(json: &mut Json<'_>, pair: &TablePair, key: Option<&Key>) -> io::Result<()> {
    let Some(key) = key else { return json.raw("null") };
    json.object(Layout::Line, |json| {
        for (column, value) in pair.key().iter().zip(pair.key_values(key)) {
            put_value(json.key(column.name())?, &value)?;
        }
        Ok(())
    })
}

fn put_changes(json: &mut Json<'_>, table: &TablePlan, redact: bool) -> io::Result<()> {
    let Some(pair) = &table.pair else { return json.raw("[]") };
    json.array(Layout::Block, with_copies(&table.changes), |json, change| {
        let (change, copies) = change?;
        put_change(json, pair, &change, copies, redact)
    })
}

fn put_change(
    json: &mut Json<'_>,
    pair: &TablePair,
    planned: &PlannedChange,
    copies: u64,
    redact: bool,
) -> io::Result<()> {
    let shown = decoded(pair, planned);
    json.object(Layout::Line, |json| {
        json.key("action")?.string(action_word(&planned.change))?;
        match shown.key.as_slice() {
            [] => json.key("key")?.raw("null")?,
            key => put_cells(json.key("key")?, key, false)?,
        }
        if !matches!(planned.change, RowChange::Insert { .. }) {
            put_cells(json.key("before")?, &shown.before, redact)?;
        }
        if !matches!(planned.change, RowChange::Delete { .. }) {
            put_cells(json.key("after")?, &shown.after, redact)?;
        }
        if shown.key.is_empty() {
            json.key("copies")?.raw(copies)?;
        }
        if planned.withheld { json.key("withheld")?.raw(true) } else { Ok(()) }
    })
}

fn action_word(change: &RowChange) -> &'static str {
    match change {
        RowChange::Insert { .. } => "insert",
        RowChange::Update { .. } => "update",
        RowChange::Delete { .. } => "delete",
    }
}

fn put_cells(json: &mut Json<'_>, cells: &[Cell], redact: bool) -> io::Result<()> {
    json.object(Layout::Line, |json| {
        for cell in cells {
            let json = json.key(&cell.name)?;
            if redact { put_redacted(json)? } else { put_value(json, &cell.value)? }
        }
        Ok(())
    })
}

fn put_summary(json: &mut Json<'_>, report: &Report<'_>) -> io::Result<()> {
    let tables = || report.parts().flat_map(|part| &part.plan.tables);
    let with = |wanted: &[Status]| tables().filter(|table| wanted.contains(&table.status)).count();
    json.object(Layout::Line, |json| {
        json.key("tables")?.raw(tables().count())?;
        json.key("in_sync")?.raw(with(&[Status::InSync]))?;
        json.key("drift")?.raw(with(&[Status::Drift, Status::Missing, Status::Extra]))?;
        json.key("error")?.raw(with(&[Status::Error]))?;
        put_all_changes(json, &tables().map(TablePlan::written).sum())
    })
}

fn put_all_changes(json: &mut Json<'_>, changes: &Changes) -> io::Result<()> {
    json.key("schema_changes")?.raw(changes.schema_changes)?;
    put_counts(json, &changes.rows)
}

fn put_applied_in_all(json: &mut Json<'_>, report: &Report<'_>) -> io::Result<()> {
    let applied: Vec<&Applied> = report.parts().filter_map(|part| part.applied).collect();
    if report.applied.is_none() { Ok(()) } else { put_applied(json, &applied) }
}

/// What was done, summed over replicas.
fn put_applied(json: &mut Json<'_>, all: &[&Applied]) -> io::Result<()> {
    let changes = all.iter().map(|done| Changes { schema_changes: done.schema_changes, rows: done.rows });
    json.key("applied")?.object(Layout::Line, |json| {
        put_all_changes(json, &changes.sum())?;
        json.key("already")?.raw(all.iter().map(|applied| applied.already).sum::<u64>())
    })?;
    json.key("batches")?.object(Layout::Line, |json| {
        json.key("committed")?.raw(all.iter().map(|applied| applied.batches.0).sum::<u64>())?;
        json.key("of")?.raw(all.iter().map(|applied| applied.batches.1).sum::<u64>())
    })?;
    match verified_in(all) {
        Some(verified) => json.key("verified")?.raw(verified),
        None => json.key("verified")?.raw("null"),
    }
}

/// False where one is false; unknown where one that was written is; else true where one is true.
fn verified_in(all: &[&Applied]) -> Option<bool> {
    if all.iter().any(|applied| applied.verified == Some(false)) {
        return Some(false);
    }
    let unknown = |applied: &&&Applied| applied.verified.is_none() && applied.outcome != Outcome::InSync;
    if all.iter().any(|applied| unknown(&applied)) {
        return None;
    }
    all.iter().any(|applied| applied.verified == Some(true)).then_some(true)
}
