//! Readers that are timed while one other writes.
//!
//! The writer keeps to a schedule: a write is due every microsecond, whoever is measured, and one that comes late leaves out what
//! it has missed. How many it has made while the reader held its watch is printed beside the row: a peer whose writer cannot keep
//! up has a quieter reader.
//!
//! # Safety
//!
//! The shared type is made of atomics.
#![allow(unsafe_code)]

use super::{Batch, Contender, Place, Plain, Report, Side, clock, shared};
use anyhow::{Context as _, anyhow, bail};
use std::hint::spin_loop;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// From one write to the next, in nanoseconds.
const PERIOD: u64 = 1000;
/// A writer that is later than this starts its schedule anew.
const LATE: u64 = 50_000;
/// How long the instrument waits for the writer to begin, and to end.
const SETTLE: Duration = Duration::from_millis(2);
/// How long it may take until the first write of all.
const PATIENCE: Duration = Duration::from_secs(10);

/// A word that shares its line with no other.
#[derive(Default)]
#[repr(align(128))]
struct Lone(AtomicU64);

/// What reader, writer and instrument tell one another.
#[derive(Default)]
pub struct Pad {
    /// 1 while the writer is to write.
    go: Lone,
    /// Writes of all batches.
    writes: Lone,
    /// How many orders the writer has come to the end of.
    ended: Lone,
    /// How many writes there were while the reader held its watch last.
    during: Lone,
}

// SAFETY: atomics only.
unsafe impl Plain for Pad {}

impl Pad {
    /// For this process and those that it will fork.
    ///
    /// # Errors
    /// No memory.
    pub fn new() -> anyhow::Result<&'static Self> {
        shared()
    }

    /// Also for processes that are started otherwise: they open it by its name.
    ///
    /// # Errors
    /// The kernel's.
    pub fn named() -> anyhow::Result<(&'static Self, String)> {
        shared::named()
    }

    /// The one of this name.
    ///
    /// # Errors
    /// The kernel's: who made it is gone.
    pub fn open(name: &str) -> anyhow::Result<&'static Self> {
        shared::open(name)
    }

    /// The writer's batch: by its schedule, until the instrument has enough. `write` is told the number of the write.
    ///
    /// # Errors
    /// Those of `write`.
    pub fn write(&self, mut write: impl FnMut(u64) -> anyhow::Result<()>) -> anyhow::Result<Report> {
        let mut due = clock::now();
        while self.go.0.load(Ordering::Acquire) != 0 {
            let number = self.writes.0.load(Ordering::Relaxed) + 1;
            write(number)?;
            self.writes.0.store(number, Ordering::Release);
            due += PERIOD;
            let now = clock::now();
            if now > due + LATE {
                due = now;
            }
            while clock::now() < due && self.go.0.load(Ordering::Relaxed) != 0 {
                spin_loop();
            }
        }
        self.ended.0.fetch_add(1, Ordering::Release);
        Ok(Report::default())
    }

    /// The reader's batch: `read` holds the watch.
    ///
    /// # Errors
    /// Those of `read`.
    pub fn watch(&self, read: impl FnOnce() -> anyhow::Result<Report>) -> anyhow::Result<Report> {
        let before = self.writes.0.load(Ordering::Acquire);
        let report = read()?;
        self.during.0.store(self.writes.0.load(Ordering::Acquire) - before, Ordering::Release);
        Ok(report)
    }

    /// The batch of a reader in whose process a thread at `place` writes; they share what they read and write.
    ///
    /// # Errors
    /// Those of `write` and `read`.
    pub fn watch_beside_thread(
        &self,
        place: &Place,
        write: impl FnMut(u64) -> anyhow::Result<()> + Send,
        read: impl FnOnce() -> anyhow::Result<Report>,
    ) -> anyhow::Result<Report> {
        self.go.0.store(1, Ordering::Release);
        thread::scope(|scope| {
            let writer = scope.spawn(|| place.pin().and_then(|()| self.write(write)));
            let before = self.writes.0.load(Ordering::Acquire);
            while self.writes.0.load(Ordering::Acquire) == before && !writer.is_finished() {
                spin_loop();
            }
            let report = self.watch(read);
            self.go.0.store(0, Ordering::Release);
            writer.join().map_err(|_| anyhow!("the writer panicked"))??;
            report
        })
    }
}

