//! `processing [tour] [PATH...]` and `processing speed`.

use clap::{Parser, Subcommand};
use processing_cli::{measure, speed, tour};
use std::process::ExitCode;

/// Processes with the API of threads: a tour on real files, and a measurement.
#[derive(Parser)]
#[command(name = "processing", version, args_conflicts_with_subcommands = true)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    /// Without a command: those of `tour`.
    #[command(flatten)]
    tour: tour::Options,
}

#[derive(Subcommand)]
enum Command {
    /// Counts the words of files with worker processes, and kills one of them half-way (the default).
    Tour(tour::Options),
    /// Measures the engine beside the raw limits of the machine.
    Speed(measure::Options),
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match arguments.command.unwrap_or(Command::Tour(arguments.tour)) {
        Command::Tour(options) => tour::run(&options),
        Command::Speed(options) => measure::run(&options, &speed::rows()),
    }
}
