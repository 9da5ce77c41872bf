//! The command line.

use std::path::PathBuf;

use crate::lines::{Line, Scale};

pub const HELP: &str = "\
Usage: benches/run [--scale small|medium|full] [--rows N] [--repeat N] [--trueup PATH] [--list] [LINE...]

Measures the lines whose names contain one of the words given, or all, and prints a Markdown table.

  --scale SCALE    how many rows: `small` only shows that it works, `full` is what the goals speak of (default full)
  --rows N         so many rows in the large tables, whatever the scale
  --repeat N       run what only reads N times, and take the run with the fewest CPU seconds (default 1)
  --trueup PATH    measure this binary in place of the one just built
  --list           name the lines and run nothing
  --debug          first of all: build without optimizing, only to see that it works";

/// What was asked for.
pub enum Wish {
    Help,
    Run(Arguments),
}

pub struct Arguments {
    pub scale_name: String,
    pub rows: Option<u64>,
    pub repeat: usize,
    pub trueup: PathBuf,
    pub list: bool,
    words: Vec<String>,
}

impl Arguments {
    pub fn read(mut arguments: impl Iterator<Item = String>) -> Result<Wish, String> {
        let mut read = Arguments {
            scale_name: "full".into(),
            rows: None,
            repeat: 1,
            trueup: env!("CARGO_BIN_EXE_trueup").into(),
            list: false,
            words: Vec::new(),
        };
        while let Some(argument) = arguments.next() {
            let mut value = || arguments.next().ok_or_else(|| format!("{argument} wants a value"));
            match argument.as_str() {
                "--scale" => read.scale_name = value()?,
                "--rows" => read.rows = Some(number(&value()?)?),
                "--repeat" => read.repeat = number(&value()?)?,
                "--trueup" => read.trueup = value()?.into(),
                "--list" => read.list = true,
                "--help" | "-h" => return Ok(Wish::Help),
                // What cargo says to every benchmark.
                "--bench" => {}
                option if option.starts_with('-') => return Err(format!("there is no option {option}")),
                word => read.words.push(word.to_owned()),
            }
        }
        if !matches!(read.scale_name.as_str(), "small" | "medium" | "full") {
            return Err(format!("there is no scale {}", read.scale_name));
        }
        if read.rows.is_some_and(|rows| rows < 1_000) {
            return Err("--rows: at least 1000, or there is no row to be missing".into());
        }
        Ok(Wish::Run(read))
    }

    pub fn scale(&self) -> Scale {
        let scale = match self.scale_name.as_str() {
            "small" => Scale::SMALL,
            "medium" => Scale::MEDIUM,
            _ => Scale::FULL,
        };
        match self.rows {
            Some(rows) => Scale { postgres: rows, mariadb: rows, sqlite: rows, extra: rows / 5, ..scale },
            None => scale,
        }
    }

    pub fn wants(&self, line: &Line) -> bool {
        self.words.is_empty() || self.words.iter().any(|word| line.name.contains(word.as_str()))
    }
}

fn number<N: std::str::FromStr>(text: &str) -> Result<N, String> {
    text.replace(['_', ','], "").parse().map_err(|_| format!("{text} is not a number"))
}
