//! What a backend promises.

/// What a lock can do, depending on its [`LockBackend`](crate::LockBackend): [`Lock::capabilities`](crate::Lock::capabilities).
///
/// What is the same for all is not listed: exclusion between threads and processes, errors for a deadlock and for a release by
/// another, recursion, and that handles travel. The test suite reads this structure and holds each backend to it.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Capabilities {
    /// The lock of a dead owner goes to the next one, who gets
    /// [`AcquireError::OwnerDied`](crate::AcquireError::OwnerDied) with the guard. False: it is lost, and stays so.
    pub robust: bool,
    /// Who acquires the lock of a dead owner, or waits for it already, gets an error (or the lock) instead of waiting for ever:
    /// at once if it comes after the death, otherwise within about a second.
    pub told: bool,
    /// `robust` and `told` hold for a kill at *any* instruction. False: there are two gaps of a few instructions, one after the lock was
    /// taken and before that is written down, one after it was crossed out and before the lock is given back. A process that is killed
    /// there leaves a lock that nobody gets any more: a wait without a limit hangs, one with a limit ends with `Busy`.
    pub gapless: bool,
    /// A time limit is never early, and bounded by one deadline on the monotonic clock, whatever happens to the wall clock.
    pub timeouts: bool,
    /// Who waits spins before it sleeps, while that pays ([`WaitStrategy`](crate::WaitStrategy)).
    pub adaptive: bool,
    /// A release wakes one who sleeps. (With the semaphore, a sleeper that is killed between its wake-up and its turn takes the wake-up
    /// with it; the others find the lock free within about a second.) False: sleepers look again by themselves, at first after 20 microseconds and never later than
    /// after 4 milliseconds.
    pub wakes: bool,
    /// While nobody waits, taking is one atomic read-modify-write and giving back is one, both compiled into the caller. False: they are
    /// calls of the C library, with some work around.
    pub inlined: bool,
}
