//! Files as people and dumps write them: what is taken, what is passed over, and what is refused with its place.

use super::*;

/// The first words of what is taken.
fn taken(engine: EngineName, text: &str) -> Vec<String> {
    let statements = read_model(engine, text).unwrap_or_else(|faults| panic!("{faults:?}\n{text}"));
    statements.into_iter().map(|one| one.sql).collect()
}

/// The places and messages of what is refused.
fn refused(engine: EngineName, text: &str) -> Vec<String> {
    let faults = read_model(engine, text).map_err(|faults| {
        faults.iter().map(|one| format!("{}:{} {}", one.line, one.column, one.message)).collect()
    });
    faults.err().unwrap_or_else(|| panic!("nothing is refused of {text}"))
}

fn one_refused(engine: EngineName, text: &str, words: &str) {
    let faults = refused(engine, text);
    assert!(faults.iter().any(|fault| fault.contains(words)), "{text}: {faults:?} should say {words}");
}

#[test]
fn semicolons_in_quotes_comments_and_bodies_end_nothing() {
    let text = "-- a; b\nCREATE TABLE t (a text DEFAULT ';' /* ; */, \"b;c\" int);;\n\
                CREATE TRIGGER x AFTER INSERT ON t BEGIN\n  DELETE FROM t WHERE a = CASE WHEN 1 THEN 2 END;\n  SELECT 1;\nEND;\n\
                CREATE INDEX i ON t (a)";
    let statements = taken(EngineName::Sqlite, text);
    assert_eq!(statements.len(), 3, "{statements:?}");
    assert!(statements[1].ends_with("SELECT 1;\nEND"), "{}", statements[1]);
    assert_eq!(statements[2], "CREATE INDEX i ON t (a)");
    let text = "CREATE FUNCTION f() RETURNS int LANGUAGE plpgsql AS $body$ BEGIN; RETURN 1; END; $body$;\n\
                CREATE FUNCTION g() RETURNS int BEGIN ATOMIC SELECT CASE WHEN true THEN 1 END; SELECT 2; END;\n\
                CREATE TABLE t (a text DEFAULT E'\\';', b text DEFAULT 'it''s;');";
    assert_eq!(taken(EngineName::Postgres, text).len(), 3);
    let text = "CREATE TABLE t (a varchar(9) DEFAULT 'it\\'s;' COMMENT \"x;\", `b;` int) # ; end\n;\nCREATE INDEX i ON t (a);";
    assert_eq!(taken(EngineName::Mariadb, text).len(), 2);
}

#[test]
fn places_are_those_of_the_file() {
    let text = "CREATE TABLE t (ä text);\r\n\n  CREATE TABLE ü (a int); CREATE INDEX i ON t (ä);";
    let statements = read_model(EngineName::Postgres, text).expect("it is read");
    let places: Vec<_> = statements.iter().map(|one| (one.line, one.column)).collect();
    assert_eq!(places, [(1, 1), (3, 3), (3, 27)]);
    assert_eq!(statements[2].sql, "CREATE INDEX i ON t (ä)");
}

