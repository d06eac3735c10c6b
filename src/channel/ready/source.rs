//! What futures wait for.

use std::sync::Arc;

use crate::channel::domain::Domain;
use crate::prim::watch::Watch;
use crate::sync::futex::Address;

/// Something in this process that futures wait for.
pub(crate) trait Source: Send + Sync {
    /// Futures with the same key wait for the same.
    fn key(&self) -> Key;
    /// Announces a sleeper and looks once more. None: what is waited for may be there.
    fn watch(&self) -> Option<Watch>;
    /// What its word says now, see [`Watch::expected`].
    fn word(&self) -> u32;
    /// Where the dead are to be looked for.
    fn domain(&self) -> &Arc<Domain>;
    /// After such a look: whether somebody died with it, and who waits has to do something about it.
    fn is_bereaved(&self) -> bool {
        false
    }
}

/// A word, and what of it is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Key {
    pub(crate) word: Address,
    /// Of an event: which set is waited for.
    pub(crate) since: u32,
}
