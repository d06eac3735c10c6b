//! The fuzz targets as plain functions of bytes.
//!
//! A target takes whatever bytes come and must return: a panic, a hang or a sanitizer's report is a finding. It
//! has three parts: its function and its line in [`TARGETS`] here, a program of one line in `fuzz_targets/` that
//! hands the function to libFuzzer, and its entry in `Cargo.toml`. Seeds (small, by hand, committed) lie in
//! `seeds/<target>/`; what a fuzzer collects and finds lies in `corpus/` and `artifacts/` and is not committed.

/// A target: its name and its function.
pub type Target = (&'static str, fn(&[u8]));

/// Every target, by name.
pub const TARGETS: &[Target] = &[];
