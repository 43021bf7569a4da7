//! An action on its way to an effector.

use std::time::Duration;

use scenario::Action;

/// Which way an action goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// It begins.
    Begin,
    /// It is in force, and another fault that set the same has ended.
    Again,
    /// It ends.
    End,
}

/// An action on its way to an effector.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    /// Its fault's place in the plan.
    pub fault: usize,
    /// Its action.
    pub action: Action,
    /// Which way.
    pub turn: Turn,
    /// How long its fault lasts, if that is known.
    pub lasts: Option<Duration>,
}

impl Order {
    /// Whether the action is to be in force afterwards.
    pub fn on(&self) -> bool {
        self.turn != Turn::End
    }

    /// The value to set: `value` while it is in force, `None` for what the bench was configured with.
    pub fn value<T>(&self, value: T) -> Option<T> {
        self.on().then_some(value)
    }
}
