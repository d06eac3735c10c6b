//! The cores that the measured processes are pinned to.

use anyhow::{Context as _, bail};
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use std::fs;

/// The cores that the instrument may use, and the two it measures on.
#[derive(Clone, Debug)]
pub struct Cores {
    usable: Vec<u32>,
}

/// Where a process may run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place(Vec<u32>);

impl Cores {
    /// Asks the kernel, which knows of affinity and of cgroup cpusets.
    ///
    /// # Errors
    /// The kernel's.
    pub fn find() -> anyhow::Result<Self> {
        let set = sched_getaffinity(None).context("sched_getaffinity")?;
        let usable = (0..CpuSet::MAX_CPU).filter(|&core| set.is_set(core)).map(|core| core as u32).collect();
        Ok(Self { usable })
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.usable.len()
    }

    /// Two cores that share no execution units, one for each side.
    ///
    /// # Errors
    /// There is only one core.
    pub fn two(&self) -> anyhow::Result<(Place, Place)> {
        let [first, rest @ ..] = &self.usable[..] else { bail!("no core to run on") };
        let twins = siblings(*first);
        let second = rest.iter().find(|core| !twins.contains(core)).or_else(|| rest.first());
        let Some(second) = second else { return Err(OneCore.into()) };
        Ok((Place(vec![*first]), Place(vec![*second])))
    }

    /// One core for both sides.
    ///
    /// # Errors
    /// There is no core to be had.
    pub fn one(&self) -> anyhow::Result<Place> {
        Ok(Place(vec![*self.usable.first().context("no core to run on")?]))
    }

    /// Two cores that everybody shares.
    ///
    /// # Errors
    /// There is only one core.
    pub fn shared_by_all(&self) -> anyhow::Result<Place> {
        let (Place(mut first), Place(second)) = self.two()?;
        first.extend(second);
        Ok(Place(first))
    }
}

/// There is one core, and what is measured needs two.
#[derive(Debug)]
pub struct OneCore;

impl std::error::Error for OneCore {}

impl std::fmt::Display for OneCore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("needs two cores, and this process may use only one")
    }
}

impl Place {
    /// The numbers of the cores.
    pub fn cores(&self) -> &[u32] {
        &self.0
    }

    /// Moves the calling thread here.
    ///
    /// # Errors
    /// The kernel's: a core that was taken offline, or out of this process's cpuset.
    pub fn pin(&self) -> anyhow::Result<()> {
        let mut set = CpuSet::new();
        for &core in &self.0 {
            set.set(core as usize);
        }
        sched_setaffinity(None, &set).with_context(|| format!("pinning to core {:?}", self.0))
    }
}

impl From<Vec<u32>> for Place {
    fn from(cores: Vec<u32>) -> Self {
        Self(cores)
    }
}

/// The hardware threads of the same core, `core` among them; none where the kernel does not say.
fn siblings(core: u32) -> Vec<u32> {
    let path = format!("/sys/devices/system/cpu/cpu{core}/topology/thread_siblings_list");
    fs::read_to_string(path).map(|list| parse_list(&list)).unwrap_or_default()
}

/// The kernel's lists of numbers: `0-2,7`.
fn parse_list(list: &str) -> Vec<u32> {
    let range = |part: &str| -> Option<std::ops::RangeInclusive<u32>> {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        Some(first.trim().parse().ok()?..=last.trim().parse().ok()?)
    };
    list.trim().split(',').filter_map(range).flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_lists_of_the_kernel() {
        assert_eq!(parse_list("0-2,7\n"), [0, 1, 2, 7]);
        assert_eq!(parse_list("3"), [3]);
        assert!(parse_list("").is_empty());
    }

    #[test]
    fn two_places_are_two_cores() {
        let cores = Cores { usable: vec![0, 1, 2, 3] };
        let (a, b) = cores.two().unwrap();
        assert_ne!(a, b);
        assert_eq!(cores.shared_by_all().unwrap().cores().len(), 2);
    }

    #[test]
    fn one_core_is_not_two() {
        assert!(Cores { usable: vec![5] }.two().is_err());
        assert_eq!(Cores { usable: vec![5] }.one().unwrap(), Place(vec![5]));
    }
}
