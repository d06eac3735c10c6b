//! Coming in by a name, and taking a name away: over a trait, so that the model runs this very source.

use crate::sync::mutant;

/// A file that was opened by a name, and that name.
pub trait Door {
    /// What the kernel may say instead of an answer.
    type Error;
    /// Takes the gate of the file; false if another process has it.
    fn lock(&self) -> Result<bool, Self::Error>;
    /// Opens the gate.
    fn unlock(&self);
    /// Whether the name names this file now.
    fn is_current(&self) -> Result<bool, Self::Error>;
    /// Whether another process holds a participant's lock on the file.
    fn is_used(&self) -> Result<bool, Self::Error>;
    /// Removes the name.
    fn unlink(&self) -> Result<(), Self::Error>;
}

/// What came of an attempt to take a name away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cleared {
    /// Nobody used it; it is gone.
    Removed,
    /// Another process uses it.
    Used,
    /// The name names another file, or nothing.
    NotCurrent,
    /// Another process has the gate for a moment.
    Busy,
}

/// What came of an attempt to come in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Entered<R> {
    /// `join` ran.
    In(R),
    /// Nobody was there any more: the name is gone.
    Removed,
    /// The name names another file, or nothing.
    NotCurrent,
    /// Another process has the gate for a moment.
    Busy,
}

/// Who must be there already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Company {
    /// Some other process, or the name is stale: for who opens by the name.
    Needed,
    /// Nobody: for who was given the descriptors by a participant.
    NotNeeded,
}

/// Takes the name away if no other process uses the file: for who looks.
///
/// # Errors
/// What the kernel says; the gate is open then.
pub fn clear<D: Door>(door: &D) -> Result<Cleared, D::Error> {
    if !mutant::on("named.no_gate") && !door.lock()? {
        return Ok(Cleared::Busy);
    }
    let answer = clear_inside(door);
    door.unlock();
    answer
}

/// The same for a user of the file that leaves. The gate stays shut until the file is closed, which drops all locks of the
/// process in one step: of two that leave, the second to come here does not see the first any more.
///
/// # Errors
/// What the kernel says.
pub fn leave<D: Door>(door: &D) -> Result<Cleared, D::Error> {
    if !door.lock()? {
        return Ok(Cleared::Busy);
    }
    let answer = clear_inside(door);
    if mutant::on("named.leaves_the_gate_open") {
        door.unlock();
    }
    answer
}

fn clear_inside<D: Door>(door: &D) -> Result<Cleared, D::Error> {
    if !mutant::on("named.clears_any_file") && !door.is_current()? {
        return Ok(Cleared::NotCurrent);
    }
    if !mutant::on("named.clears_used") && door.is_used()? {
        return Ok(Cleared::Used);
    }
    door.unlink()?;
    Ok(Cleared::Removed)
}

/// Runs `join`, which takes a participant's lock, while nobody can take the name away.
///
/// # Errors
/// What the kernel says; the gate is open then.
pub fn enter<D: Door, R>(
    door: &D,
    company: Company,
    join: impl FnOnce() -> R,
) -> Result<Entered<R>, D::Error> {
    if !door.lock()? {
        return Ok(Entered::Busy);
    }
    if mutant::on("named.joins_outside") {
        door.unlock();
    }
    let answer = enter_inside(door, company, join);
    door.unlock();
    answer
}

fn enter_inside<D: Door, R>(
    door: &D,
    company: Company,
    join: impl FnOnce() -> R,
) -> Result<Entered<R>, D::Error> {
    if !mutant::on("named.enters_any_file") && !door.is_current()? {
        return Ok(Entered::NotCurrent);
    }
    if company == Company::Needed && !mutant::on("named.enters_stale") && !door.is_used()? {
        door.unlink()?;
        return Ok(Entered::Removed);
    }
    Ok(Entered::In(join()))
}
