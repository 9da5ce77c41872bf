//! Whole drafts, of catalogs made by hand and with the real dialects.

use proptest::prelude::*;

use super::*;
use crate::schema::UniqueKey;
use crate::spec::{Place, SchemaMode, TableEntry};
use crate::sql::{Column, DefaultKind, EngineName, LiteralDefault, TableName, mysql, postgres, sqlite};
use crate::value::{ColumnType, Type};

const POSTGRES: &dyn Dialect = &postgres::Postgres;
const MARIADB: &dyn Dialect = &mysql::MARIADB;
const SQLITE: &dyn Dialect = &sqlite::Sqlite;

fn column(name: &str, declared: &str, meaning: Type) -> Column {
    Column {
        name: name.to_owned(),
        column_type: ColumnType::new(declared, meaning),
        nullable: true,
        default: None,
        generated: None,
        identity: None,
        collation: None,
        words: Default::default(),
    }
}

fn integer(name: &str) -> Column {
    Column { nullable: false, ..column(name, "integer", Type::Integer { bytes: 4, unsigned: false }) }
}

fn text(name: &str) -> Column {
    column(name, "text", Type::Text { chars_max: None, fixed: false })
}

fn instant(name: &str) -> Column {
    column(name, "timestamp with time zone", Type::Instant { digits: 6 })
}

fn date_time(name: &str) -> Column {
    column(name, "datetime(6)", Type::DateTime { digits: 6 })
}

/// A table whose first column is its primary key.
fn table(name: &str, columns: Vec<Column>) -> Table {
    let first = columns[0].name.clone();
    Table { keys: vec![key(&[&first], true)], ..keyless(name, columns) }
}

