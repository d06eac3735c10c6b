//! Puts messages by every form of put until it is told to stop, or is killed.
#![allow(clippy::disallowed_types, reason = "what is checked must not be what checks")]

use crate::item::Item;
use crate::journal::{Journals, ProducerJournal};
use processing::{PutError, Queue};
use processing_stress::random::Random;
use processing_stress::shared_file::SharedFile;
use std::path::Path;
use std::sync::atomic::Ordering::{Relaxed, SeqCst};
use std::time::Duration;

const SHORT: Duration = Duration::from_micros(200);

/// The target of a producer.
pub fn produce(path: String, place: u64, life: u64, seed: u64, queue: Queue<Item>) {
    let journals = match SharedFile::<Journals>::open(Path::new(&path)) {
        Ok(journals) => journals,
        Err(error) => {
            eprintln!("soak: {error:#}");
            std::process::exit(1);
        }
    };
    let words = journals.words();
    let mut producer = Producer {
        words,
        journal: &words.producers[place as usize],
        random: Random::new(seed ^ life << 32),
        queue,
        life,
    };
    while words.stop.load(Relaxed) == 0 {
        if let Err(error) = producer.one() {
            words.violation(&format!("put: {error}"));
            return;
        }
        words.progress.fetch_add(1, SeqCst);
    }
}

struct Producer<'a> {
    words: &'a Journals,
    journal: &'a ProducerJournal,
    random: Random,
    queue: Queue<Item>,
    life: u64,
}

impl Producer<'_> {
    fn one(&mut self) -> Result<(), PutError> {
        let number = self.journal.done.load(Relaxed) + 1;
        let item = Item::new(self.life, number);
        self.journal.begun.store(number, SeqCst);
        let how = self.random.below(3);
        while self.words.stop.load(Relaxed) == 0 {
            let put = match how {
                0 => self.queue.put_timeout(&item, SHORT),
                1 => self.queue.try_put(&item),
                // Long, but it ends: producers must notice that they are to stop.
                _ => self.queue.put_timeout(&item, Duration::from_secs(1)),
            };
            match put {
                Ok(()) => {
                    self.journal.done.store(number, SeqCst);
                    return Ok(());
                }
                Err(PutError::Full) => std::thread::yield_now(),
                Err(error) => return Err(error),
            }
        }
        // Not put, and never will be.
        self.journal.begun.store(number - 1, SeqCst);
        Ok(())
    }
}
