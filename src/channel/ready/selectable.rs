//! What `select` can wait for.

/// Something that [`select`](crate::select) waits for: a [`Queue`](crate::Queue), [`Consumer`](crate::Consumer) or [`BufferedQueue`](crate::BufferedQueue) is ready when
/// there is something to get, or it is closed and drained; a [`Connection`](crate::Connection) or its [`Receiver`](crate::Receiver) when a message has come or begun to come, or the
/// other end is gone; an [`Event`](crate::Event) while it is set.
///
/// Only types of this library implement it.
pub trait Selectable: sealed::Selects {}

impl<T: sealed::Selects + ?Sized> Selectable for T {}

pub mod sealed {
    use std::sync::Arc;

    use crate::channel::domain::Domain;
    use crate::error::Result;
    use crate::prim::spin::Spinner;
    use crate::prim::watch::Watch;

    /// The calls that `select` makes.
    pub trait Selects {
        /// It is ready. Takes nothing.
        fn is_ready(&self) -> Result<bool>;
        /// Announces a sleeper, and looks once more. None: it may be ready.
        fn watch(&self) -> Result<Option<Watch>>;
        /// What the word of [`watch`](Self::watch) says now.
        fn word(&self) -> u32;
        /// The sleep is over.
        fn unwatch(&self) {}
        /// It is ready, the sleeper may have taken a wake-up for that, and takes nothing: somebody else is woken.
        fn hand_on(&self) {}
        /// How it waits.
        fn spinner(&self) -> &Spinner;
        /// Where the dead are to be looked for.
        fn domain(&self) -> &Arc<Domain>;
        /// After such a look: what only a look by this object finds.
        fn look_after_peer(&self) {}
    }
}
