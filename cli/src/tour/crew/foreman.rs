//! Feeds the workers, collects what they say, and kills one of them half-way.

use super::super::find::FoundFile;
use super::super::options::CrewOptions;
use super::super::progress::Progress;
use super::super::summary::Shown;
use super::super::tally::Tally;
use super::CrewCount;
use super::message::{News, Note, Task};
use super::prey::Stopped;
use super::worker::work;
use anyhow::{Context as _, ensure};
use processing::{Backend, Message, Process, Queue};
use std::os::unix::ffi::OsStrExt as _;
use std::time::{Duration, Instant};

/// Tasks that may be on the way at a time: the queue has room for them, so that putting one never blocks.
const TASKS: usize = 1024;
/// Notes that may wait for the parent.
const NOTES: usize = 1024;
/// A parent that hears nothing for so long looks whether its workers live.
const SILENCE: Duration = Duration::from_millis(100);
/// What is in the queue at present arrives in less.
const AT_ONCE: Duration = Duration::from_millis(1);

/// Counts all files with worker processes.
///
/// # Errors
/// No process, queue or memory could be had, or the workers keep dying.
pub fn count(files: &[FoundFile], options: CrewOptions, progress: &Progress) -> anyhow::Result<CrewCount> {
    let start = Instant::now();
    let mut foreman = Foreman::new(files, options, progress)?;
    foreman.work()?;
    foreman.dismiss()?;
    Ok(CrewCount {
        took: start.elapsed(),
        tally: foreman.tally,
        workers: options.workers,
        killed: foreman.killed,
        redelivered: foreman.redelivered,
        duplicates: foreman.duplicates,
    })
}

struct Foreman<'a> {
    files: &'a [FoundFile],
    options: CrewOptions,
    progress: &'a Progress,
    tasks: Queue<Task>,
    notes: Queue<Note>,
    workers: Vec<Worker>,
    /// The next file to put into the task queue.
    next: usize,
    tally: Tally,
    counted_bytes: u64,
    total_bytes: u64,
    killed: Vec<String>,
    redelivered: u64,
    duplicates: u64,
    /// Workers that died without being killed by us.
    lost: u32,
}

/// Whatever the environment says: the tour shows that work outlives a worker, which is the ring's promise.
fn ring<T: Message>(capacity: usize) -> processing::Result<Queue<T>> {
    Queue::builder().capacity(capacity).backend(Backend::Ring).build()
}

/// A worker process. Its place in the list is its number: the dead stay in it.
struct Worker {
    process: Process,
    /// The task that it holds, by what it last said.
    holds: Option<usize>,
    is_gone: bool,
}

impl<'a> Foreman<'a> {
    fn new(files: &'a [FoundFile], options: CrewOptions, progress: &'a Progress) -> anyhow::Result<Self> {
        let mut foreman = Self {
            files,
            options,
            progress,
            tasks: ring(TASKS).context("the task queue")?,
            notes: ring(NOTES).context("the queue of results")?,
            workers: Vec::new(),
            next: 0,
            tally: Tally::new(files.len()),
            counted_bytes: 0,
            total_bytes: files.iter().map(|file| file.bytes).sum(),
            killed: Vec::new(),
            redelivered: 0,
            duplicates: 0,
            lost: 0,
        };
        for _ in 0..options.workers {
            foreman.hire()?;
        }
        Ok(foreman)
    }

    /// Until each file has a verdict.
    fn work(&mut self) -> anyhow::Result<()> {
        while self.tally.recorded() < self.files.len() {
            self.feed()?;
            if !self.listen(SILENCE)? {
                self.replace_the_lost()?;
            }
            if self.kill_is_due() {
                self.hunt()?;
            }
        }
        Ok(())
    }

    /// Lets the workers go home, and sees them off.
    fn dismiss(&mut self) -> anyhow::Result<()> {
        self.tasks.close()?;
        for worker in self.workers.iter_mut().filter(|worker| !worker.is_gone) {
            worker.process.join()?;
        }
        Ok(())
    }

    /// Starts a worker.
    fn hire(&mut self) -> anyhow::Result<()> {
        let number = self.workers.len() as u32;
        let process = Process::new(work, (number, self.tasks.clone(), self.notes.clone()))
            .name(format!("counter-{number}"))
            .start()
            .context("starting a worker")?;
        self.workers.push(Worker { process, holds: None, is_gone: false });
        Ok(())
    }

