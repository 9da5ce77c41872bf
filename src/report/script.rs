//! A replica's plan as a script for the engine's own client: `--format sql`.
//!
//! Owns the flow: which transactions there are, and what is written in each. What is said at the top is `head`, what is
//! checked before rows are written and before a commit is `guards`. What a part looks like is the dialect's
//! ([`Script`]). Refuses what `apply` could not run as a whole: a
//! plan that stopped early, a replica that was not looked at. What `apply` would refuse or leave out (limits,
//! tables in error) stops the script at once, until a person removes the lines that say so.
//!
//! Invariant: in every transaction all guards come before the first write, and nothing is committed after one
//! that failed. A script of several transactions checks all guards once more before the first of them.

mod guards;
mod head;

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::io;

use crate::failure::{ErrorKind, Failure};
use crate::plan::{
    self, Batches, Checks, ChunkLimits, Commit, NumberedChange, Part, Plan, ReplicaPlan, RowAction, RowStep,
    SchemaAction, TablePlan,
};
use crate::schema::TablePair;
use crate::spec::{QualifiedName, TriggerMode};
use crate::spool::SpoolError;
use crate::sql::{Dialect, Script, ScriptChunk, TableName, Unwritable, comment, one_line};

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
    let steps = plan::steps(replica, batch_rows).map_err(|failure| failed(&failure))?;
    let batches = plan::batches(steps, batch_rows);
    let script = dialect.script();
    let before = replica.before_renaming();
    let mut writer = Writer { plan, replica, before: &before, dialect, script, out, pairs: pairs(replica) };
    writer.header(&batches)?;
    // Where nothing could be told, the script must not end well.
    if is_empty(&batches) && replica.tables.iter().all(|table| table.error.is_none()) {
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
    batches.schema_first.is_empty()
        && batches.schema.is_empty()
        && batches.rows.iter().all(Vec::is_empty)
        && batches.schema_after.is_empty()
        && batches.schema_last.is_empty()
}

