//! The demo's data: a shop of four related tables, and what went wrong in its copy.

use crate::sql::{Column, Dialect, TableName};
use crate::value::{ColumnType, Decimal, Type, Value};

const CUSTOMERS: u64 = 600;
/// The last customers have not ordered anything, so that some can be missing on the replica.
const CUSTOMERS_WITH_ORDERS: u64 = 580;
const PRODUCTS: u64 = 240;
const ORDERS: u64 = 2_000;
/// Rows in one INSERT.
const INSERT_ROWS: usize = 500;

const FIRST_NAMES: [&str; 12] =
    ["Zoë", "José", "Ada", "Søren", "Łucja", "Mehmet", "Anaïs", "Björk", "Chloé", "Dvořák", "Ngọc", "Grace"];
/// With how they are written in a mail address.
const LAST_NAMES: [(&str, &str); 10] = [
    ("Müller", "mueller"),
    ("García", "garcia"),
    ("Lovelace", "lovelace"),
    ("Ångström", "angstrom"),
    ("O'Neill", "oneill"),
    ("Nguyễn", "nguyen"),
    ("Çelik", "celik"),
    ("Hopper", "hopper"),
    ("Strauß", "strauss"),
    ("Núñez", "nunez"),
];
const CITIES: [&str; 8] = ["Köln", "São Paulo", "Zürich", "Kraków", "Reykjavík", "東京", "Αθήνα", "Montréal"];
const THINGS: [&str; 8] =
    ["teapot", "lamp", "kite", "notebook", "bicycle bell", "globe", "umbrella", "puzzle"];
const MARKS: [&str; 6] = ["🫖", "💡", "🪁", "📓", "🔔", "☂️"];
const STATUSES: [&str; 4] = ["new", "paid", "shipped", "returned"];

/// Rows on the primary.
pub fn rows() -> u64 {
    CUSTOMERS + PRODUCTS + ORDERS + (1..=ORDERS).map(items_of).sum::<u64>()
}

/// The statements that make the primary.
pub fn primary(dialect: &dyn Dialect) -> Vec<String> {
    let mut statements = tables("weight_g INTEGER");
    statements.extend(data(dialect, true));
    statements
}

/// The statements that make the replica: the same, a column short, and with drift of every kind.
pub fn replica(dialect: &dyn Dialect) -> Vec<String> {
    let mut statements = tables("");
    statements.extend(data(dialect, false));
    statements.extend(DRIFT.lines().map(str::trim).filter(|line| !line.is_empty()).map(str::to_owned));
    statements
}

/// What went wrong: changed, missing and extra rows, a missing and an extra range.
const DRIFT: &str = "
    UPDATE customers SET email = replace(email, '@example.', '@exmaple.') WHERE id IN (17, 203, 404)
    UPDATE customers SET name = replace(name, 'ë', 'e'), city = NULL WHERE id = 1
    UPDATE customers SET note = replace(note, 'second floor', 'third floor') WHERE id = 12
    DELETE FROM customers WHERE id IN (585, 590, 600)
    INSERT INTO customers (id, name, email, city, joined_at, note) VALUES (9001, 'Test 🤖', 'test@example.org', NULL, '2026-06-01 00:00:00', NULL)
    UPDATE products SET price = price + 100 WHERE id IN (5, 55, 155)
    UPDATE products SET stock = stock - 1 WHERE id % 60 = 7
    DELETE FROM order_items WHERE order_id BETWEEN 1201 AND 1240
    DELETE FROM orders WHERE id BETWEEN 1201 AND 1240
    UPDATE orders SET status = 'paid' WHERE status = 'shipped' AND id % 97 = 3
    WITH RECURSIVE n(i) AS (SELECT 3001 UNION ALL SELECT i + 1 FROM n WHERE i < 3060) INSERT INTO orders (id, customer_id, placed_at, status, total) SELECT i, 9001, '2026-06-02 10:00:00', 'new', 0 FROM n
    UPDATE order_items SET quantity = quantity + 1 WHERE order_id = 77
    DELETE FROM order_items WHERE order_id = 500 AND line = 1
