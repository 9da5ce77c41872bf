//! Uses the library as a drift gate: connects two SQLite files, compares them, and says what differs.
//!
//! ```sh
//! cargo run --example drift_gate -- primary.db replica.db
//! ```
//!
//! Exits 0 when every table of the primary is equal on the replica, 2 on drift, 1 when that could not be told.

use std::process::ExitCode;
use std::sync::Arc;

use trueup::event::{Silent, Stop};
use trueup::plan::{Outcome, Plan};
use trueup::reconcile::{Options, Run, RunError};
use trueup::spec::{Spec, quote_scalar};

#[tokio::main]
async fn main() -> ExitCode {
    let mut files = std::env::args().skip(1);
    let (Some(primary), Some(replica)) = (files.next(), files.next()) else {
        eprintln!("usage: drift_gate PRIMARY_FILE REPLICA_FILE");
        return ExitCode::from(1);
    };
    let [primary, replica] = [primary, replica].map(|file| quote_scalar(&format!("sqlite:{file}")));
    let text = format!("version: 1\nprimary: {primary}\nreplicas:\n  copy: {replica}\ntables: [\"*\"]\n");
    match compare(&text).await {
        Ok(plan) => report(&plan),
        Err(message) => {
            eprintln!("could not compare: {message}");
            ExitCode::from(1)
        }
    }
}

async fn compare(text: &str) -> Result<Plan, String> {
    let spec =
        Spec::parse(text, "drift_gate", &|name| std::env::var(name).ok()).map_err(|e| e.to_string())?;
    let run = Run::connect(&spec, Options::default(), Arc::new(Silent), Stop::default()).await;
    run.map_err(words)?.compare().await.map_err(words)
}

fn words(error: RunError) -> String {
    match error {
        RunError::Spec(errors) => errors.to_string(),
        RunError::Failure(failure) => failure.to_string(),
        RunError::Option { message, .. } => message,
    }
}

fn report(plan: &Plan) -> ExitCode {
    for failure in plan.replicas.iter().filter_map(|replica| replica.first_failure()) {
        eprintln!("could not compare: {failure}");
    }
    for table in plan.replicas.iter().flat_map(|replica| &replica.tables) {
        let rows = table.summary;
        println!(
            "{}: {:?}, {} missing, {} different, {} extra",
            table.table, table.status, rows.insert, rows.update, rows.delete
        );
    }
    match plan.outcome() {
        Outcome::InSync => ExitCode::SUCCESS,
        Outcome::Drift => ExitCode::from(2),
        _ => ExitCode::from(1),
    }
}
