//! An entry of `tables:` in the making: its options, what a reader should know beside each of them, and its YAML.
//! Pure.
//!
//! Invariant: whatever a table or column is called, what is written here is read back as exactly that name.

use crate::spec::{QualifiedName, SchemaMode, quote_scalar};

use super::text::{WIDTH, comment};

/// An entry, and what is said beside its lines.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub table: QualifiedName,
    pub to: Option<QualifiedName>,
    pub key: Option<Vec<String>>,
    pub rename: Vec<(String, String)>,
    pub exclude_columns: Vec<String>,
    /// Columns to compare with `zone: UTC`; only ever tried, to see whether it can be suggested.
    pub zoned: Vec<String>,
    pub schema: SchemaMode,
    pub insert: bool,
    pub delete: bool,
    pub notes: Notes,
}

/// Comments, each above the line that it speaks of.
#[derive(Clone, Debug, Default)]
pub(super) struct Notes {
    /// Behind the table's name.
    pub name: String,
    pub key: Vec<String>,
    pub exclude_columns: Vec<String>,
    pub schema: Vec<String>,
    pub insert: Vec<String>,
    pub delete: Vec<String>,
    /// Below everything.
    pub end: Vec<String>,
}

impl Notes {
    /// Whether there is something that a person should decide.
    pub fn ask(&self) -> bool {
        !(self.key.is_empty()
            && self.exclude_columns.is_empty()
            && self.schema.is_empty()
            && self.insert.is_empty()
            && self.delete.is_empty())
    }
}

impl Entry {
    /// An entry with nothing but a name.
    pub fn new(table: QualifiedName) -> Entry {
        Entry {
            table,
            to: None,
            key: None,
            rename: Vec::new(),
            exclude_columns: Vec::new(),
            zoned: Vec::new(),
            schema: SchemaMode::Sync,
            insert: true,
            delete: true,
            notes: Notes::default(),
        }
    }

    /// The YAML, as an item of a list that is not indented; comments included.
    pub fn lines(&self) -> Vec<String> {
        let rest = self.options();
        let has_options = rest.iter().any(|line| !line.trim_start().starts_with('#'));
        let name = quote_scalar(&self.table.to_string());
        let mut lines = vec![if has_options { format!("- table: {name}") } else { format!("- {name}") }];
        lines.extend(rest.into_iter().map(|line| format!("  {line}")));
        lines
    }

    fn options(&self) -> Vec<String> {
        let mut lines = Vec::new();
        if let Some(to) = &self.to {
            lines.push(format!("to: {}", quote_scalar(&to.to_string())));
        }
        lines.extend(self.notes.key.iter().flat_map(|note| comment(note)));
        if let Some(key) = &self.key {
            lines.extend(list("key", key));
        }
        if !self.rename.is_empty() {
            lines.extend(mapping("rename", &self.rename));
        }
        lines.extend(self.notes.exclude_columns.iter().flat_map(|note| comment(note)));
        if !self.exclude_columns.is_empty() {
            lines.extend(list("exclude_columns", &self.exclude_columns));
        }
        if !self.zoned.is_empty() {
            lines.push(zone_option(&self.zoned));
        }
        lines.extend(self.notes.schema.iter().flat_map(|note| comment(note)));
        match self.schema {
            SchemaMode::Sync => {}
            SchemaMode::Check => lines.push("schema: check".to_owned()),
            SchemaMode::Ignore => lines.push("schema: ignore".to_owned()),
        }
        lines.extend(self.notes.insert.iter().flat_map(|note| comment(note)));
        if !self.insert {
            lines.push("insert: false".to_owned());
        }
        lines.extend(self.notes.delete.iter().flat_map(|note| comment(note)));
        if !self.delete {
            lines.push("delete: false".to_owned());
        }
        lines.extend(self.notes.end.iter().flat_map(|note| comment(note)));
        lines
    }
}

/// `compare:` for columns whose one side has no zone.
pub(super) fn zone_option(columns: &[String]) -> String {
    let options: Vec<String> =
        columns.iter().map(|column| format!("{}: {{ zone: UTC }}", quote_scalar(column))).collect();
    format!("compare: {{ {} }}", options.join(", "))
}

/// `rename:` of some columns, on one line.
pub(super) fn rename_option(pairs: &[(String, String)]) -> String {
    format!("rename: {{ {} }}", pair_list(pairs).join(", "))
}

/// `key: [a, b]`, or a line for each item where that would be too long.
fn list(key: &str, items: &[String]) -> Vec<String> {
    let items: Vec<String> = items.iter().map(|item| quote_scalar(item)).collect();
    let line = format!("{key}: [{}]", items.join(", "));
    if line.chars().count() <= WIDTH {
        return vec![line];
    }
    let mut lines = vec![format!("{key}:")];
    lines.extend(items.iter().map(|item| format!("  - {item}")));
    lines
}

