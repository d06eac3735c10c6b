//! Waiting for a child with a bound, and ending it with everything it started.

use std::collections::BTreeMap;
use std::io;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// Waits for the child; `None` when `bound` passed: then the child and its descendants were killed.
pub fn wait(child: &mut Child, bound: Option<Duration>) -> io::Result<Option<ExitStatus>> {
    let Some(bound) = bound else { return child.wait().map(Some) };
    let start = Instant::now();
    let mut pause = Duration::from_millis(1);
    while start.elapsed() < bound {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        std::thread::sleep(pause);
        pause = (pause * 2).min(Duration::from_millis(50));
    }
    kill_tree(child.id());
    child.wait()?;
    Ok(None)
}

/// Ends a process and all its descendants.
///
/// By parenthood and not by process group: children in a group of their own would not see Ctrl-C.
fn kill_tree(root: u32) {
    let mut pids = vec![root];
    let children = children_by_parent();
    let mut next = 0;
    while next < pids.len() {
        pids.extend(children.get(&pids[next]).into_iter().flatten());
        next += 1;
    }
    let pids = pids.iter().map(u32::to_string);
    let _ = Command::new("kill").arg("-KILL").args(pids).stderr(Stdio::null()).status();
}

fn children_by_parent() -> BTreeMap<u32, Vec<u32>> {
    let mut map = BTreeMap::<u32, Vec<u32>>::new();
    for entry in std::fs::read_dir("/proc").into_iter().flatten().flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
        let Ok(stat) = std::fs::read_to_string(entry.path().join("stat")) else { continue };
        if let Some(parent) = parent_of(&stat) {
            map.entry(parent).or_default().push(pid);
        }
    }
    map
}

/// The fourth field of `/proc/PID/stat`; the second is a name in parentheses that may hold anything.
fn parent_of(stat: &str) -> Option<u32> {
    let (_, rest) = stat.rsplit_once(')')?;
    rest.split_whitespace().nth(1)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parent_is_found_behind_an_odd_name() {
        assert_eq!(parent_of("12 (a) b (c)) S 7 12 12 0"), Some(7));
        assert_eq!(parent_of("nonsense"), None);
    }

    #[test]
    fn a_child_that_hangs_is_ended_with_its_children() {
        let mut child = Command::new("sh").args(["-c", "sleep 1000 & wait"]).spawn().unwrap();
        let start = Instant::now();
        assert!(wait(&mut child, Some(Duration::from_millis(200))).unwrap().is_none());
        assert!(start.elapsed() < Duration::from_secs(100));
        assert!(!children_by_parent().contains_key(&child.id()));
    }

    #[test]
    fn a_child_that_ends_in_time_gives_its_status() {
        let mut child = Command::new("sh").args(["-c", "exit 3"]).spawn().unwrap();
        let status = wait(&mut child, Some(Duration::from_secs(60))).unwrap().unwrap();
        assert_eq!(status.code(), Some(3));
    }
}
