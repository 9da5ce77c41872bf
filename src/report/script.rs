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
use crate::plan::{self, ChunkLimits, Plan, PlannedChange, ReplicaPlan, RowAction, RowStep, Step, TablePlan};
use crate::schema::TablePair;
use crate::sql::{
    Dialect, Expect, Guard, Script, ScriptChunk, SelectColumn, TableName, Unwritable, comment, one_line,
};
use crate::value::{Row, Value};

use super::words::counted;

/// How a script is cut, and what it needs to know beside the plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ScriptOptions<'a> {
    /// Most row changes of one transaction.
    pub batch_rows: u64,
    /// The schemas in which the spec has unqualified names looked up, by the replica's name. Of a replica
    /// without any, it is the schema in which its tables were found.
    pub search_paths: &'a [(String, Vec<String>)],
}

impl Default for ScriptOptions<'_> {
    fn default() -> Self {
        ScriptOptions { batch_rows: 100_000, search_paths: &[] }
    }
}

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

/// Writes the script of one replica.
pub(super) fn write(
    plan: &Plan,
    replica: &ReplicaPlan,
    options: &ScriptOptions<'_>,
    out: &mut dyn io::Write,
) -> io::Result<()> {
    if let Some(failure) = impossible(replica) {
        return Err(failed(&failure));
    }
    let Some(server) = &replica.server else { return Ok(()) };
    let dialect = crate::sql::dialect(server.engine);
    let steps = plan::steps(replica).map_err(|failure| failed(&failure))?;
    let batches = batches(&steps, options.batch_rows);
    let script = dialect.script();
    let mut writer = Writer { plan, replica, dialect, script, out, pairs: pairs(replica) };
    writer.header(&steps, &batches)?;
    if steps.is_empty() {
        return Ok(());
    }
    let search_path = options.search_paths.iter().find(|(name, _)| *name == replica.name);
    writer.opening(search_path.map_or(&[], |(_, path)| path))?;
    writer.refusals()?;
    writer.body(&steps, &batches)
}

/// The pairs with the names that the script uses; `None` where a table is in error.
fn pairs(replica: &ReplicaPlan) -> Vec<Option<TablePair>> {
    let named = |table: &TablePlan| {
        let mut pair = table.pair.clone()?;
        if !is_qualified(&pair) {
            pair.names.replica.schema = None;
        }
        Some(pair)
    };
    replica.tables.iter().map(named).collect()
}

/// Whether the spec says in which schema the replica's table is: it does where its words are the whole name.
fn is_qualified(pair: &TablePair) -> bool {
    pair.replica_table == pair.names.replica.to_string()
}

/// Row changes of one transaction: pieces of steps, in their order.
type Batch<'a> = Vec<(&'a RowStep, &'a [usize])>;

