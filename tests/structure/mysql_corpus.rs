//! More of the corpus of MariaDB and MySQL: types as they change with their keys, names that are hard to write, and
//! several changes that need one another.

use super::mysql_family::{Case, check_all, of};

/// A table of texts and its rows.
const WORDS: &str = "INSERT INTO t (id, s) VALUES (1, 'abc'), (2, ''), (3, NULL), (4, 'é ü');";
/// A table of two numbers and its rows.
const NUMBERS: &str = "INSERT INTO t (id, a, b) VALUES (1, 10, 100), (2, 20, 200), (3, NULL, NULL);";
/// A table to point at, and rows that do.
const PARENTS: &str =
    "CREATE TABLE p (id int PRIMARY KEY, x int, UNIQUE KEY x (x)); INSERT INTO p VALUES (1, 10), (2, 20);";

/// One table with a text.
const fn words(name: &'static str, a: &'static str, b: &'static str) -> Case {
    of(name, a, b, WORDS)
}

/// One table with two numbers.
const fn numbers(name: &'static str, a: &'static str, b: &'static str) -> Case {
    of(name, a, b, NUMBERS)
}

#[test]
fn texts() {
    check_all(&[
        words(
            "a text of one size and another",
            "(id int PRIMARY KEY, s tinytext)",
            "(id int PRIMARY KEY, s mediumtext)",
        ),
        words(
            "a text that is filled up",
            "(id int PRIMARY KEY, s char(9))",
            "(id int PRIMARY KEY, s char(12) DEFAULT 'x')",
        ),
        words(
            "a text with a key of its first letters gets long",
            "(id int PRIMARY KEY, s varchar(30), KEY i (s))",
            "(id int PRIMARY KEY, s text, KEY i (s(30)))",
        ),
        words(
            "its collation and its length",
            "(id int PRIMARY KEY, s varchar(10) COLLATE utf8mb4_general_ci, KEY i (s))",
            "(id int PRIMARY KEY, s varchar(20) COLLATE utf8mb4_unicode_ci, KEY i (s))",
        ),
        words(
            "its character set under a key",
            "(id int PRIMARY KEY, s varchar(20) CHARACTER SET latin1, UNIQUE KEY u (s))",
            "(id int PRIMARY KEY, s varchar(20) CHARACTER SET utf8mb4, UNIQUE KEY u (s))",
        ),
        words(
            "its default is the empty text",
            "(id int PRIMARY KEY, s varchar(9) DEFAULT NULL)",
            "(id int PRIMARY KEY, s varchar(9) DEFAULT '')",
        ),
        words(
            "its default looks like another thing",
            "(id int PRIMARY KEY, s varchar(40) DEFAULT 'NULL')",
            "(id int PRIMARY KEY, s varchar(40) DEFAULT 'current_timestamp()')",
        ),
        words(
            "a default with a line break",
            "(id int PRIMARY KEY, s varchar(40) DEFAULT 'a\\nb')",
            "(id int PRIMARY KEY, s varchar(40) DEFAULT 'a\\tb\\\\n')",
        ),
        words(
            "a default and a comment of other scripts",
            "(id int PRIMARY KEY, s varchar(40) DEFAULT 'żółw' COMMENT 'β')",
            "(id int PRIMARY KEY, s varchar(40) DEFAULT 'öl' COMMENT 'γδ')",
        ),
        words(
            "a long text gets a default",
            "(id int PRIMARY KEY, s text)",
            "(id int PRIMARY KEY, s text DEFAULT 'none; -- yet')",
        ),
        of(
            "bytes that are filled up",
            "(id int PRIMARY KEY, y binary(4))",
            "(id int PRIMARY KEY, y binary(4) NOT NULL DEFAULT 'abcd')",
            "INSERT INTO t (id, y) VALUES (1, x'00010203'), (2, x'ff000000');",
        ),
        of(
            "a key of bytes gets room",
            "(y varbinary(8) PRIMARY KEY, n int)",
            "(y varbinary(16) PRIMARY KEY, n int)",
            "INSERT INTO t VALUES (x'', 1), (x'00', 2), (x'ff00', 3);",
        ),
        of(
            "a key of text gets room",
            "(s varchar(8) COLLATE utf8mb4_bin PRIMARY KEY, n int)",
            "(s varchar(80) COLLATE utf8mb4_bin PRIMARY KEY, n int)",
            "INSERT INTO t VALUES ('', 1), ('a', 2), ('B', 3), ('b', 4);",
        ),
        of(
            "a long list",
            "(id int PRIMARY KEY, e enum('', 'NULL', '0') DEFAULT '')",
            "(id int PRIMARY KEY, e enum('', 'NULL', '0', 'x'',''y', '\\\\') DEFAULT 'NULL')",
            "INSERT INTO t VALUES (1, ''), (2, 'NULL'), (3, NULL), (4, '0');",
        ),
        of(
            "a list under a unique key",
            "(id int PRIMARY KEY, e enum('a','b'), UNIQUE KEY u (e))",
            "(id int PRIMARY KEY, e enum('b','a','c'), UNIQUE KEY u (e))",
            "INSERT INTO t VALUES (1, 'a'), (2, 'b'), (3, NULL);",
        ),
        of(
            "a document with a check becomes a text",
            "(id int PRIMARY KEY, j json NOT NULL DEFAULT '{}')",
            "(id int PRIMARY KEY, j longtext NOT NULL DEFAULT '[]')",
            "INSERT INTO t VALUES (1, '{\"a\": [1]}'), (2, 'null');",
        ),
    ]);
}

