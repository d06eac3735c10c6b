//! Rows: what is compared with what.

use super::{Contender, Cores};

type Build = dyn Fn(&Cores) -> anyhow::Result<Box<dyn Contender>>;

/// A name and how to set up what it names.
pub struct Entry {
    pub name: String,
    build: Box<Build>,
}

impl Entry {
    pub fn new<C: Contender + 'static>(
        name: impl Into<String>,
        build: impl Fn(&Cores) -> anyhow::Result<C> + 'static,
    ) -> Self {
        Self { name: name.into(), build: Box::new(move |cores| Ok(Box::new(build(cores)?))) }
    }

    /// Sets it up.
    ///
    /// # Errors
    /// The machine lacks what it needs.
    pub fn build(&self, cores: &Cores) -> anyhow::Result<Box<dyn Contender>> {
        (self.build)(cores)
    }
}

/// One thing that is measured, and whom it is compared with in the same rounds.
pub struct Row {
    pub ours: Entry,
    pub peers: Vec<Entry>,
    /// A raw limit or a peer for itself: a machine that does not have it is no failure.
    pub may_be_missing: bool,
}

impl Row {
    /// Something of ours: it must work.
    pub fn ours(ours: Entry) -> Self {
        Self { ours, peers: Vec::new(), may_be_missing: false }
    }

    /// A raw limit of the machine, or a peer by itself.
    pub fn alone(entry: Entry) -> Self {
        Self { ours: entry, peers: Vec::new(), may_be_missing: true }
    }

    /// Measures `peer` in the same rounds.
    #[must_use]
    pub fn against(mut self, peer: Entry) -> Self {
        self.peers.push(peer);
        self
    }

    pub fn name(&self) -> &str {
        &self.ours.name
    }
}
