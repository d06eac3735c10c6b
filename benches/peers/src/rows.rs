//! What is compared with what.

use crate::python::manager;
use crate::{crossbeam, heed, iceoryx2, ipc_channel, mmap_sync, python, ringfire, rtrb};
use processing_cli::measure::Row;
use processing_cli::measure::entries::{Large, Small};
use processing_cli::speed::ours::dict::{self, Shared};
use processing_cli::speed::raw::line_copy::WORDS_1M;

pub fn rows() -> Vec<Row> {
    our_rows().into_iter().chain(alone()).collect()
}

/// Each peer by itself.
fn alone() -> Vec<Row> {
    let rings = [rtrb::entry::<1>(), rtrb::entry::<32>(), rtrb::entry::<512>(), rtrb::chunks()];
    let queues =
        [crossbeam::array_queue::<1>(), crossbeam::array_queue::<32>(), crossbeam::array_queue::<512>()];
    let between_processes = [
        crossbeam::array_queue_of_many("crossbeam.array_queue.2x2"),
        iceoryx2::stream::<32>("iceoryx2"),
        iceoryx2::round_trip::<7>("iceoryx2.rtt"),
        iceoryx2::loan("iceoryx2_loan", WORDS_1M),
        ipc_channel::bytes("ipc_channel"),
        ringfire::round_trip::<7>("ringfire"),
        ringfire::round_trip::<8>("ringfire.64b"),
        python::condition(),
        python::queue(),
    ];
    let shared_data = [
        mmap_sync::read_value("mmap_sync.read.64b"),
        mmap_sync::write_value("mmap_sync.write.64b"),
        mmap_sync::read_struct("mmap_sync.read.4k"),
        heed::get::<Small>("heed", 10_000),
        heed::get::<Large>("heed.16b_64b", 10_000),
        manager::dict_get("python.manager_dict", manager::SMALL, 10_000),
        manager::dict_get("python.manager_dict.16b_64b", manager::LARGE, 10_000),
        manager::dict_set("python.manager_dict.set", manager::SMALL, 10_000),
        manager::list_push("python.manager_list.push"),
        manager::list_get("python.manager_list.get"),
    ];
    let all = rings.into_iter().chain(queues).chain(between_processes).chain(shared_data);
    all.map(Row::alone).collect()
}

/// A peer has in a row the name that the goals know it by, whatever of it is measured there.
fn our_rows() -> Vec<Row> {
    use processing_cli::speed::ours::{
        condition, connection_rtt, connection_stream, list, queue_large, queue_many, queue_stream, structure,
        value,
    };
    vec![
        Row::ours(connection_rtt::busy::<7>())
            .against(iceoryx2::round_trip::<7>("iceoryx2"))
            .against(ringfire::round_trip::<7>("ringfire"))
            .against(ringfire::round_trip::<8>("ringfire.64b")),
        Row::ours(connection_stream::entry::<1>()).against(rtrb::entry::<1>()),
        Row::ours(connection_stream::batches::<1>()).against(rtrb::chunks()),
        Row::ours(connection_stream::entry::<32>()).against(rtrb::entry::<32>()),
        Row::ours(connection_stream::entry::<512>()).against(rtrb::entry::<512>()),
        Row::ours(queue_stream::entry::<1>()).against(crossbeam::array_queue::<1>()),
        Row::ours(queue_many::entry()).against(crossbeam::array_queue_of_many("crossbeam.array_queue")),
        Row::ours(queue_stream::entry::<32>())
            .against(crossbeam::array_queue::<32>())
            .against(iceoryx2::stream::<32>("iceoryx2"))
            .against(ipc_channel::bytes("ipc_channel"))
            .against(python::queue()),
        Row::ours(queue_stream::entry::<512>()).against(crossbeam::array_queue::<512>()),
        Row::ours(queue_large::of_1m("queue.lease.1m")).against(iceoryx2::loan("iceoryx2_loan", WORDS_1M)),
        Row::ours(condition::adaptive()).against(python::condition()),
        Row::ours(value::read()).against(mmap_sync::read_value("mmap_sync")),
        Row::ours(value::write()).against(mmap_sync::write_value("mmap_sync")),
        Row::ours(structure::read()).against(mmap_sync::read_struct("mmap_sync")),
        Row::ours(structure::read_beside()).against(mmap_sync::read_struct_beside("mmap_sync")),
        Row::ours(list::push()).against(manager::list_push("python.manager_list")),
        Row::ours(list::get()).against(manager::list_get("python.manager_list")),
        Row::ours(dict::set()).against(manager::dict_set("python.manager_dict", manager::SMALL, dict::SOME)),
        dict_get::<Small>("dict.get.u64", manager::SMALL, dict::SOME),
        dict_get::<Small>("dict.get.u64.1m", manager::SMALL, dict::MANY),
        dict_get::<Large>("dict.get.16b_64b", manager::LARGE, dict::SOME),
        dict_get::<Large>("dict.get.16b_64b.1m", manager::LARGE, dict::MANY),
    ]
}

fn dict_get<K: Shared>(name: &str, kind: &str, entries: u64) -> Row {
    Row::ours(dict::get::<K>(name, entries))
        .against(heed::get::<K>("heed", entries))
        .against(manager::dict_get("python.manager_dict", kind, entries))
}
