//! The shared data of the library.

mod dict;
mod list;

pub use dict::{Dict, Size};
pub use list::List;
