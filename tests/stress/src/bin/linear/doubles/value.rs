//! A value of several words under a lock. With the fault, `Add` reads and writes in two steps.

use crate::model::{Answer, Op, What};
use crate::models::Register;
use crate::object::{Object, WORDS, value_of, words_of};
use crate::worker::{Worker, live};
use processing::{Locked, Process};

pub struct LockedValue {
    value: Locked<[u64; WORDS]>,
    faulty: bool,
}

impl LockedValue {
    pub fn new(faulty: bool) -> processing::Result<Self> {
        Ok(Self { value: Locked::new(words_of(0))?, faulty })
    }
}

impl Object for LockedValue {
    fn start(&self, who: (String, u64, u64)) -> processing::Result<Process> {
        Process::new(work, (who, self.value.clone(), self.faulty)).start()
    }

    fn apply(&self, op: &Op) -> processing::Result<Answer> {
        apply(&self.value, op)
    }

    fn reset(&self) -> processing::Result<()> {
        self.value.set(words_of(0))
    }
}

fn work(who: (String, u64, u64), value: Locked<[u64; WORDS]>, faulty: bool) {
    live::<Register>(who, |worker, op| {
        let answer = if faulty { apply_in_steps(&value, worker, op) } else { apply(&value, op) };
        answer.map_err(|error| error.to_string())
    });
}

fn apply(value: &Locked<[u64; WORDS]>, op: &Op) -> processing::Result<Answer> {
    match op.what {
        What::Get => Ok(value_of(&value.get()?)),
        What::Put => value.set(words_of(op.value)).map(|()| Answer::Nothing),
        What::Add => value.update(|words| {
            *words = words_of(words[0].wrapping_add(op.value));
            value_of(words)
        }),
        _ => Ok(Answer::Refused),
    }
}

fn apply_in_steps(value: &Locked<[u64; WORDS]>, worker: &Worker<'_>, op: &Op) -> processing::Result<Answer> {
    if op.what != What::Add {
        return apply(value, op);
    }
    let words = words_of(value.get()?[0].wrapping_add(op.value));
    worker.let_others_in();
    value.set(words)?;
    Ok(value_of(&words))
}