";

fn tables(extra_product_column: &str) -> Vec<String> {
    let extra = if extra_product_column.is_empty() { "" } else { ",\n  " };
    vec![
        "CREATE TABLE customers (\n  id INTEGER PRIMARY KEY,\n  name TEXT NOT NULL,\n  email TEXT NOT NULL,\n  \
         city TEXT,\n  joined_at TEXT NOT NULL,\n  note TEXT\n)"
            .to_owned(),
        format!(
            "CREATE TABLE products (\n  id INTEGER PRIMARY KEY,\n  sku TEXT NOT NULL UNIQUE,\n  title TEXT NOT NULL,\n  \
             price DECIMAL(10,2) NOT NULL,\n  stock INTEGER NOT NULL{extra}{extra_product_column}\n)"
        ),
        "CREATE TABLE orders (\n  id INTEGER PRIMARY KEY,\n  customer_id INTEGER NOT NULL REFERENCES customers (id),\n  \
         placed_at TEXT NOT NULL,\n  status TEXT NOT NULL,\n  total DECIMAL(10,2) NOT NULL\n)"
            .to_owned(),
        "CREATE TABLE order_items (\n  order_id INTEGER NOT NULL REFERENCES orders (id),\n  line INTEGER NOT NULL,\n  \
         product_id INTEGER NOT NULL REFERENCES products (id),\n  quantity INTEGER NOT NULL,\n  \
         price DECIMAL(10,2) NOT NULL,\n  PRIMARY KEY (order_id, line)\n)"
            .to_owned(),
    ]
}

fn data(dialect: &dyn Dialect, with_weight: bool) -> Vec<String> {
    let mut product_columns = vec!["id", "sku", "title", "price", "stock"];
    product_columns.extend(with_weight.then_some("weight_g"));
    let products = (1..=PRODUCTS).map(|id| {
        let mut row = product(id);
        row.truncate(product_columns.len());
        row
    });
    let items = (1..=ORDERS).flat_map(|order| (1..=items_of(order)).map(move |line| item(order, line)));
    [
        inserts(
            dialect,
            "customers",
            &["id", "name", "email", "city", "joined_at", "note"],
            (1..=CUSTOMERS).map(customer).collect(),
        ),
        inserts(dialect, "products", &product_columns, products.collect()),
        inserts(
            dialect,
            "orders",
            &["id", "customer_id", "placed_at", "status", "total"],
            (1..=ORDERS).map(order).collect(),
        ),
        inserts(
            dialect,
            "order_items",
            &["order_id", "line", "product_id", "quantity", "price"],
            items.collect(),
        ),
    ]
    .concat()
}

fn inserts(dialect: &dyn Dialect, table: &str, names: &[&str], rows: Vec<Vec<Value>>) -> Vec<String> {
    let columns: Vec<Column> = names.iter().map(|name| column(name)).collect();
    let table = TableName::plain(table);
    rows.chunks(INSERT_ROWS)
        .flat_map(|rows| dialect.insert(&table, &columns, rows).expect("the demo's values fit its columns"))
        .collect()
}

/// The type as far as writing literals needs it.
fn column(name: &str) -> Column {
    let column_type = match name {
        "price" | "total" => {
            ColumnType::new("DECIMAL(10,2)", Type::Decimal { precision: Some(10), scale: Some(2) })
        }
        "name" | "email" | "city" | "joined_at" | "note" | "sku" | "title" | "placed_at" | "status" => {
            ColumnType::new("TEXT", Type::Text { chars_max: None, fixed: false })
        }
        _ => ColumnType::new("INTEGER", Type::Integer { bytes: 8, unsigned: false }),
    };
    Column {
        name: name.to_owned(),
        column_type,
        nullable: true,
        default: None,
        generated: None,
        identity: None,
        collation: None,
        words: Default::default(),
    }
}

