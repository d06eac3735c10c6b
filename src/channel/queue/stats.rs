//! How a queue is doing.

use std::fmt;

use super::Queue;
use crate::ring::ParticipantId;

/// A look at a queue, as [`Queue::stats`] had it. Its numbers are of different moments of the call, if others are at work.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct QueueStats {
    /// Messages that fit.
    pub capacity: usize,
    /// Messages that wait to be taken.
    pub depth: usize,
    /// About how many waited at once at most since the queue was made.
    ///
    /// Noted each time a put found no room (then it is the capacity), at each call of [`Queue::stats`], and by producers every so often: it may be too low
    /// by up to half of the capacity, and of queues for fewer than 64 messages nothing is noted between full and asked for. Where the kernel carries
    /// the messages nothing is noted: it is the depth.
    pub high_water: usize,
    /// Waiting messages that are marked as redelivered.
    pub redelivered: usize,
    /// Messages in somebody's hands: leased, or being taken just now.
    pub leased: usize,
    /// Messages that were given up; see [`Queue::dead_letters`].
    pub dead_letters: usize,
    /// Messages that were dropped to make room; see [`WhenFull::DropOldest`](crate::WhenFull::DropOldest). A process killed just after it dropped one
    /// may not have counted it.
    pub dropped: u64,
    /// Whether the queue is closed.
    pub closed: bool,
    /// The processes that have a handle of it, and what each of them has taken.
    pub holders: Vec<QueueHolder>,
}

/// A process that has a handle of a queue.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct QueueHolder {
    /// Its process id, as it sees it itself.
    pub pid: u32,
    /// Its name.
    pub name: String,
    /// Messages that it leases, or is just taking.
    pub leases: usize,
}

impl<T> Queue<T> {
    /// How the queue is doing: for people and for monitoring. Stale as soon as it is read.
    ///
    /// A process that died and that nobody has noticed yet is counted among the holders. Handles on their way, in messages
    /// and in the arguments of processes that are starting, are no holders.
    ///
    /// Cost: a look at each slot of the queue, and at each reference of each process.
    ///
    /// ```
    /// let q = processing::Queue::<u64>::new(4)?;
    /// q.put_many(&[1, 2, 3])?;
    /// let lease = q.get_ref()?;
    /// let stats = q.stats();
    /// assert_eq!((stats.depth, stats.leased, stats.capacity), (2, 1, 4));
    /// assert_eq!(stats.holders[0].pid, std::process::id());
    /// # Ok::<(), processing::Error>(())
    /// ```
    pub fn stats(&self) -> QueueStats {
        let ring = &self.shared.ring;
        let census = ring.census();
        let store = self.shared.domain.store();
        let mut ids: Vec<ParticipantId> = store.holders(self.shared.object.id());
        ids.extend(census.claims.keys().filter(|id| !ids.contains(id)).copied().collect::<Vec<_>>());
        let holder = |id| {
            let participant = store.region().participant(id);
            let leases = census.claims.get(&id).copied().unwrap_or(0) as usize;
            QueueHolder { pid: participant.pid, name: participant.name, leases }
        };
        let (depth, high_water) = match &self.shared.kernel {
            None => (census.waiting as usize, ring.high_water() as usize),
            Some(kernel) => (kernel.len(), kernel.len()),
        };
        QueueStats {
            capacity: self.capacity(),
            depth,
            high_water,
            redelivered: census.redelivered as usize,
            leased: census.claims.values().sum::<u64>() as usize,
            dead_letters: census.dead_letters as usize,
            dropped: ring.dropped(),
            closed: ring.is_closed(),
            holders: ids.into_iter().map(holder).collect(),
        }
    }
}

impl fmt::Display for QueueStats {
    /// `<QueueStats(3 of 1024, at most 700, closed; 1 leased, 2 dead letters; worker (pid 41) has 1, main (pid 40))>`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<QueueStats({} of {}, at most {}", self.depth, self.capacity, self.high_water)?;
        if self.closed {
            f.write_str(", closed")?;
        }
        f.write_str(";")?;
        let counts = [
            (self.leased as u64, "leased"),
            (self.redelivered as u64, "redelivered"),
            (self.dead_letters as u64, "dead letters"),
            (self.dropped, "dropped"),
        ];
        let mut told = counts.iter().filter(|(count, _)| *count > 0).peekable();
        while let Some((count, what)) = told.next() {
            write!(f, " {count} {what}{}", if told.peek().is_some() { "," } else { ";" })?;
        }
        for (n, holder) in self.holders.iter().enumerate() {
            let comma = if n > 0 { "," } else { "" };
            write!(f, "{comma} {holder}")?;
        }
        f.write_str(")>")
    }
}

impl fmt::Display for QueueHolder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (pid {})", self.name, self.pid)?;
        if self.leases > 0 {
            write!(f, " has {}", self.leases)?;
        }
        Ok(())
    }
}
