//! A struct as a process.

use super::cargo::Cargo;
use crate::Result;

/// A struct that is the work and the arguments of a process at once.
///
/// ```
/// use processing::{Process, Task, rkyv};
///
/// #[derive(rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
/// struct Resize { path: String, width: u32 }
///
/// impl Task for Resize {
///     fn run(self) -> processing::Result<()> {
///         assert_eq!((self.path.as_str(), self.width), ("a.png", 320));
///         Ok(())
///     }
/// }
///
/// fn main() -> processing::Result<()> {
///     let p = Process::task(Resize { path: "a.png".into(), width: 320 }).start()?;
///     assert!(p.join()?.success());
///     Ok(())
/// }
/// ```
pub trait Task: Cargo {
    /// Runs in the new process.
    fn run(self) -> Result<()>;
}
