//! A shop like Sakila's, in our own words: stores and staff that need each other, categories in a tree, films that are
//! remakes of films, what is rented and paid for, and a `last_update` in every table that the database itself sets
//! anew (by ON UPDATE on the MySQL family, by triggers elsewhere). An empty replica and one that has
//! drifted for years must become the primary on every engine, and go on as a shop afterwards.

use crate::case_runner::portable::expand;
use crate::every_pair::on_every_pair;
use crate::pair::Pair;
use crate::random::Dice;
use crate::servers::{Database, Engine};

/// Table and columns; every one has `last_update` besides, and a number of its own as key where no other is named.
const TABLES: &[(&str, &str)] = &[
    ("category", "name varchar(40) not null unique, parent_id integer"),
    (
        "film",
        "title varchar(80) not null, minutes integer, rate {{decimal}} not null, category_id integer not null, remake_of integer",
    ),
    ("actor", "name varchar(40) not null"),
    ("film_actor", "film_id integer not null, actor_id integer not null, primary key (film_id, actor_id)"),
    ("store", "manager_id integer not null unique"),
    ("staff", "name varchar(40) not null, email varchar(60) not null unique, store_id integer not null"),
    ("inventory", "film_id integer not null, store_id integer not null"),
    ("customer", "name varchar(40) not null, email varchar(60) unique, store_id integer not null"),
    (
        "rental",
        "rented {{timestamp}} not null, inventory_id integer not null, customer_id integer not null, \
         staff_id integer not null, returned {{timestamp}}, unique (rented, inventory_id, customer_id)",
    ),
    (
        "payment",
        "customer_id integer not null, staff_id integer not null, rental_id integer, amount {{decimal}} not null",
    ),
];

/// Table, column, the table that it points at, and what happens to it.
const REFERENCES: &[(&str, &str, &str, &str)] = &[
    ("category", "parent_id", "category", "on delete restrict"),
    ("film", "category_id", "category", "on delete restrict"),
    ("film", "remake_of", "film", "on delete set null"),
    ("film_actor", "film_id", "film", "on delete restrict on update cascade"),
    ("film_actor", "actor_id", "actor", "on delete cascade on update cascade"),
    ("store", "manager_id", "staff", "on delete restrict"),
    ("staff", "store_id", "store", "on delete restrict"),
    ("inventory", "film_id", "film", "on delete restrict"),
    ("inventory", "store_id", "store", "on delete cascade"),
    ("customer", "store_id", "store", "on delete restrict"),
    ("rental", "inventory_id", "inventory", "on delete restrict"),
    ("rental", "customer_id", "customer", "on delete cascade"),
    ("rental", "staff_id", "staff", "on delete restrict"),
    ("payment", "customer_id", "customer", "on delete restrict"),
    ("payment", "staff_id", "staff", "on delete restrict"),
    ("payment", "rental_id", "rental", "on delete set null"),
];

on_every_pair!(converges);

fn converges(primary: Engine, replica: Engine) {
    let pair = Pair::new(primary, replica);
    let loose = [primary, replica].contains(&Engine::Sqlite);
    open_shop(&pair.primary, loose, &rows());
    open_shop(&pair.replica, loose, "");
    // Nothing but the MySQL family's own columns can be told to hold still.
    let defaults = if replica == Engine::Mariadb { "" } else { "defaults: { triggers: suppress }\n" };
    pair.spec(&format!(
        "version: 1\nprimary: ${{PRIMARY_URL}}\nreplicas: {{ copy: \"${{REPLICA_URL}}\" }}\n{defaults}tables: ['*']\n"
    ));
    let before = pair.primary.dump();
    becomes_the_primary(&pair);
    goes_on(&pair.replica);
    becomes_the_primary(&pair);

    let drifted = Pair::new(primary, replica);
    open_shop(&drifted.primary, loose, &rows());
    open_shop(&drifted.replica, loose, &format!("{}{DRIFT}", rows()));
    drifted.spec(&pair.read("spec.yml"));
    becomes_the_primary(&drifted);
    goes_on(&drifted.replica);
    assert_eq!(pair.primary.dump(), before, "the primary has changed");
}

#[track_caller]
fn becomes_the_primary(pair: &Pair) {
    pair.exits(&["plan", "spec.yml", "--detailed-exitcode"], 2);
    pair.exits(&["apply", "spec.yml", "-y", "--allow", "REPLACES_ROWS"], 0);
    pair.exits(&["plan", "spec.yml", "--detailed-exitcode"], 0);
    if pair.primary.engine == pair.replica.engine {
        assert_eq!(pair.replica.dump(), pair.primary.dump());
    }
    if pair.replica.engine == Engine::Sqlite {
        assert!(pair.replica.query("PRAGMA foreign_key_check").is_empty());
    }
}