#[test]
fn numbers_and_moments() {
    check_all(&[
        numbers(
            "a number with a key over it",
            "(id int PRIMARY KEY, a smallint, b int, KEY i (a), UNIQUE KEY u (b))",
            "(id int PRIMARY KEY, a int, b bigint, KEY i (a), UNIQUE KEY u (b))",
        ),
        numbers(
            "numbers of every width",
            "(id smallint PRIMARY KEY, a tinyint, b mediumint)",
            "(id mediumint PRIMARY KEY, a tinyint unsigned, b int)",
        ),
        numbers(
            "whole numbers get digits behind the point",
            "(id int PRIMARY KEY, a int, b bigint)",
            "(id int PRIMARY KEY, a decimal(12,0), b decimal(20,0))",
        ),
        numbers(
            "a default below zero and one of many digits",
            "(id int PRIMARY KEY, a int DEFAULT -1, b bigint DEFAULT 0)",
            "(id int PRIMARY KEY, a int DEFAULT -2147483648, b bigint DEFAULT 9223372036854775807)",
        ),
        of(
            "decimals",
            "(id int PRIMARY KEY, n decimal(10,2) NOT NULL DEFAULT 0.00, m decimal(5,5))",
            "(id int PRIMARY KEY, n decimal(12,2) NOT NULL DEFAULT -1.50, m decimal(6,5) DEFAULT 0.00001)",
            "INSERT INTO t (id, n, m) VALUES (1, 12.5, 0.12345), (2, -0.01, NULL);",
        ),
        of(
            "the key is a decimal",
            "(n decimal(6,2) PRIMARY KEY, v int)",
            "(n decimal(10,2) PRIMARY KEY, v int)",
            "INSERT INTO t VALUES (1.25, 1), (-3.50, 2);",
        ),
        of(
            "a double with a default",
            "(id int PRIMARY KEY, f double DEFAULT 0, g float DEFAULT 1.5)",
            "(id int PRIMARY KEY, f double NOT NULL DEFAULT 1e-7, g float)",
            "INSERT INTO t VALUES (1, 0.1, 0.5), (2, -1e300, NULL);",
        ),
        of(
            "bits",
            "(id int PRIMARY KEY, w bit(4), v bit(1) NOT NULL)",
            "(id int PRIMARY KEY, w bit(4) DEFAULT b'1001', v bit(1) NOT NULL DEFAULT b'1')",
            "INSERT INTO t VALUES (1, b'1010', b'0'), (2, NULL, b'1');",
        ),
        of(
            "a day and a year",
            "(id int PRIMARY KEY, d date, y year)",
            "(id int PRIMARY KEY, d date DEFAULT '1999-12-31', y smallint)",
            "INSERT INTO t VALUES (1, '2026-01-02', 1999), (2, NULL, NULL);",
        ),
        of(
            "the key is a moment",
            "(m datetime PRIMARY KEY, v int)",
            "(m datetime(6) PRIMARY KEY, v int)",
            "INSERT INTO t VALUES ('2026-01-02 03:04:05', 1), ('1000-01-01 00:00:00', 2);",
        ),
        of(
            "a moment is set anew no more",
            "(id int PRIMARY KEY, m timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP)",
            "(id int PRIMARY KEY, m timestamp NULL DEFAULT NULL)",
            "INSERT INTO t VALUES (1, '2026-01-02 03:04:05');",
        ),
        of(
            "digits of a moment that is now",
            "(id int PRIMARY KEY, m datetime(3) DEFAULT CURRENT_TIMESTAMP(3) ON UPDATE CURRENT_TIMESTAMP(3))",
            "(id int PRIMARY KEY, m datetime(6) DEFAULT CURRENT_TIMESTAMP(6) ON UPDATE CURRENT_TIMESTAMP(6))",
            "INSERT INTO t VALUES (1, '2026-01-02 03:04:05.123');",
        ),
        of(
            "a time with a default",
            "(id int PRIMARY KEY, d time DEFAULT '-12:34:56')",
            "(id int PRIMARY KEY, d time(3) DEFAULT '838:59:59')",
            "INSERT INTO t VALUES (1, '-838:59:59'), (2, '00:00:00');",
        ),
        of(
            "days that are none",
            "(id int PRIMARY KEY, d date NOT NULL DEFAULT '0000-00-00')",
            "(id int PRIMARY KEY, d date NOT NULL DEFAULT '2020-02-29')",
            "INSERT INTO t VALUES (1, '2026-01-02');",
        ),
    ]);
}

