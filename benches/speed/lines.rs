//! The lines of the table as data: what is run, what it is held against, what is to be reached.

use crate::data::{Kind, Rows, Variant};
use crate::places::{Fixture, Side};
use crate::servers::Engine;

const MIB: u64 = 1 << 20;
/// The memory that every line may take.
pub const PEAK_GOAL_BYTES: u64 = 256 * MIB;

/// The rows of each of many tables.
pub const ROWS_OF_MANY: u64 = 20;

/// How many rows there are.
#[derive(Clone, Copy, Debug)]
pub struct Scale {
    pub postgres: u64,
    pub mariadb: u64,
    pub sqlite: u64,
    /// Of the tables with other keys.
    pub keys: u64,
    pub wide: u64,
    pub big: u64,
    /// That only the replica has, in one gap.
    pub extra: u64,
    /// Tables of a few rows.
    pub tables: u64,
}

impl Scale {
    /// Only to see that everything works.
    pub const SMALL: Scale = Scale {
        postgres: 20_000,
        mariadb: 20_000,
        sqlite: 20_000,
        keys: 5_000,
        wide: 500,
        big: 10,
        extra: 4_000,
        tables: 100,
    };
    pub const MEDIUM: Scale = Scale {
        postgres: 1_000_000,
        mariadb: 500_000,
        sqlite: 500_000,
        keys: 250_000,
        wide: 20_000,
        big: 100,
        extra: 200_000,
        tables: 1_000,
    };
    pub const FULL: Scale = Scale {
        postgres: 5_000_000,
        mariadb: 2_000_000,
        sqlite: 1_000_000,
        keys: 1_000_000,
        wide: 100_000,
        big: 200,
        extra: 1_000_000,
        tables: 5_000,
    };
}

/// The engines of both sides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Pair {
    Postgres,
    Mariadb,
    Sqlite,
    /// PostgreSQL to MariaDB.
    Cross,
}

impl Pair {
    pub fn name(self) -> &'static str {
        match self {
            Pair::Postgres => "postgres",
            Pair::Mariadb => "mariadb",
            Pair::Sqlite => "sqlite",
            Pair::Cross => "cross",
        }
    }

    fn title(self) -> &'static str {
        match self {
            Pair::Postgres => "PostgreSQL pair",
            Pair::Mariadb => "MariaDB pair",
            Pair::Sqlite => "SQLite pair",
            Pair::Cross => "PostgreSQL ↔ MariaDB",
        }
    }

    pub fn engine(self, side: Side) -> Engine {
        match (self, side) {
            (Pair::Postgres, _) | (Pair::Cross, Side::Primary) => Engine::Postgres,
            (Pair::Mariadb | Pair::Cross, _) => Engine::Mariadb,
            (Pair::Sqlite, _) => Engine::Sqlite,
        }
    }

    fn rows(self, scale: &Scale) -> u64 {
        match self {
            Pair::Postgres => scale.postgres,
            Pair::Mariadb | Pair::Cross => scale.mariadb,
            Pair::Sqlite => scale.sqlite,
        }
    }

    /// Of the time that reading both sides takes, for an equal pair.
    fn equal_goal(self) -> f64 {
        match self {
            Pair::Postgres | Pair::Cross => 1.2,
            Pair::Mariadb => 0.7,
            Pair::Sqlite => 0.85,
        }
    }
}

/// What is run, and beside what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Work {
    /// Compare; beside both tables being read to nowhere, or `sqldiff`.
    Equal,
    /// Compare; beside the run of the same table when it was equal.
    Drift,
    /// Apply a saved plan; beside a script that is given the same changes.
    Apply { checks: bool },
    /// Make a table that is missing; beside dump and restore.
    Copy { checks: bool },
    /// Compare two SQLite files of the same bytes; beside `cmp`.
    SameBytes,
    /// Compare with three replicas; beside the run with one.
    Replicas,
    /// Compare many tables of [`ROWS_OF_MANY`] rows; beside one client a side that reads one after the other.
    Many { tables: u64 },
    /// Compare where the primary is far away; beside the time to transfer one side.
    Far { digest: bool },
}

/// What is to be reached, as far as it is said.
#[derive(Clone, Copy, Debug, Default)]
pub struct Goal {
    /// At most this many times the reference: in CPU seconds, for [`Work::Far`] in seconds on the clock.
    pub ratio: Option<f64>,
    pub received_bytes: Option<u64>,
}

