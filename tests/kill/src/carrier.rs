//! Queues of either kind, as the oracles take from them.

use std::fmt::Debug;
use std::time::Duration;

use processing::{BufferedQueue, GetError, Message, Queue};

/// A queue of messages `M`. A timeout of zero: it does not wait.
pub trait Carrier<M>: Message + Clone + Debug {
    fn by_value(&self, timeout: Duration) -> Result<M, GetError>;
    /// Takes it as a lease; and whether it was marked as redelivered.
    fn by_lease(&self, timeout: Duration) -> Result<(M, bool), GetError>;
}

macro_rules! carrier {
    ($queue:ident) => {
        impl<M: Message> Carrier<M> for $queue<M> {
            fn by_value(&self, timeout: Duration) -> Result<M, GetError> {
                if timeout.is_zero() { self.try_get() } else { self.get_timeout(timeout) }
            }

            fn by_lease(&self, timeout: Duration) -> Result<(M, bool), GetError> {
                let lease =
                    if timeout.is_zero() { self.try_get_ref() } else { self.get_ref_timeout(timeout) }?;
                Ok((lease.to_owned()?, lease.redelivered()))
            }
        }
    };
}

carrier!(Queue);
carrier!(BufferedQueue);