/// The next rows find numbers of their own, and `last_update` is set as ever.
fn goes_on(replica: &Database) {
    replica.execute_script(
        "insert into actor (name, last_update) values ('the next one', '2020-02-02 02:02:02');
        insert into payment (customer_id, staff_id, amount, last_update) values (1, 1, 9.99, '2020-02-02 02:02:02');
        update actor set name = 'somebody else' where id = 1;
        update film set minutes = 1 where id = 2;",
    );
    let touched = "select count(*) from actor join film on film.id = 2 where actor.id = 1 and actor.last_update > '2025-06-01' and film.last_update > '2025-06-01'";
    assert_eq!(replica.query(touched), [[Some("1".to_owned())]], "last_update is set no more");
}

/// Makes the tables, the rows, and then what holds them together. `loose`: one side is SQLite, where nothing puts RESTRICT off;
/// Sakila's own port to it has none in the circle of stores and staff.
fn open_shop(database: &Database, loose: bool, rows: &str) {
    let engine = database.engine;
    let (mut tables, mut then) = (String::new(), String::new());
    for (name, columns) in TABLES {
        let key = match engine {
            _ if columns.contains("primary key") => "",
            Engine::Sqlite => "id integer primary key autoincrement, ",
            Engine::Postgres => "id integer generated by default as identity primary key, ",
            Engine::Mariadb => "id integer auto_increment primary key, ",
        };
        let touched = match engine {
            Engine::Mariadb => "default current_timestamp(6) on update current_timestamp(6)",
            _ => "default current_timestamp",
        };
        let (columns, keys) = match columns.split_once(", primary key") {
            Some((columns, key)) => (columns, format!(", primary key{key}")),
            None => match columns.split_once(", unique (") {
                Some((columns, key)) => (columns, format!(", unique ({key}")),
                None => (*columns, String::new()),
            },
        };
        let mut references = String::new();
        for (child, column, parent, actions) in REFERENCES.iter().filter(|one| one.0 == *name) {
            let circle = matches!((*child, *parent), ("store", "staff") | ("staff", "store"));
            let actions = if loose && circle { "on delete no action" } else { actions };
            let key = format!("foreign key ({column}) references {parent} (id) {actions}");
            match engine {
                Engine::Sqlite => references += &format!(", {key}"),
                _ => then += &format!("alter table {child} add {key};\n"),
            }
        }
        tables += &format!(
            "create table {name} ({key}{columns}, last_update {{{{timestamp}}}} not null {touched}{keys}{references});\n"
        );
        then += &trigger(engine, name);
    }
    let prelude = if engine == Engine::Sqlite { "pragma foreign_keys = off;\n" } else { "" };
    database.execute_script(&expand(&format!("{prelude}{tables}{rows}{then}"), database));
    if engine == Engine::Sqlite {
        let broken = database.query("pragma foreign_key_check");
        assert!(broken.is_empty(), "the shop is not in order: {broken:?}");
    }
}

/// What sets `last_update` where the column cannot do so itself.
fn trigger(engine: Engine, table: &str) -> String {
    match engine {
        Engine::Mariadb => String::new(),
        Engine::Sqlite => format!(
            "create trigger {table}_touched after update on {table} begin \
             update {table} set last_update = datetime('now') where rowid = new.rowid; end;\n"
        ),
        Engine::Postgres => format!(
            "create function {table}_touched() returns trigger language plpgsql as \
             $$ begin new.last_update := now(); return new; end $$; \
             create trigger last_updated before update on {table} for each row execute function {table}_touched();\n"
        ),
    }
}

