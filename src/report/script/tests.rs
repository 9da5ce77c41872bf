//! Whole scripts, as snapshots.

use insta::assert_snapshot;

use super::*;
use crate::plan::testing::*;
use crate::report::samples::{empty_plan, server};
use crate::report::{Command, Report};
use crate::sql::EngineName;

fn script_of(engine: EngineName, batch_rows: u64) -> String {
    let mut table = with_changes(
        table("t"),
        vec![
            insert(&[1, 10]),
            update(&[2, 5], &[2, 6], &[1]),
            update(&[3, 5], &[3, 7], &[1]),
            delete(&[4, 5]),
        ],
    );
    let definition = crate::sql::Column {
        column_type: crate::value::ColumnType::new(
            "integer",
            crate::value::Type::Integer { bytes: 4, unsigned: false },
        ),
        ..table.pair.as_ref().expect("paired").columns[1].sides.replica.clone()
    };
    let definition = crate::sql::Column { name: "more".to_owned(), ..definition };
    let pair = table.pair.as_mut().expect("paired");
    if engine != EngineName::Sqlite {
        pair.names.replica.schema = Some("shop".to_owned());
    }
    let sql = crate::sql::dialect(engine).add_column(&pair.names.replica, &definition);
    table.schema_changes = vec![plan::SchemaChange { sql: vec![sql], ..add_column("t.more", false) }];
    let replica =
        ReplicaPlan { server: Some(server(engine, "10.1", "somewhere")), ..with_tables(vec![table]) };
    let plan = Plan { replicas: vec![replica], ..empty_plan() };
    let mut out = Vec::new();
    Report { batch_rows, ..Report::new(Command::Plan, &plan) }.script(&mut out).expect("a script");
    let text = String::from_utf8(out).expect("text");
    text.replace(env!("CARGO_PKG_VERSION"), "VERSION")
}