/// A number from `0..of` for each seed. The mixer is splitmix64 (<https://prng.di.unimi.it/splitmix64.c>).
fn pick(seed: u64, of: u64) -> u64 {
    let mut mixed = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    (mixed ^ (mixed >> 31)) % of
}

fn one_of<'a>(seed: u64, all: &[&'a str]) -> &'a str {
    all[pick(seed, all.len() as u64) as usize]
}

fn text(text: impl Into<String>) -> Value {
    Value::Text(text.into())
}

fn number(number: u64) -> Value {
    Value::Integer(number.into())
}

fn cents(cents: u64) -> Value {
    let text = format!("{}.{:02}", cents / 100, cents % 100);
    Value::Decimal(Decimal::parse(&text).expect("digits and a point are a decimal"))
}

fn moment(seed: u64) -> Value {
    let (day, second) = (pick(seed, 28) + 1, pick(seed + 1, 86_400));
    let (month, year) = (pick(seed + 2, 12) + 1, 2023 + pick(seed + 3, 3));
    text(format!(
        "{year}-{month:02}-{day:02} {:02}:{:02}:{:02}",
        second / 3_600,
        second / 60 % 60,
        second % 60
    ))
}

fn customer(id: u64) -> Vec<Value> {
    let seed = id * 1_000;
    // The first one has an accent to lose.
    let first = if id == 1 { FIRST_NAMES[0] } else { one_of(seed, &FIRST_NAMES) };
    let (last, ascii) = LAST_NAMES[pick(seed + 1, LAST_NAMES.len() as u64) as usize];
    let city = if id > 1 && pick(seed + 2, 9) == 0 { Value::Null } else { text(one_of(seed + 3, &CITIES)) };
    let note = match id % 6 {
        0 => text(format!(
            "Please leave parcels with the neighbours on the second floor, ring twice and mind the cat. {}",
            one_of(seed + 4, &MARKS)
        )),
        _ => Value::Null,
    };
    vec![
        number(id),
        text(format!("{first} {last}")),
        text(format!("{ascii}{id}@example.org")),
        city,
        moment(seed + 5),
        note,
    ]
}

fn product(id: u64) -> Vec<Value> {
    let seed = 10_000_000 + id * 1_000;
    let title = format!("{} {} No. {id}", one_of(seed, &MARKS), one_of(seed + 1, &THINGS));
    // Most weights are not known, so that the new column changes few rows.
    let weight = if id.is_multiple_of(80) { number(50 + pick(seed + 4, 950)) } else { Value::Null };
    vec![
        number(id),
        text(format!("SKU-{:05}", id * 37)),
        text(title),
        cents(199 + pick(seed + 2, 20_000)),
        number(10 + pick(seed + 3, 500)),
        weight,
    ]
}

fn order(id: u64) -> Vec<Value> {
    let seed = 20_000_000 + id * 1_000;
    let total = (1..=items_of(id)).map(|line| quantity(id, line) * price(id, line)).sum();
    vec![
        number(id),
        number(pick(seed, CUSTOMERS_WITH_ORDERS) + 1),
        moment(seed + 1),
        text(one_of(seed + 5, &STATUSES)),
        cents(total),
    ]
}

fn items_of(order: u64) -> u64 {
    1 + pick(30_000_000 + order, 4)
}

fn quantity(order: u64, line: u64) -> u64 {
    1 + pick(40_000_000 + order * 10 + line, 5)
}

fn price(order: u64, line: u64) -> u64 {
    199 + pick(50_000_000 + order * 10 + line, 9_000)
}

fn item(order: u64, line: u64) -> Vec<Value> {
    let product = pick(60_000_000 + order * 10 + line, PRODUCTS) + 1;
    vec![
        number(order),
        number(line),
        number(product),
        number(quantity(order, line)),
        cents(price(order, line)),
    ]
}
