//! The life of a worker process.

use super::super::file;
use super::message::{News, Note, Task};
use processing::Queue;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::time::Duration;

/// How long the holder of the bait waits to be killed before it goes on.
const BAIT_PATIENCE: Duration = Duration::from_secs(5);

/// Counts files until the task queue is closed. The lease of a task is given back after its result is sent:
/// whoever is killed in between leaves the task to another worker.
pub fn work(worker: u32, tasks: Queue<Task>, notes: Queue<Note>) -> processing::Result<()> {
    let say = |task, news| notes.put(&Note { worker, task, news });
    loop {
        let lease = match tasks.get_ref() {
            Ok(lease) => lease,
            Err(end) if end.is_closed() => return Ok(()),
            Err(error) => return Err(error.into()),
        };
        let task = lease.id.to_native();
        let redelivered = lease.redelivered();
        say(task, News::Started { redelivered })?;
        if lease.is_bait && !redelivered {
            std::thread::sleep(BAIT_PATIENCE);
        }
        let path = Path::new(OsStr::from_bytes(&lease.path));
        say(task, News::Counted(file::count(path)))?;
    }
}
