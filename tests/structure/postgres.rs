//! PostgreSQL against PostgreSQL: what `pg_dump` prints of the replica afterwards is what it prints of the primary.
//!
//! Every case has a schema of its own, with the same rows on both sides but for one more and one changed on the primary.

use std::process::Command;

use serde_json::Value as Json;

use crate::pair::Pair;
use crate::script::client;
use crate::servers::{Database, Engine};

/// Structure A, structure B, and rows that are valid in both.
struct Case {
    name: &'static str,
    a: &'static str,
    b: &'static str,
    rows: &'static str,
}

const fn case(name: &'static str, a: &'static str, b: &'static str, rows: &'static str) -> Case {
    Case { name, a, b, rows }
}

const T: &str = "create table t (id int primary key, v text);";
const V: &str = "insert into t (id, v) values (1, 'a'), (2, 'b'), (3, null)";
const N: &str = "insert into t (id, n) values (1, 1), (2, 2), (3, 3)";

/// Rows for columns that number themselves, also where they always do.
const I: &str = "insert into t (id, v) overriding system value values (1, 'a'), (2, 'b'), (3, null)";

const CASES: &[Case] = &[
    case("index", T, "create table t (id int primary key, v text); create index i on t (v);", V),
    case(
        "index_desc",
        "create table t (id int primary key, v text); create index i on t (v);",
        "create table t (id int primary key, v text); create index i on t (v desc);",
        V,
    ),
    case(
        "index_nulls_first",
        "create table t (id int primary key, v text); create index i on t (v);",
        "create table t (id int primary key, v text); create index i on t (v nulls first);",
        V,
    ),
    case(
        "index_desc_nulls_last",
        "create table t (id int primary key, v text); create index i on t (v desc);",
        "create table t (id int primary key, v text); create index i on t (v desc nulls last);",
        V,
    ),
    case(
        "index_name",
        "create table t (id int primary key, v text); create index i on t (v);",
        "create table t (id int primary key, v text); create index j on t (v);",
        V,
    ),
    case(
        "index_names_change_places",
        "create table t (id int primary key, v text); create index i on t (v); create index j on t (id, v);",
        "create table t (id int primary key, v text); create index j on t (v); create index i on t (id, v);",
        V,
    ),
    case(
        "index_names_go_round",
        "create table t (id int primary key, v text); create index i on t (v); create index j on t (id, v); create index k on t (v, id);",
        "create table t (id int primary key, v text); create index j on t (v); create index k on t (id, v); create index i on t (v, id);",
        V,
    ),
    case(
        "index_partial",
        T,
        "create table t (id int primary key, v text); create index i on t (v) where v is not null;",
        V,
    ),
    case(
        "index_other_condition",
        "create table t (id int primary key, v text); create index i on t (v) where id > 1;",
        "create table t (id int primary key, v text); create index i on t (v) where id > 2;",
        V,
    ),
    case(
        "index_expression",
        T,
        "create table t (id int primary key, v text); create index i on t (lower(v), (id + 1) desc);",
        V,
    ),
    case(
        "index_expression_collated",
        T,
        "create table t (id int primary key, v text); create index i on t ((v || 'x') collate \"C\");",
        V,
    ),
    case(
        "index_include",
        T,
        "create table t (id int primary key, v text); create index i on t (id) include (v);",
        V,
    ),
    case(
        "index_opclass",
        "create table t (id int primary key, v text); create index i on t (v);",
        "create table t (id int primary key, v text); create index i on t (v text_pattern_ops);",
        V,
    ),
    case(
        "index_collate",
        "create table t (id int primary key, v text); create index i on t (v);",
        "create table t (id int primary key, v text); create index i on t (v collate \"C\");",
        V,
    ),
    case(
        "index_hash",
        "create table t (id int primary key, v text); create index i on t (v);",
        "create table t (id int primary key, v text); create index i on t using hash (v);",
        V,
    ),
    case(
        "index_brin_with",
        T,
        "create table t (id int primary key, v text); create index i on t using brin (id) with (pages_per_range = 16);",
        V,
    ),
    case(
        "index_fillfactor",
        "create table t (id int primary key, v text); create index i on t (v);",
        "create table t (id int primary key, v text); create index i on t (v) with (fillfactor = 70);",
        V,
    ),
    case(
        "index_gin_jsonb",
        "create table t (id int primary key, j jsonb);",
        "create table t (id int primary key, j jsonb); create index i on t using gin (j jsonb_path_ops);",
        "insert into t values (1, '{\"a\": 1}'), (2, null), (3, '[]')",
    ),
    case(
        "index_varchar",
        "create table t (id int primary key, v varchar(9));",
        "create table t (id int primary key, v varchar(9)); create index i on t (v);",
        V,
    ),
    case(
        "index_char",
        "create table t (id int primary key, v char(9));",
        "create table t (id int primary key, v char(9)); create index i on t (v);",
        V,
    ),
    case(
        "index_array",
        "create table t (id int primary key, v text[]);",
        "create table t (id int primary key, v text[]); create index i on t using gin (v); create index j on t (v);",
        "insert into t values (1, '{a}'), (2, null), (3, '{}')",
    ),
    case(
        "index_made_up_name",
        T,
        "create table t (id int primary key, v text); create index on t (v); create index on t (lower(v));",
        V,
    ),
    case(
        "index_quoted",
        "create table \"T x\" (\"I d\" int primary key, \"select\" text);",
        "create table \"T x\" (\"I d\" int primary key, \"select\" text); create index \"i \"\"q\" on \"T x\" (\"select\", \"I d\");",
        "insert into \"T x\" values (1, 'a'), (2, 'b'), (3, null)",
    ),
    case("unique", T, "create table t (id int primary key, v text unique);", V),
    case(
        "unique_becomes_index",
        "create table t (id int primary key, v text unique);",
        "create table t (id int primary key, v text); create unique index t_v_key on t (v);",
        V,
    ),
    case(
        "unique_becomes_plain",
        "create table t (id int primary key, v text); create unique index i on t (v);",
        "create table t (id int primary key, v text); create index i on t (v);",
        V,
    ),
    case(
        "unique_two",
        T,
        "create table t (id int primary key, v text, unique (v, id), constraint u unique (v));",
        V,
    ),
    case(
        "unique_partial",
        T,
        "create table t (id int primary key, v text); create unique index u on t (v) where id > 1;",
        V,
    ),
    case("unique_nulls", T, "create table t (id int primary key, v text, unique nulls not distinct (v));", V),
    case(
        "unique_index_nulls",
        T,
        "create table t (id int primary key, v text); create unique index u on t (v) nulls not distinct;",
        V,
    ),
    case(
        "unique_deferrable",
        "create table t (id int primary key, v text, constraint u unique (v));",
        "create table t (id int primary key, v text, constraint u unique (v) deferrable initially deferred);",
        V,
    ),
    case(
        "unique_include",
        T,
        "create table t (id int primary key, v text, constraint u unique (id) include (v));",
        V,
    ),
    case(
        "unique_name",
        "create table t (id int primary key, v text, constraint u unique (v));",
        "create table t (id int primary key, v text, constraint w unique (v));",
        V,
    ),
    case(
        "primary_key_wider",
        "create table t (id int, n int not null, primary key (id));",
        "create table t (id int, n int, primary key (id, n));",
        N,
    ),
    case(
        "primary_key_other",
        "create table t (id int primary key, n int not null);",
        "create table t (id int not null, n int primary key);",
        N,
    ),
    case(
        "primary_key_name",
        "create table t (id int constraint k primary key, v text);",
        "create table t (id int constraint l primary key, v text);",
        V,
    ),
    case("check", T, "create table t (id int primary key, v text, check (id > 0));", V),
    case(
        "check_named",
        T,
        "create table t (id int primary key, v text, constraint c check (v <> '' or id > 5), check (length(v) < 100));",
        V,
    ),
    case(
        "check_other",
        "create table t (id int primary key, v text, constraint c check (id > 0));",
        "create table t (id int primary key, v text, constraint c check (id > -1));",
        V,
    ),
    case(
        "check_no_inherit",
        T,
        "create table t (id int primary key, v text, constraint c check (id > 0) no inherit);",
        V,
    ),
    case(
        "check_validated",
        "create table t (id int primary key, v text); alter table t add constraint c check (id > 0) not valid;",
        "create table t (id int primary key, v text, constraint c check (id > 0));",
        V,
    ),
    case("exclusion", T, "create table t (id int primary key, v text, exclude using btree (v with =));", V),
    case(
        "foreign_key",
        "create table p (id int primary key); create table t (id int primary key, n int);",
        "create table p (id int primary key); create table t (id int primary key, n int references p);",
        "insert into p values (1), (2), (3); insert into t values (1, 1), (2, 2), (3, null)",
    ),
    case(
        "foreign_key_actions",
        "create table p (id int primary key); create table t (id int primary key, n int references p);",
        "create table p (id int primary key); create table t (id int primary key, n int references p on delete cascade on update set null);",
        "insert into p values (1), (2), (3); insert into t values (1, 1), (2, 2), (3, null)",
    ),
    case(
        "foreign_key_set_columns",
        "create table p (a int, b int, primary key (a, b)); create table t (id int primary key, a int, b int);",
        "create table p (a int, b int, primary key (a, b)); create table t (id int primary key, a int, b int, foreign key (a, b) references p match full on delete set null);",
        "insert into p values (1, 1); insert into t values (1, 1, 1), (2, null, null)",
    ),
    case(
        "foreign_key_deferred",
        "create table p (id int primary key); create table t (id int primary key, n int references p);",
        "create table p (id int primary key); create table t (id int primary key, n int references p deferrable initially deferred);",
        "insert into p values (1), (2), (3); insert into t values (1, 1), (2, 2), (3, null)",
    ),
    case(
        "foreign_key_self",
        "create table t (id int primary key, n int);",
        "create table t (id int primary key, n int references t on delete set null);",
        N,
    ),
    case(
        "foreign_key_circle",
        "create table a (id int primary key, b int); create table b (id int primary key, a int);",
        "create table a (id int primary key, b int); create table b (id int primary key, a int references a); alter table a add constraint to_b foreign key (b) references b;",
        "insert into a values (1, null), (2, null); insert into b values (1, 1), (2, 2); update a set b = id",
    ),
    case(
        "foreign_key_to_unique",
        "create table p (id int primary key, u int); create table t (id int primary key, n int);",
        "create table p (id int primary key, u int unique); create table t (id int primary key, n int references p (u));",
        "insert into p values (1, 11), (2, 12); insert into t values (1, 11), (2, null)",
    ),
    case(
        "foreign_key_not_valid",
        "create table p (id int primary key); create table t (id int primary key, n int); alter table t add constraint f foreign key (n) references p not valid;",
        "create table p (id int primary key); create table t (id int primary key, n int constraint f references p);",
        "insert into p values (1), (2); insert into t values (1, 1), (2, null)",
    ),
    case(
        "not_null",
        "create table t (id int primary key, n int);",
        "create table t (id int primary key, n int not null);",
        N,
    ),
    case(
        "default",
        "create table t (id int primary key, n int);",
        "create table t (id int primary key, n int default 7);",
        N,
    ),
    case(
        "default_other",
        "create table t (id int primary key, v text default 'x');",
        "create table t (id int primary key, v text default 'it''s \\ back');",
        V,
    ),
    case(
        "default_expression",
        "create table t (id int primary key, v text);",
        "create table t (id int primary key, v text default upper('a' || current_user), at timestamptz not null default now());",
        V,
    ),
    case(
        "default_null",
        "create table t (id int primary key, v text default null);",
        "create table t (id int primary key, v text);",
        V,
    ),
    case(
        "widen_integer",
        "create table t (id int primary key, n smallint);",
        "create table t (id int primary key, n bigint);",
        N,
    ),
    case(
        "widen_key",
        "create table t (id int primary key, n int);",
        "create table t (id bigint primary key, n int);",
        N,
    ),
    case(
        "widen_text",
        "create table t (id int primary key, v varchar(5));",
        "create table t (id int primary key, v varchar(50));",
        V,
    ),
    case(
        "text_without_limit",
        "create table t (id int primary key, v varchar(5));",
        "create table t (id int primary key, v text);",
        V,
    ),
    case(
        "widen_decimal",
        "create table t (id int primary key, n numeric(5, 1));",
        "create table t (id int primary key, n numeric(12, 1));",
        N,
    ),
    case(
        "decimal_scale",
        "create table t (id int primary key, n numeric(5, 1));",
        "create table t (id int primary key, n numeric(12, 4));",
        N,
    ),
    case(
        "time_digits",
        "create table t (id int primary key, at timestamp(0));",
        "create table t (id int primary key, at timestamp(6));",
        "insert into t values (1, '2024-01-01 10:00:00'), (2, null)",
    ),
    case(
        "type_and_default",
        "create table t (id int primary key, n smallint default 3 not null);",
        "create table t (id int primary key, n bigint default 4);",
        N,
    ),
    case(
        "indexed_column_widens",
        "create table t (id int primary key, v varchar(5)); create index i on t (v);",
        "create table t (id int primary key, v varchar(50)); create index i on t (v);",
        V,
    ),
    case(
        "checked_column_widens",
        "create table t (id int primary key, n smallint check (n > 0));",
        "create table t (id int primary key, n bigint check (n > 0));",
        N,
    ),
    case(
        "collation",
        "create table t (id int primary key, v text);",
        "create table t (id int primary key, v text collate \"C\");",
        V,
    ),
    case(
        "collation_indexed",
        "create table t (id int primary key, v text); create index i on t (v);",
        "create table t (id int primary key, v text collate \"C\"); create index i on t (v);",
        V,
    ),
    case(
        "added_column",
        T,
        "create table t (id int primary key, v text, w int not null default 5, x text collate \"C\");",
        V,
    ),
    case(
        "added_not_null",
        "create table t (id int primary key); insert into t values (1), (2);",
        "create table t (id int primary key, n int not null); insert into t values (1, 11), (2, 12);",
        "",
    ),
    case(
        "added_generated",
        "create table t (id int primary key, n int);",
        "create table t (id int primary key, n int, d int generated always as (n * 2) stored);",
        N,
    ),
    case(
        "added_with_index_and_check",
        "create table t (id int primary key);",
        "create table t (id int primary key, n int check (n > 0), constraint u unique (n)); create index i on t (n) where n > 1;",
        "insert into t (id) values (1), (2)",
    ),
    case(
        "enum_new",
        T,
        "create type mood as enum ('sad', 'ok'); create table t (id int primary key, v text, m mood default 'ok', n mood[] not null default '{sad}');",
        V,
    ),
    case(
        "enum_of_a_missing_table",
        T,
        "create type \"My mood\" as enum ('it''s', 'o\\k'); create table t (id int primary key, v text); create table u (id int primary key, m \"My mood\" not null default 'it''s' check (m <> 'o\\k'), a \"My mood\"[]); create index i on u (m) where m = 'it''s';",
        V,
    ),
    case(
        "enum_of_two_missing_tables",
        "create table o (id int primary key);",
        "create type mood as enum ('sad', 'ok'); create table o (id int primary key); create table a (m mood primary key); create table b (id int primary key, m mood references a);",
        "insert into o values (1)",
    ),
    case(
        "enum_of_a_text",
        "create table t (id int primary key, v text default 'a');",
        "create type mood as enum ('a', 'b'); create table t (id int primary key, v mood default 'a');",
        V,
    ),
    case(
        "enum_words_added",
        "create type mood as enum ('b'); create table t (id int primary key, m mood default 'b', a mood[]);",
        "create type mood as enum ('a', 'b', 'c', 'd'); create table t (id int primary key, m mood default 'd', a mood[]);",
        "insert into t values (1, 'b', '{b}'), (2, null, null)",
    ),
    case(
        "enum_words_in_another_order",
        "create type mood as enum ('a', 'b', 'c'); create table t (id int primary key, m mood not null default 'a', a mood[] default '{b}');",
        "create type mood as enum ('c', 'a', 'b'); create table t (id int primary key, m mood not null default 'a', a mood[] default '{b}');",
        "insert into t values (1, 'b', '{b,c}'), (2, 'a', null)",
    ),
    case(
        "enum_words_changed_at_once",
        "create type mood as enum ('x', 'a', 'b', 'y'); create table t (id int primary key, m mood not null default 'a', a mood[] default '{b}');",
        "create type mood as enum ('z', 'b', 'a', 'w'); create table t (id int primary key, m mood not null default 'b', a mood[] default '{a,w}');",
        "insert into t values (1, 'b', '{b,a}'), (2, 'a', null)",
    ),
    case(
        "enum_with_all_that_speaks_of_it",
        "create type mood as enum ('a', 'b', 'c', 'x'); create table p (m mood primary key); create table t (id int primary key, m mood default 'a' references p on delete cascade, v text, constraint c check (m <> 'c'), constraint l check (m = any (array['a', 'b']::mood[]))); create index i on t (m) where m = 'a'; create unique index j on t (id, (m = 'b')); create index k on t (m, v);",
        "create type mood as enum ('b', 'a', 'c'); create table p (m mood primary key); create table t (id int primary key, m mood default 'a' references p on delete cascade, v text, constraint c check (m <> 'c'), constraint l check (m = any (array['a', 'b']::mood[]))); create index i on t (m) where m = 'a'; create unique index j on t (id, (m = 'b')); create index k on t (m, v);",
        "insert into p values ('a'), ('b'); insert into t values (1, 'a', 'x'), (2, 'b', 'y')",
    ),
    case(
        "enum_becomes_another",
        "create type one as enum ('a', 'b'); create type two as enum ('b', 'a'); create table t (id int primary key, m one default 'a', n two);",
        "create type one as enum ('a', 'b'); create type two as enum ('b', 'a'); create table t (id int primary key, m two default 'a', n two);",
        "insert into t values (1, 'a', 'a'), (2, 'b', 'b'), (3, null, null)",
    ),
    case(
        "enum_as_a_key",
        "create type mood as enum ('b', 'a'); create table t (m mood, n int, primary key (m, n)); create table u (m mood, n int, foreign key (m, n) references t deferrable initially deferred);",
        "create type mood as enum ('a', 'c', 'b'); create table t (m mood, n int, primary key (m, n)); create table u (m mood, n int, foreign key (m, n) references t deferrable initially deferred);",
        "insert into t values ('a', 1), ('b', 2); insert into u values ('a', 1)",
    ),
    case(
        "enum_of_a_partitioned_table",
        "create type mood as enum ('b', 'a'); create table t (id int, m mood default 'a', primary key (id)) partition by range (id); create table t1 partition of t for values from (0) to (10); create index i on t (m) where m = 'a';",
        "create type mood as enum ('a', 'c', 'b'); create table t (id int, m mood default 'a', primary key (id)) partition by range (id); create table t1 partition of t for values from (0) to (10); create index i on t (m) where m = 'a';",
        "insert into t values (1, 'a'), (2, 'b')",
    ),
    case(
        "comments",
        T,
        "create table t (id int primary key, v text); comment on table t is 'it''s a table'; comment on column t.v is 'a \\ column';",
        V,
    ),
    case(
        "comment_other",
        "create table t (id int primary key, v text); comment on column t.v is 'one';",
        "create table t (id int primary key, v text); comment on column t.v is 'other';",
        V,
    ),
    case(
        "missing_table",
        "create table other (id int primary key);",
        "create table other (id int primary key); create table t (id int primary key, v text default lower('X') unique check (length(v) < 99), o int references other, g text generated always as (v || 'g') stored); create index i on t (lower(v)); comment on table t is 'new';",
        "insert into other values (1)",
    ),
    case(
        "missing_tables_in_a_circle",
        "create table other (id int primary key);",
        "create table other (id int primary key); create table a (id int primary key, b int); create table b (id int primary key, a int references a); alter table a add foreign key (b) references b;",
        "insert into other values (1)",
    ),
    case(
        "partitioned_index",
        "create table t (id int, v text, primary key (id)) partition by range (id); create table t1 partition of t for values from (0) to (10);",
        "create table t (id int, v text, primary key (id)) partition by range (id); create table t1 partition of t for values from (0) to (10); create index i on t (v);",
        V,
    ),
    case(
        "partitioned_missing",
        "create table o (id int primary key);",
        "create table o (id int primary key); create table t (id int, k text, v text default 'x', primary key (id, k)) partition by range (id); create table t1 partition of t for values from (0) to (10); create table \"t 2\" partition of t for values from (10) to (20) partition by list (k); create table t2a partition of \"t 2\" for values in ('a', 'it''s'); create table td partition of t default; create index i on t (v);",
        "insert into o values (1)",
    ),
    case(
        "partition_missing",
        "create table t (id int, v text, primary key (id)) partition by range (id); create table t1 partition of t for values from (0) to (10);",
        "create table t (id int, v text, primary key (id)) partition by range (id); create table t1 partition of t for values from (0) to (10); create table t2 partition of t for values from (10) to (maxvalue); create index i on t (v);",
        V,
    ),
    case(
        "partition_of_a_partition_missing",
        "create table t (id int, k int, primary key (id, k)) partition by list (k); create table t1 partition of t for values in (1, 2) partition by hash (id); create table t1a partition of t1 for values with (modulus 2, remainder 0);",
        "create table t (id int, k int, primary key (id, k)) partition by list (k); create table t1 partition of t for values in (1, 2) partition by hash (id); create table t1a partition of t1 for values with (modulus 2, remainder 0); create table t1b partition of t1 for values with (modulus 2, remainder 1); create table t2 partition of t for values in (3);",
        "insert into t (id, k) select n, 1 from generate_series(1, 30) n where satisfies_hash_partition('t1'::regclass, 2, 0, n)",
    ),
    case(
        "key_of_a_missing_table_is_unique_alone",
        "create table o (id int primary key);",
        "create table o (id int primary key); create table t (id int not null, v text); create unique index u on t (id);",
        "insert into o values (1)",
    ),
    case("identity", T, "create table t (id int generated by default as identity primary key, v text);", I),
    case(
        "identity_always",
        "create table t (id int generated by default as identity primary key, v text);",
        "create table t (id int generated always as identity primary key, v text);",
        I,
    ),
    case(
        "identity_always_of_a_plain_column",
        T,
        "create table t (id bigint generated always as identity (start with 100 increment by 10) primary key, v text);",
        I,
    ),
    case(
        "identity_settings",
        "create table t (id int generated by default as identity primary key, v text);",
        "create table t (id int generated by default as identity (start with -7 increment by 3 minvalue -9 maxvalue 999 cache 5 cycle) primary key, v text);",
        I,
    ),
    case(
        "identity_that_descends",
        "create table t (id int generated by default as identity (increment by -2) primary key, v text);",
        "create table t (id int generated by default as identity (increment by 2) primary key, v text);",
        I,
    ),
    case(
        "identity_of_a_wider_column",
        "create table t (id smallint generated by default as identity primary key, v text);",
        "create table t (id bigint generated by default as identity primary key, v text);",
        I,
    ),
    case(
        "identity_of_a_wider_column_with_settings",
        "create table t (id smallint generated always as identity (maxvalue 99) primary key, v text);",
        "create table t (id bigint generated by default as identity (maxvalue 1234567890123) primary key, v text);",
        I,
    ),
    case(
        "identity_name",
        "create table t (id int generated by default as identity (sequence name \"One's\") primary key, v text);",
        "create table t (id int generated by default as identity (sequence name \"Other \"\"s\") primary key, v text);",
        I,
    ),
    case(
        "identity_name_of_somebody",
        "create table t (id int generated by default as identity primary key, v text);",
        "create table t (id int generated by default as identity (sequence name numbers) primary key, v text);",
        I,
    ),
    case(
        "identity_of_a_decimal",
        "create table t (id int primary key, v text, n numeric(9, 0));",
        "create table t (id int primary key, v text, n int not null generated by default as identity);",
        "insert into t (id, v, n) values (1, 'a', 1), (2, 'b', 2)",
    ),
    case("serial", T, "create table t (id serial primary key, v text);", I),
    case(
        "serial_becomes_identity",
        "create table t (id serial primary key, v text);",
        "create table t (id int generated by default as identity primary key, v text);",
        I,
    ),
    case(
        "serial_becomes_identity_always",
        "create table t (id bigserial primary key, v text); alter sequence t_id_seq increment 5;",
        "create table t (id bigint generated always as identity (start with 4) primary key, v text);",
        I,
    ),
    case(
        "serial_of_another_type",
        "create table t (id serial primary key, v text);",
        "create table t (id serial primary key, v text); alter table t alter id type bigint; alter sequence t_id_seq as bigint;",
        I,
    ),
    case(
        "serial_whose_column_is_wider",
        "create table t (id bigserial primary key, v text);",
        "create table t (id serial primary key, v text); alter table t alter id type bigint;",
        I,
    ),
    case(
        "serial_settings",
        "create table t (id serial primary key, v text);",
        "create table t (id serial primary key, v text); alter sequence t_id_seq increment 3 minvalue -5 maxvalue 777 start 4 cache 9 cycle;",
        I,
    ),
    case(
        "serial_name",
        "create table t (id serial primary key, v text);",
        "create table t (id serial primary key, v text); alter sequence t_id_seq rename to \"Numbers of t\";",
        I,
    ),
    case(
        "serial_without_not_null",
        "create table t (id int primary key, v text, n int default 7 not null);",
        "create table t (id int primary key, v text, n serial); alter table t alter n drop not null;",
        "insert into t (id, v, n) values (1, 'a', 1), (2, 'b', 2)",
    ),
    case(
        "serial_of_decimals",
        "create table t (id int primary key, v text, n numeric(9, 2));",
        "create sequence own; create table t (id int primary key, v text, n numeric(9, 2) default nextval('own')); alter sequence own owned by t.n;",
        "insert into t (id, v, n) values (1, 'a', 1.5), (2, 'b', 2)",
    ),
    case(
        "numbers_of_a_quoted_column",
        "create table \"T's\" (\"I \"\"d\" int primary key, v text);",
        "create table \"T's\" (\"I \"\"d\" serial primary key, v text);",
        "insert into \"T's\" values (1, 'a'), (2, 'b')",
    ),
    case(
        "numbers_of_long_names",
        "create table a_table_whose_name_is_as_long_as_any_name_of_a_table_may_be__ (a_column_with_quite_a_long_name_as_well int primary key, v text);",
        "create table a_table_whose_name_is_as_long_as_any_name_of_a_table_may_be__ (a_column_with_quite_a_long_name_as_well serial primary key, v text);",
        "insert into a_table_whose_name_is_as_long_as_any_name_of_a_table_may_be__ values (1, 'a'), (2, 'b')",
    ),
    case(
        "numbered_columns_added",
        T,
        "create table t (id int primary key, v text, a int not null generated always as identity (increment by 2), b bigserial, c smallint not null generated by default as identity (start with 9 sequence name c_numbers), d serial); alter sequence t_d_seq cache 7;",
        V,
    ),
    case(
        "numbered_columns_of_a_missing_table",
        "create table o (id int primary key);",
        "create table o (id int primary key); create sequence own; create table t (id int primary key, a bigint generated always as identity (start with 40), b serial, c smallserial, d serial, e numeric(9, 0) not null default nextval('own'), f int generated by default as identity (sequence name \"F's\")); alter sequence own owned by t.e; alter sequence t_c_seq start 5 minvalue 2 restart; alter table t alter d drop not null;",
        "insert into o values (1)",
    ),
    case(
        "numbers_and_all_else",
        "create table t (id smallserial primary key, n int generated by default as identity, v text);",
        "create table t (id bigint generated by default as identity primary key, n bigserial, v text default 'x'); alter table t alter n drop not null;",
        "insert into t (id, n, v) values (1, 1, 'a'), (2, 2, 'b')",
    ),
    case(
        "generated_expression",
        "create table t (id int primary key, n int, d int generated always as (n * 2) stored);",
        "create table t (id int primary key, n int, d int generated always as (n * 3 + 1) stored);",
        N,
    ),
    case(
        "generated_of_another_type",
        "create table t (id int primary key, n int, d int generated always as (n * 2) stored);",
        "create table t (id int primary key, n int, d bigint not null generated always as (n * 2) stored);",
        N,
    ),
    case(
        "generated_with_all_over_it",
        "create table t (id int primary key, n int, d int generated always as (n * 2) stored, constraint c check (d > 0), constraint u unique (d)); create index i on t (d, n) where d > 1; comment on column t.d is 'it''s twice';",
        "create table t (id int primary key, n int, d int generated always as (n * 3) stored, constraint c check (d > 0), constraint w unique (d)); create index i on t (d, n) where d > 1; comment on column t.d is 'it''s thrice';",
        N,
    ),
    case(
        "generated_quoted",
        "create table \"T's\" (\"I d\" int primary key, \"N\"\"n\" int, \"order\" int generated always as (\"N\"\"n\" * 2) stored);",
        "create table \"T's\" (\"I d\" int primary key, \"N\"\"n\" int, \"order\" int generated always as (\"N\"\"n\" + \"I d\") stored); create unique index \"i's\" on \"T's\" (\"order\");",
        "insert into \"T's\" values (1, 1), (2, 2)",
    ),
    case(
        "generated_text_search",
        T,
        "create table t (id int primary key, v text, s tsvector generated always as (to_tsvector('simple', coalesce(v, ''))) stored); create index i on t using gin (s);",
        V,
    ),
    case(
        "key_changes_under_a_foreign_key",
        "create table p (id int, n int not null, primary key (id)); create table t (id int primary key, n int, constraint f foreign key (n) references p (id) on delete cascade);",
        "create table p (id int, n int not null, constraint u unique (id), primary key (n)); create table t (id int primary key, n int, constraint f foreign key (n) references p (id) on delete cascade);",
        "insert into p (id, n) values (1, 1), (2, 2); insert into t (id, n) values (1, 1), (2, null)",
    ),
    case(
        "key_gets_more_under_a_foreign_key",
        "create table p (id int, n int not null, unique (id)); create table t (id int primary key, n int, constraint f foreign key (n) references p (id) on delete cascade);",
        "create table p (id int, n int not null, unique (id) include (n)); create table t (id int primary key, n int, constraint f foreign key (n) references p (id) on delete cascade);",
        "insert into p (id, n) values (1, 1), (2, 2); insert into t (id, n) values (1, 1), (2, null)",
    ),
    case(
        "key_changes_under_a_foreign_key_that_gets_a_name",
        "create table p (id int, n int not null, primary key (id)); create table t (id int primary key, n int, constraint f foreign key (n) references p (id) on delete cascade);",
        "create table p (id int, n int not null, primary key (id) include (n)); create table t (id int primary key, n int, constraint g foreign key (n) references p (id) on delete cascade);",
        "insert into p (id, n) values (1, 1), (2, 2); insert into t (id, n) values (1, 1), (2, null)",
    ),
    case(
        "key_changes_under_its_own_foreign_key",
        "create table t (id int primary key, n int references t (id));",
        "create table t (id int primary key, n int references t (id)); alter table t drop constraint t_pkey cascade; alter table t add primary key (id) include (n); alter table t add foreign key (n) references t (id);",
        N,
    ),
    case(
        "domain",
        "create domain positive as int check (value > 0); create table t (id int primary key, n int);",
        "create domain positive as int check (value > 0); create table t (id int primary key, n positive);",
        N,
    ),
    case(
        "array_default",
        "create table t (id int primary key, v text[] default '{}');",
        "create table t (id int primary key, v text[] default '{a,\"b c\"}' not null);",
        "insert into t values (1, '{x}'), (2, '{}')",
    ),
    case(
        "uuid_default",
        "create table t (id int primary key, v uuid);",
        "create table t (id int primary key, v uuid default gen_random_uuid());",
        "insert into t values (1, 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'), (2, null)",
    ),
    case(
        "json_default",
        "create table t (id int primary key, j jsonb);",
        "create table t (id int primary key, j jsonb default '{\"a\": [1]}' not null);",
        "insert into t values (1, '{}'), (2, '[1]')",
    ),
    case(
        "types_of_many_kinds",
        T,
        "create table t (id int primary key, v text, a interval default '1 day 02:00', b bit(3), c varbit(9), d cidr, e macaddr, f numeric(5, 2)[], g date default '2024-02-29', h time(3), i oid, j bytea default '\\x00ff', k char(4), l real, m timestamptz(0), n xml);",
        V,
    ),
    case(
        "range_and_point",
        "create table t (id int primary key, r int4range, p point);",
        "create table t (id int primary key, r int4range, p point); create index i on t using gist (r); create index j on t using gist (p);",
        "insert into t values (1, '[1,4)', '(1,2)'), (2, null, null)",
    ),
    case(
        "exclusion_deferrable",
        "create table t (id int primary key, r int4range);",
        "create table t (id int primary key, r int4range, constraint x exclude using gist (r with &&) where (id > 0) deferrable initially deferred);",
        "insert into t values (1, '[1,4)'), (2, '[4,9)')",
    ),
    case(
        "exclusion_other",
        "create table t (id int primary key, r int4range, constraint x exclude using gist (r with &&));",
        "create table t (id int primary key, r int4range, constraint x exclude using gist (r with =));",
        "insert into t values (1, '[1,4)'), (2, '[4,9)')",
    ),
    case(
        "reserved_names",
        "create table \"order\" (\"group\" int primary key, \"user\" text);",
        "create table \"order\" (\"group\" int primary key, \"user\" text default 'select', constraint \"check\" check (\"user\" <> 'from')); create index \"select\" on \"order\" (\"user\", \"group\" desc);",
        "insert into \"order\" values (1, 'a'), (2, null)",
    ),
    case(
        "names_that_differ_in_case",
        "create table t (id int primary key, v text); create index \"Ix\" on t (v);",
        "create table t (id int primary key, v text); create index \"IX\" on t (v); create index \"ix\" on t (v desc);",
        V,
    ),
    case(
        "index_include_more",
        "create table t (id int primary key, v text, n int); create index i on t (id) include (v);",
        "create table t (id int primary key, v text, n int); create index i on t (id) include (n, v);",
        V,
    ),
    case(
        "index_gin_settings",
        "create table t (id int primary key, v text[]); create index i on t using gin (v);",
        "create table t (id int primary key, v text[]); create index i on t using gin (v) with (fastupdate = off, gin_pending_list_limit = 100);",
        "insert into t values (1, '{a}'), (2, null)",
    ),
    case(
        "index_spgist",
        T,
        "create table t (id int primary key, v text); create index i on t using spgist (v);",
        V,
    ),
    case(
        "unique_fillfactor",
        "create table t (id int primary key, v text, constraint u unique (v));",
        "create table t (id int primary key, v text, constraint u unique (v) with (fillfactor = 55));",
        V,
    ),
    case("primary_key_include", T, "create table t (id int, v text, primary key (id) include (v));", V),
    case(
        "primary_key_deferrable",
        T,
        "create table t (id int primary key deferrable initially deferred, v text);",
        V,
    ),
    case(
        "index_unique_of_all_kinds",
        T,
        "create table t (id int primary key, v text); create unique index i on t (lower(v) collate \"C\" text_pattern_ops desc nulls last, id) include (v) with (fillfactor = 80) where v is not null and id > 0;",
        V,
    ),
    case(
        "check_of_two_columns",
        "create table t (id int primary key, n int, m int);",
        "create table t (id int primary key, n int, m int, check (n < 100 or m is null), check (m > n));",
        N,
    ),
    case(
        "check_becomes_named",
        "create table t (id int primary key, n int check (n > 0));",
        "create table t (id int primary key, n int constraint \"positive \"\"n\" check (n > 0));",
        N,
    ),
    case(
        "foreign_key_crosswise",
        "create table p (a int, b int, unique (a, b)); create table t (id int primary key, a int, b int);",
        "create table p (a int, b int, unique (a, b)); create table t (id int primary key, a int, b int, foreign key (b, a) references p (b, a) on update cascade);",
        "insert into p values (1, 2); insert into t values (1, 1, 2), (2, null, 7)",
    ),
    case(
        "foreign_keys_of_three_tables_in_a_circle",
        "create table a (id int primary key, n int); create table b (id int primary key, n int); create table c (id int primary key, n int);",
        "create table a (id int primary key, n int); create table b (id int primary key, n int references a); create table c (id int primary key, n int references b on delete set null); alter table a add constraint to_c foreign key (n) references c deferrable;",
        "insert into a values (1, null), (2, null); insert into b values (1, 1), (2, 2); insert into c values (1, 1), (2, 2); update a set n = id",
    ),
    case(
        "foreign_key_self_deferred",
        "create table t (id int primary key, n int references t);",
        "create table t (id int primary key, n int references t on delete cascade on update cascade deferrable initially deferred);",
        N,
    ),
    case(
        "comments_of_quoted_and_new_columns",
        "create table \"T t\" (id int primary key, v text);",
        "create table \"T t\" (id int primary key, v text, \"W w\" int); comment on column \"T t\".\"W w\" is 'new'; comment on table \"T t\" is E'two\\nlines';",
        "insert into \"T t\" (id, v) values (1, 'a')",
    ),
    case(
        "default_of_a_day",
        "create table t (id int primary key, d date default '2020-01-01');",
        "create table t (id int primary key, d date default current_date);",
        "insert into t values (1, '2024-01-01'), (2, null)",
    ),
    case(
        "single_precision_widens",
        "create table t (id int primary key, n real default 1.5);",
        "create table t (id int primary key, n double precision default 2.5 not null);",
        N,
    ),
    case(
        "moments_of_other_digits",
        "create table t (id int primary key, at timestamptz(0) not null);",
        "create table t (id int primary key, at timestamptz(3) default now());",
        "insert into t values (1, '2024-01-01 10:00:00+00'), (2, '2024-06-01 10:00:00+02')",
    ),
    case(
        "collation_of_many_things",
        "create table t (id int primary key, v text, w varchar(9) collate \"C\"); create index i on t (v collate \"C\", w);",
        "create table t (id int primary key, v text collate \"POSIX\", w varchar(9)); create index i on t (v collate \"C\", w collate \"POSIX\"); create unique index j on t (lower(w));",
        "insert into t values (1, 'a', 'x'), (2, null, 'y')",
    ),
    case(
        "everything_at_once",
        "create table p (id int primary key, u text unique); create table t (id int primary key, n smallint default 1, v varchar(5) not null, constraint c check (n > 0), constraint f foreign key (n) references p); create index i on t (v);",
        "create table p (id bigint primary key, u text, w int not null default 0); create index u on p (u); create table t (id int primary key, n bigint, v text, x int, constraint c check (n >= 0), constraint f foreign key (n) references p on delete cascade); create unique index i on t (v, id);",
        "insert into p (id, u) values (1, 'a'), (2, 'b'); insert into t (id, n, v) values (1, 1, 'a'), (2, 2, 'b')",
    ),
];

