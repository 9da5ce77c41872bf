//! A replica's plan as a script for the engine's own client: `--format sql`.
//!
//! Owns the flow: what is said at the top, which transactions there are, what each of them checks before it
//! writes. What a part looks like is the dialect's ([`Script`]). Refuses what `apply` could not run as a whole: a
//! plan that stopped early, a replica that was not looked at. What `apply` would refuse or leave out (limits,
//! tables in error) stops the script at once, until a person removes the lines that say so.
//!
//! Invariant: in every transaction all guards come before the first write, and nothing is committed after one
//! that failed. A script of several transactions checks all guards once more before the first of them.

use std::borrow::Cow;
use std::io;

use crate::compare::RowChange;
use crate::failure::{ErrorKind, Failure};
use crate::plan::{
    self, Batches, ChunkLimits, NumberedChange, Plan, PlanKind, PlannedChange, Reference, ReplicaPlan,
    RowAction, RowStep, SchemaAction, TablePlan,
};
use crate::schema::TablePair;
use crate::spool::SpoolError;
use crate::sql::{
    Dialect, Expect, Guard, Script, ScriptChunk, SelectColumn, TableName, Unwritable, comment, one_line,
};
use crate::value::{Row, Value};

use super::words::counted;

/// The report is written with I/O errors alone; what else can go wrong in the middle of a script is one of them.
fn failed(failure: &Failure) -> io::Error {
    let hint = failure.hint.as_ref().map(|hint| format!("; {hint}")).unwrap_or_default();
    io::Error::other(format!("{failure}{hint}"))
}

/// The longest list of keys in a comment, in characters.
const KEYS_CHARS_MAX: usize = 200;
/// The longest name of a table in a message, in characters.
const NAME_CHARS_MAX: usize = 48;

/// Why there is no script of this replica, if there is none.
pub(super) fn impossible(replica: &ReplicaPlan) -> Option<Failure> {
    if let Some(failure) = &replica.error {
        let message = format!("replica {} was not looked at, so there is no script", replica.name);
        return Some(Failure { message: format!("{message}: {}", failure.message), ..failure.clone() });
    }
    if replica.server.is_none() {
        let message = format!("replica {} was not reached, so there is no script", replica.name);
        return Some(Failure::new(ErrorKind::Connect, message));
    }
    let truncated = replica.tables.iter().find(|table| table.truncated)?;
    let message =
        format!("table {}: looking stopped early, so there is no script of the whole plan", truncated.table);
    Some(Failure::new(ErrorKind::Internal, message).hint("plan again without --max-diffs"))
}

/// Writes the script of one replica, at most `batch_rows` row changes a transaction.
pub(super) fn write(
    plan: &Plan,
    replica: &ReplicaPlan,
    batch_rows: u64,
    out: &mut dyn io::Write,
) -> io::Result<()> {
    if let Some(failure) = impossible(replica) {
        return Err(failed(&failure));
    }
    let Some(server) = &replica.server else { return Ok(()) };
    let dialect = crate::sql::dialect(server.engine);
    let steps = plan::steps(replica).map_err(|failure| failed(&failure))?;
    let batches = plan::batches(steps, batch_rows);
    let script = dialect.script();
    let mut writer = Writer { plan, replica, dialect, script, out, pairs: pairs(replica) };
    writer.header(&batches)?;
    if is_empty(&batches) {
        return Ok(());
    }
    writer.opening(&replica.search_path)?;
    writer.refusals()?;
    writer.body(&batches)
}

/// The pairs with the names that the script uses; `None` where a table is in error.
fn pairs(replica: &ReplicaPlan) -> Vec<Option<TablePair>> {
    let named = |table: &TablePlan| {
        let mut pair = table.pair.clone()?;
        if !pair.replica_qualified {
            pair.names.replica.schema = None;
        }
        Some(pair)
    };
    replica.tables.iter().map(named).collect()
}

fn is_empty(batches: &Batches) -> bool {
    batches.schema.is_empty() && batches.rows.iter().all(Vec::is_empty) && batches.schema_after.is_empty()
}

struct Writer<'a> {
    plan: &'a Plan,
    replica: &'a ReplicaPlan,
    dialect: &'static dyn Dialect,
    script: Box<dyn Script>,
    out: &'a mut dyn io::Write,
    pairs: Vec<Option<TablePair>>,
}

