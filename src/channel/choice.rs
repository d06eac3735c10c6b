//! What the environment chooses where the program does not.

use std::env;
use std::str::FromStr;
use std::sync::OnceLock;

use crate::error::{Error, Result};

/// A variable of the environment that names one of several ways to do something; a process reads it once.
pub(crate) struct Choice<T> {
    variable: &'static str,
    /// What it named, or what it says and names nothing.
    read: OnceLock<Result<T, String>>,
}

impl<T: Copy + Default + FromStr<Err = Error>> Choice<T> {
    pub(crate) const fn of(variable: &'static str) -> Self {
        Self { variable, read: OnceLock::new() }
    }

    /// What it names; the default if it is not set, or empty.
    ///
    /// # Errors
    /// What [`FromStr`] says of anything else; what is no text names nothing.
    pub(crate) fn get(&self) -> Result<T> {
        let read = self.read.get_or_init(|| match env::var_os(self.variable) {
            Some(value) if !value.is_empty() => {
                let text = value.to_string_lossy();
                text.parse().map_err(|_unknown: Error| text.into_owned())
            }
            _ => Ok(T::default()),
        });
        // An error is not copied: it is made again.
        read.as_ref().copied().or_else(|text| text.parse())
    }
}
