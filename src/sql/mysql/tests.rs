//! Unit tests of the dialect; what a server makes of it is tested in tests/engine_mysql.rs.
