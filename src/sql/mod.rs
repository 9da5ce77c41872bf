//! Pure SQL: what is rendered, never what is run.

pub mod expression;
