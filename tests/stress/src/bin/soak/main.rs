//! Producers and consumers of one queue are killed and stopped every 20 ms for as long as one likes; at the end the whole
//! history is compared: nothing lost, nothing twice without the mark, the order of each producer kept, the arena empty.
//!
//! Half of the processes put messages of mixed sizes up to a megabyte, by every form of put, the other half get them by every
//! form of get. Each writes into a journal of its own what it is about to do and what it has done; when it is dead, and before
//! its place is taken by another, the journal goes into the history.

mod consumer;
mod history;
mod item;
mod journal;
mod producer;

use std::sync::atomic::Ordering::SeqCst;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use clap::Parser;
use processing::{Arena, Process, Queue};
use processing_stress::disturb;
use processing_stress::random::Random;
use processing_stress::shared_file::SharedFile;

use history::History;
use item::Item;
use journal::{Journals, SIDE};

#[derive(Parser)]
#[command(about = "A queue under load whose processes are killed and stopped; the history is checked")]
struct Options {
    #[arg(long, default_value_t = 1.0)]
    minutes: f64,
    /// Of an earlier run
    #[arg(long)]
    seed: Option<u64>,
}

/// From one disturbance to the next.
const PERIOD: Duration = Duration::from_millis(20);
/// The longest that nobody may get on.
const PATIENCE: Duration = Duration::from_secs(30);
const CAPACITY: usize = 64;
/// Room of the arena: all slots full of the largest messages, and as many again under way.
const LIMIT: u64 = 256 << 20;

fn main() -> Result<()> {
    let options = Options::parse();
    let seed = options.seed.unwrap_or_else(disturb::seed);
    println!("seed {seed}");
    let mut run = Run::start(seed)?;
    let deadline = Instant::now() + Duration::from_secs_f64(options.minutes * 60.0);
    let answer = run.go_on(deadline);
    answer.and_then(|()| run.finish()).with_context(|| format!("seed {seed}"))
}

/// One of the six.
struct Worker {
    process: Process,
    /// Of a producer: the name of its life in the history.
    life: u64,
}

struct Run {
    journals: SharedFile<Journals>,
    arena: Arena,
    queue: Queue<Item>,
    history: History,
    producers: Vec<Worker>,
    consumers: Vec<Worker>,
    random: Random,
    seed: u64,
    lives: u64,
    kills: u64,
    stops: u64,
    /// When somebody got on last, and how far all were.
    seen: (u64, Instant),
}

impl Run {
    fn start(seed: u64) -> Result<Self> {
        let arena = Arena::builder().limit(LIMIT).build()?;
        let mut run = Self {
            journals: SharedFile::create("soak")?,
            queue: Queue::builder().capacity(CAPACITY).arena(&arena).build()?,
            arena,
            history: History::default(),
            producers: Vec::new(),
            consumers: Vec::new(),
            random: Random::new(seed),
            seed,
            lives: 0,
            kills: 0,
            stops: 0,
            seen: (0, Instant::now()),
        };
        for place in 0..SIDE {
            let (producer, consumer) = (run.start_producer(place)?, run.start_consumer(place)?);
            run.producers.push(producer);
            run.consumers.push(consumer);
        }
        Ok(run)
    }

    fn start_producer(&mut self, place: usize) -> Result<Worker> {
        self.lives += 1;
        let life = self.lives;
        let arguments = (self.journals.path(), place as u64, life, self.seed, self.queue.clone());
        let process = Process::new(producer::produce, arguments).start().context("a producer")?;
        Ok(Worker { process, life })
    }

    fn start_consumer(&mut self, place: usize) -> Result<Worker> {
        self.lives += 1;
        let life = self.lives;
        let arguments = (self.journals.path(), place as u64, life, self.seed, self.queue.clone());
        let process = Process::new(consumer::consume, arguments).start().context("a consumer")?;
        Ok(Worker { process, life })
    }

    fn go_on(&mut self, deadline: Instant) -> Result<()> {
        while Instant::now() < deadline {
            std::thread::sleep(PERIOD);
            let place = self.random.below(SIDE as u64) as usize;
            match self.random.below(5) {
                0 => self.pause(place)?,
                1 | 2 => self.kill_producer(place)?,
                _ => self.kill_consumer(place)?,
            }
            self.check()?;
        }
        Ok(())
    }

