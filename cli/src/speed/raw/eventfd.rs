//! Eventfds: one for each of a hundred waiters.

use crate::measure::gathering::{Gathering, Roll};
use crate::measure::{Entry, Partner, Side};
use rustix::event::{EventfdFlags, eventfd};
use std::os::fd::OwnedFd;
use std::sync::Arc;

/// How many wait.
pub const WAITERS: usize = 100;

pub fn entries() -> Vec<Entry> {
    vec![wake_all()]
}

/// From the first write to the return of the last one.
pub fn wake_all() -> Entry {
    Entry::new("eventfd", |cores| {
        let (roll, place) = (Roll::new()?, cores.shared_by_all()?);
        let open = |_| Ok(Arc::new(eventfd(0, EventfdFlags::CLOEXEC)?));
        let descriptors = (0..WAITERS).map(open).collect::<anyhow::Result<Vec<Arc<OwnedFd>>>>()?;
        let mut waiters: Vec<Box<dyn Side>> = Vec::new();
        for own in &descriptors {
            let own = Arc::clone(own);
            let wait = move |rounds| {
                let mut count = [0; 8];
                roll.attend(rounds, || Ok(rustix::io::read(&own, &mut count).map(|_| ())?))
            };
            waiters.push(Box::new(Partner::fork(&place, wait)?));
        }
        let release = move |_| {
            descriptors.iter().try_for_each(|one| {
                rustix::io::write(one, &1u64.to_ne_bytes())?;
                Ok(())
            })
        };
        Ok(Gathering { roll, waiters, release, round: 0 })
    })
}
