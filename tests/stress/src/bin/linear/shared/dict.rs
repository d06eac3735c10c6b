//! `SharedDict`, with values that lie in the bucket, or in blocks.

use crate::model::{Answer, Op, What};
use crate::models;
use crate::object::{Object, Value, WORDS, answer_of};
use crate::worker::live;
use processing::{Process, SharedDict};

/// Whether it stays as large as it is.
#[derive(Clone, Copy, PartialEq)]
pub enum Size {
    Steady,
    /// Each value that is put has a key of its own besides, which nobody looks at: so it grows in each round.
    Growing,
}

pub struct Dict<V> {
    dict: SharedDict<u64, V>,
    size: Size,
}

impl<V: Value> Dict<V> {
    pub fn new(size: Size) -> processing::Result<Self> {
        Ok(Self { dict: SharedDict::new()?, size })
    }

    fn apply(&self, op: &Op) -> processing::Result<Answer> {
        let (dict, key) = (&self.dict, &op.place);
        if self.size == Size::Growing && matches!(op.what, What::Put | What::Insert) {
            dict.insert(&(models::KEYS + op.value), &V::of(op.value))?;
        }
        match op.what {
            What::Get => dict.get(key).map(answer_of),
            What::Put => dict.replace(key, &V::of(op.value)).map(answer_of),
            What::Insert => dict.insert(key, &V::of(op.value)).map(Answer::from),
            What::Remove => dict.pop(key).map(answer_of),
            What::Drop => dict.remove(key).map(Answer::from),
            What::Add => dict.update(key, |value| value.plus(op.value)).map(answer_of),
            _ => Ok(Answer::Refused),
        }
    }

    fn work(self, who: (String, u64, u64)) {
        live::<models::Dict>(who, |_, op| self.apply(op).map_err(|error| error.to_string()));
    }
}

impl Object for Dict<u64> {
    fn start(&self, who: (String, u64, u64)) -> processing::Result<Process> {
        fn work(who: (String, u64, u64), dict: SharedDict<u64, u64>, grows: bool) {
            Dict { dict, size: if grows { Size::Growing } else { Size::Steady } }.work(who);
        }
        Process::new(work, (who, self.dict.clone(), self.size == Size::Growing)).start()
    }

    fn apply(&self, op: &Op) -> processing::Result<Answer> {
        self.apply(op)
    }

    fn reset(&self) -> processing::Result<()> {
        self.dict.clear()
    }
}

impl Object for Dict<[u64; WORDS]> {
    fn start(&self, who: (String, u64, u64)) -> processing::Result<Process> {
        fn work(who: (String, u64, u64), dict: SharedDict<u64, [u64; WORDS]>) {
            Dict { dict, size: Size::Steady }.work(who);
        }
        Process::new(work, (who, self.dict.clone())).start()
    }

    fn apply(&self, op: &Op) -> processing::Result<Answer> {
        self.apply(op)
    }

    fn reset(&self) -> processing::Result<()> {
        self.dict.clear()
    }
}