/// A reader, and the writer beside it.
pub struct Beside {
    pad: &'static Pad,
    reader: Box<dyn Side>,
    /// None: a thread of the reader's process.
    writer: Option<Writer>,
}

impl Beside {
    /// Whose sides use [`Pad::watch`] and [`Pad::write`] of this pad. The writer's orders are 1 always: an order of 0 may set it up
    /// before.
    pub fn new(pad: &'static Pad, reader: impl Side + 'static, writer: impl Side + 'static) -> Self {
        let writer = Writer { side: Box::new(writer), orders: 0, busy: false, has_begun: false };
        Self { pad, reader: Box::new(reader), writer: Some(writer) }
    }

    /// Whose only process uses [`Pad::watch_beside_thread`].
    pub fn thread(pad: &'static Pad, reader: impl Side + 'static) -> Self {
        Self { pad, reader: Box::new(reader), writer: None }
    }
}

impl Contender for Beside {
    fn batch(&mut self, operations: u64) -> anyhow::Result<Batch> {
        if let Some(writer) = &mut self.writer {
            writer.begin(self.pad)?;
        }
        let batch = read(self.pad, self.reader.as_ref(), operations);
        if let Some(writer) = &mut self.writer {
            writer.end(self.pad)?;
        }
        batch
    }
}

fn read(pad: &Pad, reader: &dyn Side, operations: u64) -> anyhow::Result<Batch> {
    reader.order(operations)?;
    let report = reader.report(PATIENCE * 6)?;
    if report.wrong > 0 {
        bail!("{} values were read wrong", report.wrong);
    }
    let writes = pad.during.0.load(Ordering::Acquire) as f64;
    let rate = writes / (report.nanos.max(1) as f64 / 1e9);
    Ok(Batch { writer: Some(rate), ..Duration::from_nanos(report.nanos).into() })
}

/// A writer that may be asleep in the middle of a write for longer than a batch lasts: nobody waits for that.
struct Writer {
    side: Box<dyn Side>,
    orders: u64,
    /// It has an order of which it has not come to the end.
    busy: bool,
    has_begun: bool,
}

impl Writer {
    fn begin(&mut self, pad: &Pad) -> anyhow::Result<()> {
        pad.go.0.store(1, Ordering::Release);
        let before = pad.writes.0.load(Ordering::Acquire);
        let start = Instant::now();
        let patience = if self.has_begun { SETTLE } else { PATIENCE };
        while pad.writes.0.load(Ordering::Acquire) == before {
            self.collect(pad)?;
            if !self.busy {
                self.side.order(1).context("the writer")?;
                (self.busy, self.orders) = (true, self.orders + 1);
            }
            if start.elapsed() > patience {
                // Asleep in the write that it began before; but once it must have written.
                return if self.has_begun { Ok(()) } else { Err(anyhow!("the writer does not write")) };
            }
            thread::yield_now();
        }
        self.has_begun = true;
        Ok(())
    }

    fn end(&mut self, pad: &Pad) -> anyhow::Result<()> {
        pad.go.0.store(0, Ordering::Release);
        let start = Instant::now();
        while self.busy && start.elapsed() < SETTLE {
            self.collect(pad)?;
            thread::yield_now();
        }
        Ok(())
    }

    /// Takes the report of an order that is done.
    fn collect(&mut self, pad: &Pad) -> anyhow::Result<()> {
        if self.busy && pad.ended.0.load(Ordering::Acquire) == self.orders {
            self.side.report(PATIENCE).context("the writer")?;
            self.busy = false;
        }
        Ok(())
    }
}