#[test]
fn keys_together() {
    check_all(&[
        numbers(
            "a unique key becomes the primary key",
            "(id int NOT NULL, a int, b int, UNIQUE KEY u (id))",
            "(id int NOT NULL, a int, b int, PRIMARY KEY (id))",
        ),
        numbers(
            "the primary key becomes a unique key",
            "(id int NOT NULL, a int, b int, PRIMARY KEY (id))",
            "(id int NOT NULL, a int, b int, UNIQUE KEY u (id))",
        ),
        of(
            "the order of the primary key",
            "(id int, b int, v int, PRIMARY KEY (id, b))",
            "(id int, b int, v int, PRIMARY KEY (b, id))",
            "INSERT INTO t VALUES (1, 2, 3), (2, 1, 4), (1, 1, 5);",
        ),
        of(
            "a primary key of a text's beginning",
            "(s varchar(40) NOT NULL, v int, PRIMARY KEY (s))",
            "(s varchar(40) NOT NULL, v int, PRIMARY KEY (s(8)))",
            "INSERT INTO t VALUES ('a', 1), ('abcdefgh', 2);",
        ),
        of(
            "it numbers itself no more",
            "(id int AUTO_INCREMENT PRIMARY KEY, a int)",
            "(id int NOT NULL PRIMARY KEY, a int, KEY i (a))",
            "INSERT INTO t VALUES (1, 2), (7, 8);",
        ),
        of(
            "another column numbers itself",
            "(id int AUTO_INCREMENT PRIMARY KEY, n int NOT NULL, UNIQUE KEY u (n))",
            "(id int PRIMARY KEY, n int AUTO_INCREMENT, UNIQUE KEY u (n))",
            "INSERT INTO t VALUES (1, 11), (2, 12);",
        ),
        of(
            "what numbers itself gets wider",
            "(id int AUTO_INCREMENT PRIMARY KEY, a int)",
            "(id bigint unsigned AUTO_INCREMENT PRIMARY KEY, a int)",
            "INSERT INTO t VALUES (1, 2), (7, 8);",
        ),
        numbers(
            "three indexes take one another's names",
            "(id int PRIMARY KEY, a int, b int, KEY x (a), KEY y (b), KEY z (a, b))",
            "(id int PRIMARY KEY, a int, b int, KEY y (a), KEY z (b), KEY x (a, b))",
        ),
        numbers(
            "an index takes the name of one that goes",
            "(id int PRIMARY KEY, a int, b int, KEY x (a), KEY y (b))",
            "(id int PRIMARY KEY, a int, b int, KEY x (b))",
        ),
        numbers(
            "an index is ignored",
            "(id int PRIMARY KEY, a int, b int, KEY x (a))",
            "(id int PRIMARY KEY, a int, b int, KEY x (a, id))",
        ),
        numbers(
            "two alike become one and another",
            "(id int PRIMARY KEY, a int, b int, KEY x (a), KEY y (a))",
            "(id int PRIMARY KEY, a int, b int, KEY x (a), KEY y (a, b))",
        ),
        numbers(
            "a unique key of two columns",
            "(id int PRIMARY KEY, a int, b int, UNIQUE KEY u (a))",
            "(id int PRIMARY KEY, a int, b int, UNIQUE KEY u (a, b))",
        ),
        numbers(
            "an index over a column that comes",
            "(id int PRIMARY KEY, a int, b int)",
            "(id int PRIMARY KEY, a int, b int, c int NOT NULL DEFAULT 3, KEY i (c, a))",
        ),
        numbers(
            "a unique key over a column that comes",
            "(id int PRIMARY KEY, a int, b int)",
            "(id int PRIMARY KEY, a int, b int, c int, UNIQUE KEY i (c))",
        ),
        words(
            "a full-text index goes and an ordinary one comes",
            "(id int PRIMARY KEY, s varchar(50), FULLTEXT KEY f (s))",
            "(id int PRIMARY KEY, s varchar(50), KEY f (s))",
        ),
        words(
            "an index by its first letters, downwards",
            "(id int PRIMARY KEY, s varchar(50), KEY i (s(3)))",
            "(id int PRIMARY KEY, s varchar(50), KEY i (s(3) DESC, id))",
        ),
    ]);
}

