//! The safety rules of a plan: how much it may delete and change before somebody has to say so.
//!
//! Owns the counting and the words of a [`Refusal`]; refuses to decide what happens then (`plan` shows it,
//! `apply` writes nothing). Invariant: all arithmetic is in whole numbers, so that "more than 10%" means it.

use std::collections::HashSet;

use crate::schema::TablePair;
use crate::spec::{CASCADES_OUTSIDE, Limit, Limits, REPLACES_ROWS};
use crate::sql::TableName;

use super::{PlanKind, Refusal, ReplicaPlan, TablePlan};

/// One whole, in the millionths of [`Limit::PerTable`].
const WHOLE_MILLIONTHS: u32 = 1_000_000;

/// What the command line says: limits, which take the place of the spec's, and hazards.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LimitOverrides {
    /// `--max-deletes`.
    pub deletes: Option<Limit>,
    /// `--max-changes`.
    pub changes: Option<Limit>,
    /// `--allow`: names of hazards.
    pub allowed: Vec<String>,
}

impl LimitOverrides {
    fn allows(&self, hazard: &str) -> bool {
        self.allowed.iter().any(|allowed| allowed == hazard)
    }
}

/// Why this plan may not be applied as it stands: limits that it exceeds, and tables that it would empty
/// because the primary has no rows (an undo plan has nothing to do with the primary), and hazards that are not
/// allowed. Withheld changes never count; inserts into a table without rows do not count either. Tables in error
/// are not written and so not counted.
pub fn refusals(
    replica: &ReplicaPlan,
    kind: PlanKind,
    limits: &Limits,
    overrides: &LimitOverrides,
) -> Vec<Refusal> {
    let deletes = overrides.deletes.or(limits.deletes.as_ref().map(|limit| limit.value));
    let changes = overrides.changes.or(limits.changes.as_ref().map(|limit| limit.value));
    let mut refusals = match kind {
        PlanKind::Changes => empty_primaries(replica, overrides),
        PlanKind::Undo => Vec::new(),
    };
    refusals.extend(exceeded(replica, "limits.deletes", deletes, |table| table.summary.delete));
    refusals.extend(exceeded(replica, "limits.changes", changes, counted_changes));
    if !overrides.allows(CASCADES_OUTSIDE) {
        refusals.extend(cascades_outside(replica));
    }
    refusals.extend(hazards(replica, overrides));
    if !overrides.allows(REPLACES_ROWS) {
        refusals.extend(replaced(replica));
    }
    refusals
}

/// The hazards of structural changes.
fn hazards(replica: &ReplicaPlan, overrides: &LimitOverrides) -> Vec<Refusal> {
    let mut refusals = Vec::new();
    for table in writable(replica) {
        let written = table.schema_changes.iter().filter(|change| !change.withheld);
        let refused =
            written.flat_map(|change| &change.hazards).filter(|hazard| !overrides.allows(&hazard.name));
        refusals.extend(refused.map(|hazard| Refusal {
            rule: hazard.name.clone(),
            table: Some(table.table.clone()),
            limit: format!("not unless --allow {}", hazard.name),
            found: hazard.message.clone(),
        }));
    }
    refusals
}

fn cascades_outside(replica: &ReplicaPlan) -> Vec<Refusal> {
    let planned: HashSet<&TableName> = replica.tables.iter().filter_map(TablePlan::replica_name).collect();
    let mut refusals = Vec::new();
    for (table, pair) in writable(replica).filter_map(|table| Some((table, table.pair.as_ref()?))) {
        for dependent in pair.dependents.iter().filter(|dependent| !planned.contains(&dependent.table)) {
            let deletes = dependent.key.on_delete.carries() && table.summary.delete > 0;
            let updates = dependent.key.on_update.carries() && moves(table, pair, &dependent.key.referenced);
            let counts =
                [(deletes, table.summary.delete, "delete"), (updates, table.summary.update, "update")];
            let carried = counts.into_iter().filter(|(carried, ..)| *carried);
            refusals.extend(carried.map(|(_, count, what)| Refusal {
                rule: CASCADES_OUTSIDE.to_owned(),
                table: Some(table.table.clone()),
                limit: "no change outside the plan, unless --allow CASCADES_OUTSIDE".to_owned(),
                found: format!(
                    "{} to {what}, which {} ({}) carries on",
                    rows(count),
                    dependent.table,
                    dependent.key.columns.join(", ")
                ),
            }));
        }
    }
    refusals
}

/// Whether updates of a table set what others point at.
fn moves(table: &TablePlan, pair: &TablePair, referenced: &[String]) -> bool {
    let name = |index: &u16| pair.columns.get(usize::from(*index)).map(|column| &column.sides.replica.name);
    let set = |name: &String| referenced.iter().any(|referenced| referenced.eq_ignore_ascii_case(name));
    table.updated.iter().filter_map(name).any(set)
}