impl Writer<'_> {
    fn put(&mut self, text: &str) -> io::Result<()> {
        self.out.write_all(text.as_bytes())
    }

    fn say(&mut self, text: &str) -> io::Result<()> {
        let text = comment(text);
        self.put(&text)
    }

    /// What it is, what it does and how to run it.
    fn header(&mut self, batches: &Batches) -> io::Result<()> {
        let (plan, replica) = (self.plan, self.replica);
        let server = |server: &crate::server::Server| format!("{} {}", server.engine, server.version);
        let this = replica.server.as_ref().map(server).unwrap_or_default();
        let what = match plan.kind {
            PlanKind::Changes => format!("equal to the primary ({})", server(&plan.primary)),
            PlanKind::Undo => "what it was before a plan, which is taken back".to_owned(),
        };
        let title = format!(
            "trueup {}: makes the replica {} ({this}) {what}",
            env!("CARGO_PKG_VERSION"),
            replica.name
        );
        self.say(&one_line(&title))?;
        let moment = plan.created_at.strftime("%Y-%m-%dT%H:%M:%SZ");
        self.say(&one_line(&format!("as compared at {moment} by the spec {}", plan.spec_path)))?;
        let summary = replica.summary();
        let changes = format!(
            "{}, {} to insert, {} to update, {} to delete",
            counted(summary.schema_changes, "schema change"),
            counted(summary.rows.insert, "row"),
            super::thousands(summary.rows.update),
            super::thousands(summary.rows.delete)
        );
        if is_empty(batches) {
            self.say("\nNothing to do.")?;
        } else {
            let transactions = counted(batches.rows.len() as u64, "transaction");
            self.say(&format!("\n{changes}; {transactions}"))?;
            let usage = self.script.usage();
            self.say(&format!("Run it with: {usage}"))?;
            self.say(
                "Before a row is written it must be what the comparison saw. The first error stops the\n\
                 script, and its transaction is not committed; then plan again.",
            )?;
        }
        self.left_out()
    }

    /// What differs and is not in the script.
    fn left_out(&mut self) -> io::Result<()> {
        for table in &self.replica.tables {
            let kept = table.kept_back();
            if kept.total() > 0 && table.error.is_none() {
                let text = format!(
                    "Withheld by the spec: table {}: {}, {} to insert, {} to update, {} to delete",
                    table.table,
                    counted(kept.schema_changes, "schema change"),
                    counted(kept.rows.insert, "row"),
                    super::thousands(kept.rows.update),
                    super::thousands(kept.rows.delete)
                );
                self.say(&one_line(&text))?;
            }
            if let Some(error) = &table.error {
                let text = format!("Not in this script: table {}: {}", table.table, error.message);
                self.say(&one_line(&text))?;
            }
        }
        Ok(())
    }

    fn opening(&mut self, search_path: &[String]) -> io::Result<()> {
        let mut path = search_path.to_vec();
        if path.is_empty() {
            // Unqualified names mean the schema in which the tables were found.
            let pairs = self.replica.tables.iter().filter_map(|table| table.pair.as_ref());
            let mut unqualified = pairs.filter(|pair| !pair.replica_qualified);
            path.extend(unqualified.find_map(|pair| pair.names.replica.schema.clone()));
        }
        let opening = self.script.opening(&path);
        self.put("\n")?;
        self.put(&opening)
    }

    /// What `apply` would not run must not run silently here.
    fn refusals(&mut self) -> io::Result<()> {
        let mut reasons: Vec<String> = self.replica.refusals.iter().map(super::refusal_words).collect();
        let broken = self.replica.tables.iter().filter(|table| table.error.is_some());
        reasons.extend(broken.map(|table| format!("table {} is not in this script", table.table)));
        if reasons.is_empty() {
            return Ok(());
        }
        self.put("\n")?;
        for reason in &reasons {
            self.say(&one_line(&format!("Apply would be refused: {reason}")))?;
        }
        self.say(
            "The next lines stop the script. To run it all the same, remove them up to `end of refusal`.",
        )?;
        let stop = self.script.stop("apply would be refused; the script's first lines say why");
        self.put(&stop)?;
        self.say("end of refusal")
    }

    fn body(&mut self, batches: &Batches) -> io::Result<()> {
        let alone = !batches.schema.is_empty() && !self.dialect.transactional_ddl();
        if alone || batches.rows.len() > 1 {
            self.look_first(batches)?;
        }
        if alone {
            self.put("\n")?;
            self.define(&batches.schema)?;
        }
        let last = batches.rows.len() - 1;
        for (number, rows) in batches.rows.iter().enumerate() {
            let schema = if number == 0 && !alone { &batches.schema[..] } else { &[] };
            let dropping = if number == last { &batches.schema_after[..] } else { &[] };
            if schema.is_empty() && rows.is_empty() && dropping.is_empty() {
                continue;
            }
            self.put("\n")?;
            if batches.rows.len() > 1 {
                self.say(&format!("transaction {} of {}", number + 1, batches.rows.len()))?;
            }
            self.transaction(schema, rows, dropping)?;
        }
        if !self.dialect.transactional_ddl() {
            self.define(&batches.schema_after)?;
        }
        Ok(())
    }

    fn transaction(
        &mut self,
        schema: &[(usize, usize)],
        rows: &[RowStep],
        dropping: &[(usize, usize)],
    ) -> io::Result<()> {
        let begin = self.script.begin();
        self.put(&begin)?;
        self.define(schema)?;
        self.guards(rows, true)?;
        for step in rows {
            self.cascades(step)?;
            self.writes(step)?;
        }
        self.foreign_keys(rows)?;
        self.no_rows_left(dropping)?;
        if self.dialect.transactional_ddl() {
            self.define(dropping)?;
        }
        let commit = self.script.commit();
        self.put("\n")?;
        self.put(&commit)
    }

    /// All guards of all transactions, before anything is written that could not be taken back.
    fn look_first(&mut self, batches: &Batches) -> io::Result<()> {
        self.put("\n")?;
        self.say("all rows, looked at before anything is written")?;
        let begin = self.script.begin();
        self.put(&begin)?;
        for batch in &batches.rows {
            self.guards(batch, false)?;
        }
        let abandon = self.script.abandon();
        self.put(&abandon)
    }

    fn define(&mut self, schema: &[(usize, usize)]) -> io::Result<()> {
        for (table, change) in schema {
            let change = &self.replica.tables[*table].schema_changes[*change];
            for sql in &change.sql {
                let sql = self.unqualified(*table, sql);
                let text = self.script.define(&sql).map_err(|why| self.not_renderable(*table, &why))?;
                self.put(&text)?;
            }
        }
        Ok(())
    }

    /// A table is dropped when it has no rows but those that the plan has taken out.
    fn no_rows_left(&mut self, dropping: &[(usize, usize)]) -> io::Result<()> {
        for (table, change) in dropping {
            let dropped =
                self.replica.tables[*table].schema_changes[*change].action == SchemaAction::DropTable;
            let name = self.pairs[*table].as_ref().filter(|_| dropped).map(|pair| pair.names.replica.clone());
            if let Some(name) = name {
                let message = self.message(*table, "rows that the plan does not know would be dropped");
                let text =
                    self.script.empty(&name, &message).map_err(|why| self.not_renderable(*table, &why))?;
                self.put(&text)?;
            }
        }
        Ok(())
    }

    /// A statement about a table that the script does not qualify: `CREATE TABLE`, `ALTER TABLE` and `DROP TABLE`
    /// begin with its name.
    fn unqualified<'s>(&self, table: usize, sql: &'s str) -> Cow<'s, str> {
        let names = self.replica.tables[table].pair.as_ref().zip(self.pairs[table].as_ref());
        let Some((known, used)) = names else { return Cow::Borrowed(sql) };
        let (known, used) =
            (self.dialect.table(&known.names.replica), self.dialect.table(&used.names.replica));
        for verb in ["CREATE TABLE ", "ALTER TABLE ", "DROP TABLE "] {
            if let Some(rest) = sql.strip_prefix(verb).and_then(|rest| rest.strip_prefix(&known)) {
                return Cow::Owned(format!("{verb}{used}{rest}"));
            }
        }
        Cow::Borrowed(sql)
    }

    fn guards(&mut self, batch: &[RowStep], locked: bool) -> io::Result<()> {
        for step in batch {
            let replica = self.replica;
            let table = &replica.tables[step.table];
            let Some(pair) = self.pairs[step.table].clone() else { continue };
            if pair.is_keyless() {
                self.guards_of_copies(step, &pair, locked)?;
                continue;
            }
            let absent = step.action == RowAction::Insert;
            // A table that this script creates is empty.
            if absent && pair.replica_missing {
                continue;
            }
            let columns = guarded_columns(&pair, absent);
            let parts: Vec<SelectColumn> = columns.iter().map(|index| part(&pair, *index)).collect();
            let message = self.message(
                step.table,
                match absent {
                    true => "a row to insert is there already",
                    false => "a row is not what it was when the plan was made",
                },
            );
            for piece in plan::pieces(&table.changes, step.changes.iter().copied(), self.limits()) {
                let piece = piece.map_err(spool)?;
                let rows: Vec<Vec<Value>> =
                    piece.iter().map(|(_, planned)| guarded_row(&pair, planned, &columns, absent)).collect();
                let guard = Guard {
                    table: &pair.names.replica,
                    columns: &parts,
                    key_columns: pair.key_columns,
                    rows: &rows,
                    expect: if absent { Expect::Absent } else { Expect::AsGiven },
                    scope: None,
                    locked,
                    message: &message,
                };
                let text = self.script.guard(&guard).map_err(|why| self.not_renderable(step.table, &why))?;
                let what = if absent { "must not be there yet" } else { "must be as the plan saw them" };
                self.about(table, &piece, what)?;
                self.put(&text)?;
            }
        }
        Ok(())
    }

    /// Of each row there must be as many copies as the plan saw, or as the transactions before leave.
    fn guards_of_copies(&mut self, step: &RowStep, pair: &TablePair, locked: bool) -> io::Result<()> {
        let replica = self.replica;
        let table = &replica.tables[step.table];
        // A table that this script creates is empty; in one that gets a column, rows cannot be told apart before.
        if pair.replica_missing || (!locked && pair.columns.iter().any(|column| !column.on_replica)) {
            return Ok(());
        }
        let message = self.message(step.table, "a row is not there as often as when the plan was made");
        for piece in plan::equal_pieces(&table.changes, step.changes.iter().copied(), self.limits()) {
            let equal = piece.map_err(spool)?;
            let Some(first) = equal.first() else { continue };
            if equal.iter().any(|equal| plan::is_ambiguous(pair, equal)) {
                let reason = "some of its equal rows are to go, and which of them cannot be told".to_owned();
                return Err(self.not_renderable(step.table, &Unwritable { reason }));
            }
            let columns = plan::image_columns(pair, &first.planned);
            let rows: Vec<Vec<Value>> =
                equal.iter().map(|equal| plan::image_values(pair, &equal.planned, &columns)).collect();
            let counts: Vec<u64> =
                equal.iter().map(|equal| if locked { equal.copies(0) } else { equal.there() }).collect();
            let guard = Guard {
                table: &pair.names.replica,
                columns: &plan::image_parts(pair, &columns),
                key_columns: 0,
                rows: &rows,
                expect: Expect::Copies(&counts),
                scope: plan::scope(pair),
                locked,
                message: &message,
            };
            let text = self.script.guard(&guard).map_err(|why| self.not_renderable(step.table, &why))?;
            let images = counted(equal.len() as u64, "row");
            let about = format!("{}: must be there as often as the plan saw them: {images}", table.table);
            self.put("\n")?;
            self.say(&shortened(&one_line(&about), KEYS_CHARS_MAX))?;
            self.put(&text)?;
        }
        Ok(())
    }

    fn writes(&mut self, step: &RowStep) -> io::Result<()> {
        let replica = self.replica;
        let table = &replica.tables[step.table];
        let Some(pair) = self.pairs[step.table].clone() else { return Ok(()) };
        let verb = step.action.as_str();
        let message = self.message(step.table, &format!("not every row to {verb} was there and taken"));
        for write in plan::writes(table, step.action, &step.changes, self.limits()) {
            let write = write.map_err(spool)?;
            let text = plan::statements(&pair, &write, self.dialect)
                .and_then(|statements| self.script.write(&statements, write.changes.len(), &message))
                .map_err(|why| self.not_renderable(step.table, &why))?;
            self.about(table, &write.changes, verb)?;
            self.put(&text)?;
        }
        Ok(())
    }

    /// Deletes that a foreign key of the replica would carry on to rows that the plan does not name: what the
    /// plan deletes or points elsewhere is out of the way by now, so nothing may point at the rows any more.
    fn cascades(&mut self, step: &RowStep) -> io::Result<()> {
        let replica = self.replica;
        let Some(parent) = replica.tables[step.table].pair.as_ref() else { return Ok(()) };
        if step.action != RowAction::Delete {
            return Ok(());
        }
        for (child, reference) in plan::carrying(&replica.tables, parent) {
            self.cascade(step, child, &reference)?;
        }
        Ok(())
    }

    fn cascade(&mut self, step: &RowStep, child: usize, reference: &Reference) -> io::Result<()> {
        let replica = self.replica;
        let parent = &replica.tables[step.table];
        let Some(name) = self.pairs[child].as_ref().map(|pair| pair.names.replica.clone()) else {
            return Ok(());
        };
        let message = self.message(child, "rows still point at rows to delete, and would change with them");
        for piece in plan::pieces(&parent.changes, step.changes.iter().copied(), self.limits()) {
            let piece = piece.map_err(spool)?;
            let rows: Vec<Vec<Value>> =
                piece.iter().filter_map(|(_, planned)| reference.values(planned.change.row())).collect();
            if rows.is_empty() {
                continue;
            }
            let guard = Guard {
                table: &name,
                columns: &reference.pointing,
                key_columns: reference.pointing.len(),
                rows: &rows,
                expect: Expect::Absent,
                scope: None,
                locked: true,
                message: &message,
            };
            let text = self.script.guard(&guard).map_err(|why| self.not_renderable(child, &why))?;
            self.about(parent, &piece, &format!("no row of {} may point at", replica.tables[child].table))?;
            self.put(&text)?;
        }
        Ok(())
    }

    /// Rows that point at nothing are looked for in the tables written and in those of the plan that point at
    /// them, where the engine does not look by itself.
    fn foreign_keys(&mut self, batch: &[RowStep]) -> io::Result<()> {
        let pair = |table: usize| self.replica.tables[table].pair.as_ref();
        let touched: Vec<&TableName> =
            batch.iter().filter_map(|step| pair(step.table)).map(|pair| &pair.names.replica).collect();
        let concerned = |table: &usize| {
            pair(*table).is_some_and(|pair| {
                let written = touched.contains(&&pair.names.replica);
                let points = pair.foreign_keys.iter().any(|key| touched.contains(&&key.table));
                written || (points && !pair.replica_missing)
            })
        };
        let tables: Vec<usize> = (0..self.replica.tables.len()).filter(concerned).collect();
        for table in tables {
            let Some(name) = self.pairs[table].as_ref().map(|pair| pair.names.replica.clone()) else {
                continue;
            };
            let message = self.message(table, "rows would point at rows that are not there");
            let text = self.script.foreign_keys(&name, &message);
            self.put(&text)?;
        }
        Ok(())
    }

    fn limits(&self) -> ChunkLimits {
        let ScriptChunk { rows_max, bytes_max } = self.script.chunk();
        ChunkLimits { rows_max, bytes_max }
    }

    /// A comment above a part: which rows it is about.
    fn about(&mut self, table: &TablePlan, rows: &[NumberedChange], what: &str) -> io::Result<()> {
        let Some(pair) = &table.pair else { return Ok(()) };
        let key = |numbered: Option<&NumberedChange>| {
            numbered
                .map(|(_, planned)| plan::key_text(pair, planned.change.row().bytes()))
                .unwrap_or_default()
        };
        let count = counted(rows.len() as u64, "row");
        if pair.is_keyless() {
            let text = one_line(&format!("{}: {what}: {count}", table.table));
            self.put("\n")?;
            return self.say(&shortened(&text, KEYS_CHARS_MAX));
        }
        let keys = match rows {
            [only] => key(Some(only)),
            rows => format!("{} to {}", key(rows.first()), key(rows.last())),
        };
        let text = one_line(&format!("{}: {what}: {count}: {keys}", table.table));
        self.put("\n")?;
        self.say(&shortened(&text, KEYS_CHARS_MAX))
    }

    /// What the client shows where a part fails.
    fn message(&self, table: usize, what: &str) -> String {
        let name = shortened(&one_line(&self.replica.tables[table].table), NAME_CHARS_MAX);
        format!("table {name}: {what}; nothing of this transaction is committed")
    }

    fn not_renderable(&self, table: usize, why: &Unwritable) -> io::Error {
        let message = format!("table {} cannot stand in a script: {why}", self.replica.tables[table].table);
        failed(&Failure::new(ErrorKind::Value, message).hint("use `trueup apply`"))
    }
}

