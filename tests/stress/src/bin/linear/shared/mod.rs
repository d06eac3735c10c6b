//! The shared data of the library.

mod array;
mod dict;
mod list;
mod structure;
mod value;

pub use array::Array;
pub use dict::{Dict, Size};
pub use list::List;
pub use structure::Struct;
pub use value::{Word, Words};
