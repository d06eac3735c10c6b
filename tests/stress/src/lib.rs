//! Processes under load that are killed and stopped at random: what the programs of this package have in common.
//!
//! `stress` uses every lock at once (`cargo xtask stress`), `soak` puts and gets messages of all sizes and compares the whole
//! history at the end (`cargo xtask soak`), `linear` checks short histories against sequential types (`cargo xtask linear`).
#![allow(clippy::missing_errors_doc, reason = "for this package's programs alone")]

pub mod disturb;
pub mod random;
pub mod shared_file;
