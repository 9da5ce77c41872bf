//! The top of a script: what it is and does, how to run it, what it leaves out, and what stops it at once.

use std::io;

use crate::plan::{Batches, PlanKind};
use crate::report::words::counted;
use crate::report::{refusal_words, thousands};
use crate::sql::one_line;

use super::{Writer, is_empty};

impl Writer<'_> {
    /// What it is, what it does and how to run it.
    pub(super) fn header(&mut self, batches: &Batches) -> io::Result<()> {
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
            thousands(summary.rows.update),
            thousands(summary.rows.delete)
        );
        if is_empty(batches) && replica.tables.iter().all(|table| table.error.is_none()) {
            self.say("\nNothing to do.")?;
        } else {
            let transactions = counted(batches.rows.len() as u64, "transaction");
            let apart = match batches.schema_first.len() + batches.schema_last.len() {
                0 => String::new(),
                many => format!(", and {} by themselves", counted(many as u64, "schema change")),
            };
            self.say(&format!("\n{changes}; {transactions}{apart}"))?;
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
                    thousands(kept.rows.update),
                    thousands(kept.rows.delete)
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

    pub(super) fn opening(&mut self, search_path: &[String]) -> io::Result<()> {
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
    pub(super) fn refusals(&mut self) -> io::Result<()> {
        let mut reasons: Vec<String> = self.replica.refusals.iter().map(refusal_words).collect();
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
}
