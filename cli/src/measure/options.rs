//! The options that all measuring programs share.

use clap::Args;

/// What to measure, for how long, and how to print it.
#[derive(Args, Debug, Clone)]
pub struct Options {
    /// One JSON object a line on stdout, and nothing else.
    #[arg(long)]
    pub json: bool,
    /// Seconds a row.
    #[arg(long, value_name = "S", default_value_t = 3.0, value_parser = seconds)]
    pub seconds: f64,
    /// Only these rows: full names, or beginnings that end in `*`.
    #[arg(long, value_name = "A,B", value_delimiter = ',')]
    pub rows: Vec<String>,
    /// Prints the names of the rows, and measures nothing.
    #[arg(long)]
    pub list: bool,
}

fn seconds(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(seconds) if seconds > 0.0 && seconds <= 3600.0 => Ok(seconds),
        _ => Err("a number above 0, at most 3600".into()),
    }
}