struct Writer<'a> {
    plan: &'a Plan,
    replica: &'a ReplicaPlan,
    /// The same by the names that are there at the beginning.
    before: &'a ReplicaPlan,
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

    fn body(&mut self, batches: &Batches) -> io::Result<()> {
        let alone = !batches.schema.is_empty() && !self.dialect.transactional_ddl();
        let (anew, anew_behind) = (self.makes_anew(&batches.schema), self.makes_anew(&batches.schema_after));
        if alone || anew || batches.rows.len() > 1 || !batches.schema_first.is_empty() {
            self.look_first(batches)?;
        }
        if !batches.schema_first.is_empty() {
            self.put("\n")?;
            self.say("what is committed by itself before the rows")?;
            for place in &batches.schema_first {
                self.apart(place, &[*place], &[])?;
            }
        }
        if anew {
            let renames = |(table, change): &(usize, usize)| {
                self.replica.tables[*table].schema_changes[*change].action.gives_names_first()
            };
            let (renames, others): (Vec<_>, Vec<_>) = batches.schema.iter().partition(|place| renames(place));
            if !renames.is_empty() {
                self.put("\n")?;
                self.transaction(&renames, &[], &[])?;
            }
            self.rebuild(&others)?;
        }
        if alone {
            self.put("\n")?;
            self.define(&batches.schema)?;
        }
        let last = batches.rows.len() - 1;
        for (number, rows) in batches.rows.iter().enumerate() {
            let schema = if number == 0 && !alone && !anew { &batches.schema[..] } else { &[] };
            let dropping = if number == last && !anew_behind { &batches.schema_after[..] } else { &[] };
            if schema.is_empty() && rows.is_empty() && dropping.is_empty() {
                continue;
            }
            self.put("\n")?;
            if batches.rows.len() > 1 {
                self.say(&format!("transaction {} of {}", number + 1, batches.rows.len()))?;
            }
            self.transaction(schema, rows, dropping)?;
        }
        if anew_behind {
            self.rebuild(&batches.schema_after)?;
        }
        if !self.dialect.transactional_ddl() {
            self.define(&batches.schema_after)?;
        }
        if !batches.schema_last.is_empty() {
            self.put("\n")?;
            self.say("what is committed by itself behind the rows")?;
        }
        for place in &batches.schema_last {
            self.apart(place, &[], &[*place])?;
        }
        Ok(())
    }

    /// A change that does not stand among others.
    fn apart(
        &mut self,
        (table, change): &(usize, usize),
        schema: &[(usize, usize)],
        dropping: &[(usize, usize)],
    ) -> io::Result<()> {
        let planned = &self.replica.tables[*table].schema_changes[*change];
        if planned.action.commits_first() || planned.commit == Commit::Outside {
            return self.define(&[(*table, *change)]);
        }
        self.put("\n")?;
        self.transaction(schema, &[], dropping)
    }

    /// Whether a table is made anew by these changes.
    fn makes_anew(&self, schema: &[(usize, usize)]) -> bool {
        let action =
            |(table, change): &(usize, usize)| self.replica.tables[*table].schema_changes[*change].action;
        let drops = |change| self.dialect.drops_rows_first() && self.extra_drop(change).is_some();
        schema.iter().any(|change| action(change) == SchemaAction::RebuildTable || drops(change))
    }

    /// Structural changes of which some make tables anew, in a transaction of their own.
    fn rebuild(&mut self, schema: &[(usize, usize)]) -> io::Result<()> {
        self.put("\n")?;
        self.say("tables that are made anew with their rows, or go")?;
        let begin = self.script.begin_rebuild();
        self.put(&begin)?;
        self.no_rows_left(schema)?;
        self.other_rows(schema)?;
        self.define(schema)?;
        let steps: Vec<RowStep> = schema
            .iter()
            .filter(|change| self.makes_anew(&[**change]) && self.extra_drop(change).is_none())
            .map(|(table, _)| RowStep::new(*table, RowAction::Update, Vec::new()))
            .collect();
        self.foreign_keys(&steps)?;
        let commit = self.script.commit_rebuild();
        self.put("\n")?;
        self.put(&commit)
    }

    fn transaction(
        &mut self,
        schema: &[(usize, usize)],
        rows: &[RowStep],
        dropping: &[(usize, usize)],
    ) -> io::Result<()> {
        let begin = self.script.begin();
        self.put(&begin)?;
        self.other_rows(schema)?;
        self.define(schema)?;
        let suppressed = self.suppress(rows)?;
        self.guards(rows, true)?;
        self.steps(rows, &suppressed)?;
        self.foreign_keys(rows)?;
        if !suppressed.is_empty() {
            let text = self.script.restore();
            self.put(&text)?;
        }
        self.no_rows_left(dropping)?;
        if self.dialect.transactional_ddl() {
            self.define(dropping)?;
        }
        let commit = self.script.commit();
        self.put("\n")?;
        self.put(&commit)
    }

    /// Keeps triggers from firing where the spec says so; gives the tables.
    fn suppress(&mut self, rows: &[RowStep]) -> io::Result<BTreeSet<usize>> {
        let suppressed: BTreeSet<usize> = rows
            .iter()
            .map(|step| step.table)
            .filter(|table| {
                let pair = self.pairs[*table].as_ref();
                pair.is_some_and(|pair| pair.triggers == TriggerMode::Suppress)
            })
            .collect();
        let named = suppressed.iter().filter_map(|table| self.pairs[*table].as_ref());
        let names: Vec<TableName> = named.map(|pair| pair.names.replica.clone()).collect();
        if let Some(first) = suppressed.first() {
            let text = self.script.suppress(&names).map_err(|why| self.not_renderable(*first, &why))?;
            self.put(&text)?;
        }
        Ok(suppressed)
    }

    /// All guards of all transactions, before anything is written that could not be taken back.
    fn look_first(&mut self, batches: &Batches) -> io::Result<()> {
        self.put("\n")?;
        self.say("all rows, looked at before anything is written")?;
        let begin = self.script.begin();
        self.put(&begin)?;
        let (replica, named) = (
            std::mem::replace(&mut self.replica, self.before),
            std::mem::replace(&mut self.pairs, pairs(self.before)),
        );
        self.other_rows(&batches.schema)?;
        for batch in &batches.rows {
            self.guards(batch, false)?;
        }
        (self.replica, self.pairs) = (replica, named);
        let abandon = self.script.abandon();
        self.put(&abandon)
    }

    fn define(&mut self, schema: &[(usize, usize)]) -> io::Result<()> {
        for (table, change) in schema {
            let change = &self.replica.tables[*table].schema_changes[*change];
            let waits = self.dialect.waits_briefly().filter(|_| change.commit == Commit::Alone);
            if let Some(waits) = waits {
                self.switch(*table, waits, "others are not kept waiting behind this")?;
            }
            for sql in &change.sql {
                let sql = self.unqualified(*table, sql);
                let text = match &self.pairs[*table] {
                    Some(pair) if change.action == SchemaAction::SetSequence => {
                        self.script.set_sequence(&pair.names.replica, &sql)
                    }
                    _ => self.script.define(&sql),
                };
                let text = text.map_err(|why| self.not_renderable(*table, &why))?;
                self.put(&text)?;
            }
        }
        Ok(())
    }

    /// A statement about a table that the script does not qualify: `CREATE TABLE`, `ALTER TABLE` and `DROP TABLE`
    /// begin with its name.
    fn unqualified<'s>(&self, table: usize, sql: &'s str) -> Cow<'s, str> {
        let known = self.replica.tables[table].replica_name();
        let Some((known_name, used_name)) = known.zip(self.used_name(table)) else {
            return Cow::Borrowed(sql);
        };
        let (known, used) = (self.dialect.table(known_name), self.dialect.table(&used_name));
        // What moves a sequence is a query; one of the table's own schema goes the way of its table.
        if (sql.starts_with("SELECT ") || sql.starts_with("DO "))
            && let (Some(schema), None) = (&known_name.schema, &used_name.schema)
        {
            return Cow::Owned(sql.replace(&format!("{}.", self.dialect.identifier(schema)), ""));
        }
        // What gets another name has its old one still.
        let mut renamings = self.replica.renamings.iter();
        if let Some(renaming) = renamings.find(|one| one.is == *known_name)
            && let Some(rest) = sql.strip_prefix("ALTER TABLE ")
            && let Some(rest) = rest.strip_prefix(&self.dialect.table(&renaming.was))
        {
            let was = TableName { schema: used_name.schema.clone(), ..renaming.was.clone() };
            let rest = rest.replace(&known, &used);
            return Cow::Owned(format!("ALTER TABLE {}{rest}", self.dialect.table(&was)));
        }
        for verb in ["CREATE TABLE ", "ALTER TABLE ", "DROP TABLE "] {
            if let Some(rest) = sql.strip_prefix(verb).and_then(|rest| rest.strip_prefix(&known)) {
                return Cow::Owned(format!("{verb}{used}{rest}"));
            }
        }
        Cow::Borrowed(sql)
    }

    /// What the script calls a table; that of one which only the replica has says by itself whether it needs its schema.
    fn used_name(&self, table: usize) -> Option<TableName> {
        if let Some(pair) = &self.pairs[table] {
            return Some(pair.names.replica.clone());
        }
        let plan = &self.replica.tables[table];
        let known = plan.replica_name()?.clone();
        let qualified = QualifiedName::parse(&plan.replica_table).is_ok_and(|name| name.schema.is_some());
        Some(TableName { schema: known.schema.filter(|_| qualified), ..known })
    }

    fn writes(&mut self, step: &RowStep) -> io::Result<()> {
        let replica = self.replica;
        let table = &replica.tables[step.table];
        let Some(pair) = self.pairs[step.table].clone() else { return Ok(()) };
        let verb = step.action.as_str();
        let message = self.message(step.table, &format!("not every row to {verb} was there and taken"));
        let may_be_gone = may_be_gone(step);
        for write in plan::writes(table, step.action, &step.part, &step.changes, self.limits()) {
            let write = write.map_err(spool)?;
            let text = plan::statements(&pair, &write, table.spares(), self.dialect)
                .and_then(|statements| match may_be_gone {
                    true => statements.iter().map(|statement| self.script.define(statement)).collect(),
                    false => self.script.write(&statements, write.changes.len(), &message),
                })
                .map_err(|why| self.not_renderable(step.table, &why))?;
            self.about(table, &write.changes, half(&step.part).unwrap_or(verb))?;
            self.put(&text)?;
        }
        Ok(())
    }

    /// The steps of a transaction; those of circles by the means that the plan says.
    fn steps(&mut self, steps: &[RowStep], suppressed: &BTreeSet<usize>) -> io::Result<()> {
        let ways = self.dialect.constraint_checks();
        let (mut deferred, mut off) = (false, false);
        let checks = |step: &RowStep| step.circle.map(|circle| circle.checks).unwrap_or_default();
        let same = |one: &RowStep, other: &RowStep| {
            matches!(checks(one), Checks::Together(_)) && checks(one) == checks(other)
        };
        for together in steps.chunk_by(same) {
            let Some(first) = together.first() else { continue };
            let put_off = first.circle.is_some_and(|circle| circle.deferred);
            if let (false, true, Some(defer)) = (deferred, put_off, ways.defer) {
                self.switch(first.table, defer, "constraints that can wait hold when the transaction ends")?;
                deferred = true;
            }
            let wanted = checks(first) == Checks::Off;
            if let (true, Some((switch_off, switch_on))) = (wanted != off, ways.off) {
                let (statement, what) = match wanted {
                    true => (switch_off, "rows that reference each other in a circle; checked below"),
                    false => (switch_on, "foreign keys are looked at again"),
                };
                self.switch(first.table, statement, what)?;
                off = wanted;
            }
            for step in together {
                self.cascades(step)?;
            }
            if !suppressed.is_empty() {
                let text = self.script.writes_to(suppressed.contains(&first.table));
                self.put(&text)?;
            }
            match checks(first) {
                Checks::Together(_) => self.write_together(together)?,
                _ => self.writes(first)?,
            }
        }
        if let (true, Some((_, switch_on)), Some(last)) = (off, ways.off, steps.last()) {
            self.switch(last.table, switch_on, "foreign keys are looked at again")?;
        }
        if let (true, Some(hold), Some(last)) = (deferred, ways.hold, steps.last()) {
            self.switch(last.table, hold, "constraints that were put off hold now")?;
        }
        let off: Vec<usize> =
            steps.iter().filter(|step| checks(step) == Checks::Off).map(|step| step.table).collect();
        self.orphans(&off)
    }

    fn switch(&mut self, table: usize, statement: &str, what: &str) -> io::Result<()> {
        let text = self.script.define(statement).map_err(|why| self.not_renderable(table, &why))?;
        self.put("\n")?;
        self.say(what)?;
        self.put(&text)
    }

    /// Several steps as one statement, behind which their foreign keys hold.
    fn write_together(&mut self, steps: &[RowStep]) -> io::Result<()> {
        let replica = self.replica;
        let (mut statements, mut rows, mut last) = (Vec::new(), 0, 0);
        for step in steps {
            let table = &replica.tables[step.table];
            let Some(pair) = self.pairs[step.table].clone() else { continue };
            for write in plan::writes(table, step.action, &step.part, &step.changes, self.limits()) {
                let write = write.map_err(spool)?;
                let more = plan::statements(&pair, &write, table.spares(), self.dialect);
                statements.extend(more.map_err(|why| self.not_renderable(step.table, &why))?);
                self.about(table, &write.changes, step.action.as_str())?;
                rows += write.changes.len();
            }
            last = step.table;
        }
        let message = self.message(last, "not every row was there and taken");
        let statement = self.dialect.together(&statements);
        let text = match steps.iter().any(may_be_gone) {
            true => self.script.define(&statement),
            false => self.script.write(&[statement], rows, &message),
        };
        let text = text.map_err(|why| self.not_renderable(last, &why))?;
        self.put(&text)
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

/// Whether what a step is to delete may be gone by then, along with others of its circle.
fn may_be_gone(step: &RowStep) -> bool {
    step.action == RowAction::Delete
        && step.part == Part::Whole
        && step.circle.is_some_and(|circle| circle.deferred)
}

/// What a half is called, where it is not what its changes do.
fn half(part: &Part) -> Option<&'static str> {
    match part {
        Part::Whole => None,
        Part::Park { .. } => Some("make room for others"),
        Part::Without(_) => Some("insert, without what is not there yet"),
        Part::Except(_) => Some("update, but for what would be carried on"),
        Part::Fill(_) => Some("fill in"),
        Part::Remove => Some("delete, to insert again"),
        Part::Return => Some("insert again"),
    }
}

fn shortened(text: &str, chars_max: usize) -> String {
    match text.char_indices().nth(chars_max) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

fn spool(error: SpoolError) -> io::Error {
    failed(&error.into())
}

#[cfg(test)]
mod tests;
