//! Hand-made plans for the snapshots of this room.

use crate::compare::{ChangeList, RowChange, RowCounts};
use crate::failure::{ErrorKind, Failure};
use crate::plan::{
    Applied, Commit, Outcome, Plan, PlanKind, PlannedChange, RangeDrift, Refusal, Remaining, ReplicaPlan,
    SchemaAction, SchemaChange, Status, TablePlan,
};
use crate::schema::{ColumnPair, TablePair, Writes};
use crate::server::Server;
use crate::sides::Sides;
use crate::spec::{Place, SchemaMode};
use crate::sql::{Column, EngineName, SelectColumn, TableName};
use crate::value::{
    ColumnType, Date, Decimal, Digest, Domain, Key, KeyRange, Row, Stamp, Type, Value, encode,
};

pub fn empty_plan() -> Plan {
    Plan {
        kind: PlanKind::Changes,
        spec_path: "spec.yml".into(),
        spec_fingerprint: String::new(),
        batch_rows: 100_000,
        created_at: "2026-11-22T06:00:00.25Z".parse().unwrap(),
        primary: server(EngineName::Postgres, "15.18", "postgres://db/shop"),
        primary_snapshot: "an exported snapshot".into(),
        primary_error: None,
        replicas: Vec::new(),
    }
}

pub fn server(engine: EngineName, version: &str, display: &str) -> Server {
    Server {
        engine,
        version: version.into(),
        identity: display.into(),
        instance: None,
        place: None,
        display: display.into(),
        missing: false,
        read_only: None,
    }
}

fn column(name: &str, meaning: Type) -> Column {
    Column {
        name: name.into(),
        column_type: ColumnType::new("declared", meaning),
        nullable: true,
        default: None,
        generated: None,
        identity: None,
        collation: None,
        words: Default::default(),
    }
}

fn pair_of(name: &str, replica_name: &str, domain: Domain, meaning: Type) -> ColumnPair {
    let other = if matches!(domain, Domain::Decimal { .. }) {
        Type::Decimal { precision: Some(12), scale: Some(3) }
    } else {
        meaning.clone()
    };
    ColumnPair {
        sides: Sides::new(column(name, meaning), column(replica_name, other)),
        domain,
        stored: None,
        rule: None,
        on_replica: true,
        fit: None,
    }
}

/// A pair with a column of every kind of value.
pub fn orders() -> TablePair {
    let other = Type::Other;
    let decimal = Type::Decimal { precision: Some(12), scale: Some(2) };
    TablePair {
        table: "public.orders".into(),
        names: Sides::new(TableName::qualified("public", "orders"), TableName::qualified("shop", "orders")),
        replica_table: "shop.orders".into(),
        replica_qualified: true,
        place: Place::START,
        columns: vec![
            pair_of("id", "id", Domain::Integer { bytes: 8 }, other.clone()),
            pair_of("line", "line", Domain::Text, other.clone()),
            pair_of("total", "amount total", Domain::Decimal { with_scale: false }, decimal),
            pair_of("note", "note", Domain::Text, other.clone()),
            pair_of("placed", "placed", Domain::Instant, other.clone()),
            pair_of("due", "due", Domain::Date, other.clone()),
            pair_of("paid", "paid", Domain::Boolean, other.clone()),
            pair_of("scan", "scan", Domain::Bytes, other.clone()),
            pair_of("extra", "extra", Domain::Json { canonical: true }, other),
        ],
        key_columns: 2,
        compared_columns: 9,
        scope: None,
        filter: None,
        columns_out_of_scope: 0,
        replica_missing: false,
        replica_extra: vec![SelectColumn { column: column("total", Type::Other), domain: Domain::Text }],
        foreign_keys: Vec::new(),
        dependents: Vec::new(),
        checked: Vec::new(),
        unique_keys: Vec::new(),
        schema: SchemaMode::Sync,
        online: false,
        triggers: crate::spec::TriggerMode::Fire,
        writes: Writes { insert: true, update: true, delete: true },
        rows_estimate: Sides::new(Some(1_000), Some(999)),
    }
}

pub fn row(pair: &TablePair, values: &[Value]) -> Row {
    encoded(&pair.domains(), values)
}

fn encoded(domains: &[Domain], values: &[Value]) -> Row {
    let mut bytes = Vec::new();
    for (domain, value) in domains.iter().zip(values) {
        encode(&mut bytes, domain, value).unwrap();
    }
    Row::new(bytes)
}

pub fn order(id: i128, total: &str, note: &str, paid: Option<bool>) -> Row {
    let values = [
        Value::Integer(id),
        Value::Text("a\u{1b}".into()),
        Value::Decimal(Decimal::parse(total).unwrap()),
        Value::Text(note.into()),
        Value::Instant(Stamp::parse("2026-11-22T12:34:56.5").unwrap().0),
        Value::Date(Date::parse("2026-12-01").unwrap()),
        paid.map_or(Value::Null, Value::Boolean),
        Value::Bytes(vec![0, 1, 2]),
        Value::Json("{\"gift\":true}".into()),
    ];
    row(&orders(), &values)
}

pub fn planned(change: RowChange) -> PlannedChange {
    PlannedChange { change, withheld: false, extra: None, stored: None, copy: None }
}

fn key(id: i128) -> Key {
    let domains = orders().domains();
    Key::new(encoded(&domains[..2], &[Value::Integer(id), Value::Text("a".into())]).bytes())
}

