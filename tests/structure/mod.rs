//! Structure and rows in one plan: corpora of pairs A → B, each also back.

mod across;
mod beyond;
mod blocked;
mod cut_off;
mod declared;
mod enums;
mod extra_tables;
mod hazards;
mod mysql_corpus;
mod mysql_family;
mod mysql_rows;
mod numbers;
mod online;
mod partitions;
mod postgres;
mod renamed_from;
mod risks;
mod schemas;
mod sqlite;
mod sqlite_between;
