//! iceoryx2: publish-subscribe between processes, over shared memory and without copies.
//!
//! Each side has a node of its own in a process of its own (`ipc::Service`, the one for several processes whose ports stay on their
//! thread: the fastest of its services that cross processes), receives by polling, as its benchmarks do, and waits for the
//! other side's port before the first message.

mod home;
mod loan;
mod round_trip;
mod stream;

pub use loan::entry as loan;
pub use round_trip::entry as round_trip;
pub use stream::entry as stream;

use anyhow::{Context as _, ensure};
use home::Home;
use iceoryx2::port::publisher::Publisher;
use iceoryx2::port::subscriber::Subscriber;
use iceoryx2::prelude::ipc;
use processing_cli::measure::{Batch, Contender, Crew, Partner, Place, Report};
use std::time::{Duration, Instant};

type Publishing<T> = Publisher<ipc::Service, T, ()>;
type Subscribing<T> = Subscriber<ipc::Service, T, ()>;

/// Two processes, and the files they use.
struct Pair {
    // First, so that the processes are gone before their files.
    crew: Crew,
    _home: Home,
}

impl Pair {
    /// Sends one message, so that both sides are set up, or known not to work here.
    fn new(crew: Crew, home: Home) -> anyhow::Result<Self> {
        let mut pair = Self { crew, _home: home };
        pair.batch(0)?;
        Ok(pair)
    }
}

impl Contender for Pair {
    fn batch(&mut self, operations: u64) -> anyhow::Result<Batch> {
        self.crew.batch(operations)
    }
}

/// One side at `place`. It is set up in its process, with the first order.
fn side<S>(
    place: &Place,
    mut set_up: impl FnMut() -> anyhow::Result<S>,
    mut batch: impl FnMut(&mut S, u64) -> anyhow::Result<Report>,
) -> anyhow::Result<Partner> {
    let mut side = None;
    Partner::fork(place, move |operations| match &mut side {
        Some(side) => batch(side, operations),
        none => batch(none.insert(set_up()?), operations),
    })
}

/// How long one side waits for the other.
const PATIENCE: Duration = Duration::from_secs(20);

/// Waits until `there`: a message that is published before its subscriber is there goes to nobody.
fn until(there: impl Fn() -> bool) -> anyhow::Result<()> {
    let start = Instant::now();
    while !there() {
        ensure!(start.elapsed() < PATIENCE, "the other side has opened no port");
        std::thread::yield_now();
    }
    Ok(())
}

/// Tries again while that fails: both sides make what they share if it is not there, and it may be half made.
fn patiently<T, E>(mut attempt: impl FnMut() -> Result<T, E>) -> anyhow::Result<T>
where
    E: std::error::Error + Send + Sync + 'static,
{
    let start = Instant::now();
    loop {
        match attempt() {
            Err(_) if start.elapsed() < PATIENCE => std::thread::yield_now(),
            end => return end.context("iceoryx2: a service"),
        }
    }
}
