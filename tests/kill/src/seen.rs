//! What is known when the survivor looks.

use crate::board::Board;

/// What a check is told.
#[derive(Clone, Copy, Debug)]
pub struct Seen {
    pub k: u64,
    /// The victim completed its call (and then ended, without clearing up).
    pub completed: bool,
    /// It was stopped in between, and not killed.
    pub stopped: bool,
    /// Nobody has looked for the dead yet: who is blocked by them must do so.
    pub unswept: bool,
    pub board: Board,
}
