//! What is compared with what.

use crate::{crossbeam, python, rtrb};
use processing_cli::measure::Row;

pub fn rows() -> Vec<Row> {
    our_rows().into_iter().chain(alone()).collect()
}

/// Each peer by itself.
fn alone() -> Vec<Row> {
    let rings = [rtrb::entry::<1>(), rtrb::entry::<32>(), rtrb::entry::<512>()];
    let queues =
        [crossbeam::array_queue::<1>(), crossbeam::array_queue::<32>(), crossbeam::array_queue::<512>()];
    rings.into_iter().chain(queues).chain([python::condition()]).map(Row::alone).collect()
}

fn our_rows() -> Vec<Row> {
    use processing_cli::speed::ours::{condition, connection_stream, queue_stream};
    vec![
        Row::ours(connection_stream::entry::<1>()).against(rtrb::entry::<1>()),
        Row::ours(connection_stream::entry::<32>()).against(rtrb::entry::<32>()),
        Row::ours(connection_stream::entry::<512>()).against(rtrb::entry::<512>()),
        Row::ours(queue_stream::entry::<1>()).against(crossbeam::array_queue::<1>()),
        Row::ours(queue_stream::entry::<32>()).against(crossbeam::array_queue::<32>()),
        Row::ours(queue_stream::entry::<512>()).against(crossbeam::array_queue::<512>()),
        Row::ours(condition::adaptive()).against(python::condition()),
    ]
}