/// One line.
#[derive(Clone, Debug)]
pub struct Line {
    /// To choose it by.
    pub name: String,
    pub title: String,
    pub pair: Pair,
    pub rows: Rows,
    pub work: Work,
    pub goal: Goal,
}

impl Line {
    /// The table on one side. What a run writes has a table of its own.
    pub fn fixture(&self, side: Side) -> Fixture {
        let kind = self.rows.kind.table();
        let part = if self.is_part() { "_part" } else { "" };
        let rows = match side {
            Side::Primary => Rows { variant: Variant::Equal, ..self.rows },
            Side::Replica | Side::Second | Side::Third => self.rows,
        };
        let variant = match (side, self.rows.variant) {
            (Side::Primary, _) | (_, Variant::Equal) => String::new(),
            (_, Variant::Scattered(step)) => format!("_drift_{step}"),
            (_, Variant::RangeMissing) => "_range".into(),
            (_, Variant::AllDifferent) => "_other".into(),
            (_, Variant::ExtraRows(_)) => "_extra".into(),
        };
        let written = match (side, self.work) {
            (Side::Replica, Work::Apply { checks: true }) => "_checked",
            (Side::Replica, Work::Apply { checks: false }) => "_unchecked",
            _ => "",
        };
        let engine = self.pair.engine(side);
        let table = format!("{kind}{part}{variant}{written}");
        Fixture { engine, side, table, rows }
    }

    /// Whether PostgreSQL has the smaller table for it, beside its own.
    fn is_part(&self) -> bool {
        self.rows.kind == Kind::Items
            && match self.work {
                Work::Far { .. } => true,
                Work::Equal | Work::Drift => self.pair == Pair::Cross,
                Work::Apply { .. }
                | Work::Copy { .. }
                | Work::SameBytes
                | Work::Replicas
                | Work::Many { .. } => false,
            }
    }

    /// Everything that must be there before it runs.
    pub fn fixtures(&self) -> Vec<Fixture> {
        let sides = match self.work {
            Work::Many { .. } => Vec::new(),
            Work::Copy { .. } | Work::SameBytes => vec![Side::Primary],
            Work::Replicas => [&[Side::Primary], Side::REPLICAS.as_slice()].concat(),
            _ => vec![Side::Primary, Side::Replica],
        };
        sides.into_iter().map(|side| self.fixture(side)).collect()
    }
}

/// All lines, in the order in which they are run: those that share tables together.
pub fn all(scale: &Scale) -> Vec<Line> {
    let mut lines = Vec::new();
    for pair in [Pair::Postgres, Pair::Mariadb, Pair::Cross, Pair::Sqlite] {
        lines.extend(whole(pair, scale));
        lines.extend(replicas(pair, scale));
        if pair != Pair::Cross {
            lines.extend(other_tables(pair, scale));
        }
        lines.extend(match pair {
            Pair::Postgres => {
                [written(pair, scale, 50), copied(scale), far(scale), many(pair, scale)].concat()
            }
            Pair::Mariadb => [written(pair, scale, 20), many(pair, scale)].concat(),
            Pair::Sqlite => same_bytes(scale),
            Pair::Cross => Vec::new(),
        });
    }
    lines
}

fn line(pair: Pair, what: &str, title: &str, rows: Rows, work: Work, ratio: f64) -> Line {
    Line {
        name: format!("{}-{what}", pair.name()),
        title: format!("{}, {title}, {} rows", pair.title(), crate::table::grouped(rows.count)),
        pair,
        rows,
        work,
        goal: Goal { ratio: Some(ratio), received_bytes: None },
    }
}

fn whole(pair: Pair, scale: &Scale) -> Vec<Line> {
    let rows = |variant| Rows { kind: Kind::Items, count: pair.rows(scale), variant };
    let extra = format!("{} extra replica rows in one gap", crate::table::grouped(scale.extra));
    vec![
        line(pair, "equal", "equal", rows(Variant::Equal), Work::Equal, pair.equal_goal()),
        line(pair, "drift", "0.1 % scattered drift", rows(Variant::Scattered(1_000)), Work::Drift, 1.3),
        line(pair, "range", "1 % range missing", rows(Variant::RangeMissing), Work::Drift, 1.3),
        line(pair, "all", "every row different", rows(Variant::AllDifferent), Work::Drift, 3.0),
        line(pair, "extra", &extra, rows(Variant::ExtraRows(scale.extra)), Work::Drift, 3.0),
    ]
}

