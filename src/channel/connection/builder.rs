//! How a pipe is set up.

use std::sync::Arc;

use super::backend::PipeBackend;
use super::{Connection, End, PIPE_LINES, kind, socket};
use crate::channel::domain::{Arena, Domain};
use crate::error::Result;
use crate::layout::pipe::body_len;
use crate::prim::spin::WaitStrategy;
use crate::ring::pipe::PipeMemory;

/// Settings of a new pipe; see [`Connection::builder`].
///
/// ```
/// use processing::{Connection, WaitStrategy};
/// let (a, b) = Connection::builder().wait(WaitStrategy::Block).build()?;
/// a.send(&7u64)?;
/// assert_eq!(b.recv::<u64>()?, 7);
/// # Ok::<(), processing::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct ConnectionBuilder {
    arena: Option<Arena>,
    backend: Option<PipeBackend>,
    strategy: WaitStrategy,
}

impl ConnectionBuilder {
    /// Creates it in this arena instead of the process tree's.
    pub fn arena(mut self, arena: &Arena) -> Self {
        self.arena = Some(arena.clone());
        self
    }

    /// What carries the messages, instead of what `PROCESSING_PIPE` says: see [`PipeBackend`].
    pub fn backend(mut self, backend: PipeBackend) -> Self {
        self.backend = Some(backend);
        self
    }

    /// How both ends wait in this process; a process that is given one chooses for itself.
    pub fn wait(mut self, strategy: WaitStrategy) -> Self {
        self.strategy = strategy;
        self
    }

    /// Creates it: both ends.
    ///
    /// If the environment chose a backend that the system does not have, it is made of rings, and a warning says so once, through `tracing`.
    ///
    /// # Errors
    ///
    /// `OutOfMemory` or `Limit` if the arena is full; `Unsupported` if the chosen backend is not to be had here; `InvalidInput` if
    /// `PROCESSING_PIPE` names none; `Limit` if there are no descriptors left, `Os` if the kernel refuses otherwise.
    pub fn build(self) -> Result<(Connection, Connection)> {
        let backend = self.backend.map_or_else(PipeBackend::of_environment, Ok)?;
        let domain = self.arena.unwrap_or_default().domain()?;
        domain.me()?;
        let ends = match backend {
            PipeBackend::Ring => None,
            PipeBackend::Socket => socket::create(&domain, self.backend.is_some())?,
        };
        let ends = match ends {
            Some(ends) => ends,
            None => over_rings(&domain)?,
        };
        let [mut a, mut b] = ends.map(Connection::over);
        a.set_wait_strategy(self.strategy);
        b.set_wait_strategy(self.strategy);
        Ok((a, b))
    }
}

fn over_rings(domain: &Arc<Domain>) -> Result<[Arc<End>; 2]> {
    let me = domain.me()?;
    let create = || {
        domain.store().create_object(kind::PIPE, 0, "pipe", body_len(PIPE_LINES), |body| {
            PipeMemory::init(body, PIPE_LINES, me);
        })
    };
    let object = domain.with_room(create)?;
    let open = |index| End::opened(domain.clone(), object.clone(), index, None);
    let first = open(0)?;
    Ok([first, open(1)?])
}
