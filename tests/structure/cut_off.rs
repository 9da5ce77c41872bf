//! The connection breaks at every statement of a plan with structure and rows on MariaDB, where every change of structure
//! commits by itself: nothing is lost, and running again completes.

use super::mysql_family::shown;
use crate::interruptions::proxy::{Cut, Proxy};
use crate::pair::Pair;
use crate::servers::Engine;

/// No apply of this plan has so many statements.
const STATEMENTS_MAX: usize = 300;

const BEFORE: &str = "CREATE TABLE p (id int PRIMARY KEY, old int, KEY old (old));
    CREATE TABLE t (id int PRIMARY KEY, a int, s varchar(5), KEY a (a), CONSTRAINT positive CHECK (a > 0),
        CONSTRAINT f FOREIGN KEY (a) REFERENCES p (id));
    INSERT INTO p VALUES (1, 5), (2, 6); INSERT INTO t VALUES (1, 1, 'x'), (2, 2, 'gone');";

const AFTER: &str = "CREATE TABLE p (id bigint PRIMARY KEY, old int, UNIQUE KEY old (old)) COMMENT='parents';
    CREATE TABLE u (id int AUTO_INCREMENT PRIMARY KEY, n int, KEY n (n));
    CREATE TABLE t (id int PRIMARY KEY, a bigint, n int NOT NULL, s varchar(50) DEFAULT 'y', KEY wide (a, n),
        CONSTRAINT positive CHECK (a > -5), CONSTRAINT f FOREIGN KEY (a) REFERENCES p (id) ON DELETE CASCADE);
    INSERT INTO p VALUES (1, 5), (3, 7), (-3, 8); INSERT INTO u (n) VALUES (4), (5);
    INSERT INTO t VALUES (1, 1, 7, 'x'), (3, -3, 8, 'much longer');";

#[test]
fn mariadb_is_cut_off_at_every_statement() {
    let pair = Pair::new(Engine::Mariadb, Engine::Mariadb);
    pair.primary.execute_script(AFTER);
    pair.tables("[\"*\"]");
    let url = pair.replica.url.clone();
    let server = url.split_once('@').and_then(|(_, rest)| rest.split_once('/')).expect("a host").0.to_owned();
    let proxy = Proxy::start(Engine::Mariadb, server.clone());
    let url = url.replace(&format!("@{server}/"), &format!("@127.0.0.1:{}/", proxy.port));
    let url = format!("{url}{}ssl-mode=disabled", if url.contains('?') { '&' } else { '?' });
    let mut structure = 0;
    for at in 1..STATEMENTS_MAX {
        pair.replica.execute_script(
            "SET foreign_key_checks = 0; DROP TABLE IF EXISTS t, u, p; SET foreign_key_checks = 1",
        );
        pair.replica.execute_script(BEFORE);
        proxy.arm(Cut::After(at));
        let cut = pair.run_with(
            &["apply", "spec.yml", "-y", "--allow", "all", "--batch-rows", "2"],
            &[("REPLICA_URL", &url)],
        );
        let statement = proxy.cut_at();
        if let Some(statement) = &statement {
            structure += usize::from(statement.contains("ALTER TABLE") || statement.contains("CREATE TABLE"));
        }
        // Who was cut off may hold the lock for a moment longer.
        let again = pair.run(&[
            "apply",
            "spec.yml",
            "-y",
            "--allow",
            "all",
            "--lock-timeout",
            "60s",
            "--batch-rows",
            "2",
        ]);
        let told = || format!("statement {at}: {statement:?}\n{}\n{}", cut.told(), again.told());
        assert_eq!(again.exit, Some(0), "{}", told());
        assert_eq!(shown(&pair.replica), shown(&pair.primary), "{}", told());
        assert_eq!(pair.replica.dump(), pair.primary.dump(), "{}", told());
        pair.exits(&["plan", "spec.yml", "--detailed-exitcode"], 0);
        if statement.is_none() {
            println!("mariadb: cut off at {} statements, {structure} of them of structure", at - 1);
            assert!(structure >= 6, "not all of the structure was cut off");
            return;
        }
    }
    panic!("an apply of this plan has more than {STATEMENTS_MAX} statements");
}