#[test]
fn dumps_of_structure_are_read() {
    let text = "--\n-- PostgreSQL database dump\n--\n\n\\restrict aB3\n\nSET statement_timeout = 0;\nSET client_encoding = 'UTF8';\n\
                SET standard_conforming_strings = on;\nSELECT pg_catalog.set_config('search_path', '', false);\n\
                SET default_table_access_method = heap;\nCREATE SCHEMA shop;\nALTER SCHEMA shop OWNER TO boss;\n\
                CREATE EXTENSION IF NOT EXISTS citext WITH SCHEMA public;\nCOMMENT ON EXTENSION citext IS 'x';\n\
                CREATE TABLE shop.t (id integer NOT NULL);\nALTER TABLE shop.t OWNER TO boss;\n\
                ALTER TABLE ONLY shop.t ALTER COLUMN id SET DEFAULT nextval('shop.s'::regclass);\n\
                CREATE POLICY p ON shop.t TO boss USING (true);\nGRANT SELECT ON TABLE shop.t TO boss;\n\\unrestrict aB3\n";
    let statements = taken(EngineName::Postgres, text);
    let begins: Vec<&str> = statements.iter().filter_map(|one| one.split_whitespace().nth(1)).collect();
    assert_eq!(
        begins,
        [
            "pg_catalog.set_config('search_path',",
            "default_table_access_method",
            "SCHEMA",
            "EXTENSION",
            "TABLE",
            "TABLE"
        ]
    );
    let text = "/*M!999999\\- enable the sandbox mode */ \n/*!40101 SET @OLD_CHARACTER_SET_CLIENT=@@CHARACTER_SET_CLIENT */;\n\
                /*!40101 SET NAMES utf8mb4 */;\n/*!40014 SET @OLD_FOREIGN_KEY_CHECKS=@@FOREIGN_KEY_CHECKS, FOREIGN_KEY_CHECKS=0 */;\n\
                /*!40101 SET @OLD_SQL_MODE=@@SQL_MODE, SQL_MODE='NO_AUTO_VALUE_ON_ZERO' */;\n\
                /*M!100616 SET @OLD_NOTE_VERBOSITY=@@NOTE_VERBOSITY, NOTE_VERBOSITY=0 */;\n\
                DROP TABLE IF EXISTS `t`;\n/*!40101 SET @saved_cs_client     = @@character_set_client */;\n\
                /*!40101 SET character_set_client = utf8mb4 */;\nCREATE TABLE `t` (\n  `id` int(11) NOT NULL\n) ENGINE=InnoDB\n\
                /*!50100 PARTITION BY HASH (`id`) PARTITIONS 2 */;\n/*!50001 CREATE VIEW `v` AS SELECT 1 AS `a`*/;\n\
                /*!50003 CREATE*/ /*!50017 DEFINER=`root`@`localhost`*/ /*!50003 TRIGGER x BEFORE INSERT ON t FOR EACH ROW SET @a = 1 */;\n\
                /*!40101 SET SQL_MODE=@OLD_SQL_MODE */;\n";
    for engine in [EngineName::Mariadb, EngineName::Mysql] {
        let statements = taken(engine, text);
        assert_eq!(statements.len(), 5, "{statements:?}");
        assert!(
            statements[3].contains("/*!50100 PARTITION BY HASH (`id`) PARTITIONS 2 */"),
            "{}",
            statements[3]
        );
    }
    let text = "PRAGMA foreign_keys=OFF;\nBEGIN TRANSACTION;\nCREATE TABLE t (id INTEGER PRIMARY KEY AUTOINCREMENT);\n\
                CREATE TABLE sqlite_sequence(name,seq);\nCREATE VIRTUAL TABLE f USING fts5(a);\nCOMMIT;\n";
    assert_eq!(taken(EngineName::Sqlite, text), ["CREATE TABLE t (id INTEGER PRIMARY KEY AUTOINCREMENT)"]);
}

#[test]
fn what_is_about_rows_is_refused() {
    for engine in [EngineName::Sqlite, EngineName::Postgres, EngineName::Mysql] {
        let text = "CREATE TABLE t (a int);\nINSERT INTO t VALUES (1);\n  UPDATE t SET a = 2;";
        let found = refused(engine, text);
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(found[0].starts_with("2:1 INSERT is about rows"), "{found:?}");
        assert!(found[1].starts_with("3:3 UPDATE"), "{found:?}");
        one_refused(engine, "CREATE TABLE u AS SELECT 1 AS a;", "made of a query");
        one_refused(engine, "CREATE TEMPORARY TABLE u (a int);", "temporary");
        one_refused(engine, "SELECT 1;", "quer");
    }
    // What stands behind is no SQL.
    let copy =
        refused(EngineName::Postgres, "COPY t (a) FROM stdin;\n1\tit's\n\\.\n\nCREATE TABLE u (a int);");
    assert_eq!(copy.len(), 1, "{copy:?}");
    one_refused(EngineName::Mysql, "CREATE TABLE u (a int) SELECT 1 AS a;", "made of a query");
}

