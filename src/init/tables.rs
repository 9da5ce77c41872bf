//! Which tables of two catalogs are pairs: schemas first, then names within them. Pure.
//!
//! The default schemas belong together, whatever they are called (`public` and the URL's database). Other schemas pair by
//! name where both engines have schemas of one kind, and where one side keeps everything in one schema, with that.

use crate::schema::{Catalog, Table};
use crate::sides::{Side, Sides};
use crate::spec::OWN_PREFIX;

use super::names::{Matches, match_names};

/// The tables of two databases, paired as far as their names tell.
#[derive(Debug, Default)]
pub(super) struct Tables<'a> {
    /// Pairs, those of the default schema first, then by name.
    pub pairs: Vec<Sides<&'a Table>>,
    /// Tables that could be each other's.
    pub ambiguous: Vec<Sides<Vec<&'a Table>>>,
    /// Tables without a counterpart.
    pub only: Sides<Vec<&'a Table>>,
}

type Schema<'a> = Option<&'a str>;

/// Pairs the tables of two catalogs. `same_family`: a schema of one means a schema of the other.
pub(super) fn pair_tables<'a>(catalogs: Sides<&'a Catalog>, same_family: bool) -> Tables<'a> {
    let mut left = catalogs.map(|catalog| {
        let own = |table: &&Table| !table.name.name.starts_with(OWN_PREFIX);
        let mut tables: Vec<&Table> = catalog.tables.iter().filter(own).collect();
        tables.sort_by_key(|table| (!is_default(table, catalog), &table.name));
        tables
    });
    let mut tables = Tables::default();
    for schemas in schema_pairs(&catalogs, &left, same_family) {
        let inside = left.as_ref().zip(schemas).map(|(tables, schema)| in_schema(tables, schema));
        tables.take(match_tables(&inside), &inside, &mut left);
    }
    if !same_family {
        // A database without schemas of its own holds the tables of all the other's.
        let rest = left.clone();
        tables.take(match_tables(&rest), &rest, &mut left);
    }
    let default_first = |table: &Table| (!is_default(table, catalogs.primary), table.name.clone());
    tables.pairs.sort_by_key(|pair| default_first(pair.primary));
    tables.only = left;
    tables
}

impl<'a> Tables<'a> {
    /// Keeps what was settled, and takes it off the lists.
    fn take(&mut self, matches: Matches, inside: &Sides<Vec<&'a Table>>, left: &mut Sides<Vec<&'a Table>>) {
        let of = |places: Sides<Vec<usize>>| {
            inside.as_ref().zip(places).map(|(tables, places)| places.iter().map(|at| tables[*at]).collect())
        };
        self.pairs
            .extend(matches.pairs.iter().map(|(p, r)| Sides::new(inside.primary[*p], inside.replica[*r])));
        self.ambiguous.extend(matches.ambiguous.into_iter().map(of));
        let open: Sides<Vec<&Table>> = of(matches.only);
        for side in [Side::Primary, Side::Replica] {
            let among = |tables: &Sides<Vec<&Table>>, table: &Table| {
                tables.get(side).iter().any(|other| other.name == table.name)
            };
            left.get_mut(side).retain(|table| !among(inside, table) || among(&open, table));
        }
    }
}

fn is_default(table: &Table, catalog: &Catalog) -> bool {
    table.name.schema == catalog.default_schema
}

fn in_schema<'a>(tables: &[&'a Table], schema: Schema<'_>) -> Vec<&'a Table> {
    tables.iter().filter(|table| table.name.schema.as_deref() == schema).copied().collect()
}

fn match_tables(tables: &Sides<Vec<&Table>>) -> Matches {
    match_names(&tables.as_ref().map(|tables| tables.iter().map(|table| table.name.name.as_str()).collect()))
}

fn schemas_of<'a>(tables: &[&'a Table]) -> Vec<Schema<'a>> {
    let mut schemas: Vec<Schema<'a>> = Vec::new();
    for table in tables {
        let schema = table.name.schema.as_deref();
        if !schemas.contains(&schema) {
            schemas.push(schema);
        }
    }
    schemas
}

