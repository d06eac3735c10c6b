//! `SharedDict({"a": 1})`.

use std::fmt;

use super::SharedDict;
use crate::shared::data::SharedData;

impl<K: SharedData + fmt::Debug, V: SharedData + fmt::Debug> fmt::Display for SharedDict<K, V> {
    /// All entries, as [`iter`](SharedDict::iter) finds them.
    ///
    /// ```
    /// let d = processing::SharedDict::<String, u64>::new()?;
    /// d.insert(&"a".to_owned(), &1)?;
    /// assert_eq!(d.to_string(), r#"SharedDict({"a": 1})"#);
    /// # Ok::<(), processing::Error>(())
    /// ```
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SharedDict(")?;
        match self.items() {
            Ok(items) => f.debug_map().entries(items).finish()?,
            Err(error) => write!(f, "<{error}>")?,
        }
        f.write_str(")")
    }
}

impl<K: SharedData + fmt::Debug, V: SharedData + fmt::Debug> fmt::Debug for SharedDict<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
