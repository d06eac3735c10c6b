//! `SharedValue`: one word, and several.

use crate::model::{Answer, Op, What};
use crate::models::Register;
use crate::object::{Object, Value as _, WORDS, words_of};
use crate::worker::live;
use processing::{Process, SharedValue};

/// In one word.
pub struct Word(SharedValue<u64>);

/// In several.
pub struct Words(SharedValue<[u64; WORDS]>);

impl Word {
    pub fn new() -> processing::Result<Self> {
        Ok(Self(SharedValue::new(0)?))
    }
}

impl Object for Word {
    fn start(&self, who: (String, u64, u64)) -> processing::Result<Process> {
        fn work(who: (String, u64, u64), value: SharedValue<u64>) {
            let value = Word(value);
            live::<Register>(who, |_, op| value.apply(op).map_err(|error| error.to_string()));
        }
        Process::new(work, (who, self.0.clone())).start()
    }

    fn apply(&self, op: &Op) -> processing::Result<Answer> {
        match op.what {
            What::Get => Ok(Answer::Value(self.0.get())),
            What::Put => self.0.set(op.value).map(|()| Answer::Nothing),
            What::Add => self.0.update(|value| {
                *value = value.wrapping_add(op.value);
                Answer::Value(*value)
            }),
            _ => Ok(Answer::Refused),
        }
    }

    fn reset(&self) -> processing::Result<()> {
        self.0.set(0)
    }
}

impl Words {
    pub fn new() -> processing::Result<Self> {
        Ok(Self(SharedValue::new(words_of(0))?))
    }
}

impl Object for Words {
    fn start(&self, who: (String, u64, u64)) -> processing::Result<Process> {
        fn work(who: (String, u64, u64), value: SharedValue<[u64; WORDS]>) {
            let value = Words(value);
            live::<Register>(who, |_, op| value.apply(op).map_err(|error| error.to_string()));
        }
        Process::new(work, (who, self.0.clone())).start()
    }

    fn apply(&self, op: &Op) -> processing::Result<Answer> {
        match op.what {
            What::Get => Ok(self.0.get().answer()),
            What::Put => self.0.set(words_of(op.value)).map(|()| Answer::Nothing),
            What::Add => self.0.update(|words| {
                *words = words.plus(op.value);
                words.answer()
            }),
            _ => Ok(Answer::Refused),
        }
    }

    fn reset(&self) -> processing::Result<()> {
        self.0.set(words_of(0))
    }
}
