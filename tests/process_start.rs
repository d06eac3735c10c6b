//! Processes from the standard test harness: many threads, no `main` of one's own, nothing special written.

mod process_scenarios;

use std::time::Duration;

use process_scenarios::{Scenario, Watch, stay, until_gone};
use processing::{
    Builder, ErrorKind, Exit, Process, StartMethod, active_children, cpu_count, current_process,
};

fn scenario(name: &str) -> Scenario {
    process_scenarios::ALL.iter().find(|(other, _)| *other == name).expect("such a scenario").1
}

macro_rules! for_both {
    ($($name:ident)*) => {
        mod spawn {
            $(#[test] fn $name() { super::scenario(stringify!($name))(processing::StartMethod::Spawn) })*
        }
        mod fork_server {
            $(#[test] fn $name() { super::scenario(stringify!($name))(processing::StartMethod::ForkServer) })*
        }
        #[test]
        fn no_scenario_is_left_out() {
            assert_eq!([$(stringify!($name)),*].len(), process_scenarios::ALL.len());
        }
    };
}

for_both! {
    a_value_comes_back
    arguments_arrive_whole
    a_task_runs
    a_panic_reaches_join
    a_panic_that_is_caught_is_none
    a_panic_that_aborts_reaches_join
    an_error_reaches_join
    exit_codes_and_signals
    waiting_has_three_forms
    many_threads_join_one
    names_count_by_generation
    a_child_is_a_tidy_process
    orphans_end
    a_value_of_another_end
}

#[test]
fn fork_is_refused_where_there_are_threads() {
    let error =
        Process::new(|| (), ()).name("copy").start_method(StartMethod::Fork).start().expect_err("threads");
    assert_eq!(error.kind(), ErrorKind::InvalidState);
    let text = error.to_string();
    assert!(text.starts_with("process copy: a process with ") && text.contains("ForkServer"), "{text}");
}

#[test]
fn a_child_may_have_threads_and_exits_in_spite_of_them() {
    let p = Process::new(
        || {
            std::thread::spawn(|| std::thread::sleep(Duration::MAX));
        },
        (),
    );
    assert_eq!(p.start().expect("start").join().expect("join"), Exit::Code(0));
}

#[test]
fn active_children_are_those_that_run() {
    let watch = Watch::new();
    let p = Process::new(stay, (watch.port(),)).name("active").start().expect("start");
    let line = watch.accept();
    let find = || active_children().into_iter().find(|child| child.pid() == p.pid());
    assert_eq!(find().expect("it runs").name(), "active");
    p.kill().expect("kill");
    p.join().expect("join");
    assert!(find().is_none());
    until_gone(line);
}

#[test]
fn oneself_cannot_be_joined() {
    let me = current_process();
    assert!(me.is_alive() && me.exit_code().is_none());
    assert_eq!(me.pid(), std::process::id());
    for error in [me.join().err(), me.try_join().err(), me.terminate().err(), me.kill().err()] {
        let error = error.expect("an error");
        assert_eq!(error.kind(), ErrorKind::InvalidState);
        assert!(error.to_string().contains("itself"), "{error}");
    }
}

#[test]
fn a_name_of_any_length_or_script_is_no_trouble() {
    let long = "ñ".repeat(100_000);
    let handle = Builder::new().name(long.clone()).spawn(|| current_process().name(), ()).expect("start");
    assert_eq!(handle.process().name(), long);
    let name = handle.join().expect("join");
    assert!(name.len() > 100 && long.starts_with(&name));
    handle.process().set_name("short");
    assert_eq!(handle.process().to_string(), "<Process(short, stopped)>");
}

#[test]
fn threads_start_processes_at_the_same_time() {
    std::thread::scope(|scope| {
        for t in 0..8u64 {
            scope.spawn(move || {
                for n in 0..8u64 {
                    let handle = processing::spawn(|a: u64, b: u64| a * 100 + b, (t, n)).expect("start");
                    assert_eq!(handle.join().expect("join"), t * 100 + n);
                }
            });
        }
    });
}

#[test]
fn processors_are_counted_as_allowed() {
    let all = cpu_count().expect("count");
    assert!(all >= 1);
    let one = processing::spawn(
        || {
            let mut set = rustix::thread::CpuSet::new();
            let old = rustix::thread::sched_getaffinity(None).expect("affinity");
            set.set((0..1024).find(|&cpu| old.is_set(cpu)).expect("some processor"));
            rustix::thread::sched_setaffinity(None, &set).expect("affinity");
            cpu_count().expect("count")
        },
        (),
    );
    assert_eq!(one.expect("start").join().expect("join"), 1);
}
