//! The benchmark: every line of the table "Speed", beside its reference, in one run. `benches/run --help` says how.
//!
//! It starts private servers, makes seeded data, runs the product's own binary and prints one Markdown table. A run of
//! ours must end with the exit code and the counts that the data ask for, else its line has failed and so has the
//! benchmark: a run that did nothing is not fast. Nothing is asserted about time. The modules: `arguments`, the rows
//! (`data`), where they are (`places`), what is run (`lines`, and how, `work`), what it costs (`measure`, `link`), and
//! what is printed (`table`).

mod arguments;
mod data;
mod lines;
mod link;
mod measure;
mod places;
#[allow(dead_code, unused_imports)] // the tests need more of it
#[path = "../../tests/servers/mod.rs"]
mod servers;
mod table;
mod work;

use std::process::ExitCode;

use arguments::{Arguments, Wish};
use work::Bench;

/// Why something could not be measured, for people.
pub type Failed = String;

fn main() -> ExitCode {
    let arguments = match Arguments::read(std::env::args().skip(1)) {
        Ok(Wish::Run(arguments)) => arguments,
        Ok(Wish::Help) => {
            println!("{}", arguments::HELP);
            return ExitCode::SUCCESS;
        }
        Err(why) => {
            eprintln!("{why}\n\n{}", arguments::HELP);
            return ExitCode::from(2);
        }
    };
    let lines: Vec<_> =
        lines::all(&arguments.scale()).into_iter().filter(|line| arguments.wants(line)).collect();
    if arguments.list {
        lines.iter().for_each(|line| println!("{:<20} {}", line.name, line.title));
        return ExitCode::SUCCESS;
    }
    if lines.is_empty() {
        eprintln!("no line has such a name: --list shows them");
        return ExitCode::from(2);
    }
    let load_before = table::load_average();
    let mut bench = Bench::new(&arguments);
    let mut outcomes = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        eprintln!("[{}/{}] {}: {}", at + 1, lines.len(), line.name, line.title);
        let outcome = bench.measure(line);
        eprintln!("{}", table::row(line, &outcome));
        outcomes.push((line, outcome));
        bench.forget(line, &lines[at + 1..]);
    }
    drop(bench);
    println!("{}", table::markdown(&outcomes));
    println!("{}", table::circumstances(&arguments, &load_before));
    if outcomes.iter().any(|(_, outcome)| outcome.is_err()) { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}