    fn pause(&mut self, place: usize) -> Result<()> {
        let side = if self.random.below(2) == 0 { &self.producers } else { &self.consumers };
        disturb::pause(&side[place].process, Duration::from_millis(self.random.below(20)))?;
        self.stops += 1;
        Ok(())
    }

    fn kill_producer(&mut self, place: usize) -> Result<()> {
        end(&self.producers[place].process)?;
        self.kills += 1;
        self.note_producer(place);
        self.producers[place] = self.start_producer(place)?;
        Ok(())
    }

    fn kill_consumer(&mut self, place: usize) -> Result<()> {
        end(&self.consumers[place].process)?;
        self.kills += 1;
        self.note_consumer(place)?;
        self.consumers[place] = self.start_consumer(place)?;
        Ok(())
    }

    /// The journal of a producer that has ended goes into the history.
    fn note_producer(&mut self, place: usize) {
        let words = &self.journals.words().producers[place];
        self.history.produced(
            self.producers[place].life,
            words.done.swap(0, SeqCst),
            words.begun.swap(0, SeqCst),
        );
    }

    /// The same of a consumer.
    fn note_consumer(&mut self, place: usize) -> Result<()> {
        self.history.consumed(&self.journals.words().consumers[place])
    }

    fn check(&mut self) -> Result<()> {
        let words = self.journals.words();
        ensure!(words.violations.load(SeqCst) == 0, "a process met what must not be (see above)");
        let progress = words.progress.load(SeqCst);
        if progress != self.seen.0 {
            self.seen = (progress, Instant::now());
        } else if self.seen.1.elapsed() > PATIENCE {
            bail!("nobody gets on: {:?}", self.queue);
        }
        for place in 0..SIDE {
            let producer = &self.producers[place].process;
            ensure!(producer.is_alive(), "{producer} has ended by itself");
            // A consumer ends when its journal is full.
            if !self.consumers[place].process.is_alive() {
                let exit = self.consumers[place].process.join_timeout(PATIENCE)?;
                ensure!(exit.success(), "{} has failed", self.consumers[place].process);
                self.note_consumer(place)?;
                self.consumers[place] = self.start_consumer(place)?;
            }
        }
        Ok(())
    }

    /// Producers stop, consumers drain; then the history must be whole.
    fn finish(mut self) -> Result<()> {
        self.journals.words().stop.store(1, SeqCst);
        for place in 0..SIDE {
            let process = &self.producers[place].process;
            process.join_timeout(PATIENCE).with_context(|| format!("{process} is to stop"))?;
            self.note_producer(place);
        }
        self.queue.close()?;
        for place in 0..SIDE {
            let process = &self.consumers[place].process;
            process.join_timeout(PATIENCE).with_context(|| format!("{process} is to drain the queue"))?;
            self.note_consumer(place)?;
        }
        ensure!(self.journals.words().violations.load(SeqCst) == 0, "a process met what must not be");
        ensure!(
            self.queue.try_get().is_err_and(|end| end.is_closed()),
            "the queue is not drained: {:?}",
            self.queue
        );
        let summary = self.history.check()?;
        self.check_arena()?;
        println!("{} kills, {} stops; {summary}", self.kills, self.stops);
        println!("nothing lost, nothing twice without the mark, order kept, arena empty");
        Ok(())
    }

    fn check_arena(&mut self) -> Result<()> {
        let before = self.arena.fsck()?;
        ensure!(before.is_clean(), "the arena is not clean: {before}");
        ensure!(before.sent == 0 && before.private == 0, "messages are left: {before}");
        let other = Queue::builder().capacity(1).arena(&self.arena).build()?;
        self.queue = other;
        let after = self.arena.fsck()?;
        ensure!(
            after.is_clean() && after.objects == 1 && after.body == 1,
            "the queue has gone, and left: {after}"
        );
        Ok(())
    }
}

fn end(process: &Process) -> Result<()> {
    process.kill()?;
    process.join_timeout(PATIENCE).with_context(|| format!("{process} was killed"))?;
    Ok(())
}