/// Cuts the row changes of all steps into transactions.
fn batches(steps: &[Step], batch_rows: u64) -> Vec<Batch<'_>> {
    let rows_max = usize::try_from(batch_rows).unwrap_or(usize::MAX).max(1);
    let (mut batches, mut batch, mut room) = (Vec::new(), Batch::new(), rows_max);
    for step in steps {
        let Step::Rows(step) = step else { continue };
        let mut rest = step.changes.as_slice();
        while !rest.is_empty() {
            if room == 0 {
                batches.push(std::mem::take(&mut batch));
                room = rows_max;
            }
            let (now, later) = rest.split_at(rest.len().min(room));
            batch.push((step, now));
            room -= now.len();
            rest = later;
        }
    }
    if !batch.is_empty() {
        batches.push(batch);
    }
    batches
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
    fn header(&mut self, steps: &[Step], batches: &[Batch<'_>]) -> io::Result<()> {
        let (plan, replica) = (self.plan, self.replica);
        let server = |server: &crate::server::Server| format!("{} {}", server.engine, server.version);
        let this = replica.server.as_ref().map(server).unwrap_or_default();
        let title = format!(
            "trueup {}: makes the replica {} ({this}) equal to the primary ({})",
            env!("CARGO_PKG_VERSION"),
            replica.name,
            server(&plan.primary)
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
        if steps.is_empty() {
            self.say("\nNothing to do.")?;
        } else {
            let transactions = batches.len().max(usize::from(self.dialect.transactional_ddl())) as u64;
            self.say(&format!("\n{changes}; {}", counted(transactions, "transaction")))?;
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
            let mut unqualified = pairs.filter(|pair| !is_qualified(pair));
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
        self.say("The next lines stop the script. To run it all the same, remove them up to `end of refusal`.")?;
        let stop = self.script.stop("apply would be refused; the script's first lines say why");
        self.put(&stop)?;
        self.say("end of refusal")
    }

    fn body(&mut self, steps: &[Step], batches: &[Batch<'_>]) -> io::Result<()> {
        let together = self.dialect.transactional_ddl();
        let defines = steps.iter().any(|step| matches!(step, Step::Schema { .. }));
        if !batches.is_empty() && (batches.len() > 1 || (defines && !together)) {
            self.look_first(batches)?;
        }
        if defines && !together {
            self.put("\n")?;
            self.define(steps)?;
        }
        let rest = batches.len().max(usize::from(defines && together));
        for number in 0..rest {
            self.put("\n")?;
            if rest > 1 {
                self.say(&format!("transaction {} of {rest}", number + 1))?;
            }
            let begin = self.script.begin();
            self.put(&begin)?;
            if number == 0 && together {
                self.define(steps)?;
            }
            if let Some(batch) = batches.get(number) {
                self.guards(batch, true)?;
                self.writes(batch)?;
                self.foreign_keys(batch)?;
            }
            self.put("\n")?;
            let commit = self.script.commit();
            self.put(&commit)?;
        }
        let closing = self.script.closing();
        self.put(&closing)
    }

    /// All guards of all transactions, before anything is written that could not be taken back.
    fn look_first(&mut self, batches: &[Batch<'_>]) -> io::Result<()> {
        self.put("\n")?;
        self.say("all rows, looked at before anything is written")?;
        let begin = self.script.begin();
        self.put(&begin)?;
        for batch in batches {
            self.guards(batch, false)?;
        }
        let abandon = self.script.abandon();
        self.put(&abandon)
    }

    fn define(&mut self, steps: &[Step]) -> io::Result<()> {
        for step in steps {
            let Step::Schema { table, change } = step else { continue };
            let change = &self.replica.tables[*table].schema_changes[*change];
            for sql in &change.sql {
                let sql = self.unqualified(*table, sql);
                let text = self.script.define(&sql).map_err(|why| self.not_renderable(*table, &why))?;
                self.put(&text)?;
            }
        }
        Ok(())
    }

    /// A statement about a table that the script does not qualify: `CREATE TABLE` and `ALTER TABLE` begin with
    /// its name.
    fn unqualified<'s>(&self, table: usize, sql: &'s str) -> Cow<'s, str> {
        let names = self.replica.tables[table].pair.as_ref().zip(self.pairs[table].as_ref());
        let Some((known, used)) = names else { return Cow::Borrowed(sql) };
        let (known, used) =
            (self.dialect.table(&known.names.replica), self.dialect.table(&used.names.replica));
        for verb in ["CREATE TABLE ", "ALTER TABLE "] {
            if let Some(rest) = sql.strip_prefix(verb).and_then(|rest| rest.strip_prefix(&known)) {
                return Cow::Owned(format!("{verb}{used}{rest}"));
            }
        }
        Cow::Borrowed(sql)
    }

    fn guards(&mut self, batch: &Batch<'_>, locked: bool) -> io::Result<()> {
        for (step, numbers) in batch {
            let replica = self.replica;
            let table = &replica.tables[step.table];
            let Some(pair) = self.pairs[step.table].clone() else { continue };
            let absent = step.action == RowAction::Insert;
            // A table that this script creates is empty.
            if absent && pair.replica_missing {
                continue;
            }
            let columns = guarded_columns(&pair, absent);
            for piece in pieces(table, numbers, self.script.chunk()) {
                let piece = piece?;
                let rows: Vec<Vec<Value>> =
                    piece.iter().map(|planned| guarded_row(&pair, planned, &columns, absent)).collect();
                let parts: Vec<SelectColumn> = columns.iter().map(|index| part(&pair, *index)).collect();
                let message = self.message(step.table, match absent {
                    true => "a row to insert is there already",
                    false => "a row is not what it was when the plan was made",
                });
                let guard = Guard {
                    table: &pair.names.replica,
                    columns: &parts,
                    key_columns: pair.key_columns,
                    rows: &rows,
                    expect: if absent { Expect::Absent } else { Expect::AsGiven },
                    locked,
                    message: &message,
                };
                let text = self.script.guard(&guard).map_err(|why| self.not_renderable(step.table, &why))?;
                let what = if absent { "not there yet" } else { "as the plan saw them" };
                self.about(table, &piece, &format!("must be {what}"))?;
                self.put(&text)?;
            }
        }
        Ok(())
    }

    fn writes(&mut self, batch: &Batch<'_>) -> io::Result<()> {
        for (step, numbers) in batch {
            let replica = self.replica;
            let table = &replica.tables[step.table];
            let Some(pair) = self.pairs[step.table].clone() else { continue };
            for write in grouped(table, step, numbers, self.script.chunk()) {
                let (rows, statements) = write.map(|write| self.statements(table, &pair, &write))?;
                let statements = statements.map_err(|why| self.not_renderable(step.table, &why))?;
                let failed = format!("not all rows to {} were there or taken", step.action.as_str());
                let message = self.message(step.table, &failed);
                let text = self
                    .script
                    .write(&statements, rows.len(), &message)
                    .map_err(|why| self.not_renderable(step.table, &why))?;
                self.about(table, &rows, step.action.as_str())?;
                self.put(&text)?;
            }
        }
        Ok(())
    }

    fn statements(
        &self,
        table: &TablePlan,
        pair: &TablePair,
        write: &plan::Write,
    ) -> (Vec<PlannedChange>, Result<Vec<String>, Unwritable>) {
        let rows = write.changes.iter().map(|index| table.changes[*index].clone()).collect();
        (rows, plan::statements(pair, &table.changes, write, self.dialect))
    }

    /// Rows that point at nothing are looked for in the tables written and in those of the plan that point at
    /// them, where the engine does not look by itself.
    fn foreign_keys(&mut self, batch: &Batch<'_>) -> io::Result<()> {
        let pair = |table: usize| self.replica.tables[table].pair.as_ref();
        let touched: Vec<&TableName> =
            batch.iter().filter_map(|(step, _)| pair(step.table)).map(|pair| &pair.names.replica).collect();
        let concerned = |table: &usize| {
            pair(*table).is_some_and(|pair| {
                let written = touched.contains(&&pair.names.replica);
                let points = pair.foreign_keys.iter().any(|key| touched.contains(&&key.table));
                written || (points && !pair.replica_missing)
            })
        };
        let tables: Vec<usize> = (0..self.replica.tables.len()).filter(concerned).collect();
        for table in tables {
            let Some(name) = self.pairs[table].as_ref().map(|pair| pair.names.replica.clone()) else { continue };
            let message = self.message(table, "rows would point at rows that are not there");
            let text = self.script.foreign_keys(&name, &message);
            self.put(&text)?;
        }
        Ok(())
    }

    /// A comment above a part: which rows it is about.
    fn about(&mut self, table: &TablePlan, rows: &[PlannedChange], what: &str) -> io::Result<()> {
        let Some(pair) = &table.pair else { return Ok(()) };
        let key = |planned: Option<&PlannedChange>| {
            planned.map(|planned| plan::key_text(pair, planned.change.row().bytes())).unwrap_or_default()
        };
        let keys = match rows {
            [only] => key(Some(only)),
            rows => format!("{} to {}", key(rows.first()), key(rows.last())),
        };
        let count = counted(rows.len() as u64, "row");
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

fn limits(chunk: ScriptChunk) -> ChunkLimits {
    ChunkLimits { rows_max: chunk.rows_max, bytes_max: chunk.bytes_max }
}

/// Changes in pieces that one guard holds.
fn pieces(
    table: &TablePlan,
    numbers: &[usize],
    chunk: ScriptChunk,
) -> impl Iterator<Item = io::Result<Vec<PlannedChange>>> {
    let size = |index: &usize| table.changes[*index].change.row().bytes().len();
    let ranges = plan::chunks(numbers.iter().map(size), limits(chunk));
    ranges.into_iter().map(|range| Ok(numbers[range].iter().map(|index| table.changes[*index].clone()).collect()))
}

/// Changes in pieces that one write holds.
fn grouped(
    table: &TablePlan,
    step: &RowStep,
    numbers: &[usize],
    chunk: ScriptChunk,
) -> impl Iterator<Item = io::Result<plan::Write>> {
    let step = RowStep { changes: numbers.to_vec(), ..*step };
    plan::writes(table, &step, limits(chunk), |_| true).into_iter().map(Ok)
}