#[test]
fn columns_together() {
    check_all(&[
        numbers(
            "columns change places",
            "(id int PRIMARY KEY, a int, b int)",
            "(id int PRIMARY KEY, b int, a int)",
        ),
        numbers(
            "the key comes last",
            "(id int PRIMARY KEY, a int, b int)",
            "(a int, b int, id int PRIMARY KEY)",
        ),
        numbers(
            "a column comes first and one in between",
            "(id int PRIMARY KEY, a int, b int)",
            "(z int DEFAULT 9, id int PRIMARY KEY, a int, m varchar(3) DEFAULT 'm', b int)",
        ),
        numbers(
            "a column goes and another comes in its place",
            "(id int PRIMARY KEY, a int, gone int, b int)",
            "(id int PRIMARY KEY, a int, came int, b int)",
        ),
        numbers(
            "a column goes with its index",
            "(id int PRIMARY KEY, a int, b int, c int, KEY i (c), KEY j (a))",
            "(id int PRIMARY KEY, a int, b int, KEY j (a))",
        ),
        numbers(
            "a column goes out of an index",
            "(id int PRIMARY KEY, a int, b int, c int, KEY i (a, c))",
            "(id int PRIMARY KEY, a int, b int, KEY i (a))",
        ),
        numbers(
            "everything about a column at once",
            "(id int PRIMARY KEY, a int, b int)",
            "(id int PRIMARY KEY, b bigint DEFAULT 4 COMMENT 'now', a smallint unsigned, KEY i (b, a))",
        ),
        of(
            "words of the language as names",
            "CREATE TABLE `table` (`primary` int PRIMARY KEY, `key` int, `index` int, KEY `primary key` (`key`));",
            "CREATE TABLE `table` (`primary` int PRIMARY KEY, `key` bigint, `index` int NOT NULL DEFAULT 1, UNIQUE KEY `unique` (`key`), CONSTRAINT `check` CHECK (`index` > 0));",
            "INSERT INTO `table` VALUES (1, 2, 3);",
        ),
        of(
            "a table with a point and a blank in its name",
            "CREATE TABLE `a.b c` (id int PRIMARY KEY, v int);",
            "CREATE TABLE `a.b c` (id int PRIMARY KEY, v int, w int, KEY `v.w` (v, w));",
            "INSERT INTO `a.b c` (id, v) VALUES (1, 2);",
        ),
        of(
            "a long name",
            "CREATE TABLE t (id int PRIMARY KEY, a2345678901234567890123456789012345678901234567890123456789_1234 int);",
            "CREATE TABLE t (id int PRIMARY KEY, a2345678901234567890123456789012345678901234567890123456789_1234 bigint, KEY a2345678901234567890123456789012345678901234567890123456789_1234 (a2345678901234567890123456789012345678901234567890123456789_1234));",
            "INSERT INTO t VALUES (1, 2);",
        ),
        of(
            "several tables at once",
            "CREATE TABLE t (id int PRIMARY KEY, a int); CREATE TABLE u (id int PRIMARY KEY, a int, KEY i (a)); CREATE TABLE v (id int PRIMARY KEY);",
            "CREATE TABLE t (id int PRIMARY KEY, a bigint); CREATE TABLE u (id int PRIMARY KEY, a int); CREATE TABLE v (id int PRIMARY KEY, n int);",
            "INSERT INTO t VALUES (1, 2); INSERT INTO u VALUES (1, 2); INSERT INTO v (id) VALUES (1);",
        ),
    ]);
}