/// What the engine itself says of a schema.
fn dump(database: &Database, case: &Case) -> String {
    let schema = format!("c_{}", case.name);
    let output = Command::new("pg_dump")
        .args(["--schema-only", "--no-owner", "--no-privileges", "--schema", &schema, &database.url])
        .output()
        .expect("pg_dump can be run");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).expect("it is UTF-8");
    let says = |line: &&str| {
        !line.is_empty() && !line.starts_with("--") && !line.starts_with("SET ") && !line.starts_with('\\')
    };
    text.lines().filter(says).collect::<Vec<_>>().join("\n")
}

fn rows(database: &Database) -> Vec<(String, Vec<String>)> {
    database.dump().into_iter().collect()
}

fn chosen() -> Vec<&'static Case> {
    let wanted = std::env::var("TRUEUP_TEST_CASE").ok();
    CASES
        .iter()
        .filter(|case| {
            wanted.as_ref().is_none_or(|wanted| wanted.split(',').any(|part| case.name.contains(part)))
        })
        .collect()
}

/// Tables and types that only the replica has are not looked at, and a constraint that all its rows are known to obey stays.
fn is_reachable(from: &str, to: &str) -> bool {
    let keeps = |what: &str| from.matches(what).count() <= to.matches(what).count();
    !to.contains("not valid") && keeps("create table") && keeps("create type")
}