fn replaced(replica: &ReplicaPlan) -> impl Iterator<Item = Refusal> {
    writable(replica).filter(|table| table.replaced > 0).map(|table| Refusal {
        rule: REPLACES_ROWS.to_owned(),
        table: Some(table.table.clone()),
        limit: format!("not unless --allow {REPLACES_ROWS}"),
        found: format!(
            "{} to delete and insert again: unique values go round, and their columns take no other value in between",
            rows(table.replaced)
        ),
    })
}

/// Filling a table that has no rows harms nothing.
fn counted_changes(table: &TablePlan) -> u64 {
    let inserts = if table.rows.replica == 0 { 0 } else { table.summary.insert };
    inserts + table.summary.update + table.summary.delete
}

fn empty_primaries(replica: &ReplicaPlan, overrides: &LimitOverrides) -> Vec<Refusal> {
    if overrides.deletes == Some(Limit::PerTable { millionths: WHOLE_MILLIONTHS }) {
        return Vec::new();
    }
    let emptied =
        |table: &&TablePlan| table.rows.primary == 0 && table.rows.replica > 0 && table.summary.delete > 0;
    let refusal = |table: &TablePlan| Refusal {
        rule: "empty_primary".to_owned(),
        table: Some(table.table.clone()),
        limit: "no deletes while the primary has no rows, unless --max-deletes 100%".to_owned(),
        found: format!("0 rows on the primary, {} on the replica", table.rows.replica),
    };
    let dropped = |table: &&TablePlan| {
        table.bare_primary
            && table.rows.replica > 0
            && table.schema_changes.iter().any(|change| !change.withheld)
    };
    let all_dropped = writable(replica).filter(dropped).map(|table| Refusal {
        limit: "no tables dropped while the primary has none, unless --max-deletes 100%".to_owned(),
        ..refusal(table)
    });
    writable(replica).filter(emptied).map(refusal).chain(all_dropped).collect()
}

fn exceeded(
    replica: &ReplicaPlan,
    rule: &str,
    limit: Option<Limit>,
    count: impl Fn(&TablePlan) -> u64,
) -> Vec<Refusal> {
    match limit {
        None => Vec::new(),
        Some(Limit::PerReplica { rows: rows_max }) => {
            let found: u64 = writable(replica).map(count).sum();
            let refusal =
                || Refusal { rule: rule.to_owned(), table: None, limit: rows(rows_max), found: rows(found) };
            (found > rows_max).then(refusal).into_iter().collect()
        }
        Some(Limit::PerTable { millionths }) => writable(replica)
            .filter(|table| over(count(table), table.rows.replica, millionths))
            .map(|table| Refusal {
                rule: rule.to_owned(),
                table: Some(table.table.clone()),
                limit: percent(millionths),
                found: part(count(table), table.rows.replica),
            })
            .collect(),
    }
}

/// `1 of 4 rows`; inserts may make it more than there are.
fn part(count: u64, of: u64) -> String {
    match count <= of {
        true => format!("{count} of {}", rows(of)),
        false => format!("{} where the replica has {}", rows(count), rows(of)),
    }
}

fn writable(replica: &ReplicaPlan) -> impl Iterator<Item = &TablePlan> {
    replica.tables.iter().filter(|table| table.error.is_none())
}

fn over(found: u64, of: u64, millionths: u32) -> bool {
    u128::from(found) * u128::from(WHOLE_MILLIONTHS) > u128::from(of) * u128::from(millionths)
}

fn rows(count: u64) -> String {
    if count == 1 { "1 row".to_owned() } else { format!("{count} rows") }
}

