//! The same results for people.

use super::Line;
use std::fmt::{self, Display};

/// The head of the table.
pub const HEAD: &str = "row                                    median (min .. max)                    peer                       median       ratio (min .. max)";

/// One line of it.
pub struct Printed<'a>(pub &'a Line);

impl Display for Printed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let line = self.0;
        let ours = format!("{} ({} .. {})", Time(line.ours_ns), Time(line.ours_min), Time(line.ours_max));
        write!(f, "{:38} {ours:38}", line.row)?;
        if let (Some(peer), Some(ns), Some(ratio)) = (&line.peer, line.peer_ns, line.ratio) {
            write!(f, " {peer:26} {:12} {ratio:.2}", Time(ns).to_string())?;
        }
        if let (Some(min), Some(max)) = (line.ratio_min, line.ratio_max) {
            write!(f, " ({min:.2} .. {max:.2})")?;
        }
        if let (Some(p50), Some(p99), Some(p999)) = (line.p50, line.p99, line.p999) {
            let [p50, p99, p999] = [p50, p99, p999].map(|nanos| Time(nanos as f64));
            write!(f, "  p50 {p50}, p99 {p99}, p99.9 {p999}")?;
        }
        if let Some(every) = line.every_ns {
            write!(f, ", one every {}", Time(every))?;
        }
        if let Some(share) = line.share {
            write!(f, "  least share {share:.2}")?;
        }
        if let Some(rate) = line.writer_per_s {
            write!(f, "  beside {} writes/s", Rate(rate))?;
        }
        if let Some(rate) = line.peer_writer_per_s {
            write!(f, ", the peer {}", Rate(rate))?;
        }
        if let Some(bytes) = line.bytes_each {
            write!(f, "  {bytes:.1} bytes each")?;
        }
        Ok(())
    }
}

/// Nanoseconds with the unit that suits them.
struct Time(f64);

impl Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            ns if ns < 1e3 => write!(f, "{ns:.1} ns"),
            ns if ns < 1e6 => write!(f, "{:.2} us", ns / 1e3),
            ns => write!(f, "{:.2} ms", ns / 1e6),
        }
    }
}

/// So many a second.
struct Rate(f64);

impl Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            rate if rate < 1e3 => write!(f, "{rate:.1}"),
            rate if rate < 1e6 => write!(f, "{:.1} k", rate / 1e3),
            rate => write!(f, "{:.2} M", rate / 1e6),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units() {
        assert_eq!(Time(12.34).to_string(), "12.3 ns");
        assert_eq!(Time(72_345.0).to_string(), "72.34 us");
        assert_eq!(Time(2.5e6).to_string(), "2.50 ms");
        assert_eq!(
            [0.5, 12_340.0, 990_000.0, 1e6].map(|rate| Rate(rate).to_string()),
            ["0.5", "12.3 k", "990.0 k", "1.00 M"]
        );
    }
}
