//! `SharedList`, with elements that lie in it, or in blocks.

use crate::model::{Answer, Op, What};
use crate::models;
use crate::object::{Object, Value, WORDS, answer_of};
use crate::worker::live;
use processing::{ErrorKind, Process, SharedList};

pub struct List<V>(SharedList<V>);

impl<V: Value> List<V> {
    pub fn new() -> processing::Result<Self> {
        Ok(Self(SharedList::new()?))
    }

    fn apply(&self, op: &Op) -> processing::Result<Answer> {
        let (list, at) = (&self.0, op.place as usize);
        let nothing = |()| Answer::Nothing;
        let answer = match op.what {
            What::Get => list.get(at).map(|value| value.answer()),
            What::Put => list.set(at, &V::of(op.value)).map(nothing),
            What::Add => list.update(at, |value| {
                *value = value.plus(op.value);
                value.answer()
            }),
            What::Insert => list.insert(at, &V::of(op.value)).map(nothing),
            What::Remove => list.remove(at).map(|value| value.answer()),
            What::Push => list.push(&V::of(op.value)).map(nothing),
            What::Pop => list.pop().map(answer_of),
            What::Len => Ok(Answer::Value(list.len() as u64)),
            _ => Ok(Answer::Refused),
        };
        match answer {
            Err(error) if error.kind() == ErrorKind::OutOfRange => Ok(Answer::Refused),
            other => other,
        }
    }

    fn work(self, who: (String, u64, u64)) {
        live::<models::List>(who, |_, op| self.apply(op).map_err(|error| error.to_string()));
    }
}

impl Object for List<u64> {
    fn start(&self, who: (String, u64, u64)) -> processing::Result<Process> {
        fn work(who: (String, u64, u64), list: SharedList<u64>) {
            List(list).work(who);
        }
        Process::new(work, (who, self.0.clone())).start()
    }

    fn apply(&self, op: &Op) -> processing::Result<Answer> {
        self.apply(op)
    }

    fn reset(&self) -> processing::Result<()> {
        self.0.clear()
    }
}

impl Object for List<[u64; WORDS]> {
    fn start(&self, who: (String, u64, u64)) -> processing::Result<Process> {
        fn work(who: (String, u64, u64), list: SharedList<[u64; WORDS]>) {
            List(list).work(who);
        }
        Process::new(work, (who, self.0.clone())).start()
    }

    fn apply(&self, op: &Op) -> processing::Result<Answer> {
        self.apply(op)
    }

    fn reset(&self) -> processing::Result<()> {
        self.0.clear()
    }
}
