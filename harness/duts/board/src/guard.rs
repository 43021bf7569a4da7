//! Protection against panics in libraries.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::error::BoardError;

/// Payload of the unwinding after the user has cancelled.
pub(crate) struct Cancel;

/// Calls `body`; a panic in it becomes an error.
pub(crate) fn guarded<T>(
    library: &'static str,
    during: &str,
    body: impl FnOnce() -> T,
) -> Result<T, BoardError> {
    catch_unwind(AssertUnwindSafe(body)).map_err(|panic| {
        if panic.is::<Cancel>() {
            BoardError::Cancelled
        } else {
            BoardError::Panicked {
                library,
                during: during.to_owned(),
                message: message(panic.as_ref()),
            }
        }
    })
}

fn message(panic: &(dyn Any + Send)) -> String {
    panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("without a message")
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_becomes_an_error_that_names_the_library() {
        let error = guarded("espflash", "connecting", || -> u8 {
            std::panic::resume_unwind(Box::new("appdesc segment not found"))
        })
        .unwrap_err();
        assert_eq!(
            error.to_string(),
            "espflash broke down while connecting: appdesc segment not found"
        );
        assert_eq!(error.trouble(), vocabulary::Trouble::Flashing);
        assert_eq!(guarded("espflash", "connecting", || 5).unwrap(), 5);
    }
}