/// Four tables are read where one replica takes two.
fn replicas(pair: Pair, scale: &Scale) -> Option<Line> {
    let rows = Rows { kind: Kind::Items, count: pair.rows(scale), variant: Variant::Equal };
    (pair != Pair::Cross).then(|| line(pair, "replicas", "three equal replicas", rows, Work::Replicas, 2.0))
}

fn many(pair: Pair, scale: &Scale) -> Vec<Line> {
    let rows = Rows { kind: Kind::Items, count: scale.tables * ROWS_OF_MANY, variant: Variant::Equal };
    let title = format!("{} equal tables, together", crate::table::grouped(scale.tables));
    let mut line = line(pair, "many", &title, rows, Work::Many { tables: scale.tables }, 0.0);
    line.goal = Goal::default();
    vec![line]
}

fn other_tables(pair: Pair, scale: &Scale) -> Vec<Line> {
    let equal = |what: &str, title: &str, kind, count| {
        let rows = Rows { kind, count, variant: Variant::Equal };
        line(pair, what, title, rows, Work::Equal, pair.equal_goal())
    };
    vec![
        equal("wide", "equal, 8 KiB with JSON", Kind::Wide, scale.wide),
        equal("text", "equal, text key", Kind::TextKey, scale.keys),
        equal("uuid", "equal, random uuid key", Kind::UuidKey, scale.keys),
        equal("composite", "equal, composite key", Kind::CompositeKey, scale.keys),
        equal("gaps", "equal, skewed keys with gaps of 10^12", Kind::Gaps, scale.keys),
        equal("big", "equal, 1 MiB", Kind::Big, scale.big),
        line(
            pair,
            "big-all",
            "every row different, 1 MiB",
            Rows { kind: Kind::Big, count: scale.big, variant: Variant::AllDifferent },
            Work::Drift,
            3.0,
        ),
    ]
}

/// One row in `step` is changed by apply.
fn written(pair: Pair, scale: &Scale, step: u64) -> Vec<Line> {
    let rows = Rows { kind: Kind::Items, count: pair.rows(scale), variant: Variant::Scattered(step) };
    let changes = crate::table::grouped(rows.count / step);
    let apply = |what: &str, how: &str, checks| {
        line(pair, what, &format!("{changes} changes applied{how}"), rows, Work::Apply { checks }, 1.5)
    };
    vec![apply("apply", " without the check afterwards", false), apply("apply-checked", "", true)]
}

fn copied(scale: &Scale) -> Vec<Line> {
    let rows = Rows { kind: Kind::Items, count: scale.postgres, variant: Variant::Equal };
    let copy = |what: &str, title: &str, checks, ratio| {
        line(Pair::Postgres, what, title, rows, Work::Copy { checks }, ratio)
    };
    vec![
        copy("copy", "missing table without the check afterwards", false, 1.2),
        copy("copy-checked", "missing table", true, 2.0),
    ]
}

fn far(scale: &Scale) -> Vec<Line> {
    let rows = |variant| Rows { kind: Kind::Items, count: scale.mariadb, variant };
    // A hundred rows, whatever the scale.
    let changed = Variant::Scattered(scale.mariadb / 100);
    let far = |what: &str, title: &str, variant, digest, received_bytes: Option<u64>| {
        let title = format!("20 Mbit/s and 50 ms, {title}");
        let mut far = line(Pair::Postgres, what, &title, rows(variant), Work::Far { digest }, 0.1);
        far.goal = Goal { ratio: received_bytes.and(far.goal.ratio), received_bytes };
        far
    };
    vec![
        far("far", "digests in the database", Variant::Equal, true, Some(MIB)),
        far("far-drift", "digests in the database, 100 changed", changed, true, Some(5 * MIB)),
        far("far-rows", "digests in the client", Variant::Equal, false, None),
    ]
}

fn same_bytes(scale: &Scale) -> Vec<Line> {
    let rows = Rows { kind: Kind::Items, count: scale.sqlite, variant: Variant::Equal };
    let mut line = line(Pair::Sqlite, "same-bytes", "files of the same bytes", rows, Work::SameBytes, 0.0);
    line.goal = Goal::default();
    vec![line]
}
