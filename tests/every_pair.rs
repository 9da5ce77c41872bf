//! The nine ordered pairs of engines as tests: the one list of their names.

/// Makes a test of each ordered pair of engines, which calls the function with primary and replica. One test a pair, so
/// that they run at the same time and a report names the pair.
macro_rules! on_every_pair {
    ($run:path) => {
        $crate::every_pair::on_every_pair! { $run;
            sqlite_to_sqlite: Sqlite, Sqlite;
            sqlite_to_postgres: Sqlite, Postgres;
            sqlite_to_mariadb: Sqlite, Mariadb;
            postgres_to_sqlite: Postgres, Sqlite;
            postgres_to_postgres: Postgres, Postgres;
            postgres_to_mariadb: Postgres, Mariadb;
            mariadb_to_sqlite: Mariadb, Sqlite;
            mariadb_to_postgres: Mariadb, Postgres;
            mariadb_to_mariadb: Mariadb, Mariadb;
        }
    };
    ($run:path; $($name:ident: $primary:ident, $replica:ident;)*) => {
        $(
            #[test]
            fn $name() {
                $run($crate::servers::Engine::$primary, $crate::servers::Engine::$replica);
            }
        )*

        #[test]
        fn no_pair_of_engines_is_left_out() {
            use $crate::servers::Engine;
            let mut tested = vec![$((Engine::$primary, Engine::$replica)),*];
            let mut pairs = Engine::pairs();
            tested.sort();
            pairs.sort();
            assert_eq!(tested, pairs);
        }
    };
}

pub(crate) use on_every_pair;
