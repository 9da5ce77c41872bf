//! Colour, if wanted: terraform's green, red and yellow.

use std::fmt::Display;

use anstyle::{AnsiColor, Style};

/// To insert or create.
pub const GREEN: Style = AnsiColor::Green.on_default();
/// To delete or drop, and errors.
pub const RED: Style = AnsiColor::Red.on_default();
/// To update or alter, and warnings.
pub const YELLOW: Style = AnsiColor::Yellow.on_default();
/// Headings.
pub const BOLD: Style = Style::new().bold();
/// What only supports.
pub const DIM: Style = Style::new().dimmed();

/// Whether to colour. Without colour nothing is lost: signs and marks stand in for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Paint {
    /// Plain text.
    Plain,
    /// With ANSI escapes.
    Colour,
}

impl Paint {
    /// The text in a style, if colour is wanted.
    pub fn on(self, style: Style, text: impl Display) -> String {
        match self {
            Paint::Plain => text.to_string(),
            Paint::Colour => format!("{style}{text}{style:#}"),
        }
    }
}
