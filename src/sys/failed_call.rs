//! A call of the C library that failed.

use std::io;

/// Which call, and why if it said so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FailedCall {
    pub call: &'static str,
    pub errno: Option<i32>,
}

impl FailedCall {
    /// With this errno.
    #[cold]
    pub fn new(call: &'static str, errno: i32) -> Self {
        Self { call, errno: Some(errno) }
    }

    /// With the errno of the calling thread.
    #[cold]
    pub fn last(call: &'static str) -> Self {
        Self { call, errno: io::Error::last_os_error().raw_os_error() }
    }

    /// With the number at the end of this text, if there is one: `Failed to release mutex : 1`.
    #[cold]
    pub fn of_text(call: &'static str, text: &str) -> Self {
        let number = text.rsplit(|c: char| !c.is_ascii_digit()).next();
        Self { call, errno: number.and_then(|number| number.parse().ok()) }
    }

    /// Why, as the system says it.
    pub fn cause(self) -> io::Error {
        self.errno.map_or_else(|| io::Error::other("no reason was given"), io::Error::from_raw_os_error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_at_the_end_is_the_errno() {
        assert_eq!(
            FailedCall::of_text("unlock", "Failed to release mutex : 22"),
            FailedCall::new("unlock", 22)
        );
        for text in ["", "Failed", "12 is not at the end", "99999999999999999999"] {
            assert_eq!(
                FailedCall::of_text("unlock", text),
                FailedCall { call: "unlock", errno: None },
                "{text}"
            );
        }
        assert!(FailedCall::of_text("unlock", "").cause().to_string().contains("no reason"));
    }
}