#[test]
fn what_is_computed() {
    check_all(&[
        numbers(
            "one goes",
            "(id int PRIMARY KEY, a int, b int, g int GENERATED ALWAYS AS (a + 1) VIRTUAL)",
            "(id int PRIMARY KEY, a int, b int)",
        ),
        numbers(
            "one of one",
            "(id int PRIMARY KEY, a int, b int, g int GENERATED ALWAYS AS (a + 1) VIRTUAL)",
            "(id int PRIMARY KEY, a int, b int, g int GENERATED ALWAYS AS (a + 1) VIRTUAL, h int GENERATED ALWAYS AS (g + 1) VIRTUAL)",
        ),
        numbers(
            "an index over what is computed when read",
            "(id int PRIMARY KEY, a int, b int, g int GENERATED ALWAYS AS (a + b) VIRTUAL)",
            "(id int PRIMARY KEY, a int, b int, g int GENERATED ALWAYS AS (a + b) VIRTUAL, KEY i (g))",
        ),
        numbers(
            "a check of what is computed",
            "(id int PRIMARY KEY, a int, b int, g int GENERATED ALWAYS AS (a + b) STORED)",
            "(id int PRIMARY KEY, a int, b int, g int GENERATED ALWAYS AS (a + b) STORED COMMENT 'sum', CONSTRAINT c CHECK (g > 0))",
        ),
        words(
            "of texts with quotes",
            "(id int PRIMARY KEY, s varchar(20))",
            "(id int PRIMARY KEY, s varchar(20), g varchar(60) GENERATED ALWAYS AS (concat(s, '''; \"`', upper(s))) STORED)",
        ),
        of(
            "of a document",
            "(id int PRIMARY KEY, j json)",
            "(id int PRIMARY KEY, j json, g varchar(20) GENERATED ALWAYS AS (json_unquote(json_extract(j, '$.a'))) VIRTUAL, KEY i (g))",
            "INSERT INTO t (id, j) VALUES (1, '{\"a\": \"x\"}'), (2, '{}');",
        ),
    ]);
}

