//! `SharedArray`: single elements, and views and changes of the whole.

use crate::model::{Answer, Op, What};
use crate::models;
use crate::object::{Object, steady};
use crate::worker::live;
use processing::{ErrorKind, Process, SharedArray};

pub struct Array(SharedArray<u64>);

impl Array {
    pub fn new() -> processing::Result<Self> {
        Ok(Self(SharedArray::new(models::ELEMENTS)?))
    }
}

impl Object for Array {
    fn start(&self, who: (String, u64, u64)) -> processing::Result<Process> {
        fn work(who: (String, u64, u64), array: SharedArray<u64>) {
            let array = Array(array);
            live::<models::Array>(who, |_, op| array.apply(op).map_err(|error| error.to_string()));
        }
        Process::new(work, (who, self.0.clone())).start()
    }

    fn apply(&self, op: &Op) -> processing::Result<Answer> {
        let (array, at) = (&self.0, op.place as usize);
        let nothing = |()| Answer::Nothing;
        let answer = match op.what {
            What::Get => array.get(at).map(Answer::Value),
            What::Put => array.set(at, op.value).map(nothing),
            What::Look => array.read().map(|guard| steady(|| models::digest(std::hint::black_box(&guard)))),
            What::Fill => array.fill(op.value).map(nothing),
            _ => Ok(Answer::Refused),
        };
        match answer {
            Err(error) if error.kind() == ErrorKind::OutOfRange => Ok(Answer::Refused),
            other => other,
        }
    }

    fn reset(&self) -> processing::Result<()> {
        self.0.fill(0)
    }
}
