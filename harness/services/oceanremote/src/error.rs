//! What can be wrong with a configuration or an operator's action.

use thiserror::Error;

/// A mistake of whoever configures or operates the cloud. A device's mistake is a reply, never this.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum CloudError {
    /// An operator named a device that does not exist.
    #[error("no device `{0}`")]
    UnknownDevice(String),
    /// Two devices of the configuration share an id.
    #[error("device `{0}` is configured twice")]
    DuplicateDevice(String),
    /// A device id outside 1 to 32 of `[A-Za-z0-9_-]`.
    #[error("`{0}` is not a device id: 1 to 32 of A-Z a-z 0-9 _ -")]
    InvalidDeviceId(String),
    /// Two tokens of the configuration are the same text.
    #[error("token `{0}` is configured twice")]
    DuplicateToken(String),
    /// A token that could not stand in a header or a JSON body.
    #[error("`{0}` is not a token: 1 to 80 visible ASCII characters")]
    InvalidToken(String),
    /// The device holds no permanent token.
    #[error("device `{0}` has no permanent token")]
    NoPermanentToken(String),
    /// The device has no session.
    #[error("device `{0}` has no session")]
    NoSession(String),
    /// Relays count from 1 to 16.
    #[error("relay {0} does not exist: relays count from 1 to 16")]
    InvalidRelay(u8),
    /// The device's queue of commands is full.
    #[error("device `{0}` has 256 commands waiting")]
    TooManyCommands(String),
    /// A clock that would stand still or run backwards.
    #[error("a clock cannot drift by {0} ppm: more than -1000000 is needed")]
    InvalidDrift(i32),
    /// A text that is no endpoint name.
    #[error("no endpoint `{0}`: register, renew-session, update, commands, state or other")]
    UnknownEndpoint(String),
}
