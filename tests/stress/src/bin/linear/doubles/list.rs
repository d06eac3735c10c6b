//! A list under a lock. With the fault, a `Pop` looks at the last one and takes it away in two steps.

use crate::model::{Answer, Model as _, Op, What};
use crate::models::List;
use crate::object::{Object, ROOM};
use crate::worker::{Worker, live};
use processing::{Locked, Process};

pub struct LockedList {
    list: Locked<Vec<u64>>,
    faulty: bool,
}

impl LockedList {
    pub fn new(faulty: bool) -> processing::Result<Self> {
        Ok(Self { list: Locked::builder().build(&Vec::new(), ROOM)?, faulty })
    }
}

impl Object for LockedList {
    fn start(&self, who: (String, u64, u64)) -> processing::Result<Process> {
        Process::new(work, (who, self.list.clone(), self.faulty)).start()
    }

    fn apply(&self, op: &Op) -> processing::Result<Answer> {
        self.list.update(|list| List::apply(list, op))
    }

    fn reset(&self) -> processing::Result<()> {
        self.list.set(Vec::new())
    }
}

fn work(who: (String, u64, u64), list: Locked<Vec<u64>>, faulty: bool) {
    live::<List>(who, |worker, op| {
        let answer = if faulty && op.what == What::Pop {
            pop_in_steps(&list, worker)
        } else {
            list.update(|list| List::apply(list, op))
        };
        answer.map_err(|error| error.to_string())
    });
}

fn pop_in_steps(list: &Locked<Vec<u64>>, worker: &Worker<'_>) -> processing::Result<Answer> {
    let last = list.get()?.last().copied();
    worker.let_others_in();
    list.update(|list| list.pop())?;
    Ok(last.into())
}
