//! Runs the targets once over their seeds, over what a fuzzer left, and over bytes made up here: no fuzzer and
//! no nightly compiler needed. `replay [TARGET [FILE..]]`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use processing_fuzz::{TARGETS, Target};

/// Made-up inputs for each target.
const MADE_UP: u64 = 5_000;

fn main() -> ExitCode {
    let mut args = std::env::args().skip(1);
    let wanted = args.next();
    let files: Vec<PathBuf> = args.map(PathBuf::from).collect();
    let chosen: Vec<&Target> =
        TARGETS.iter().filter(|(name, _)| wanted.as_ref().is_none_or(|wanted| wanted == name)).collect();
    if chosen.is_empty() && wanted.is_some() {
        let names: Vec<&str> = TARGETS.iter().map(|(name, _)| *name).collect();
        eprintln!("no such target; there are: {}", names.join(", "));
        return ExitCode::FAILURE;
    }
    for target in chosen {
        let count = if files.is_empty() { replay(target) } else { run_files(target, &files) };
        println!("{}: {count} inputs", target.0);
    }
    ExitCode::SUCCESS
}

fn replay(target: &Target) -> u64 {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = files_in(&root.join("seeds").join(target.0));
    files.extend(files_in(&root.join("corpus").join(target.0)));
    let prefix = format!("{}-", target.0);
    let found = files_in(&root.join("artifacts"));
    files.extend(
        found
            .into_iter()
            .filter(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(&prefix))),
    );
    run_files(target, &files) + run_made_up(target)
}

fn files_in(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.path()).filter(|path| path.is_file()).collect();
    files.sort();
    files
}

fn run_files((_, function): &Target, files: &[PathBuf]) -> u64 {
    let mut count = 0;
    for path in files {
        match std::fs::read(path) {
            Ok(bytes) => {
                // Said first: a target that takes the process down leaves this as its last word.
                eprintln!("{}", path.display());
                function(&bytes);
                count += 1;
            }
            Err(error) => eprintln!("{}: {error}", path.display()),
        }
    }
    count
}

/// Zeros, ones, and pseudo-random bytes of many lengths; the same in every run.
fn run_made_up((name, function): &Target) -> u64 {
    let mut state = 0x9e37_79b9_7f4a_7c15u64;
    for round in 0..MADE_UP {
        let bytes = made_up(round, &mut state);
        // A panic names the input by its round, which makes it again.
        let outcome = std::panic::catch_unwind(|| function(&bytes));
        if let Err(panic) = outcome {
            eprintln!("{name}: made-up input {round} of {} bytes", bytes.len());
            std::panic::resume_unwind(panic);
        }
    }
    MADE_UP
}

fn made_up(round: u64, state: &mut u64) -> Vec<u8> {
    let length = (next(state) % [16, 64, 256, 4096][(round % 4) as usize]) as usize;
    match round {
        0 => Vec::new(),
        1 => vec![0; 8192],
        2 => vec![0xff; 8192],
        _ => (0..length).map(|_| (next(state) >> 32) as u8).collect(),
    }
}

/// splitmix64.
fn next(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
