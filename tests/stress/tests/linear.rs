//! The program `linear` notices objects that are not linearizable, and has nothing against those that are.

use std::process::{Command, Output};

/// The objects that have a fault when they are asked to.
const DOUBLES: [&str; 3] = ["locked.value", "locked.dict", "locked.list"];

fn linear(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_linear"));
    command.args(arguments).env("RUST_BACKTRACE", "0");
    command.output().expect("the program runs")
}

#[test]
fn a_fault_is_noticed() {
    for name in DOUBLES {
        // It ends with the first history that is wrong.
        let output = linear(&["--faulty", "--seconds", "30", "--object", name]);
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{name}: {said}");
        assert!(said.contains("not linearizable") && said.contains("<- this one"), "{name}: {said}");
        assert!(said.contains("seed "), "{name}: {said}");
    }
}

#[test]
fn without_a_fault_there_is_none() {
    for name in DOUBLES {
        let output = linear(&["--seconds", "0.1", "--object", name]);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{name}: {said}");
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(said.contains(&format!("{name}: ")) && said.contains(" rounds, "), "{said}");
    }
}

#[test]
fn an_object_that_is_not_there_is_told() {
    let output = linear(&["--object", "nothing"]);
    assert_eq!(output.status.code(), Some(1));
}