pub fn in_sync(table: &str) -> TablePlan {
    TablePlan {
        pair: None,
        table: table.into(),
        replica_table: table.into(),
        status: Status::InSync,
        rows: Sides::new(12, 12),
        digest: None,
        digest_method: Default::default(),
        not_digested: None,
        schema_changes: Vec::new(),
        ranges: Vec::new(),
        handovers: Vec::new(),
        equated: Vec::new(),
        spare_salt: 0,
        spare_rows: Vec::new(),
        updated: Vec::new(),
        replaced: 0,
        bare_primary: false,
        structure: Sides::default(),
        changes: ChangeList::default(),
        summary: RowCounts::default(),
        withheld: RowCounts::default(),
        excused: 0,
        causes: Vec::new(),
        truncated: false,
        error: None,
        further_errors: Vec::new(),
    }
}

pub fn drifting() -> TablePlan {
    let note = "Please leave the parcel with the neighbours on the second floor";
    let changed = "Please leave the parcel with the neighbors on the second floor";
    TablePlan {
        handovers: Vec::new(),
        equated: Vec::new(),
        spare_salt: 0,
        spare_rows: Vec::new(),
        updated: Vec::new(),
        replaced: 0,
        bare_primary: false,
        pair: Some(orders()),
        table: "public.orders".into(),
        replica_table: "shop.orders".into(),
        status: Status::Drift,
        rows: Sides::new(1_000, 999),
        digest: Some(Sides::new(Digest::from_bytes([1; 32]), Digest::from_bytes([2; 32]))),
        digest_method: Default::default(),
        not_digested: None,
        schema_changes: vec![SchemaChange {
            action: SchemaAction::AddColumn,
            object: "shop.orders.note".into(),
            sql: vec!["ALTER TABLE \"orders\" ADD COLUMN \"note\" text".into()],
            before: None,
            after: Some("note text".into()),
            hazards: Vec::new(),
            withheld: false,
            alteration: None,
            behind_rows: false,
            commit: Commit::Together,
            step_of: None,
        }],
        ranges: vec![
            RangeDrift { range: KeyRange { from: None, to: Some(key(200)) }, rows: Sides::new(1_100, 99) },
            RangeDrift {
                range: KeyRange { from: Some(key(400)), to: Some(key(500)) },
                rows: Sides::new(1, 2),
            },
        ],
        structure: Sides::default(),
        changes: [
            planned(RowChange::Insert { after: order(150, "9.5", "line\nfeed \"quoted\"", Some(true)) }),
            planned(RowChange::Update {
                before: order(151, "1", note, Some(true)),
                after: order(151, "2", changed, None),
                columns: vec![2, 3, 6],
            }),
            PlannedChange {
                change: RowChange::Update {
                    before: order(152, "1", "", None),
                    after: order(152, "1", "x", None),
                    columns: vec![3],
                },
                withheld: true,
                extra: None,
                stored: None,
                copy: None,
            },
            PlannedChange {
                change: RowChange::Delete { before: order(1 << 60, "3", "", None) },
                withheld: false,
                extra: Some(encoded(&[Domain::Text], &[Value::Text("old".into())])),
                stored: None,
                copy: None,
            },
        ]
        .into_iter()
        .collect(),
        summary: RowCounts { insert: 1, update: 1, delete: 1 },
        withheld: RowCounts { insert: 0, update: 1, delete: 0 },
        excused: 3,
        causes: Vec::new(),
        truncated: false,
        error: None,
        further_errors: Vec::new(),
    }
}

/// A replica with drift and one that could not be told.
pub fn plan() -> Plan {
    let failing = TablePlan {
        status: Status::Error,
        error: Some(
            Failure::new(ErrorKind::Value, "table billing, id 42: column due")
                .detail("invalid input 'tomorrow'")
                .hint("correct the row"),
        ),
        ..in_sync("billing")
    };
    let eu = ReplicaPlan {
        name: "eu".into(),
        server: Some(server(EngineName::Mariadb, "10.11.19", "mysql://trueup@db.eu/shop")),
        snapshot: "one connection".into(),
        search_path: Vec::new(),
        tables: vec![drifting(), in_sync("users"), in_sync("countries")],
        notes: Vec::new(),
        renamings: Vec::new(),
        refusals: vec![Refusal {
            rule: "limits.deletes".into(),
            table: Some("public.orders".into()),
            limit: "10%".into(),
            found: "120 of 999 rows to delete".into(),
        }],
        error: None,
        stale: None,
    };
    let edge = ReplicaPlan {
        name: "edge".into(),
        server: None,
        tables: vec![failing],
        notes: Vec::new(),
        refusals: Vec::new(),
        error: Some(Failure::new(ErrorKind::Connect, "could not connect to db.edge:3306").detail("refused")),
        ..eu.clone()
    };
    Plan { replicas: vec![eu, edge], ..empty_plan() }
}

pub fn applied() -> Vec<Applied> {
    let good = Applied {
        outcome: Outcome::Applied,
        schema_changes: 1,
        rows: RowCounts { insert: 1, update: 1, delete: 1 },
        already: 2,
        rewritten: 0,
        batches: (1, 1),
        commit_unknown: false,
        verified: Some(true),
        remaining: Remaining::default(),
        error: None,
    };
    let stale = Applied {
        outcome: Outcome::Stale,
        schema_changes: 0,
        rows: RowCounts::default(),
        already: 0,
        rewritten: 0,
        batches: (0, 3),
        commit_unknown: false,
        verified: None,
        remaining: Remaining::default(),
        error: Some(
            Failure::new(ErrorKind::Changed, "a row of users changed since the plan").detail("id = 5"),
        ),
    };
    vec![good, stale]
}
