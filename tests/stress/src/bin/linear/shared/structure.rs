//! `SharedStruct`: replaced, changed by a copy, read in place and copied out.

use crate::model::{Answer, Op, What};
use crate::models::Register;
use crate::object::{Object, steady};
use crate::worker::live;
use processing::rkyv::vec::ArchivedVec;
use processing::{Process, SharedStruct};

/// Of any length, up to several lines.
pub struct Struct(SharedStruct<Vec<u64>>);

/// A value, some times over; an addition leaves it as long as it is.
fn copies(value: u64) -> Vec<u64> {
    vec![value; 1 + (value % 50) as usize]
}

fn answer(all: &[u64]) -> Answer {
    match all {
        [value, rest @ ..] if rest.iter().all(|other| other == value) => Answer::Value(*value),
        _ => Answer::Torn,
    }
}

impl Struct {
    pub fn new() -> processing::Result<Self> {
        Ok(Self(SharedStruct::new(&copies(0))?))
    }

    /// In place, or copied out.
    fn get(&self, place: u64) -> processing::Result<Answer> {
        if place == 0 {
            return Ok(answer(&self.0.get()?));
        }
        let guard = self.0.read()?;
        Ok(steady(|| {
            let all: Vec<u64> = guard.iter().map(|value| value.to_native()).collect();
            answer(std::hint::black_box(&all))
        }))
    }
}

impl Object for Struct {
    fn start(&self, who: (String, u64, u64)) -> processing::Result<Process> {
        fn work(who: (String, u64, u64), value: SharedStruct<Vec<u64>>) {
            let (value, mut turn) = (Struct(value), 0);
            live::<Register>(who, |_, op| {
                turn += 1;
                let answer = if op.what == What::Get { value.get(turn % 2) } else { value.apply(op) };
                answer.map_err(|error| error.to_string())
            });
        }
        Process::new(work, (who, self.0.clone())).start()
    }

    fn apply(&self, op: &Op) -> processing::Result<Answer> {
        match op.what {
            What::Get => self.get(0),
            What::Put => self.0.set(&copies(op.value)).map(|()| Answer::Nothing),
            What::Add => {
                let mut guard = self.0.write()?;
                let all = ArchivedVec::as_slice_seal(guard.seal()).unseal();
                for value in all.iter_mut() {
                    *value = value.to_native().wrapping_add(op.value).into();
                }
                let all: Vec<u64> = all.iter().map(|value| value.to_native()).collect();
                guard.commit()?;
                Ok(answer(&all))
            }
            _ => Ok(Answer::Refused),
        }
    }

    fn reset(&self) -> processing::Result<()> {
        self.0.set(&copies(0))
    }
}
