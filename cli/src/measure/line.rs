//! One result: a row and one of its peers.

use serde::Serialize;

/// The JSON object of one pair. All times are nanoseconds an operation; `ratio` is ours / peer, taken in each
/// round and then the median.
#[derive(Debug, Serialize)]
pub struct Line {
    pub row: String,
    pub ours_ns: f64,
    pub peer: Option<String>,
    pub peer_ns: Option<f64>,
    pub ratio: Option<f64>,
    pub rounds: usize,
    pub ours_min: f64,
    pub ours_max: f64,
    pub peer_min: Option<f64>,
    pub peer_max: Option<f64>,
    pub ratio_min: Option<f64>,
    pub ratio_max: Option<f64>,
    /// How many cores the instrument could use.
    pub cores: usize,
    /// Percentiles of ours, where all operations or some of them are timed one by one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub p50: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub p99: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub p999: Option<u64>,
    /// The same of the peer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub peer_p50: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub peer_p99: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub peer_p999: Option<u64>,
    /// Where operations come by a schedule: the time from one to the next. All other times are then from when an
    /// operation was due to its end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub every_ns: Option<f64>,
    /// Where several wanted the same: what the one of ours with the least had, of what would have been fair.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub share: Option<f64>,
    /// Where one other wrote meanwhile: its writes a second.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub writer_per_s: Option<f64>,
    /// The same of the peer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub peer_writer_per_s: Option<f64>,
    /// Where something is filled: bytes for each of what it holds then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bytes_each: Option<f64>,
}
