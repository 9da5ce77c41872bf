//! The README's table of ways in which comparisons go wrong names cases and tests that exist.

use std::path::Path;

use super::case;

const HEADING: &str = "# Where comparisons go wrong";

/// Every name in the table's second column: `file: case`, or the name of a test.
fn named(readme: &str) -> Vec<String> {
    let (_, section) = readme.split_once(HEADING).expect("the README has the table");
    let lines = section.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| ---"));
    let cells = lines.skip(1).filter_map(|line| line.trim_matches('|').split_once(" | "));
    cells.flat_map(|(_, cases)| cases.split(" · ")).map(|name| name.trim().to_owned()).collect()
}

#[test]
fn the_table_of_the_readme_names_cases_that_exist() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let readme = std::fs::read_to_string(root.join("tests/cases/README.md")).expect("it is readable");
    let titles = case::titles();
    let tests: String = std::fs::read_dir(root.join("tests"))
        .expect("the tests are readable")
        .flatten()
        .filter_map(|file| std::fs::read_to_string(file.path()).ok())
        .collect();
    let names: Vec<String> = named(&readme).into_iter().filter(|name| !name.is_empty()).collect();
    assert!(names.len() > 100, "only {} cases are named", names.len());
    for name in names {
        let exists = match name.strip_prefix('`') {
            Some(test) => {
                let test = test.split('`').next().unwrap_or_default();
                tests.contains(&format!("#[test]\nfn {test}()"))
            }
            None => match name.split_once(": ") {
                Some((file, case)) => titles.contains(&format!("{file}.yaml: {case}")),
                None => false,
            },
        };
        assert!(exists, "there is no {name}");
    }
}