#[test]
fn what_reaches_beyond_the_database_is_refused() {
    use EngineName::{Mariadb, Postgres, Sqlite};
    for (engine, text, words) in [
        (Postgres, "CREATE ROLE r", "CREATE ROLE"),
        (Postgres, "DROP DATABASE shop", "DROP DATABASE"),
        (Postgres, "CREATE DATABASE shop", "CREATE DATABASE"),
        (Postgres, "ALTER SYSTEM SET work_mem = 1", "ALTER SYSTEM"),
        (Postgres, "ALTER USER u SUPERUSER", "ALTER USER"),
        (Postgres, "COPY t FROM PROGRAM 'id'", "COPY"),
        (Postgres, "DO $$ BEGIN PERFORM 1; END $$", "DO is not taken"),
        (Postgres, "CALL p()", "CALL is not taken"),
        (Postgres, "SET ROLE boss", "the setting role"),
        (Postgres, "SET SESSION AUTHORIZATION boss", "the setting authorization"),
        (Postgres, "ROLLBACK", "ROLLBACK is not taken"),
        (Postgres, "SELECT pg_catalog.set_config('role', '', false)", "a query"),
        (Postgres, "CREATE SUBSCRIPTION s CONNECTION 'x' PUBLICATION p", "SUBSCRIPTION"),
        (Postgres, "CREATE MATERIALIZED VIEW m AS SELECT 1", "materialized"),
        (Postgres, "CREATE INDEX CONCURRENTLY i ON t (a)", "CONCURRENTLY"),
        (Postgres, "\\connect shop", "`\\connect`"),
        (Sqlite, "ATTACH 'other.db' AS other", "ATTACH is not taken"),
        (Sqlite, "VACUUM INTO 'x.db'", "VACUUM is not taken"),
        (Sqlite, "CREATE TABLE other.t (a int)", "another database"),
        (Sqlite, "CREATE TABLE IF NOT EXISTS temp.t (a int)", "another database"),
        (Mariadb, "USE shop", "USE is not taken"),
        (Mariadb, "CREATE DATABASE /*!32312 IF NOT EXISTS*/ `shop`", "CREATE DATABASE"),
        (Mariadb, "CREATE TABLE `shop`.`t` (a int)", "names a database"),
        (Mariadb, "CREATE TABLE t (a int, FOREIGN KEY (a) REFERENCES shop.u (a))", "shop names a database"),
        (Mariadb, "CREATE TABLE t (a int) DATA DIRECTORY = '/tmp'", "DIRECTORY"),
        (Mariadb, "CREATE TABLE t (a int) ENGINE=FEDERATED", "FEDERATED"),
        (Mariadb, "SET GLOBAL max_connections = 1", "setting of the server"),
        (Mariadb, "SET @@GLOBAL.GTID_PURGED=/*!80000 '+'*/ ''", "setting of the server"),
        (Mariadb, "SET sql_mode = 'ANSI_QUOTES'", "sql_mode"),
        (Mariadb, "DELIMITER ;;\nCREATE TRIGGER x", "DELIMITER"),
        (Mariadb, "/*!50003 DROP DATABASE shop */", "DROP DATABASE"),
        (Mariadb, "/*M!100100 DROP DATABASE shop */", "DROP DATABASE"),
        (Mariadb, "CREATE /*!99999 TABLE t (a int) -- */ DATABASE shop", "DATABASE"),
        (Mariadb, "CREATE USER u", "CREATE USER"),
    ] {
        one_refused(engine, &format!("{text};"), words);
    }
}

#[test]
fn what_cannot_be_read_says_where() {
    let found =
        refused(EngineName::Postgres, "CREATE TABLE t (a int);\nCREATE TABLE u (a text DEFAULT 'x);\n");
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].starts_with("2:"), "{found:?}");
}

/// Every character keeps its place, in quotes, comments and what is neither.
#[test]
fn comments_of_versions_are_opened_in_place() {
    let text = "a /*!50100 b 'c */ /*! d' e*/ f /* /*! g */ `/*!` -- /*! h\n'\\'/*!' /*M!100100 i*/ # /*! j";
    let opened = mysql::Comments::opened(text);
    assert_eq!(
        opened,
        "a          b 'c */ /*! d' e   f /* /*! g */ `/*!` -- /*! h\n'\\'/*!'            i   # /*! j"
    );
    let closed = mysql::Comments::closed("x /*!50100 ä */ y /*!z*/");
    assert_eq!(closed, "x               y       ");
}