/// `10%`, `0.0125%`.
fn percent(millionths: u32) -> String {
    let (whole, fraction) = (millionths / 10_000, millionths % 10_000);
    if fraction == 0 {
        return format!("{whole}%");
    }
    format!("{whole}.{}%", format!("{fraction:04}").trim_end_matches('0'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::RowCounts;
    use crate::plan::Hazard;
    use crate::plan::testing::{add_column, table, with_tables};
    use crate::sides::Sides;
    use crate::spec::{DELETES_DATA, Located, Place};

    fn counted(primary: u64, replica: u64, insert: u64, update: u64, delete: u64) -> TablePlan {
        let mut table = table("t");
        table.rows = Sides::new(primary, replica);
        table.summary = RowCounts { insert, update, delete };
        table
    }

    fn limits(deletes: Option<Limit>, changes: Option<Limit>) -> Limits {
        let located = |limit: Option<Limit>| limit.map(|limit| Located::new(limit, Place::START));
        Limits { deletes: located(deletes), changes: located(changes) }
    }

    fn rules(table: TablePlan, limits: &Limits, overrides: LimitOverrides) -> Vec<String> {
        let plan = with_tables(vec![table]);
        refusals(&plan, PlanKind::Changes, limits, &overrides)
            .into_iter()
            .map(|refusal| refusal.rule)
            .collect()
    }

    const TEN: Limit = Limit::PerTable { millionths: 100_000 };
    const ALL: Limit = Limit::PerTable { millionths: 1_000_000 };

    #[test]
    fn a_limit_is_exceeded_only_by_more() {
        let ten = limits(Some(TEN), None);
        assert!(rules(counted(90, 100, 0, 0, 10), &ten, LimitOverrides::default()).is_empty());
        assert_eq!(rules(counted(89, 100, 0, 0, 11), &ten, LimitOverrides::default()), ["limits.deletes"]);
        let huge = counted(1, u64::MAX, 0, 0, u64::MAX / 10 + 1);
        assert_eq!(rules(huge, &ten, LimitOverrides::default()), ["limits.deletes"]);
    }

    #[test]
    fn numbers_are_of_all_tables_together() {
        let plan = with_tables(vec![counted(9, 10, 0, 3, 0), counted(9, 10, 2, 0, 1)]);
        let of = |rows| limits(None, Some(Limit::PerReplica { rows }));
        assert!(refusals(&plan, PlanKind::Changes, &of(6), &LimitOverrides::default()).is_empty());
        let refused = refusals(&plan, PlanKind::Changes, &of(5), &LimitOverrides::default());
        assert_eq!((refused[0].limit.as_str(), refused[0].found.as_str()), ("5 rows", "6 rows"));
        assert_eq!(refused[0].table, None);
    }

    #[test]
    fn filling_an_empty_table_does_not_count() {
        let none = limits(None, Some(Limit::PerReplica { rows: 0 }));
        assert!(rules(counted(50, 0, 50, 0, 0), &none, LimitOverrides::default()).is_empty());
        assert_eq!(rules(counted(50, 1, 49, 0, 0), &none, LimitOverrides::default()), ["limits.changes"]);
        // A row that exists outside the scope is an update, and that counts.
        let ten = limits(None, Some(TEN));
        assert_eq!(rules(counted(1, 0, 0, 1, 0), &ten, LimitOverrides::default()), ["limits.changes"]);
    }

    #[test]
    fn an_empty_primary_needs_exactly_all_on_the_command_line() {
        let emptied = || counted(0, 3, 0, 0, 3);
        let none = Limits::default();
        let with = |deletes| LimitOverrides { deletes, ..LimitOverrides::default() };
        assert_eq!(rules(emptied(), &none, with(None)), ["empty_primary"]);
        assert_eq!(rules(emptied(), &none, with(Some(Limit::PerReplica { rows: 99 }))), ["empty_primary"]);
        assert_eq!(rules(emptied(), &limits(Some(ALL), None), with(None)), ["empty_primary"]);
        assert!(rules(emptied(), &limits(Some(TEN), None), with(Some(ALL))).is_empty());
        // Withheld deletes are not in the summary: nothing would be emptied.
        assert!(rules(counted(0, 3, 0, 0, 0), &none, with(None)).is_empty());
    }

    #[test]
    fn an_undo_plan_may_leave_a_table_empty() {
        let plan = with_tables(vec![counted(0, 3, 0, 0, 3)]);
        let refused = |kind| refusals(&plan, kind, &Limits::default(), &LimitOverrides::default());
        assert_eq!((refused(PlanKind::Changes).len(), refused(PlanKind::Undo).len()), (1, 0));
    }

    #[test]
    fn a_hazard_is_refused_unless_it_is_allowed_by_name() {
        let hazardous = |withheld| {
            let mut table = table("t");
            table.schema_changes = vec![add_column("t.old", withheld)];
            let (name, message) = (DELETES_DATA.to_owned(), "the values of t.old go".to_owned());
            table.schema_changes[0].hazards = vec![Hazard { name, message, rows: None }];
            table
        };
        let none = Limits::default();
        let plan = with_tables(vec![hazardous(false)]);
        let refused = refusals(&plan, PlanKind::Undo, &none, &LimitOverrides::default());
        assert_eq!(
            (refused[0].rule.as_str(), refused[0].found.as_str()),
            (DELETES_DATA, "the values of t.old go")
        );
        let allowed =
            |name: &str| LimitOverrides { allowed: vec![name.to_owned()], ..LimitOverrides::default() };
        assert!(rules(hazardous(false), &none, allowed(DELETES_DATA)).is_empty());
        assert_eq!(rules(hazardous(false), &none, allowed(CASCADES_OUTSIDE)), [DELETES_DATA]);
        assert!(rules(hazardous(true), &none, LimitOverrides::default()).is_empty());
    }

    #[test]
    fn the_command_line_takes_the_place_of_the_spec() {
        let overrides =
            LimitOverrides { changes: Some(Limit::PerReplica { rows: 10 }), ..LimitOverrides::default() };
        let tight = limits(None, Some(Limit::PerReplica { rows: 1 }));
        assert!(rules(counted(9, 9, 0, 5, 0), &tight, overrides).is_empty());
    }

    #[test]
    fn percentages_print_as_written() {
        assert_eq!([percent(100_000), percent(125), percent(5_000)], ["10%", "0.0125%", "0.5%"]);
    }
}
