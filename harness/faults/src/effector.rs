//! What carries actions out.

use scenario::{Action, Trigger};
use sim::Instant;

use crate::Order;

/// What became of an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Done {
    /// Its effect is there.
    Changed,
    /// It was carried out and changed nothing; the text says why.
    Nothing(String),
    /// It was not carried out; the text says why.
    Refused(String),
}

impl Done {
    /// [`Done::Changed`] if something changed, or else [`Done::Nothing`].
    pub fn changed(changed: bool, otherwise: impl FnOnce() -> String) -> Done {
        if changed {
            Done::Changed
        } else {
            Done::Nothing(otherwise())
        }
    }
}

/// Carries actions out. A bench has one, and asks it before a run what it can do.
///
/// Both methods match [`Action`] and its groups exhaustively: an action without an arm does not compile.
pub trait Effector {
    /// A failure that ends the run.
    type Failure;

    /// Whether it can carry an action out.
    ///
    /// # Errors
    /// Why not, in words for a person.
    fn able(&self, action: &Action) -> Result<(), String>;

    /// Carries an order out.
    ///
    /// # Errors
    /// When the bench fails; what the state of the bench does not allow is [`Done::Refused`].
    fn act(&mut self, now: Instant, order: &Order) -> Result<Done, Self::Failure>;
}

/// Says what a bench can see.
pub trait Watcher {
    /// Whether the moment of a trigger can be seen.
    ///
    /// # Errors
    /// Why not, in words for a person.
    fn sees(&self, trigger: &Trigger) -> Result<(), String>;
}
