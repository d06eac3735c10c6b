//! A dictionary under a lock. With the fault, a `Get` answers from a copy that was made a while ago.

use crate::model::{Answer, Op, What};
use crate::models::{Dict, KEYS};
use crate::object::Object;
use crate::worker::live;
use processing::{Locked, Process};

/// The value of each key.
type Values = [Option<u64>; KEYS as usize];

pub struct LockedDict {
    values: Locked<Values>,
    faulty: bool,
}

impl LockedDict {
    pub fn new(faulty: bool) -> processing::Result<Self> {
        Ok(Self { values: Locked::new(Values::default())?, faulty })
    }
}

impl Object for LockedDict {
    fn start(&self, who: (String, u64, u64)) -> processing::Result<Process> {
        Process::new(work, (who, self.values.clone(), self.faulty)).start()
    }

    fn apply(&self, op: &Op) -> processing::Result<Answer> {
        apply(&self.values, op)
    }

    fn reset(&self) -> processing::Result<()> {
        self.values.set(Values::default())
    }
}

fn work(who: (String, u64, u64), values: Locked<Values>, faulty: bool) {
    let mut copy = (Values::default(), 0);
    live::<Dict>(who, |_, op| {
        let answer =
            if faulty && op.what == What::Get { stale(&values, &mut copy, op) } else { apply(&values, op) };
        answer.map_err(|error| error.to_string())
    });
}

fn apply(values: &Locked<Values>, op: &Op) -> processing::Result<Answer> {
    let at = op.place as usize;
    match op.what {
        What::Get => Ok(values.get()?[at].into()),
        What::Put => values.update(|values| values[at].replace(op.value).into()),
        What::Insert => values.update(|values| values[at].replace(op.value).is_none().into()),
        What::Remove => values.update(|values| values[at].take().into()),
        What::Drop => values.update(|values| values[at].take().is_some().into()),
        What::Add => values.update(|values| {
            values[at] = values[at].map(|value| value.wrapping_add(op.value));
            values[at].into()
        }),
        _ => Ok(Answer::Refused),
    }
}

/// The copy is made anew at every fourth look.
fn stale(values: &Locked<Values>, (copy, looks): &mut (Values, u32), op: &Op) -> processing::Result<Answer> {
    if *looks % 4 == 0 {
        *copy = values.get()?;
    }
    *looks += 1;
    Ok(copy[op.place as usize].into())
}