/// `rename: { a: b }`, or a line for each pair where that would be too long.
fn mapping(key: &str, pairs: &[(String, String)]) -> Vec<String> {
    let pairs = pair_list(pairs);
    let line = format!("{key}: {{ {} }}", pairs.join(", "));
    if line.chars().count() <= WIDTH {
        return vec![line];
    }
    let mut lines = vec![format!("{key}:")];
    lines.extend(pairs.iter().map(|pair| format!("  {pair}")));
    lines
}

fn pair_list(pairs: &[(String, String)]) -> Vec<String> {
    pairs.iter().map(|(from, to)| format!("{}: {}", quote_scalar(from), quote_scalar(to))).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::spec::{OWN_PREFIX, Spec};

    fn read(entry: &Entry) -> Spec {
        let body: String = entry.lines().iter().map(|line| format!("  {line}\n")).collect();
        let text = format!("version: 1\nprimary: sqlite:a\nreplicas: {{ r: \"sqlite:b\" }}\ntables:\n{body}");
        match Spec::parse(&text, "spec.yml", &|_| None) {
            Ok(spec) => spec,
            Err(errors) => panic!("{errors}\n{text}"),
        }
    }

    fn hostile() -> impl Strategy<Value = String> {
        let fixed = [
            "yes",
            "null",
            "~",
            "1",
            "0x1F",
            "1e3",
            "a: b",
            "a #b",
            "- a",
            "{a}",
            "[a]",
            "a.b",
            "*",
            "a*?",
            "<<",
            "=",
            "'",
            "\"",
            "\"\"",
            "a\nb",
            "\n",
            "\t",
            " a ",
            "${HOME}",
            "$${x}",
            "${x:-",
            "\u{feff}a",
            "\u{85}",
            "\u{2028}",
            "\u{e000}\u{e001}",
            "\u{fffe}",
            "%TAG",
            "---",
            "...",
            "? a",
            "!tag",
            "&a",
            "|",
            ">",
            "@",
            "`",
            ".",
            "..",
            "true",
            "No",
            "2024-01-01",
            "é",
            "表",
            "\\",
            "\\n",
            "a,b",
            "select",
            "group",
        ];
        let any = prop_oneof![
            prop::sample::select(fixed.to_vec()).prop_map(str::to_owned),
            "[a-z.*?\"'${}:#,\\[\\]&!|> \\-\n\\\\]{1,6}",
            any::<String>(),
        ];
        // A column that is called nothing but spaces cannot be named in a spec; such a table is left out.
        any.prop_filter("a name has something to see and no NUL", |text| {
            !text.trim().is_empty() && !text.contains('\0') && !text.starts_with(OWN_PREFIX)
        })
    }

    fn five_names() -> impl Strategy<Value = Vec<String>> {
        prop::collection::btree_set(hostile(), 5)
            .prop_map(|names| names.into_iter().collect::<Vec<_>>())
            .prop_shuffle()
    }

    proptest! {
        #[test]
        fn any_name_is_read_back_as_itself(names in five_names(), schema in prop::option::of(hostile())) {
            let [a, b, c, d, e] = &names[..] else { unreachable!("five names") };
            let table = QualifiedName { schema: schema.clone(), name: a.clone() };
            let to = QualifiedName { schema, name: b.clone() };
            let entry = Entry {
                to: Some(to.clone()),
                key: Some(vec![c.clone()]),
                rename: vec![(c.clone(), d.clone())],
                exclude_columns: vec![d.clone(), e.clone()],
                ..Entry::new(table.clone())
            };
            let spec = read(&entry);
            let read_entry = &spec.tables[0];
            prop_assert_eq!(read_entry.table.value.exact(), Some(table.clone()));
            prop_assert_eq!(read_entry.to.as_ref().map(|to| to.value.clone()), Some(to));
            prop_assert_eq!(&read_entry.key.as_ref().expect("a key")[0].value, c);
            prop_assert_eq!(&read_entry.rename[0].0.value, c);
            prop_assert_eq!(&read_entry.rename[0].1.value, d);
            let excluded: Vec<_> = read_entry.exclude_columns.iter().map(|column| &column.value).collect();
            prop_assert_eq!(excluded, [d, e]);
            let short = read(&Entry::new(table.clone()));
            prop_assert_eq!(short.tables[0].table.value.exact(), Some(table));
        }
    }

    #[test]
    fn long_lists_have_a_line_for_each_item() {
        let mut entry = Entry::new(QualifiedName { schema: None, name: "t".into() });
        entry.exclude_columns = (0..20).map(|number| format!("column_{number}")).collect();
        entry.rename =
            (20..40).map(|number| (format!("Column{number}"), format!("column_{number}"))).collect();
        let spec = read(&entry);
        assert_eq!(spec.tables[0].exclude_columns.len(), 20);
        assert_eq!(spec.tables[0].rename.len(), 20);
        assert!(entry.lines().iter().all(|line| line.chars().count() <= WIDTH + 2));
    }
}