    /// Puts tasks until enough are on the way. As long as somebody is still to be killed, the last one
    /// waits for all others.
    fn feed(&mut self) -> anyhow::Result<()> {
        while self.next < self.files.len() && self.next - self.tally.recorded() < TASKS {
            let is_last = self.next + 1 == self.files.len();
            let is_bait = is_last && self.kill_is_open();
            if is_bait && self.tally.recorded() < self.next {
                return Ok(());
            }
            let path = self.files[self.next].path.as_os_str().as_bytes().to_vec();
            self.put(&Task { id: self.next as u64, path, is_bait })?;
            self.next += 1;
        }
        Ok(())
    }

    fn put(&self, task: &Task) -> processing::Result<()> {
        Ok(self.tasks.put(task)?)
    }

    /// Takes one note; false if none comes within `patience`.
    fn listen(&mut self, patience: Duration) -> anyhow::Result<bool> {
        match self.notes.get_timeout(patience) {
            Ok(note) => {
                self.take(note);
                Ok(true)
            }
            Err(nothing) if nothing.is_empty() => Ok(false),
            Err(error) => Err(processing::Error::from(error).into()),
        }
    }

    fn take(&mut self, note: Note) {
        let task = note.task as usize;
        let holds = match note.news {
            News::Started { redelivered } => {
                self.redelivered += u64::from(redelivered);
                Some(task)
            }
            News::Counted(verdict) => {
                if self.tally.record(task, verdict) {
                    self.counted_bytes += self.files[task].bytes;
                    self.progress.file_done(self.files[task].bytes);
                } else {
                    self.duplicates += 1;
                }
                None
            }
        };
        if let Some(worker) = self.workers.get_mut(note.worker as usize) {
            worker.holds = holds;
        }
    }

    fn kill_is_open(&self) -> bool {
        self.options.kill && self.killed.is_empty()
    }

    /// Half of the bytes are counted, or there is one file left.
    fn kill_is_due(&self) -> bool {
        let half_way = self.counted_bytes >= self.total_bytes.div_ceil(2);
        self.kill_is_open() && (half_way || self.tally.recorded() + 1 == self.files.len())
    }

    /// Tries to kill a worker while it holds work: the one with the largest file. It is stopped first; then
    /// all that it has said until then is heard; if it still holds the file, it dies, and goes on otherwise.
    fn hunt(&mut self) -> anyhow::Result<()> {
        let size = |worker: &Worker| worker.holds.map(|task| self.files[task].bytes);
        let busy = self.workers.iter().enumerate().filter(|(_, worker)| !worker.is_gone);
        let prey = busy.filter_map(|(number, worker)| Some((size(worker)?, number))).max();
        let Some((_, number)) = prey else { return Ok(()) };
        let pid = self.workers[number].process.pid();
        let Some(stopped) = Stopped::stop(pid) else { return Ok(()) };
        self.listen_to_all_that_was_said()?;
        let Some(task) = self.workers[number].holds else { return Ok(()) };
        stopped.stays();
        self.kill(number, pid, task)
    }

    /// Notes come in the order they were put, so that no more can have been put before than the queue holds.
    fn listen_to_all_that_was_said(&mut self) -> anyhow::Result<()> {
        for _ in 0..NOTES {
            if !self.listen(AT_ONCE)? {
                break;
            }
        }
        Ok(())
    }

    /// Kills a worker, and starts another in its place.
    fn kill(&mut self, number: usize, pid: u32, task: usize) -> anyhow::Result<()> {
        let worker = &mut self.workers[number];
        worker.process.kill()?;
        worker.process.join()?;
        worker.is_gone = true;
        let held = Shown(&self.files[task].path);
        self.killed.push(format!("counter-{number} (pid {pid}) by SIGKILL, while it held {held}"));
        self.progress.note(&format!("killed counter-{number} (pid {pid}) while it held {held}"));
        self.hire()
    }

    /// Starts a new worker for each that died by itself.
    fn replace_the_lost(&mut self) -> anyhow::Result<()> {
        for number in 0..self.workers.len() {
            let worker = &mut self.workers[number];
            if worker.is_gone || worker.process.is_alive() {
                continue;
            }
            worker.is_gone = true;
            let end =
                worker.process.join().map_or_else(|error| error.to_string(), |exit| format!("{exit:?}"));
            self.progress.note(&format!("counter-{number} ended by itself ({end}): replaced"));
            self.lost += 1;
            ensure!(self.lost <= 4 + self.options.workers, "the workers keep dying: {end}");
            self.hire()?;
        }
        Ok(())
    }
}