#[test]
fn what_points_and_what_is_checked() {
    const CHILDREN: &str = "INSERT INTO t (id, a, b) VALUES (1, 1, 10), (2, 2, NULL), (3, NULL, 20);";
    const fn child(name: &'static str, a: &'static str, b: &'static str) -> Case {
        Case { both: PARENTS, ..of(name, a, b, CHILDREN) }
    }
    check_all(&[
        child(
            "two change their names with one another",
            "(id int PRIMARY KEY, a int, b int, CONSTRAINT f FOREIGN KEY (a) REFERENCES p (id), CONSTRAINT g FOREIGN KEY (b) REFERENCES p (x))",
            "(id int PRIMARY KEY, a int, b int, CONSTRAINT g FOREIGN KEY (a) REFERENCES p (id), CONSTRAINT f FOREIGN KEY (b) REFERENCES p (x))",
        ),
        child(
            "one goes and its index too",
            "(id int PRIMARY KEY, a int, b int, CONSTRAINT f FOREIGN KEY (a) REFERENCES p (id))",
            "(id int PRIMARY KEY, a int, b int)",
        ),
        child(
            "one goes and its index stays",
            "(id int PRIMARY KEY, a int, b int, CONSTRAINT f FOREIGN KEY (a) REFERENCES p (id))",
            "(id int PRIMARY KEY, a int, b int, KEY f (a))",
        ),
        child(
            "its column becomes NOT NULL no more",
            "(id int PRIMARY KEY, a int, b int, KEY i (b), CONSTRAINT f FOREIGN KEY (b) REFERENCES p (x) ON DELETE CASCADE)",
            "(id int PRIMARY KEY, a int, b int, KEY i (b), CONSTRAINT f FOREIGN KEY (b) REFERENCES p (x) ON DELETE SET NULL)",
        ),
        child(
            "two of one column",
            "(id int PRIMARY KEY, a int, b int, CONSTRAINT f FOREIGN KEY (a) REFERENCES p (id))",
            "(id int PRIMARY KEY, a int, b int, CONSTRAINT f FOREIGN KEY (a) REFERENCES p (id), CONSTRAINT own FOREIGN KEY (a) REFERENCES t (id))",
        ),
        of(
            "a table comes between",
            "CREATE TABLE p (id int PRIMARY KEY); CREATE TABLE t (id int PRIMARY KEY, a int, CONSTRAINT f FOREIGN KEY (a) REFERENCES p (id));",
            "CREATE TABLE p (id int PRIMARY KEY, up int, CONSTRAINT up FOREIGN KEY (up) REFERENCES p (id) ON DELETE SET NULL); CREATE TABLE t (id int PRIMARY KEY, a int NOT NULL, CONSTRAINT f FOREIGN KEY (a) REFERENCES p (id) ON DELETE CASCADE);",
            "INSERT INTO p (id) VALUES (1), (2); INSERT INTO t VALUES (1, 2);",
        ),
        of(
            "it points at a unique key instead",
            "CREATE TABLE p (id int PRIMARY KEY, x int NOT NULL, UNIQUE KEY x (x)); CREATE TABLE t (id int PRIMARY KEY, a int, CONSTRAINT f FOREIGN KEY (a) REFERENCES p (id));",
            "CREATE TABLE p (id int PRIMARY KEY, x int NOT NULL, UNIQUE KEY x (x)); CREATE TABLE t (id int PRIMARY KEY, a int, CONSTRAINT f FOREIGN KEY (a) REFERENCES p (x));",
            "INSERT INTO p VALUES (1, 2), (2, 1); INSERT INTO t VALUES (1, 2), (2, NULL);",
        ),
        of(
            "texts that point get room",
            "CREATE TABLE p (id varchar(9) PRIMARY KEY); CREATE TABLE t (id int PRIMARY KEY, a varchar(9), CONSTRAINT f FOREIGN KEY (a) REFERENCES p (id));",
            "CREATE TABLE p (id varchar(90) PRIMARY KEY); CREATE TABLE t (id int PRIMARY KEY, a varchar(90), CONSTRAINT f FOREIGN KEY (a) REFERENCES p (id));",
            "INSERT INTO p VALUES ('a'), ('b'); INSERT INTO t VALUES (1, 'b');",
        ),
        of(
            "three in a circle, and all get wider",
            "CREATE TABLE x (id int PRIMARY KEY, n int); CREATE TABLE y (id int PRIMARY KEY, n int, CONSTRAINT yx FOREIGN KEY (n) REFERENCES x (id)); CREATE TABLE z (id int PRIMARY KEY, n int, CONSTRAINT zy FOREIGN KEY (n) REFERENCES y (id)); ALTER TABLE x ADD CONSTRAINT xz FOREIGN KEY (n) REFERENCES z (id);",
            "CREATE TABLE x (id bigint PRIMARY KEY, n bigint); CREATE TABLE y (id bigint PRIMARY KEY, n bigint, CONSTRAINT yx FOREIGN KEY (n) REFERENCES x (id)); CREATE TABLE z (id bigint PRIMARY KEY, n bigint, CONSTRAINT zy FOREIGN KEY (n) REFERENCES y (id)); ALTER TABLE x ADD CONSTRAINT xz FOREIGN KEY (n) REFERENCES z (id);",
            "SET foreign_key_checks = 0; INSERT INTO x VALUES (1, 3); INSERT INTO y VALUES (2, 1); INSERT INTO z VALUES (3, 2); SET foreign_key_checks = 1;",
        ),
        numbers(
            "a check goes",
            "(id int PRIMARY KEY, a int, b int, CONSTRAINT c CHECK (a < b))",
            "(id int PRIMARY KEY, a int, b int)",
        ),
        numbers(
            "checks change names",
            "(id int PRIMARY KEY, a int, b int, CONSTRAINT c CHECK (a > 0), CONSTRAINT d CHECK (b > 0))",
            "(id int PRIMARY KEY, a int, b int, CONSTRAINT d CHECK (a > 0), CONSTRAINT c CHECK (b > 0))",
        ),
        numbers(
            "a check of a column that comes",
            "(id int PRIMARY KEY, a int, b int)",
            "(id int PRIMARY KEY, a int, b int, c int DEFAULT 5 CHECK (c between 1 and 9), CONSTRAINT all_of_them CHECK (a + b + c > 0 or a is null))",
        ),
        words(
            "a check of words by a pattern",
            "(id int PRIMARY KEY, s varchar(20), CONSTRAINT c CHECK (s like '%'))",
            "(id int PRIMARY KEY, s varchar(20), CONSTRAINT c CHECK (s is null or char_length(s) < 10 and s not like '%\\\\_x'))",
        ),
    ]);
}

