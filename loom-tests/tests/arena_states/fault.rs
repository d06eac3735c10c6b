//! What is seeded into the model, one at a time.

/// What is seeded.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fault {
    AsDesigned,
    /// get: the slot is released before the commit.
    SlotBeforeCommit,
    /// put: published before SENT.
    PublishBeforeSent,
    /// Repair: slots and cells before blocks.
    SlotsFirst,
    /// Repair: a committed block's lease cell is not emptied.
    CellForgotten,
    /// Repair: a committed block's slot is not released.
    SlotForgotten,
    /// Helper: no second look at the participant.
    NoSecondLook,
    /// get: the children are dropped before the commit.
    ChildrenBeforeCommit,
    /// Drop to zero: the entry forgets before the object is DYING.
    EntryBeforeDying,
    /// Repair: the operation under way is not finished.
    OperationForgotten,
    /// The stamp is overwritten without raising `applied`.
    NoApplied,
    /// Teardown believes a slot's reference although the block lives another life.
    NoGeneration,
    /// Repair of DYING blocks: freed without their children.
    ChildrenForgotten,
    /// Helper: works on queues that it is not attached to.
    StrangeRings,
}
