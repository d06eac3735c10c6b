//! The fuzz targets as plain functions of bytes.
//!
//! A target takes whatever bytes come and must return: a panic, a hang or a sanitizer's report is a finding. It
//! has three parts: its function and its line in [`TARGETS`] here, a program of one line in `fuzz_targets/` that
//! hands the function to libFuzzer, and its entry in `Cargo.toml`. Seeds (small, by hand, committed) lie in
//! `seeds/<target>/`; what a fuzzer collects and finds lies in `corpus/` and `artifacts/` and is not committed.

mod attribute;
mod boot;
mod codec;
mod input;
mod region_header;
mod ring_geometry;
mod stream_reader;
mod stream_room;
mod stream_writer;

pub use attribute::attribute_bytes;
pub use boot::boot;
pub use codec::codec;
pub use region_header::region_header;
pub use ring_geometry::ring_geometry;
pub use stream_reader::stream_reader;
pub use stream_writer::stream_writer;

/// A target: its name and its function.
pub type Target = (&'static str, fn(&[u8]));

/// Every target, by name.
pub const TARGETS: &[Target] = &[
    ("attribute", attribute_bytes),
    ("boot", boot),
    ("codec", codec),
    ("region_header", region_header),
    ("ring_geometry", ring_geometry),
    ("stream_reader", stream_reader),
    ("stream_writer", stream_writer),
];
