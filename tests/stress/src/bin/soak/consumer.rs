//! Gets messages by every form of get until the queue is closed and drained, or it is killed.
#![allow(clippy::disallowed_types, reason = "what is checked must not be what checks")]

use crate::item::{Item, is_whole};
use crate::journal::{ConsumerJournal, Journals, Record, Sight};
use processing::{GetError, Lease, Queue};
use processing_stress::random::Random;
use processing_stress::shared_file::SharedFile;
use std::path::Path;
use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;

const SHORT: Duration = Duration::from_micros(200);

/// The target of a consumer.
pub fn consume(path: String, place: u64, life: u64, seed: u64, queue: Queue<Item>) {
    let journals = match SharedFile::<Journals>::open(Path::new(&path)) {
        Ok(journals) => journals,
        Err(error) => {
            eprintln!("soak: {error:#}");
            std::process::exit(1);
        }
    };
    let words = journals.words();
    let mut consumer = Consumer {
        words,
        journal: &words.consumers[place as usize],
        random: Random::new(seed ^ life << 32),
        queue,
        how: 0,
    };
    while consumer.journal.has_room(2) {
        match consumer.one() {
            Ok(()) | Err(GetError::Empty) => {
                words.progress.fetch_add(1, SeqCst);
            }
            Err(GetError::Closed) => return,
            Err(error) => {
                words.violation(&format!("get: {error}"));
                return;
            }
        }
    }
}

struct Consumer<'a> {
    words: &'a Journals,
    journal: &'a ConsumerJournal,
    random: Random,
    queue: Queue<Item>,
    /// Which form of the call: try, with a timeout, blocking.
    how: u64,
}

impl Consumer<'_> {
    fn one(&mut self) -> Result<(), GetError> {
        self.how = self.random.below(3);
        match self.random.below(16) {
            0..5 => self.by_value(),
            5..12 => self.by_lease(),
            12 => self.give_back(),
            _ => self.hold(),
        }
    }

    fn by_value(&self) -> Result<(), GetError> {
        // The message may be consumed from here on, and the note is not written yet.
        self.journal.taking.store(1, SeqCst);
        let item = match self.how {
            0 => self.queue.try_get(),
            1 => self.queue.get_timeout(SHORT),
            _ => self.queue.get(),
        };
        if let Ok(item) = &item {
            self.check(item.life, item.number, &item.body);
            self.journal.note(Record { life: item.life, number: item.number, sight: Sight::Value });
        }
        self.journal.taking.store(0, SeqCst);
        item.map(|_| ())
    }

    fn by_lease(&self) -> Result<(), GetError> {
        let lease = self.lease()?;
        self.note(&lease);
        Ok(())
    }

    /// Two at once, released in the other order.
    fn hold(&self) -> Result<(), GetError> {
        let first = self.lease()?;
        let second = self.queue.try_get_ref();
        std::thread::yield_now();
        self.note(&first);
        if let Ok(second) = second {
            self.note(&second);
        }
        Ok(())
    }

    fn give_back(&self) -> Result<(), GetError> {
        self.lease()?.put_back();
        Ok(())
    }

    /// The work is done; the lease may go.
    fn note(&self, lease: &Lease<'_, Item>) {
        let (life, number) = (lease.life.to_native(), lease.number.to_native());
        self.check(life, number, &lease.body);
        let sight = if lease.redelivered() { Sight::Again } else { Sight::First };
        self.journal.note(Record { life, number, sight });
    }

    fn check(&self, life: u64, number: u64, body: &[u8]) {
        if !is_whole(life, number, body) {
            self.words.violation(&format!("message {number} of {life} is torn ({} bytes)", body.len()));
        }
    }

    fn lease(&self) -> Result<Lease<'_, Item>, GetError> {
        match self.how {
            0 => self.queue.try_get_ref(),
            1 => self.queue.get_ref_timeout(SHORT),
            _ => self.queue.get_ref(),
        }
    }
}
