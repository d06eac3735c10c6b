//! The rows of the engine itself, and whom each is compared with. The comparisons with queues of other
//! projects are in `benches/peers`, which builds its rows from the entries here.

pub mod connection_rtt;
pub mod connection_stream;
mod hands;
pub mod queue_stream;
pub mod start_join;

use crate::measure::Row;

pub fn rows() -> Vec<Row> {
    let families =
        [connection_rtt::rows(), connection_stream::rows(), queue_stream::rows(), start_join::rows()];
    families.into_iter().flatten().collect()
}
