//! Whether what processes share is linearizable: four of them use it at once, write down what they asked, what was answered and when,
//! and the history is checked against the sequential type. Now and then one of them is stopped or killed in the middle: what it was
//! doing then has happened or has not.
//!
//! `cargo xtask linear`; a few seconds of it are a step of `cargo xtask test`. With `--faulty` the objects `locked.*` have a fault each, and the
//! program must end with it noticed.

mod board;
mod check;
mod doubles;
mod model;
mod models;
mod object;
mod rounds;
mod shared;
mod worker;

use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use clap::Parser;
use processing::Arena;
use processing_stress::disturb;

use doubles::{LockedDict, LockedList, LockedValue};
use model::Model;
use models::{Array, Dict, List, Register};
use object::{Object, WORDS};
use rounds::Rounds;
use shared::{Array as SharedArray, Dict as SharedDict, List as SharedList, Size, Struct, Word, Words};

#[derive(Parser)]
#[command(about = "Checks histories of several processes against the sequential types")]
struct Options {
    /// For all objects together
    #[arg(long, default_value_t = 4.0)]
    seconds: f64,
    /// Of an earlier run
    #[arg(long)]
    seed: Option<u64>,
    /// Only those whose name begins with this
    #[arg(long, default_value = "")]
    object: String,
    /// Names the objects
    #[arg(long)]
    list: bool,
    /// Gives the objects `locked.*` a fault, which must be noticed
    #[arg(long)]
    faulty: bool,
}

/// Tries one object until then.
type Try = fn(&Options, u64, Instant) -> Result<String>;

const OBJECTS: &[(&str, Try)] = &[
    ("locked.value", |options, seed, until| {
        go_on::<Register>("locked.value", &LockedValue::new(options.faulty)?, seed, until)
    }),
    ("locked.dict", |options, seed, until| {
        go_on::<Dict>("locked.dict", &LockedDict::new(options.faulty)?, seed, until)
    }),
    ("locked.list", |options, seed, until| {
        go_on::<List>("locked.list", &LockedList::new(options.faulty)?, seed, until)
    }),
    ("value.word", |_, seed, until| go_on::<Register>("value.word", &Word::new()?, seed, until)),
    ("value.words", |_, seed, until| go_on::<Register>("value.words", &Words::new()?, seed, until)),
    ("struct", |_, seed, until| go_on::<Register>("struct", &Struct::new()?, seed, until)),
    ("array", |_, seed, until| go_on::<Array>("array", &SharedArray::new()?, seed, until)),
    ("dict.small", |_, seed, until| {
        go_on::<Dict>("dict.small", &SharedDict::<u64>::new(Size::Steady)?, seed, until)
    }),
    ("dict.large", |_, seed, until| {
        go_on::<Dict>("dict.large", &SharedDict::<[u64; WORDS]>::new(Size::Steady)?, seed, until)
    }),
    ("dict.growing", |_, seed, until| {
        go_on::<Dict>("dict.growing", &SharedDict::<u64>::new(Size::Growing)?, seed, until)
    }),
    ("list.small", |_, seed, until| go_on::<List>("list.small", &SharedList::<u64>::new()?, seed, until)),
    ("list.large", |_, seed, until| {
        go_on::<List>("list.large", &SharedList::<[u64; WORDS]>::new()?, seed, until)
    }),
];

/// Who is this late will not come any more: twice as long as the processes may take for a round.
const HANGS: Duration = Duration::from_secs(60);

fn main() -> Result<()> {
    let options = Options::parse();
    let chosen: Vec<_> = OBJECTS.iter().filter(|(name, _)| name.starts_with(&options.object)).collect();
    ensure!(!chosen.is_empty(), "there is no such object; --list names them");
    if options.list {
        chosen.iter().for_each(|(name, _)| println!("{name}"));
        return Ok(());
    }
    let seed = options.seed.unwrap_or_else(disturb::seed);
    println!("seed {seed}");
    let share = Duration::from_secs_f64(options.seconds / chosen.len() as f64);
    for (name, try_it) in chosen {
        let over = watch(name, seed, share);
        let outcome = try_it(&options, seed, Instant::now() + share);
        drop(over);
        println!("{name}: {}", outcome.with_context(|| format!("{name}; seed {seed}"))?);
        let fsck = Arena::default().fsck()?;
        ensure!(fsck.is_clean(), "{name}: the arena is not clean: {fsck}; seed {seed}");
    }
    Ok(())
}

/// Ends the program if this object takes much longer than it has time: also the instrument asks, and may never be answered.
fn watch(name: &'static str, seed: u64, share: Duration) -> Sender<()> {
    let (over, is_over) = channel();
    thread::spawn(move || {
        if is_over.recv_timeout(share + HANGS) == Err(RecvTimeoutError::Timeout) {
            eprintln!("{name} hangs; seed {seed}");
            std::process::exit(1);
        }
    });
    over
}

fn go_on<M: Model>(name: &str, object: &dyn Object, seed: u64, until: Instant) -> Result<String> {
    let mut rounds = Rounds::start(object, name, seed)?;
    loop {
        rounds.play::<M>()?;
        if Instant::now() >= until {
            return rounds.finish();
        }
    }
}