fn shortened(text: &str, chars_max: usize) -> String {
    match text.char_indices().nth(chars_max) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// The key alone for rows that must not be there; else all that is compared and that the replica has.
fn guarded_columns(pair: &TablePair, absent: bool) -> Vec<usize> {
    let compared = if absent { pair.key_columns } else { pair.compared_columns };
    (0..compared).filter(|index| pair.columns[*index].on_replica).collect()
}

fn part(pair: &TablePair, index: usize) -> SelectColumn {
    let column = &pair.columns[index];
    SelectColumn { column: column.sides.replica.clone(), domain: column.domain.clone() }
}

/// What is there of a row to update or to delete; of one to insert, its key.
fn guarded_row(pair: &TablePair, planned: &PlannedChange, columns: &[usize], absent: bool) -> Vec<Value> {
    let row: &Row = match &planned.change {
        RowChange::Insert { after } => after,
        RowChange::Update { before, .. } | RowChange::Delete { before } => before,
    };
    let fields: Vec<Option<&[u8]>> = row.fields().collect();
    let value = |index: &usize| {
        let (column, field) = (&pair.columns[*index], fields.get(*index).copied().flatten());
        if absent { column.primary_value(field) } else { column.replica_value(field) }
    };
    columns.iter().map(value).collect()
}

fn spool(error: SpoolError) -> io::Error {
    failed(&error.into())
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::*;
    use crate::plan::testing::*;
    use crate::report::samples::{empty_plan, server};
    use crate::report::{Command, Report};
    use crate::sql::EngineName;

    fn script_of(engine: EngineName, batch_rows: u64) -> String {
        let mut table = with_changes(
            table("t"),
            vec![
                insert(&[1, 10]),
                update(&[2, 5], &[2, 6], &[1]),
                update(&[3, 5], &[3, 7], &[1]),
                delete(&[4, 5]),
            ],
        );
        let definition = crate::sql::Column {
            column_type: crate::value::ColumnType::new(
                "integer",
                crate::value::Type::Integer { bytes: 4, unsigned: false },
            ),
            ..table.pair.as_ref().expect("paired").columns[1].sides.replica.clone()
        };
        let definition = crate::sql::Column { name: "more".to_owned(), ..definition };
        let pair = table.pair.as_mut().expect("paired");
        if engine != EngineName::Sqlite {
            pair.names.replica.schema = Some("shop".to_owned());
        }
        let sql = crate::sql::dialect(engine).add_column(&pair.names.replica, &definition);
        table.schema_changes = vec![plan::SchemaChange { sql: vec![sql], ..add_column("t.more", false) }];
        let replica =
            ReplicaPlan { server: Some(server(engine, "10.1", "somewhere")), ..with_tables(vec![table]) };
        let plan = Plan { replicas: vec![replica], ..empty_plan() };
        let mut out = Vec::new();
        Report { batch_rows, ..Report::new(Command::Plan, &plan) }.script(&mut out).expect("a script");
        let text = String::from_utf8(out).expect("text");
        text.replace(env!("CARGO_PKG_VERSION"), "VERSION")
    }

    #[test]
    fn a_script_for_psql() {
        assert_snapshot!(script_of(EngineName::Postgres, 100), @r#"
        -- trueup VERSION: makes the replica eu (postgres 10.1) equal to the primary (postgres 15.18)
        -- as compared at 2026-11-22T06:00:00Z by the spec spec.yml
        --
        -- 1 schema change, 1 row to insert, 2 to update, 1 to delete; 1 transaction
        -- Run it with: psql -X -q -f FILE DATABASE
        -- Before a row is written it must be what the comparison saw. The first error stops the
        -- script, and its transaction is not committed; then plan again.

        \set ON_ERROR_STOP on
        \set ON_ERROR_ROLLBACK off
        \set AUTOCOMMIT on
        \encoding UTF8
        SET client_encoding = 'UTF8';
        SET standard_conforming_strings = on;
        SET TimeZone = 'UTC';
        SET DateStyle = 'ISO, MDY';
        SET IntervalStyle = 'postgres';
        SET bytea_output = 'hex';
        SET extra_float_digits = 3;
        SET lc_monetary = 'C';
        SET xmloption = 'content';
        SET row_security = off;
        DO $trueup$
        BEGIN
          PERFORM set_config('search_path', concat_ws(', ', '"shop"', nullif(current_setting('search_path'), '')), false);
        END
        $trueup$;

        BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE;
        ALTER TABLE "t" ADD COLUMN "more" integer;

        -- t: must be as the plan saw them: 1 row: id = 4
        DO $trueup$
        #variable_conflict use_column
        DECLARE
          _trueup_rows bigint;
        BEGIN
        SELECT count(*) INTO _trueup_rows FROM (
        SELECT 1 FROM (VALUES
        (CAST(4 AS bigint), CAST(5 AS bigint))
        ) AS v (c0, c1)
        JOIN "t" AS t ON t."id" = v.c0 AND (t."ref" = v.c1) IS TRUE AND (t.tableoid = '"t"'::regclass OR (SELECT relkind = 'p' FROM pg_catalog.pg_class WHERE oid = '"t"'::regclass))
        FOR UPDATE OF t
        ) AS found;
        IF _trueup_rows <> 1 THEN
          RAISE EXCEPTION USING MESSAGE = 'trueup: table t: a row is not what it was when the plan was made; nothing of this transaction is committed', ERRCODE = 'serialization_failure';
        END IF;
        END
        $trueup$;

        -- t: must be as the plan saw them: 2 rows: id = 2 to id = 3
        DO $trueup$
        #variable_conflict use_column
        DECLARE
          _trueup_rows bigint;
        BEGIN
        SELECT count(*) INTO _trueup_rows FROM (
        SELECT 1 FROM (VALUES
        (CAST(2 AS bigint), CAST(5 AS bigint)),
        (3, 5)
        ) AS v (c0, c1)
        JOIN "t" AS t ON t."id" = v.c0 AND (t."ref" = v.c1) IS TRUE AND (t.tableoid = '"t"'::regclass OR (SELECT relkind = 'p' FROM pg_catalog.pg_class WHERE oid = '"t"'::regclass))
        FOR UPDATE OF t
        ) AS found;
        IF _trueup_rows <> 2 THEN
          RAISE EXCEPTION USING MESSAGE = 'trueup: table t: a row is not what it was when the plan was made; nothing of this transaction is committed', ERRCODE = 'serialization_failure';
        END IF;
        END
        $trueup$;

        -- t: must not be there yet: 1 row: id = 1
        DO $trueup$
        #variable_conflict use_column
        DECLARE
          _trueup_rows bigint;
        BEGIN
        SELECT count(*) INTO _trueup_rows FROM (
        SELECT 1 FROM (VALUES
        (CAST(1 AS bigint))
        ) AS v (c0)
        JOIN "t" AS t ON t."id" = v.c0 AND (t.tableoid = '"t"'::regclass OR (SELECT relkind = 'p' FROM pg_catalog.pg_class WHERE oid = '"t"'::regclass))
        ) AS found;
        IF _trueup_rows <> 0 THEN
          RAISE EXCEPTION USING MESSAGE = 'trueup: table t: a row to insert is there already; nothing of this transaction is committed', ERRCODE = 'serialization_failure';
        END IF;
        END
        $trueup$;

        -- t: delete: 1 row: id = 4
        DO $trueup$
        #variable_conflict use_column
        DECLARE
          _trueup_rows bigint;
          _trueup_sum bigint := 0;
        BEGIN
        DELETE FROM "t" AS t USING (VALUES
        (CAST(4 AS bigint))
        ) AS v (c0) WHERE t."id" = v.c0 AND (t.tableoid = '"t"'::regclass OR (SELECT relkind = 'p' FROM pg_catalog.pg_class WHERE oid = '"t"'::regclass));
        GET DIAGNOSTICS _trueup_rows = ROW_COUNT;
        _trueup_sum := _trueup_sum + _trueup_rows;
        IF _trueup_sum <> 1 THEN
          RAISE EXCEPTION USING MESSAGE = 'trueup: table t: not every row to delete was there and taken; nothing of this transaction is committed', ERRCODE = 'serialization_failure';
        END IF;
        END
        $trueup$;

        -- t: update: 2 rows: id = 2 to id = 3
        DO $trueup$
        #variable_conflict use_column
        DECLARE
          _trueup_rows bigint;
          _trueup_sum bigint := 0;
        BEGIN
        UPDATE "t" AS t SET "ref" = v.c1 FROM (VALUES
        (CAST(2 AS bigint), CAST(6 AS bigint)),
        (3, 7)
        ) AS v (c0, c1) WHERE t."id" = v.c0 AND (t.tableoid = '"t"'::regclass OR (SELECT relkind = 'p' FROM pg_catalog.pg_class WHERE oid = '"t"'::regclass));
        GET DIAGNOSTICS _trueup_rows = ROW_COUNT;
        _trueup_sum := _trueup_sum + _trueup_rows;
        IF _trueup_sum <> 2 THEN
          RAISE EXCEPTION USING MESSAGE = 'trueup: table t: not every row to update was there and taken; nothing of this transaction is committed', ERRCODE = 'serialization_failure';
        END IF;
        END
        $trueup$;

        -- t: insert: 1 row: id = 1
        DO $trueup$
        #variable_conflict use_column
        DECLARE
          _trueup_rows bigint;
          _trueup_sum bigint := 0;
        BEGIN
        INSERT INTO "t" ("id", "ref") VALUES
        (1, 10);
        GET DIAGNOSTICS _trueup_rows = ROW_COUNT;
        _trueup_sum := _trueup_sum + _trueup_rows;
        IF _trueup_sum <> 1 THEN
          RAISE EXCEPTION USING MESSAGE = 'trueup: table t: not every row to insert was there and taken; nothing of this transaction is committed', ERRCODE = 'serialization_failure';
        END IF;
        END
        $trueup$;

        COMMIT;
        "#);
    }

    #[test]
    fn a_script_for_mariadb() {
        assert_snapshot!(script_of(EngineName::Mariadb, 100), @r#"
        -- trueup VERSION: makes the replica eu (mariadb 10.1) equal to the primary (postgres 15.18)
        -- as compared at 2026-11-22T06:00:00Z by the spec spec.yml
        --
        -- 1 schema change, 1 row to insert, 2 to update, 1 to delete; 1 transaction
        -- Run it with: mariadb DATABASE < FILE
        -- Before a row is written it must be what the comparison saw. The first error stops the
        -- script, and its transaction is not committed; then plan again.

        SET NAMES utf8mb4;
        SET sql_mode = 'STRICT_ALL_TABLES,NO_AUTO_VALUE_ON_ZERO,ALLOW_INVALID_DATES,NO_ENGINE_SUBSTITUTION';
        SET time_zone = '+00:00', autocommit = 1, foreign_key_checks = 1, unique_checks = 1, sql_safe_updates = 0, sql_big_selects = 1, sql_auto_is_null = 0;
        SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ;
        SET SESSION in_predicate_conversion_threshold = 0, SESSION system_versioning_asof = DEFAULT;
        SET @trueup_done = 0;

        -- all rows, looked at before anything is written
        START TRANSACTION READ WRITE;

        -- t: must be as the plan saw them: 1 row: id = 4
        SET @trueup_done = @trueup_done + ((SELECT COUNT(*) FROM `t` WHERE `id` IN (4)
        AND ((`id` = 4 AND `ref` = 5)
        )) = 1);
        SET sql_mode = IF(@trueup_done = 1, @@sql_mode, 'trueup: table t: a row is not what it was when the plan was made; nothing of this transaction is committed');

        -- t: must be as the plan saw them: 2 rows: id = 2 to id = 3
        SET @trueup_done = @trueup_done + ((SELECT COUNT(*) FROM `t` WHERE `id` IN (2, 3)
        AND ((`id` = 2 AND `ref` = 5)
        OR (`id` = 3 AND `ref` = 5)
        )) = 2);
        SET sql_mode = IF(@trueup_done = 2, @@sql_mode, 'trueup: table t: a row is not what it was when the plan was made; nothing of this transaction is committed');

        -- t: must not be there yet: 1 row: id = 1
        SET @trueup_done = @trueup_done + ((SELECT COUNT(*) FROM `t` WHERE `id` IN (1)) = 0);
        SET sql_mode = IF(@trueup_done = 3, @@sql_mode, 'trueup: table t: a row to insert is there already; nothing of this transaction is committed');
        ROLLBACK;

        SET @trueup_do = IF(@trueup_done = 3, 'ALTER TABLE `t` ADD COLUMN `more` integer NULL', 'DO 0');
        PREPARE trueup_do FROM @trueup_do;
        EXECUTE trueup_do;
        DEALLOCATE PREPARE trueup_do;

        START TRANSACTION READ WRITE;

        -- t: must be as the plan saw them: 1 row: id = 4
        SET @trueup_done = @trueup_done + ((SELECT COUNT(*) FROM `t` WHERE `id` IN (4)
        AND ((`id` = 4 AND `ref` = 5)
        ) FOR UPDATE) = 1);
        SET sql_mode = IF(@trueup_done = 4, @@sql_mode, 'trueup: table t: a row is not what it was when the plan was made; nothing of this transaction is committed');

        -- t: must be as the plan saw them: 2 rows: id = 2 to id = 3
        SET @trueup_done = @trueup_done + ((SELECT COUNT(*) FROM `t` WHERE `id` IN (2, 3)
        AND ((`id` = 2 AND `ref` = 5)
        OR (`id` = 3 AND `ref` = 5)
        ) FOR UPDATE) = 2);
        SET sql_mode = IF(@trueup_done = 5, @@sql_mode, 'trueup: table t: a row is not what it was when the plan was made; nothing of this transaction is committed');

        -- t: must not be there yet: 1 row: id = 1
        SET @trueup_done = @trueup_done + ((SELECT COUNT(*) FROM `t` WHERE `id` IN (1) FOR UPDATE) = 0);
        SET sql_mode = IF(@trueup_done = 6, @@sql_mode, 'trueup: table t: a row to insert is there already; nothing of this transaction is committed');

        -- t: delete: 1 row: id = 4
        DELETE FROM `t` WHERE `id` IN (4);
        SET @trueup_rows = ROW_COUNT();
        SET @trueup_done = @trueup_done + (@trueup_rows = 1);
        SET sql_mode = IF(@trueup_done = 7, @@sql_mode, 'trueup: table t: not every row to delete was there and taken; nothing of this transaction is committed');

        -- t: update: 2 rows: id = 2 to id = 3
        UPDATE (SELECT 2 AS k0, 6 AS c0 UNION ALL VALUES (3, 7)) d STRAIGHT_JOIN `t` t ON t.`id` = d.k0 SET t.`ref` = d.c0;
        SET @trueup_rows = ROW_COUNT();
        SET @trueup_done = @trueup_done + (@trueup_rows = 2);
        SET sql_mode = IF(@trueup_done = 8, @@sql_mode, 'trueup: table t: not every row to update was there and taken; nothing of this transaction is committed');

        -- t: insert: 1 row: id = 1
        INSERT INTO `t` (`id`, `ref`) VALUES (1, 10);
        SET @trueup_rows = ROW_COUNT();
        SET @trueup_done = @trueup_done + (@trueup_rows = 1);
        SET sql_mode = IF(@trueup_done = 9, @@sql_mode, 'trueup: table t: not every row to insert was there and taken; nothing of this transaction is committed');

        SET @trueup_do = IF(@trueup_done = 9, 'COMMIT', 'ROLLBACK');
        PREPARE trueup_do FROM @trueup_do;
        EXECUTE trueup_do;
        DEALLOCATE PREPARE trueup_do;
        "#);
    }

    #[test]
    fn a_script_for_sqlite3_in_two_transactions() {
        assert_snapshot!(script_of(EngineName::Sqlite, 3), @r#"
        -- trueup VERSION: makes the replica eu (sqlite 10.1) equal to the primary (postgres 15.18)
        -- as compared at 2026-11-22T06:00:00Z by the spec spec.yml
        --
        -- 1 schema change, 1 row to insert, 2 to update, 1 to delete; 2 transactions
        -- Run it with: sqlite3 DATABASE < FILE
        -- Before a row is written it must be what the comparison saw. The first error stops the
        -- script, and its transaction is not committed; then plan again.

        .bail on
        .timeout 5000
        PRAGMA foreign_keys = ON;
        PRAGMA synchronous = FULL;
        CREATE TEMP TABLE "_trueup_rows" ("rows" INTEGER);

        -- all rows, looked at before anything is written
        BEGIN IMMEDIATE;
        PRAGMA defer_foreign_keys = ON;

        -- t: must be as the plan saw them: 1 row: id = 4
        CREATE TEMP TABLE "_trueup_check_1" ("planned" INTEGER, "found" INTEGER,
          CONSTRAINT "trueup: table t: a row is not what it was when the plan was made; nothing of this transaction is committed" CHECK ("found" IS "planned"));
        INSERT INTO temp."_trueup_check_1" SELECT 1, (SELECT count(*) FROM (VALUES
        (4,5)
        ) AS v CROSS JOIN "t" AS t WHERE "t"."id" = v.column1 AND typeof(t."ref") IN ('integer', 'null') AND t."ref" IS v.column2);

        -- t: must be as the plan saw them: 2 rows: id = 2 to id = 3
        INSERT INTO temp."_trueup_check_1" SELECT 2, (SELECT count(*) FROM (VALUES
        (2,5),
        (3,5)
        ) AS v CROSS JOIN "t" AS t WHERE "t"."id" = v.column1 AND typeof(t."ref") IN ('integer', 'null') AND t."ref" IS v.column2);

        -- t: must not be there yet: 1 row: id = 1
        CREATE TEMP TABLE "_trueup_check_2" ("planned" INTEGER, "found" INTEGER,
          CONSTRAINT "trueup: table t: a row to insert is there already; nothing of this transaction is committed" CHECK ("found" IS "planned"));
        INSERT INTO temp."_trueup_check_2" SELECT 0, (SELECT count(*) FROM "t" AS t WHERE "id" IN (1));
        COMMIT;

        -- transaction 1 of 2
        BEGIN IMMEDIATE;
        PRAGMA defer_foreign_keys = ON;
        ALTER TABLE "t" ADD COLUMN "more" integer;

        -- t: must be as the plan saw them: 1 row: id = 4
        INSERT INTO temp."_trueup_check_1" SELECT 1, (SELECT count(*) FROM (VALUES
        (4,5)
        ) AS v CROSS JOIN "t" AS t WHERE "t"."id" = v.column1 AND typeof(t."ref") IN ('integer', 'null') AND t."ref" IS v.column2);

        -- t: must be as the plan saw them: 2 rows: id = 2 to id = 3
        INSERT INTO temp."_trueup_check_1" SELECT 2, (SELECT count(*) FROM (VALUES
        (2,5),
        (3,5)
        ) AS v CROSS JOIN "t" AS t WHERE "t"."id" = v.column1 AND typeof(t."ref") IN ('integer', 'null') AND t."ref" IS v.column2);

        -- t: delete: 1 row: id = 4
        DELETE FROM "t" WHERE "id" IN (4);
        CREATE TEMP TABLE "_trueup_check_3" ("planned" INTEGER, "found" INTEGER,
          CONSTRAINT "trueup: table t: not every row to delete was there and taken; nothing of this transaction is committed" CHECK ("found" IS "planned"));
        INSERT INTO temp."_trueup_check_3" SELECT 1, changes();

        -- t: update: 2 rows: id = 2 to id = 3
        UPDATE "t" SET "ref" = _trueup_new.column2 FROM (VALUES (2, 6), (3, 7)) AS _trueup_new WHERE "t"."id" = _trueup_new.column1;
        CREATE TEMP TABLE "_trueup_check_4" ("planned" INTEGER, "found" INTEGER,
          CONSTRAINT "trueup: table t: not every row to update was there and taken; nothing of this transaction is committed" CHECK ("found" IS "planned"));
        INSERT INTO temp."_trueup_check_4" SELECT 2, changes();
        CREATE TEMP TABLE "_trueup_check_5" ("planned" INTEGER, "found" INTEGER,
          CONSTRAINT "trueup: table t: rows would point at rows that are not there; nothing of this transaction is committed" CHECK ("found" IS "planned"));
        INSERT INTO temp."_trueup_check_5" SELECT 0, (SELECT count(*) FROM pragma_foreign_key_check('t', 'main'));

        COMMIT;

        -- transaction 2 of 2
        BEGIN IMMEDIATE;
        PRAGMA defer_foreign_keys = ON;

        -- t: must not be there yet: 1 row: id = 1
        INSERT INTO temp."_trueup_check_2" SELECT 0, (SELECT count(*) FROM "t" AS t WHERE "id" IN (1));

        -- t: insert: 1 row: id = 1
        INSERT INTO "t" ("id", "ref") VALUES (1, 10);
        CREATE TEMP TABLE "_trueup_check_6" ("planned" INTEGER, "found" INTEGER,
          CONSTRAINT "trueup: table t: not every row to insert was there and taken; nothing of this transaction is committed" CHECK ("found" IS "planned"));
        INSERT INTO temp."_trueup_check_6" SELECT 1, changes();
        INSERT INTO temp."_trueup_check_5" SELECT 0, (SELECT count(*) FROM pragma_foreign_key_check('t', 'main'));

        COMMIT;
        "#);
    }

    #[test]
    fn a_replica_that_was_not_looked_at_has_none() {
        let mut replica = with_tables(vec![table("t")]);
        assert!(impossible(&replica).expect("no server").message.contains("was not reached"));
        replica.server = Some(server(EngineName::Sqlite, "3", "file"));
        assert_eq!(impossible(&replica), None);
        replica.tables[0].truncated = true;
        assert!(impossible(&replica).expect("truncated").message.contains("stopped early"));
        replica.error = Some(Failure::new(ErrorKind::Connect, "no route"));
        assert!(impossible(&replica).expect("an error").message.ends_with("no script: no route"));
    }
}