#[test]
fn a_script_for_psql() {
    assert_snapshot!(script_of(EngineName::Postgres, 100), @r#"
    -- trueup VERSION: makes the replica eu (postgres 10.1) equal to the primary (postgres 15.18)
    -- as compared at 2026-11-22T06:00:00Z by the spec spec.yml
    --
    -- 1 schema change, 1 row to insert, 2 to update, 1 to delete; 1 transaction
    -- Run it with: psql -X -q -f FILE DATABASE
    -- Before a row is written it must be what the comparison saw. The first error stops the
    -- script, and its transaction is not committed; then plan again.

    \set ON_ERROR_STOP on
    \set ON_ERROR_ROLLBACK off
    \set AUTOCOMMIT on
    \encoding UTF8
    SET client_encoding = 'UTF8';
    SET standard_conforming_strings = on;
    SET TimeZone = 'UTC';
    SET DateStyle = 'ISO, MDY';
    SET IntervalStyle = 'postgres';
    SET bytea_output = 'hex';
    SET extra_float_digits = 3;
    SET lc_monetary = 'C';
    SET xmloption = 'content';
    SET row_security = off;
    SET array_nulls = on;
    SET transform_null_equals = off;
    DO $trueup$
    BEGIN
      IF current_setting('session_replication_role') = 'replica' THEN
        PERFORM set_config('session_replication_role', 'origin', false);
      END IF;
    EXCEPTION WHEN insufficient_privilege THEN
      RAISE EXCEPTION USING ERRCODE = 'insufficient_privilege',
        MESSAGE = 'trueup: session_replication_role is replica for this login, which may not set it back: foreign keys would not be enforced',
        HINT = 'ALTER ROLE or ALTER DATABASE … RESET session_replication_role';
    END
    $trueup$;
    DO $trueup$
    BEGIN
      PERFORM set_config('search_path', concat_ws(', ', '"shop"', nullif(current_setting('search_path'), '')), false);
    END
    $trueup$;

    BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE;
    ALTER TABLE "t" ADD COLUMN "more" integer;

    -- t: must be as the plan saw them: 1 row: id = 4
    DO $trueup$
    #variable_conflict use_column
    DECLARE
      _trueup_rows bigint;
    BEGIN
    SELECT count(*) INTO _trueup_rows FROM (
    SELECT 1 FROM (VALUES
    (CAST(4 AS bigint), CAST(5 AS bigint))
    ) AS v (c0, c1)
    JOIN "t" AS t ON t."id" = v.c0 AND (t."ref" = v.c1) IS TRUE AND (t.tableoid = '"t"'::regclass OR (SELECT relkind = 'p' FROM pg_catalog.pg_class WHERE oid = '"t"'::regclass))
    FOR UPDATE OF t
    ) AS found;
    IF _trueup_rows <> 1 THEN
      RAISE EXCEPTION USING MESSAGE = 'trueup: table t: a row is not what it was when the plan was made; nothing of this transaction is committed', ERRCODE = 'serialization_failure';
    END IF;
    END
    $trueup$;

    -- t: must be as the plan saw them: 2 rows: id = 2 to id = 3
    DO $trueup$
    #variable_conflict use_column
    DECLARE
      _trueup_rows bigint;
    BEGIN
    SELECT count(*) INTO _trueup_rows FROM (
    SELECT 1 FROM (VALUES
    (CAST(2 AS bigint), CAST(5 AS bigint)),
    (3, 5)
    ) AS v (c0, c1)
    JOIN "t" AS t ON t."id" = v.c0 AND (t."ref" = v.c1) IS TRUE AND (t.tableoid = '"t"'::regclass OR (SELECT relkind = 'p' FROM pg_catalog.pg_class WHERE oid = '"t"'::regclass))
    FOR UPDATE OF t
    ) AS found;
    IF _trueup_rows <> 2 THEN
      RAISE EXCEPTION USING MESSAGE = 'trueup: table t: a row is not what it was when the plan was made; nothing of this transaction is committed', ERRCODE = 'serialization_failure';
    END IF;
    END
    $trueup$;

    -- t: must not be there yet: 1 row: id = 1
    DO $trueup$
    #variable_conflict use_column
    DECLARE
      _trueup_rows bigint;
    BEGIN
    SELECT count(*) INTO _trueup_rows FROM (
    SELECT 1 FROM (VALUES
    (CAST(1 AS bigint))
    ) AS v (c0)
    JOIN "t" AS t ON t."id" = v.c0 AND (t.tableoid = '"t"'::regclass OR (SELECT relkind = 'p' FROM pg_catalog.pg_class WHERE oid = '"t"'::regclass))
    ) AS found;
    IF _trueup_rows <> 0 THEN
      RAISE EXCEPTION USING MESSAGE = 'trueup: table t: a row to insert is there already; nothing of this transaction is committed', ERRCODE = 'serialization_failure';
    END IF;
    END
    $trueup$;

    -- t: delete: 1 row: id = 4
    DO $trueup$
    #variable_conflict use_column
    DECLARE
      _trueup_rows bigint;
      _trueup_sum bigint := 0;
    BEGIN
    DELETE FROM "t" AS t USING (VALUES
    (CAST(4 AS bigint))
    ) AS v (c0) WHERE t."id" = v.c0 AND (t.tableoid = '"t"'::regclass OR (SELECT relkind = 'p' FROM pg_catalog.pg_class WHERE oid = '"t"'::regclass));
    GET DIAGNOSTICS _trueup_rows = ROW_COUNT;
    _trueup_sum := _trueup_sum + _trueup_rows;
    IF _trueup_sum <> 1 THEN
      RAISE EXCEPTION USING MESSAGE = 'trueup: table t: not every row to delete was there and taken; nothing of this transaction is committed', ERRCODE = 'serialization_failure';
    END IF;
    END
    $trueup$;

    -- t: update: 2 rows: id = 2 to id = 3
    DO $trueup$
    #variable_conflict use_column
    DECLARE
      _trueup_rows bigint;
      _trueup_sum bigint := 0;
    BEGIN
    UPDATE "t" AS t SET "ref" = v.c1 FROM (VALUES
    (CAST(2 AS bigint), CAST(6 AS bigint)),
    (3, 7)
    ) AS v (c0, c1) WHERE t."id" = v.c0 AND (t.tableoid = '"t"'::regclass OR (SELECT relkind = 'p' FROM pg_catalog.pg_class WHERE oid = '"t"'::regclass));
    GET DIAGNOSTICS _trueup_rows = ROW_COUNT;
    _trueup_sum := _trueup_sum + _trueup_rows;
    IF _trueup_sum <> 2 THEN
      RAISE EXCEPTION USING MESSAGE = 'trueup: table t: not every row to update was there and taken; nothing of this transaction is committed', ERRCODE = 'serialization_failure';
    END IF;
    END
    $trueup$;

    -- t: insert: 1 row: id = 1
    DO $trueup$
    #variable_conflict use_column
    DECLARE
      _trueup_rows bigint;
      _trueup_sum bigint := 0;
    BEGIN
    INSERT INTO "t" ("id", "ref") VALUES
    (1, 10);
    GET DIAGNOSTICS _trueup_rows = ROW_COUNT;
    _trueup_sum := _trueup_sum + _trueup_rows;
    IF _trueup_sum <> 1 THEN
      RAISE EXCEPTION USING MESSAGE = 'trueup: table t: not every row to insert was there and taken; nothing of this transaction is committed', ERRCODE = 'serialization_failure';
    END IF;
    END
    $trueup$;

    COMMIT;
    "#);
}

#[test]
fn a_script_for_mariadb() {
    assert_snapshot!(script_of(EngineName::Mariadb, 100), @r#"
    -- trueup VERSION: makes the replica eu (mariadb 10.1) equal to the primary (postgres 15.18)
    -- as compared at 2026-11-22T06:00:00Z by the spec spec.yml
    --
    -- 1 schema change, 1 row to insert, 2 to update, 1 to delete; 1 transaction
    -- Run it with: mariadb DATABASE < FILE
    -- Before a row is written it must be what the comparison saw. The first error stops the
    -- script, and its transaction is not committed; then plan again.

    SET NAMES utf8mb4;
    SET sql_mode = 'STRICT_ALL_TABLES,NO_AUTO_VALUE_ON_ZERO,ALLOW_INVALID_DATES,NO_ENGINE_SUBSTITUTION';
    SET time_zone = '+00:00', autocommit = 1, foreign_key_checks = 1, unique_checks = 1, sql_safe_updates = 0, sql_big_selects = 1, sql_auto_is_null = 0, completion_type = 0;
    SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ;
    SET SESSION in_predicate_conversion_threshold = 0, SESSION system_versioning_asof = DEFAULT, SESSION check_constraint_checks = 1;
    SET @trueup_done = 0;

    -- all rows, looked at before anything is written
    START TRANSACTION READ WRITE;

    -- t: must be as the plan saw them: 1 row: id = 4
    SET @trueup_done = @trueup_done + ((SELECT COUNT(*) FROM `t` WHERE `id` IN (4)
    AND ((`id` = 4 AND `ref` = 5)
    )) = 1);
    SET sql_mode = IF(@trueup_done = 1, @@sql_mode, 'trueup: table t: a row is not what it was when the plan was made; nothing of this transaction is committed');

    -- t: must be as the plan saw them: 2 rows: id = 2 to id = 3
    SET @trueup_done = @trueup_done + ((SELECT COUNT(*) FROM `t` WHERE `id` IN (2, 3)
    AND ((`id` = 2 AND `ref` = 5)
    OR (`id` = 3 AND `ref` = 5)
    )) = 2);
    SET sql_mode = IF(@trueup_done = 2, @@sql_mode, 'trueup: table t: a row is not what it was when the plan was made; nothing of this transaction is committed');

    -- t: must not be there yet: 1 row: id = 1
    SET @trueup_done = @trueup_done + ((SELECT COUNT(*) FROM `t` WHERE `id` IN (1)) = 0);
    SET sql_mode = IF(@trueup_done = 3, @@sql_mode, 'trueup: table t: a row to insert is there already; nothing of this transaction is committed');
    ROLLBACK;

    SET @trueup_do = IF(@trueup_done = 3, 'ALTER TABLE `t` ADD COLUMN `more` integer NULL', 'DO 0');
    PREPARE trueup_do FROM @trueup_do;
    EXECUTE trueup_do;
    DEALLOCATE PREPARE trueup_do;

    START TRANSACTION READ WRITE;

    -- t: must be as the plan saw them: 1 row: id = 4
    SET @trueup_done = @trueup_done + ((SELECT COUNT(*) FROM `t` WHERE `id` IN (4)
    AND ((`id` = 4 AND `ref` = 5)
    ) FOR UPDATE) = 1);
    SET sql_mode = IF(@trueup_done = 4, @@sql_mode, 'trueup: table t: a row is not what it was when the plan was made; nothing of this transaction is committed');

    -- t: must be as the plan saw them: 2 rows: id = 2 to id = 3
    SET @trueup_done = @trueup_done + ((SELECT COUNT(*) FROM `t` WHERE `id` IN (2, 3)
    AND ((`id` = 2 AND `ref` = 5)
    OR (`id` = 3 AND `ref` = 5)
    ) FOR UPDATE) = 2);
    SET sql_mode = IF(@trueup_done = 5, @@sql_mode, 'trueup: table t: a row is not what it was when the plan was made; nothing of this transaction is committed');

    -- t: must not be there yet: 1 row: id = 1
    SET @trueup_done = @trueup_done + ((SELECT COUNT(*) FROM `t` WHERE `id` IN (1) FOR UPDATE) = 0);
    SET sql_mode = IF(@trueup_done = 6, @@sql_mode, 'trueup: table t: a row to insert is there already; nothing of this transaction is committed');

    -- t: delete: 1 row: id = 4
    DELETE FROM `t` WHERE `id` IN (4);
    SET @trueup_rows = ROW_COUNT();
    SET @trueup_done = @trueup_done + (@trueup_rows = 1);
    SET sql_mode = IF(@trueup_done = 7, @@sql_mode, 'trueup: table t: not every row to delete was there and taken; nothing of this transaction is committed');

    -- t: update: 2 rows: id = 2 to id = 3
    UPDATE (SELECT 2 AS k0, 6 AS c0 UNION ALL VALUES (3, 7)) d STRAIGHT_JOIN `t` t ON t.`id` = d.k0 SET t.`ref` = d.c0;
    SET @trueup_rows = ROW_COUNT();
    SET @trueup_done = @trueup_done + (@trueup_rows = 2);
    SET sql_mode = IF(@trueup_done = 8, @@sql_mode, 'trueup: table t: not every row to update was there and taken; nothing of this transaction is committed');

    -- t: insert: 1 row: id = 1
    INSERT INTO `t` (`id`, `ref`) VALUES (1, 10);
    SET @trueup_rows = ROW_COUNT();
    SET @trueup_done = @trueup_done + (@trueup_rows = 1);
    SET sql_mode = IF(@trueup_done = 9, @@sql_mode, 'trueup: table t: not every row to insert was there and taken; nothing of this transaction is committed');

    SET @trueup_do = IF(@trueup_done = 9, 'COMMIT', 'ROLLBACK');
    PREPARE trueup_do FROM @trueup_do;
    EXECUTE trueup_do;
    DEALLOCATE PREPARE trueup_do;
    "#);
}

#[test]
fn a_script_for_sqlite3_in_two_transactions() {
    assert_snapshot!(script_of(EngineName::Sqlite, 3), @r#"
    -- trueup VERSION: makes the replica eu (sqlite 10.1) equal to the primary (postgres 15.18)
    -- as compared at 2026-11-22T06:00:00Z by the spec spec.yml
    --
    -- 1 schema change, 1 row to insert, 2 to update, 1 to delete; 2 transactions
    -- Run it with: sqlite3 DATABASE < FILE
    -- Before a row is written it must be what the comparison saw. The first error stops the
    -- script, and its transaction is not committed; then plan again.

    .bail on
    .timeout 5000
    PRAGMA foreign_keys = ON;
    PRAGMA synchronous = FULL;
    CREATE TEMP TABLE "_trueup_rows" ("rows" INTEGER);

    -- all rows, looked at before anything is written
    BEGIN IMMEDIATE;
    PRAGMA defer_foreign_keys = ON;

    -- t: must be as the plan saw them: 1 row: id = 4
    CREATE TEMP TABLE "_trueup_check_1" ("planned" INTEGER, "found" INTEGER,
      CONSTRAINT "trueup: table t: a row is not what it was when the plan was made; nothing of this transaction is committed" CHECK ("found" IS "planned"));
    INSERT INTO temp."_trueup_check_1" SELECT 1, (SELECT count(*) FROM (VALUES
    (4,5)
    ) AS v CROSS JOIN "t" AS t WHERE "t"."id" = v.column1 AND typeof(t."ref") IN ('integer', 'null') AND t."ref" IS v.column2);

    -- t: must be as the plan saw them: 2 rows: id = 2 to id = 3
    INSERT INTO temp."_trueup_check_1" SELECT 2, (SELECT count(*) FROM (VALUES
    (2,5),
    (3,5)
    ) AS v CROSS JOIN "t" AS t WHERE "t"."id" = v.column1 AND typeof(t."ref") IN ('integer', 'null') AND t."ref" IS v.column2);

    -- t: must not be there yet: 1 row: id = 1
    CREATE TEMP TABLE "_trueup_check_2" ("planned" INTEGER, "found" INTEGER,
      CONSTRAINT "trueup: table t: a row to insert is there already; nothing of this transaction is committed" CHECK ("found" IS "planned"));
    INSERT INTO temp."_trueup_check_2" SELECT 0, (SELECT count(*) FROM "t" AS t WHERE "id" IN (1));
    COMMIT;

    -- transaction 1 of 2
    BEGIN IMMEDIATE;
    PRAGMA defer_foreign_keys = ON;
    ALTER TABLE "t" ADD COLUMN "more" integer;

    -- t: must be as the plan saw them: 1 row: id = 4
    INSERT INTO temp."_trueup_check_1" SELECT 1, (SELECT count(*) FROM (VALUES
    (4,5)
    ) AS v CROSS JOIN "t" AS t WHERE "t"."id" = v.column1 AND typeof(t."ref") IN ('integer', 'null') AND t."ref" IS v.column2);

    -- t: must be as the plan saw them: 2 rows: id = 2 to id = 3
    INSERT INTO temp."_trueup_check_1" SELECT 2, (SELECT count(*) FROM (VALUES
    (2,5),
    (3,5)
    ) AS v CROSS JOIN "t" AS t WHERE "t"."id" = v.column1 AND typeof(t."ref") IN ('integer', 'null') AND t."ref" IS v.column2);

    -- t: delete: 1 row: id = 4
    DELETE FROM "t" WHERE "id" IN (4);
    CREATE TEMP TABLE "_trueup_check_3" ("planned" INTEGER, "found" INTEGER,
      CONSTRAINT "trueup: table t: not every row to delete was there and taken; nothing of this transaction is committed" CHECK ("found" IS "planned"));
    INSERT INTO temp."_trueup_check_3" SELECT 1, changes();

    -- t: update: 2 rows: id = 2 to id = 3
    UPDATE OR ABORT "t" SET "ref" = _trueup_new.column2 FROM (VALUES (2, 6), (3, 7)) AS _trueup_new WHERE "t"."id" = _trueup_new.column1;
    CREATE TEMP TABLE "_trueup_check_4" ("planned" INTEGER, "found" INTEGER,
      CONSTRAINT "trueup: table t: not every row to update was there and taken; nothing of this transaction is committed" CHECK ("found" IS "planned"));
    INSERT INTO temp."_trueup_check_4" SELECT 2, changes();
    CREATE TEMP TABLE "_trueup_check_5" ("planned" INTEGER, "found" INTEGER,
      CONSTRAINT "trueup: table t: rows would point at rows that are not there; nothing of this transaction is committed" CHECK ("found" IS "planned"));
    INSERT INTO temp."_trueup_check_5" SELECT 0, (SELECT count(*) FROM pragma_foreign_key_check('t', 'main'));

    COMMIT;

    -- transaction 2 of 2
    BEGIN IMMEDIATE;
    PRAGMA defer_foreign_keys = ON;

    -- t: must not be there yet: 1 row: id = 1
    INSERT INTO temp."_trueup_check_2" SELECT 0, (SELECT count(*) FROM "t" AS t WHERE "id" IN (1));

    -- t: insert: 1 row: id = 1
    INSERT OR ABORT INTO "t" ("id", "ref") VALUES (1, 10);
    CREATE TEMP TABLE "_trueup_check_6" ("planned" INTEGER, "found" INTEGER,
      CONSTRAINT "trueup: table t: not every row to insert was there and taken; nothing of this transaction is committed" CHECK ("found" IS "planned"));
    INSERT INTO temp."_trueup_check_6" SELECT 1, changes();
    INSERT INTO temp."_trueup_check_5" SELECT 0, (SELECT count(*) FROM pragma_foreign_key_check('t', 'main'));

    COMMIT;
    "#);
}

#[test]
fn a_replica_that_was_not_looked_at_has_none() {
    let mut replica = with_tables(vec![table("t")]);
    assert!(impossible(&replica).expect("no server").message.contains("was not reached"));
    replica.server = Some(server(EngineName::Sqlite, "3", "file"));
    assert_eq!(impossible(&replica), None);
    replica.tables[0].truncated = true;
    assert!(impossible(&replica).expect("truncated").message.contains("stopped early"));
    replica.error = Some(Failure::new(ErrorKind::Connect, "no route"));
    assert!(impossible(&replica).expect("an error").message.ends_with("no script: no route"));
}