/// The same rows every time.
fn rows() -> String {
    let mut dice = Dice::new(2006);
    let mut sql = String::new();
    let mut insert = |table: &str, columns: &str, values: String| {
        sql += &format!(
            "insert into {table} ({columns}, last_update) values ({values}, '2024-05-06 07:08:09');\n"
        );
    };
    for id in 1..=12 {
        let parent = if id < 3 { "null".to_owned() } else { (id / 3).to_string() };
        insert("category", "id, name, parent_id", format!("{id}, 'category {id}', {parent}"));
    }
    for id in 1..=40 {
        let remake = if id % 7 == 0 { (id / 7).to_string() } else { "null".to_owned() };
        let values = format!("{id}, 'film {id}', {}, {}.99, {}, {remake}", 60 + id, id % 5, 1 + id % 12);
        insert("film", "id, title, minutes, rate, category_id, remake_of", values);
        insert("actor", "id, name", format!("{id}, 'actor {id}'"));
        for actor in [id % 40 + 1, (id + 11) % 40 + 1, (id + 23) % 40 + 1] {
            insert("film_actor", "film_id, actor_id", format!("{id}, {actor}"));
        }
    }
    for id in 1..=3 {
        insert("store", "id, manager_id", format!("{id}, {}", id * 2));
        for staff in [id * 2 - 1, id * 2] {
            let values = format!("{staff}, 'staff {staff}', 'staff{staff}@shop.example', {id}");
            insert("staff", "id, name, email, store_id", values);
        }
    }
    for id in 1..=60 {
        insert("inventory", "id, film_id, store_id", format!("{id}, {}, {}", 1 + id % 40, 1 + id % 3));
    }
    for id in 1..=20 {
        let email = if id % 5 == 0 { "null".to_owned() } else { format!("'customer{id}@home.example'") };
        let values = format!("{id}, 'customer {id}', {email}, {}", 1 + id % 3);
        insert("customer", "id, name, email, store_id", values);
    }
    for id in 1..=80 {
        // Who rents from a store is its own customer, and served by its own staff.
        let store = dice.below(3);
        let of_store = |many: usize, dice: &mut Dice| (dice.below(many / 3) + 1) * 3 + store - 3;
        let (item, customer) = (of_store(60, &mut dice).max(1), of_store(18, &mut dice).max(1));
        let values = format!(
            "{id}, '2025-{:02}-{:02} 10:00:00', {item}, {customer}, {}, null",
            1 + id % 12,
            1 + id % 28,
            1 + id % 6
        );
        insert("rental", "id, rented, inventory_id, customer_id, staff_id, returned", values);
        let values = format!("{id}, {customer}, {}, {id}, {}.50", 1 + id % 6, id % 9);
        insert("payment", "id, customer_id, staff_id, rental_id, amount", values);
    }
    sql
}

/// Years in which the replica went its own way. Every statement leaves rows that hang together in the end.
const DRIFT: &str = "
    -- managers and addresses change hands
    update store set manager_id = manager_id + 100;
    update store set manager_id = 4 where id = 1;
    update store set manager_id = 6 where id = 2;
    update store set manager_id = 2 where id = 3;
    update staff set email = concat('x', email) where id in (1, 2, 3);
    update staff set email = 'staff2@shop.example' where id = 1;
    update staff set email = 'staff3@shop.example' where id = 2;
    update staff set email = 'staff1@shop.example' where id = 3;
    update customer set email = null where id = 1;
    update customer set email = 'customer1@home.example' where id = 2;
    -- a store that is no more, and one that never was
    insert into staff (id, name, email, store_id, last_update) values (7, 'gone', 'staff7@shop.example', 4, '2023-01-01 00:00:00'),
        (8, 'gone too', 'staff8@shop.example', 4, '2023-01-01 00:00:00');
    insert into store (id, manager_id, last_update) values (4, 7, '2023-01-01 00:00:00');
    insert into inventory (id, film_id, store_id, last_update) values (61, 1, 4, '2023-01-01 00:00:00');
    insert into rental (id, rented, inventory_id, customer_id, staff_id, last_update) values (900, '2023-01-01 00:00:00', 61, 3, 8, '2023-01-01 00:00:00');
    delete from payment where rental_id in (select id from rental where staff_id in (5, 6)) or staff_id in (5, 6);
    update store set manager_id = 1 where id = 2;
    delete from rental where staff_id in (5, 6);
    update staff set store_id = 1 where store_id = 3;
    delete from payment where rental_id in (select id from rental where inventory_id in (select id from inventory where store_id = 3));
    delete from rental where inventory_id in (select id from inventory where store_id = 3);
    delete from inventory where store_id = 3;
    update customer set store_id = 4 where store_id = 3;
    delete from store where id = 3;
    delete from staff where id in (5, 6);
    -- trees
    update category set parent_id = 12 where id = 1;
    update category set parent_id = 1 where id = 4;
    insert into category (id, name, parent_id, last_update) values (20, 'odd', 20, '2023-01-01 00:00:00'), (21, 'even', 22, '2023-01-01 00:00:00'), (22, 'more', 21, '2023-01-01 00:00:00');
    update film set category_id = 21 where id in (3, 5);
    update film set remake_of = 9 where id = 8;
    update film set remake_of = 8 where id = 9;
    delete from film_actor where actor_id = 40;
    delete from actor where id = 40;
    -- money
    update payment set amount = amount + 1 where id % 4 = 0;
    update payment set rental_id = null where id % 5 = 0;
    update actor set last_update = '2025-01-01 00:00:00' where id % 10 = 3;
";