/// All cases in two databases; the replica has `from`, the primary `to`, and `write` makes them equal.
fn converges(from: fn(&Case) -> &str, to: fn(&Case) -> &str, write: fn(&Pair)) {
    converges_by(chosen(), "{}", from, to, write);
}

/// The same of these cases; `defaults`: what the spec says of all tables.
fn converges_by(
    cases: Vec<&Case>,
    defaults: &str,
    from: fn(&Case) -> &str,
    to: fn(&Case) -> &str,
    write: fn(&Pair),
) {
    let pair = Pair::new(Engine::Postgres, Engine::Postgres);
    let cases: Vec<&Case> = cases.into_iter().filter(|case| is_reachable(from(case), to(case))).collect();
    if cases.is_empty() {
        return;
    }
    for case in &cases {
        let head = format!("create schema c_{0}; set search_path to c_{0};", case.name);
        pair.primary.execute_script(&format!("{head} {} {};", to(case), case.rows));
        pair.replica.execute_script(&format!("{head} {} {};", from(case), case.rows));
    }
    let globs: Vec<String> = cases.iter().map(|case| format!("\"c_{}.*\"", case.name)).collect();
    pair.spec(&format!(
        "version: 1\nprimary: ${{PRIMARY_URL}}\nreplicas: {{ copy: \"${{REPLICA_URL}}\" }}\nallow: [all]\ndefaults: {defaults}\ntables: [{}]\n",
        globs.join(", ")
    ));
    let before = rows(&pair.primary);
    write(&pair);
    for case in &cases {
        let (wanted, found) = (dump(&pair.primary, case), dump(&pair.replica, case));
        assert_eq!(ordered(&found), ordered(&wanted), "{}", case.name);
    }
    assert_eq!(rows(&pair.replica), before, "the rows are the primary's, which is only read");
    let again = pair.run(&["plan", "spec.yml", "--detailed-exitcode", "--format", "json"]);
    assert_eq!(again.exit, Some(0), "{}", complaints(&again.stdout));
}

