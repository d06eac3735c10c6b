//! Very many names.

use std::collections::HashSet;

use processing::list_named;

use crate::program::{Name, Program};

/// Names, and what one takes of the folder at most.
const NAMES: u32 = 10_000;
const EACH: u64 = 128 << 10;

#[test]
fn ten_thousand_names_are_created_listed_and_gone() {
    let space = rustix::fs::statvfs("/dev/shm").unwrap();
    let free = space.f_bavail * space.f_frsize;
    let names = NAMES.min((free / 2 / EACH) as u32);
    if names < NAMES {
        eprintln!("/dev/shm has {free} bytes free: {names} names and not {NAMES}");
    }
    // So many to a program that a limit of 1024 descriptors is enough.
    let each = names.min(900);
    let name = Name::new("many");
    let mut programs = Vec::new();
    for from in (0..names).step_by(each as usize) {
        let mut program = Program::start();
        program.tell(&format!("many {} {from} {}", &*name, (from + each).min(names)));
        programs.push(program);
    }
    programs.iter().for_each(|program| assert_eq!(program.hear(), "ok"));
    let own = |all: Vec<processing::NamedInfo>| -> HashSet<String> {
        let is_own = |info: &processing::NamedInfo| info.name.starts_with(&*name);
        let found: Vec<_> = all.into_iter().filter(is_own).collect();
        assert!(found.iter().all(|info| info.in_use && info.pids.len() == 1), "not all are in use");
        found.into_iter().map(|info| info.name).collect()
    };
    assert_eq!(own(list_named().unwrap()).len(), names as usize);
    // Half of the programs end in order, half are killed.
    for (i, mut program) in programs.into_iter().enumerate() {
        if i % 2 == 0 { program.end() } else { program.kill() }
    }
    let done = processing::gc_named().unwrap();
    let left: Vec<_> = done.kept.iter().filter(|info| info.name.starts_with(&*name)).collect();
    assert!(left.is_empty(), "{left:?}");
    assert!(own(list_named().unwrap()).is_empty());
}

#[test]
fn an_exhausted_limit_is_an_error_with_a_way_out() {
    let name = Name::new("limit");
    let mut program = Program::start();
    program.does("descriptors 64");
    let answer = program.ask(&format!("many {} 0 100", &*name));
    assert!(answer.starts_with("Limit") && answer.contains("ulimit -n"), "{answer}");
    // It goes on: what was made is gone, and there is room again.
    program.does(&format!("create {}-x", &*name));
    program.does("filesize 1000000");
    let answer = program.ask(&format!("create {}-y", &*name));
    assert!(answer.starts_with("OutOfMemory") && answer.contains("ulimit -f"), "{answer}");
    program.end();
    assert!(!list_named().unwrap().iter().any(|info| info.name.starts_with(&*name)));
}
