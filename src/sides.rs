//! The only pair type of the house: what there is once for the primary and once for the replica.
//!
//! Every "both of something" is a [`Sides`], so that no argument order decides which side is which.

use serde::{Deserialize, Serialize};

/// Which of the two databases something belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Side {
    /// The database that is right, and only ever read.
    Primary,
    /// The database that is made equal.
    Replica,
}

impl Side {
    /// The word used for the side in messages.
    pub fn name(self) -> &'static str {
        match self {
            Side::Primary => "primary",
            Side::Replica => "replica",
        }
    }

    /// The opposite side.
    pub fn other(self) -> Side {
        match self {
            Side::Primary => Side::Replica,
            Side::Replica => Side::Primary,
        }
    }
}

impl std::fmt::Display for Side {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

/// One value for each side.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Sides<T> {
    /// The primary's.
    pub primary: T,
    /// The replica's.
    pub replica: T,
}

impl<T> Sides<T> {
    /// Pairs two values.
    pub fn new(primary: T, replica: T) -> Self {
        Sides { primary, replica }
    }

    /// The value of one side.
    pub fn get(&self, side: Side) -> &T {
        match side {
            Side::Primary => &self.primary,
            Side::Replica => &self.replica,
        }
    }

    /// The value of one side, to change it.
    pub fn get_mut(&mut self, side: Side) -> &mut T {
        match side {
            Side::Primary => &mut self.primary,
            Side::Replica => &mut self.replica,
        }
    }

    /// Both values by reference.
    pub fn as_ref(&self) -> Sides<&T> {
        Sides { primary: &self.primary, replica: &self.replica }
    }

    /// The same function on both values.
    pub fn map<U>(self, mut f: impl FnMut(T) -> U) -> Sides<U> {
        Sides { primary: f(self.primary), replica: f(self.replica) }
    }

    /// The same function on both values; the primary's error comes first.
    pub fn try_map<U, E>(self, mut f: impl FnMut(T) -> Result<U, E>) -> Result<Sides<U>, E> {
        Ok(Sides { primary: f(self.primary)?, replica: f(self.replica)? })
    }

    /// Two pairs become a pair of pairs.
    pub fn zip<U>(self, other: Sides<U>) -> Sides<(T, U)> {
        Sides { primary: (self.primary, other.primary), replica: (self.replica, other.replica) }
    }
}