/// Which schemas belong together, each at most once. Those of which no table's name is on the other side do not.
fn schema_pairs<'a>(
    catalogs: &Sides<&'a Catalog>,
    tables: &Sides<Vec<&'a Table>>,
    same_family: bool,
) -> Vec<Sides<Schema<'a>>> {
    let schemas = tables.as_ref().map(|tables| schemas_of(tables));
    let default = catalogs.map(|catalog| catalog.default_schema.as_deref());
    let mut pairs: Vec<Sides<Schema<'a>>> = Vec::new();
    let mut propose = |primary: Schema<'a>, replica: Schema<'a>| {
        let taken = pairs.iter().any(|pair| pair.primary == primary || pair.replica == replica);
        let proposed = Sides::new(primary, replica);
        let inside = tables.as_ref().zip(proposed).map(|(tables, schema)| in_schema(tables, schema));
        if !taken && match_tables(&inside).have_something() {
            pairs.push(proposed);
        }
    };
    propose(default.primary, default.replica);
    if same_family {
        schemas.primary.iter().for_each(|schema| propose(*schema, *schema));
    }
    if let [only] = schemas.primary[..] {
        propose(only, default.replica);
    }
    if let [only] = schemas.replica[..] {
        propose(default.primary, only);
        if let [primary] = schemas.primary[..] {
            propose(primary, only);
        }
    }
    pairs
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sql::TableName;

    fn catalog(default: Option<&str>, names: &[&str]) -> Catalog {
        let tables = names.iter().map(|name| {
            let name = match name.split_once('.') {
                Some((schema, name)) => TableName::qualified(schema, name),
                None => TableName::plain(*name),
            };
            Table {
                name,
                columns: Vec::new(),
                keys: Vec::new(),
                unique_indexes: Vec::new(),
                foreign_keys: Vec::new(),
                sequences: Vec::new(),
                attachments: Vec::new(),
                stored: Default::default(),
                options: None,
                triggers: Vec::new(),
                checked: Vec::new(),
                layout: Default::default(),
                rows_estimate: None,
                hidden_rows: None,
            }
        });
        Catalog { default_schema: default.map(str::to_owned), tables: tables.collect(), ..Catalog::default() }
    }

    fn told(primary: &Catalog, replica: &Catalog, same_family: bool) -> String {
        let tables = pair_tables(Sides::new(primary, replica), same_family);
        let names = |tables: &[&Table]| {
            tables.iter().map(|table| table.name.to_string()).collect::<Vec<_>>().join(" ")
        };
        let mut told: Vec<String> =
            tables.pairs.iter().map(|pair| format!("{}={}", pair.primary.name, pair.replica.name)).collect();
        told.extend(
            tables
                .ambiguous
                .iter()
                .map(|group| format!("{}?{}", names(&group.primary), names(&group.replica))),
        );
        told.push(format!("<{}> <{}>", names(&tables.only.primary), names(&tables.only.replica)));
        told.join(", ")
    }

    #[test]
    fn default_schemas_pair_whatever_they_are_called() {
        let postgres = catalog(Some("public"), &["public.Users", "public.log"]);
        let mariadb = catalog(Some("shop"), &["shop.users", "shop.extra"]);
        assert_eq!(told(&postgres, &mariadb, false), "public.Users=shop.users, <public.log> <shop.extra>");
        let sqlite = catalog(None, &["users", "_trueup_ranges"]);
        assert_eq!(told(&sqlite, &postgres, false), "users=public.Users, <> <public.log>");
    }

    #[test]
    fn other_schemas_pair_by_name_and_only_where_they_mean_the_same() {
        let primary = catalog(Some("public"), &["public.a", "billing.log", "audit.log"]);
        let replica = catalog(Some("public"), &["public.a", "billing.log", "other.log"]);
        assert_eq!(
            told(&primary, &replica, true),
            "public.a=public.a, billing.log=billing.log, <audit.log> <other.log>"
        );
        let flat = catalog(Some("shop"), &["shop.a", "shop.log"]);
        assert_eq!(told(&primary, &flat, false), "public.a=shop.a, audit.log billing.log?shop.log, <> <>");
        let one = catalog(Some("public"), &["public.a", "billing.log"]);
        assert_eq!(told(&one, &flat, false), "public.a=shop.a, billing.log=shop.log, <> <>");
    }

    #[test]
    fn a_side_that_keeps_all_in_one_schema_pairs_with_the_other_sides_one() {
        let app = catalog(Some("public"), &["app.a", "app.b"]);
        let public = catalog(Some("public"), &["public.a", "public.c"]);
        assert_eq!(told(&app, &public, true), "app.a=public.a, <app.b> <public.c>");
        assert_eq!(told(&public, &app, true), "public.a=app.a, <public.c> <app.b>");
        let nowhere = catalog(None, &["app.a"]);
        assert_eq!(told(&nowhere, &nowhere, true), "app.a=app.a, <> <>");
    }
}