/// What a document says that is not as it should be.
fn complaints(document: &str) -> String {
    let document: Json = serde_json::from_str(document).unwrap_or_default();
    let replica = &document["replicas"][0];
    let tables = replica["tables"].as_array().cloned().unwrap_or_default();
    let of_table =
        |table: &Json| format!("{}: {} {}", table["table"], table["error"], table["schema_changes"]);
    let tables = tables.iter().filter(|table| {
        table["status"] != "in_sync" && (table["status"] == "error" || document["command"] == "plan")
    });
    let tables: Vec<String> = tables.map(of_table).collect();
    format!("{}\n{}\n{}", replica["error"], replica["refusals"], tables.join("\n"))
}

/// Columns that were added stand at the end, whatever their place on the primary: their order is no drift.
fn ordered(dump: &str) -> Vec<String> {
    let mut lines: Vec<String> =
        dump.lines().map(|line| line.trim_end_matches(',').trim().to_owned()).collect();
    lines.sort();
    lines
}

fn by_apply(pair: &Pair) {
    let applied = pair.run(&["apply", "spec.yml", "-y", "--format", "json"]);
    assert_eq!(applied.exit, Some(0), "{}", complaints(&applied.stdout));
}

/// A saved plan, which is undone and applied once more.
fn there_and_back(pair: &Pair) {
    let dumped =
        |database: &Database| chosen().iter().map(|case| ordered(&dump(database, case))).collect::<Vec<_>>();
    let (structure, values) = (dumped(&pair.replica), rows(&pair.replica));
    pair.exits(&["plan", "spec.yml", "-o", "there.plan"], 0);
    pair.exits(&["undo", "there.plan", "-o", "back.plan"], 0);
    for plan in ["there.plan", "back.plan"] {
        let applied = pair.run(&["apply", plan, "-y", "--format", "json"]);
        assert_eq!(applied.exit, Some(0), "{plan}: {}", complaints(&applied.stdout));
    }
    // What was held against all rows stays so.
    let is_taken_back = |case: &Case| !case.a.contains("not valid");
    for ((case, found), wanted) in chosen().iter().zip(dumped(&pair.replica)).zip(&structure) {
        if !is_taken_back(case) {
            continue;
        }
        assert_eq!(&found, wanted, "{}: taken back", case.name);
    }
    assert_eq!(rows(&pair.replica), values, "taken back");
    by_apply(pair);
}

