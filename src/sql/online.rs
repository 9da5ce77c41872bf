//! How structure is changed while others write to the table.

use super::Alteration;

/// The way of one change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Online {
    /// As ever: one writer keeps all others waiting there in any case.
    Ordinary,
    /// In a transaction of its own: it locks others out for a moment, or not at all.
    Alone,
    /// By these steps.
    Steps(Vec<OnlineStep>),
    /// Not at all; why.
    Never(&'static str),
}

/// One step on the way of a change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OnlineStep {
    /// What it does.
    pub alteration: Alteration,
    /// The statements, where they stand outside of transactions: all of them can be run again from the first.
    pub outside: Option<Vec<String>>,
}

impl OnlineStep {
    /// One in a transaction of its own.
    pub fn alone(alteration: Alteration) -> Self {
        OnlineStep { alteration, outside: None }
    }
}