fn keyless(name: &str, columns: Vec<Column>) -> Table {
    let name = match name.split_once('/') {
        Some((schema, name)) => TableName::qualified(schema, name),
        None => TableName::plain(name),
    };
    Table {
        name,
        columns,
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
}

fn key(columns: &[&str], primary: bool) -> UniqueKey {
    let columns = columns.iter().map(|column| (*column).to_owned()).collect();
    UniqueKey { name: "key".into(), columns, primary, total: true, deferrable: false }
}

struct Made {
    url: SideUrl,
    written: String,
    server: Server,
    dialect: &'static dyn Dialect,
    catalog: Catalog,
    unreadable: Vec<(TableName, String)>,
}

/// A database; names without a `/` are put into its default schema.
fn database(written: &str, dialect: &'static dyn Dialect, default: Option<&str>, tables: Vec<Table>) -> Made {
    let url = SideUrl::parse(written, Place::START).expect("the URL of a test is valid");
    let tables = tables.into_iter().map(|mut table| {
        table.name.schema = table.name.schema.or(default.map(str::to_owned));
        table
    });
    let server = Server {
        engine: dialect.engine(),
        version: "1.2.3".into(),
        identity: String::new(),
        instance: None,
        place: None,
        display: url.display(),
        missing: false,
        read_only: None,
    };
    let catalog = Catalog {
        default_schema: default.map(str::to_owned),
        tables: tables.collect(),
        ..Catalog::default()
    };
    Made { url, written: written.to_owned(), server, dialect, catalog, unreadable: Vec::new() }
}

fn postgres(tables: Vec<Table>) -> Made {
    database("postgres://app:hush@db/shop", POSTGRES, Some("public"), tables)
}

fn mariadb(tables: Vec<Table>) -> Made {
    database("mariadb://app:hushhush@db.eu/shop", MARIADB, Some("shop"), tables)
}

fn file(tables: Vec<Table>) -> Made {
    database("sqlite:edge.db", SQLITE, None, tables)
}

fn drafted(primary: &Made, replica: &Made) -> Result<Draft, Failure> {
    let sides = Sides::new(primary, replica).map(|made| Database {
        url: &made.url,
        written: &made.written,
        server: &made.server,
        dialect: made.dialect,
        catalog: &made.catalog,
        unreadable: &made.unreadable,
    });
    draft(&sides, "spec.yml")
}

fn text_of(primary: &Made, replica: &Made) -> String {
    drafted(primary, replica).expect("something can be compared").text
}

/// The lines from `tables:` on.
fn tables_of(primary: &Made, replica: &Made) -> String {
    let text = text_of(primary, replica);
    text[text.find("\ntables:\n").expect("there are entries") + 1..].to_owned()
}

fn parsed(text: &str) -> Spec {
    let environment = |name: &str| Some(format!("sqlite:{name}"));
    Spec::parse(text, "spec.yml", &environment).unwrap_or_else(|errors| panic!("{errors}\n{text}"))
}

fn entries(primary: &Made, replica: &Made) -> Vec<TableEntry> {
    parsed(&text_of(primary, replica)).tables
}

#[test]
fn a_whole_spec() {
    let code = Column { nullable: false, ..text("code") };
    let primary = postgres(vec![
        table("users", vec![integer("id"), text("name")]),
        table("InvoiceLine", vec![integer("InvoiceLineId"), text("Quantity"), instant("SoldAt")]),
        table("events", vec![integer("id"), instant("seen_at"), text("note"), code, text("tags")]),
        keyless("log", vec![text("line")]),
        table("Account", vec![integer("id")]),
        table("customer", vec![integer("id")]),
        keyless("spool", vec![text("line")]),
        table("settings", vec![integer("id"), text("value")]),
        table("_trueup_state", vec![integer("id")]),
    ]);
    let replica = mariadb(vec![
        table("users", vec![integer("id"), text("name")]),
        table("invoice_line", vec![integer("invoice_line_id"), text("quantity"), date_time("sold_at")]),
        table(
            "events",
            vec![
                integer("id"),
                date_time("seen_at"),
                column("tags", "point", Type::Other),
                text("nota"),
                Column { nullable: false, ..text("region") },
            ],
        ),
        keyless("log", vec![text("line")]),
        table("account", vec![integer("id")]),
        table("ACCOUNT", vec![integer("id")]),
        table("customers", vec![integer("id")]),
    ]);
    insta::assert_snapshot!(text_of(&primary, &replica), @r"
    # What trueup compares and makes equal. Written by `trueup init`; it is yours to edit.
    #
    # primary, only ever read:    postgres://app@db/shop    postgres 1.2.3
    # replica, to be made equal:  mariadb://app@db.eu/shop  mariadb 1.2.3
    #
    # 4 tables found on both sides. 2 of them are not compared in full, or otherwise worth a look: see NOTE.
    # Not compared: 2 may have another name there, 2 are only on the primary (at the end).
    #
    #   export PRIMARY_URL=…   # postgres://app@db/shop, with its password
    #   export REPLICA_URL=…   # mariadb://app@db.eu/shop, with its password
    #   trueup check  spec.yml   # are connections, rights, tables, keys and types as this file needs them?
    #   trueup plan   spec.yml   # what would change on the replica; writes nothing
    #   trueup apply  spec.yml   # shows that, asks, writes it, and compares what it wrote
    #   trueup verify spec.yml   # is the replica equal? ends with exit code 2 where it is not

    version: 1

    primary: ${PRIMARY_URL} # postgres://app@db/shop
    replicas:
      # The name is used in output and with --replica. There may be more replicas than one.
      replica: ${REPLICA_URL} # mariadb://app@db.eu/shop

    # Nothing limits what apply may change, unless this does (a percentage is of each table's rows):
    # limits:
    #   deletes: 10%
    #   changes: 50%

    # Tables are compared in structure and rows. What holds for all of them can stand here, for example to
    # report differences in structure and never change it, or to report extra rows and never delete them:
    # defaults:
    #   schema: check
    #   delete: false

    tables:
      - table: InvoiceLine  # key: InvoiceLineId
        to: invoice_line
        rename: { InvoiceLineId: invoice_line_id, Quantity: quantity }
        # NOTE: left out, for their types (primary / replica) have no exact common domain:
        #   SoldAt  timestamp with time zone / datetime(6)
        # To compare SoldAt, shorten the list below and add, with the zone that the side without one means:
        # compare: { SoldAt: { zone: UTC } } and rename: { SoldAt: sold_at }
        exclude_columns: [SoldAt]

      - table: events       # key: id
        # NOTE: note and code are only on the primary. Take a name off the list below to have the column added
        # to the replica.
        # If note is the replica's nota, take it off the list below and add rename: { note: nota }
        # NOTE: left out, for their types (primary / replica) have no exact common domain:
        #   seen_at  timestamp with time zone / datetime(6)
        #   tags     text / point
        # To compare seen_at, shorten the list below and add, with the zone that the side without one means:
        # compare: { seen_at: { zone: UTC } }
        exclude_columns: [seen_at, note, code, tags]
        # NOTE: a new row would get no value for the replica's region, NOT NULL without default. Until that is
        # settled, missing rows are reported and not written.
        insert: false
        # Only on the replica, and left as they are: nota and region

      - log                 # no key: whole rows are compared
      - users               # key: id

      # Perhaps the same under another name. An entry without its # pairs two:

      # Account on the primary, ACCOUNT and account on the replica.
      # - table: Account
      #   to: ACCOUNT

      # customer on the primary, customers on the replica.
      # - table: customer
      #   to: customers

      # Only on the primary. An entry without its # has the table created on the replica and filled:
      # - settings
      # - spool
    ");
}

#[test]
fn no_password_is_written_and_a_url_without_one_is() {
    let tables = || vec![table("t", vec![integer("id")])];
    let text = text_of(&postgres(tables()), &mariadb(tables()));
    assert!(!text.contains("hush"), "{text}");
    assert!(text.contains("\nprimary: ${PRIMARY_URL} # postgres://app@db/shop\n"), "{text}");
    let text = text_of(&file(tables()), &mariadb(tables()));
    assert!(text.contains("\nprimary: \"sqlite:edge.db\"\n"), "{text}");
    assert!(text.contains("\n  replica: ${REPLICA_URL} # mariadb://app@db.eu/shop\n"), "{text}");
    let hidden = database("postgres://h/d?password=hush&user=u", POSTGRES, Some("public"), tables());
    assert!(!text_of(&hidden, &file(tables())).contains("hush"));
    let error = drafted(&postgres(vec![]), &mariadb(tables())).expect_err("no tables");
    assert!(!format!("{error:?}").contains("hush"), "{error:?}");
}

#[test]
fn a_replica_without_tables_gets_all_that_can_be_created() {
    let primary = mariadb(vec![
        table("b", vec![integer("id"), column("place", "point", Type::Other)]),
        table("a", vec![integer("id")]),
        keyless("log", vec![text("line")]),
    ]);
    let mut replica = file(vec![]);
    replica.server.missing = true;
    let text = text_of(&primary, &replica);
    assert!(text.contains("sqlite:edge.db            a file that apply will create\n"), "{text}");
    assert!(text.contains("# The replica has no tables yet: apply creates the 3 tables below"), "{text}");
    insta::assert_snapshot!(tables_of(&primary, &replica), @r"
    tables:
      - a         # key: id

      - table: b  # key: id
        # NOTE: left out, for sqlite has no exact type for them:
        #   place  point
        exclude_columns: [place]

      - log       # no key: whole rows are compared
    ");
}

#[test]
fn of_a_table_without_a_key_nothing_is_deleted_that_holds_more_than_is_compared() {
    let primary = postgres(vec![keyless("log", vec![text("line"), instant("at")])]);
    let replica = mariadb(vec![keyless("log", vec![text("line"), date_time("at"), text("host")])]);
    insta::assert_snapshot!(tables_of(&primary, &replica), @r#"
    tables:
      - table: log  # no key: whole rows are compared
        # NOTE: left out, for their types (primary / replica) have no exact common domain:
        #   at  timestamp with time zone / datetime(6)
        # To compare at, shorten the list below and add, with the zone that the side without one means:
        # compare: { at: { zone: UTC } }
        exclude_columns: [at]
        # NOTE: without a key, a row that changed is deleted and inserted anew, and would lose what the replica
        # holds in at and host. Until that is settled, extra rows are reported and not deleted. Name the columns
        # that identify a row with `key: [...]`, or take this line away.
        delete: false
        # Only on the replica, and left as it is: host
    "#);
}

#[test]
fn another_unique_key_is_used_where_the_first_one_has_no_counterpart() {
    let code = || Column { nullable: false, ..text("code") };
    let mut primary = table("t", vec![instant("at"), code(), text("v")]);
    primary.keys.push(key(&["code"], false));
    let mut replica = table("t", vec![date_time("at"), code(), text("v")]);
    replica.keys.push(key(&["code"], false));
    insta::assert_snapshot!(tables_of(&postgres(vec![primary]), &mariadb(vec![replica])), @r#"
    tables:
      - table: t  # key: code
        # NOTE: another unique key is used, because the key's column at is timestamp with time zone on the
        # primary and datetime(6) on the replica, which have no exact common domain.
        key: [code]
        # NOTE: left out, for their types (primary / replica) have no exact common domain:
        #   at  timestamp with time zone / datetime(6)
        # To compare at, shorten the list below and add, with the zone that the side without one means:
        # compare: { at: { zone: UTC } }
        exclude_columns: [at]
    "#);
}

#[test]
fn a_unique_key_without_a_primary_key_is_named() {
    let columns = || vec![Column { nullable: false, ..text("code") }, text("v")];
    let unique = |name| Table { keys: vec![key(&["code"], false)], ..keyless(name, columns()) };
    let text = tables_of(&postgres(vec![unique("t")]), &postgres_copy(vec![unique("t")]));
    assert!(text.contains("- t  # key: code (unique; there is no primary key)\n"), "{text}");
    let text = tables_of(&postgres(vec![unique("t")]), &postgres_copy(vec![keyless("t", columns())]));
    assert!(text.contains("# The replica has no unique key over code:"), "{text}");
}

fn postgres_copy(tables: Vec<Table>) -> Made {
    database("postgres://db/copy", POSTGRES, Some("public"), tables)
}

#[test]
fn a_table_whose_replica_alone_has_a_key_proposes_it() {
    let primary =
        postgres(vec![table("t", vec![integer("id")]), keyless("Log", vec![integer("LogId"), text("Line")])]);
    let replica =
        mariadb(vec![table("t", vec![integer("id")]), table("log", vec![integer("log_id"), text("line")])]);
    let written = tables_of(&primary, &replica);
    let words = written.replace("\n    # ", " ");
    assert!(words.contains("- table: Log  # no key: whole rows are compared"), "{written}");
    assert!(words.contains("NOTE: the replica has a key, LogId. Where the same is unique"), "{written}");
    let with_key = written.replace("to: log", "to: log\n    key: [LogId]");
    let spec = parsed(&format!("version: 1\nprimary: sqlite:a\nreplicas: {{ r: \"sqlite:b\" }}\n{with_key}"));
    assert_eq!(spec.tables[0].key.as_ref().map(Vec::len), Some(1));
}

#[test]
fn structure_that_differs_is_reported_and_never_changed() {
    let default = Some(DefaultKind::Literal(LiteralDefault::Text("x".into())));
    let primary = table("t", vec![integer("id"), Column { default, ..text("v") }]);
    let replica = table("t", vec![integer("id"), Column { nullable: false, ..text("v") }]);
    let entries = entries(&postgres(vec![primary]), &postgres_copy(vec![replica]));
    assert_eq!(entries[0].schema, SchemaMode::Check);
}

#[test]
fn a_table_that_may_not_be_read_is_a_comment() {
    let tables = || vec![table("t", vec![integer("id")]), table("u", vec![integer("id")])];
    let mut replica = mariadb(tables());
    replica.unreadable =
        vec![(TableName::qualified("shop", "t"), "GRANT SELECT ON `shop`.`t` TO app".into())];
    let text = tables_of(&postgres(tables()), &replica);
    let why =
        "  # t: this login may not read it on the replica (GRANT SELECT ON `shop`.`t` TO app).\n  # - t\n";
    assert!(text.contains("  - u  # key: id\n") && text.contains(why), "{text}");
}

#[test]
fn tables_of_other_schemas_are_qualified() {
    let t = || vec![integer("id")];
    let primary = postgres(vec![table("a", t()), table("billing/invoice", t())]);
    let replica = postgres_copy(vec![table("a", t()), table("billing/Invoice", t())]);
    let found = entries(&primary, &replica);
    assert_eq!(found[1].table.value.to_string(), "billing.invoice");
    assert_eq!(found[1].to.as_ref().expect("other case").value.to_string(), "billing.Invoice");
    let flat = mariadb(vec![table("a", t()), table("invoice", t())]);
    let found = entries(&primary, &flat);
    assert_eq!((found[1].table.value.to_string(), &found[1].to), ("billing.invoice".to_owned(), &None));
    let back = entries(&flat, &primary);
    assert_eq!(back[1].to.as_ref().expect("another schema").value.to_string(), "billing.invoice");
}

#[test]
fn nothing_in_common_is_an_error_that_names_what_there_is() {
    let t = || vec![integer("id")];
    let none = drafted(&postgres(vec![]), &file(vec![])).expect_err("no tables");
    assert_eq!(none.message, "the primary, postgres://app@db/shop, has no tables");
    let other = drafted(&postgres(vec![table("a", t())]), &file(vec![table("b", t())])).expect_err("no pair");
    assert_eq!(other.message, "no table of the primary has the name of a table of the replica");
    assert!(other.hint.expect("a hint").starts_with("the primary has a; the replica has b;"));
    let keyless = |()| keyless("log", vec![text("line")]);
    let log = drafted(&postgres(vec![keyless(())]), &file(vec![keyless(())])).expect("whole rows");
    assert_eq!((log.entries, log.refused), (1, 0));
    assert_eq!(EngineName::Postgres, POSTGRES.engine());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]
    #[test]
    fn whatever_tables_are_called_the_spec_pairs_them(
        names in prop::collection::btree_set("[a-zA-Z_.*\"'$\\{\\}:# \n\u{85}é-]{1,5}|yes|null|1|~", 1..5),
    ) {
        let tables = || -> Vec<Table> {
            let made = names.iter().map(|name| table(&name.replace('/', "_"), vec![integer("id"), text(name)]));
            made.collect()
        };
        let (primary, replica) = (postgres(tables()), file(tables()));
        let Ok(draft) = drafted(&primary, &replica) else {
            // Nothing but names that no spec can hold.
            prop_assert!(names.iter().all(|name| name.trim().is_empty() || name == "id"));
            return Ok(());
        };
        let spec = parsed(&draft.text);
        let found: Vec<_> = spec.tables.iter().map(|entry| entry.table.value.exact().expect("no glob").name).collect();
        let mut wanted: Vec<_> = names.iter().cloned().collect();
        wanted.retain(|name| found.contains(name) || name.trim() != name);
        let mut sorted = found.clone();
        sorted.sort();
        prop_assert_eq!(sorted, wanted);
    }
}