fn by_script(pair: &Pair) {
    pair.exits(&["plan", "spec.yml", "--report", "sql=plan.sql"], 0);
    let run = client(Engine::Postgres, &pair.replica.url, &pair.path("plan.sql"), &[]);
    assert!(run.ok, "{}", run.said);
}

#[test]
fn structures_become_the_primarys() {
    converges(|case| case.a, |case| case.b, by_apply);
}

#[test]
fn structures_go_back() {
    converges(|case| case.b, |case| case.a, by_apply);
}

#[test]
fn structures_by_the_script_of_a_plan() {
    converges(|case| case.a, |case| case.b, by_script);
}

#[test]
fn structures_of_a_saved_plan_are_taken_back() {
    converges(|case| case.a, |case| case.b, there_and_back);
}

const ONLINE: &str = "{ online: true }";

/// What is done under a long lock only.
const NEVER_ONLINE: &[&str] = &[
    "collation",
    "collation_indexed",
    "collation_of_many_things",
    "exclusion",
    "exclusion_deferrable",
    "exclusion_other",
    "partition_missing",
    "partitioned_index",
];

fn online() -> Vec<&'static Case> {
    chosen().into_iter().filter(|case| !NEVER_ONLINE.contains(&case.name)).collect()
}

#[test]
fn structures_become_the_primarys_online() {
    converges_by(online(), ONLINE, |case| case.a, |case| case.b, by_apply);
}

#[test]
fn structures_go_back_online() {
    converges_by(online(), ONLINE, |case| case.b, |case| case.a, by_apply);
}

#[test]
fn structures_by_the_script_of_a_plan_online() {
    converges_by(online(), ONLINE, |case| case.a, |case| case.b, by_script);
}