#[test]
fn tables_as_a_whole() {
    check_all(&[
        numbers(
            "its comment goes",
            "(id int PRIMARY KEY, a int, b int) COMMENT='old'",
            "(id int PRIMARY KEY, a int, b int)",
        ),
        numbers(
            "engine, comment and a column",
            "(id int PRIMARY KEY, a int, b int) ENGINE=MyISAM COMMENT='slow'",
            "(id int PRIMARY KEY, a int, b int, c int) ENGINE=InnoDB",
        ),
        numbers(
            "row formats",
            "(id int PRIMARY KEY, a int, b int) ROW_FORMAT=DYNAMIC",
            "(id int PRIMARY KEY, a int, b int) ROW_FORMAT=COMPACT COMMENT='c'",
        ),
        words(
            "a character set, and columns of their own",
            "(id int PRIMARY KEY, s varchar(20), v varchar(9) CHARACTER SET ascii) DEFAULT CHARSET=utf8mb4",
            "(id int PRIMARY KEY, s varchar(20) CHARACTER SET utf8mb4, v varchar(9) CHARACTER SET ascii) DEFAULT CHARSET=latin1",
        ),
        of(
            "a table of a key alone",
            "(id int PRIMARY KEY)",
            "(id int PRIMARY KEY, at timestamp NOT NULL DEFAULT '2020-01-01 00:00:00')",
            "INSERT INTO t (id) VALUES (1), (2);",
        ),
        of(
            "moments come",
            "(id int PRIMARY KEY)",
            "(id int PRIMARY KEY, a datetime DEFAULT CURRENT_TIMESTAMP, b timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP, c varchar(40) NOT NULL DEFAULT (uuid()))",
            "INSERT INTO t (id) VALUES (1), (2);",
        ),
    ]);
}
