//! `TYPES.md` is made from the table that decides what is compared as what.

/// Where the document stands.
const PATH: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/TYPES.md");

#[test]
fn the_document_is_the_table() {
    let made = trueup::schema::types_document();
    if std::env::var_os("TRUEUP_UPDATE").is_some() {
        std::fs::write(PATH, &made).expect("the document can be written");
    }
    let written = std::fs::read_to_string(PATH).unwrap_or_default();
    assert!(
        written == made,
        "TYPES.md is not what src/schema/comparable.rs makes; TRUEUP_UPDATE=1 writes it again"
    );
}
