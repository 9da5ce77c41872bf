//! The parsed form as stable text, for the fingerprint that ties a saved plan to its spec.
//!
//! Two specs that mean the same have the same text: comments, order of keys, short or long form, and where an
//! option came from (`defaults` or the entry) leave no trace. URLs and connection options are left out, since a
//! plan may be applied through another connection. Whoever changes this text makes older plans stale.

use serde_json::{Value, json};

use super::{
    CompareEntry, CompareRule, Limit, Located, Model, Precision, RenamedFrom, SchemaMode, Spec, TableEntry,
    TriggerMode,
};

impl Spec {
    /// The parsed form without URLs and connection options, as one line of JSON whose keys have a fixed order.
    pub fn canonical_text(&self) -> String {
        let mut replicas: Vec<&str> =
            self.replicas.iter().map(|replica| replica.name.value.as_str()).collect();
        replicas.sort_unstable();
        let limit = |limit: &Option<Located<Limit>>| limit.as_ref().map(|limit| limit.value.to_string());
        let mut skipped: Vec<String> = self.skip_tables.iter().map(|skip| skip.value.to_string()).collect();
        skipped.sort_unstable();
        let mut casts: Vec<[&str; 2]> =
            self.cast.iter().map(|cast| [cast.from.value.as_str(), cast.to.value.as_str()]).collect();
        casts.sort_unstable();
        let mut whole = json!({
            "version": 1,
            "replicas": replicas,
            "limits": { "deletes": limit(&self.limits.deletes), "changes": limit(&self.limits.changes) },
            "tables": self.tables.iter().map(table).collect::<Vec<_>>(),
            "skip_tables": skipped,
            "cast": casts,
            "batch_rows": self.batch_rows,
        });
        // What stands in the file is what counts, not what it is called.
        if let Some(file) = &self.schema_file {
            let content = self.model.as_ref().map_or_else(|| file.value.clone(), Model::digest);
            whole["schema_file"] = Value::String(content);
        }
        whole.to_string()
    }
}

fn texts(columns: &[Located<String>]) -> Vec<&str> {
    columns.iter().map(|column| column.value.as_str()).collect()
}

fn sorted(columns: &[Located<String>]) -> Vec<&str> {
    let mut columns = texts(columns);
    columns.sort_unstable();
    columns
}

fn table(entry: &TableEntry) -> Value {
    let mut rename: Vec<[&str; 2]> =
        entry.rename.iter().map(|(column, name)| [column.value.as_str(), name.value.as_str()]).collect();
    rename.sort_unstable();
    let mut cast: Vec<[&str; 2]> =
        entry.cast.iter().map(|(column, to)| [column.value.as_str(), to.value.as_str()]).collect();
    cast.sort_unstable();
    let mut compare: Vec<&CompareEntry> = entry.compare.iter().collect();
    compare.sort_by_key(|entry| &entry.column.value);
    json!({
        "table": entry.table.value.to_string(),
        "to": entry.to.as_ref().map(|to| to.value.to_string()),
        "key": entry.key.as_deref().map(texts),
        "columns": entry.columns.as_deref().map(texts),
        "exclude_columns": sorted(&entry.exclude_columns),
        "rename": rename,
        "cast": cast,
        "where": entry.filter.as_ref().map(|filter| filter.value.to_string()),
        "compare": compare.into_iter().map(rule).collect::<Vec<_>>(),
        "schema": match entry.schema {
            SchemaMode::Sync => "sync",
            SchemaMode::Check => "check",
            SchemaMode::Ignore => "ignore",
        },
        "drop": entry.drop,
        "online": entry.online,
        "renamed_from": entry.renamed_from.as_ref().map(renamed_from),
        "triggers": match entry.triggers {
            TriggerMode::Fire => "fire",
            TriggerMode::Suppress => "suppress",
        },
        "insert": entry.insert,
        "update": entry.update,
        "delete": entry.delete,
    })
}

fn renamed_from(from: &RenamedFrom) -> Value {
    let mut columns: Vec<[&str; 2]> =
        from.columns.iter().map(|(column, old)| [column.value.as_str(), old.value.as_str()]).collect();
    columns.sort_unstable();
    json!([from.table.as_ref().map(|table| table.value.as_str()), columns])
}

fn rule(entry: &CompareEntry) -> Value {
    let rule = match &entry.rule {
        CompareRule::Ignore => json!("ignore"),
        CompareRule::Options(options) => json!({
            "tolerance": options.tolerance,
            "precision": options.precision.map(|precision| match precision {
                Precision::Seconds => "seconds",
                Precision::Milliseconds => "milliseconds",
                Precision::Microseconds => "microseconds",
            }),
            "zone": options.zone.map(|zone| zone.to_string()),
            "trim": options.trim,
            "ignore_case": options.ignore_case,
        }),
    };
    json!([entry.column.value, rule])
}
