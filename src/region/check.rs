//! The check of a header at attach: a pure function over bytes that were fetched once.

use crate::error::{Error, ErrorKind, Result};
use crate::layout::hash::LAYOUT_HASH;
use crate::layout::header::{FIXED_BYTES, FIXED_WORDS, INCOMPATIBLE, MAGIC, NAMED, VERSION};
use crate::region::geometry::Geometry;

/// What a good header says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Checked {
    pub region_id: u64,
    pub geometry: Geometry,
    /// The region has a name.
    pub named: bool,
}

const REBUILD: &str = "build both programs with the same version of processing";
const FOREIGN: &str = "pass the descriptor that the creator's region gives out";

#[cold]
fn invalid(what: String, hint: &'static str) -> Error {
    Error::new(ErrorKind::InvalidRegion, "region", what).hint(hint)
}

/// Checks the first bytes of a file that is `file_len` bytes long.
///
/// # Errors
/// Of kind `InvalidRegion`: too short, not a region or not finished, another version, another layout, an
/// unknown feature, sizes that contradict each other or the file. Each names what was found and what was
/// expected.
pub fn check(bytes: &[u8], file_len: u64) -> Result<Checked> {
    let words = fetch(bytes)?;
    let [magic, version, hash, _compatible, incompatible, region_id, limit, total, ..] = words;
    if magic == 0 {
        return Err(invalid(
            "the header is not finished (magic 0)".into(),
            "its creator died: create it anew",
        ));
    }
    expect("magic", magic, MAGIC, FOREIGN)?;
    expect("version", version, VERSION, REBUILD)?;
    expect("layout hash", hash, LAYOUT_HASH, REBUILD)?;
    let unknown = incompatible & !INCOMPATIBLE;
    if unknown != 0 {
        let what = format!(
            "the region uses features {incompatible:#x}, this program knows {INCOMPATIBLE:#x}; unknown: {unknown:#x}"
        );
        return Err(invalid(what, "update this program"));
    }
    if region_id == 0 {
        return Err(invalid("the region id is 0, which none has".into(), FOREIGN));
    }
    let named = incompatible & NAMED != 0;
    let Some(geometry) = (if named { Geometry::named(limit) } else { Geometry::new(limit) }) else {
        return Err(invalid(format!("a limit of {limit} bytes is not possible"), FOREIGN));
    };
    expect("total size", total, geometry.total, FOREIGN)?;
    expect("file size", file_len, geometry.total, FOREIGN)?;
    check_offsets(&words, &geometry)?;
    Ok(Checked { region_id, geometry, named })
}

fn fetch(bytes: &[u8]) -> Result<[u64; FIXED_WORDS]> {
    let (chunks, _) = bytes.as_chunks::<8>();
    if chunks.len() < FIXED_WORDS {
        let what = format!("{} bytes are too few for a header of {FIXED_BYTES}", bytes.len());
        return Err(invalid(what, FOREIGN));
    }
    let mut words = [0; FIXED_WORDS];
    for (word, chunk) in words.iter_mut().zip(chunks) {
        *word = u64::from_ne_bytes(*chunk);
    }
    Ok(words)
}

fn check_offsets(words: &[u64; FIXED_WORDS], geometry: &Geometry) -> Result<()> {
    let [.., participants, objects, references, chunk_table, chunks, chunk_count] = *words;
    expect("offset of the participants", participants, geometry.participants, REBUILD)?;
    expect("offset of the objects", objects, geometry.objects, REBUILD)?;
    expect("offset of the references", references, geometry.references, REBUILD)?;
    expect("offset of the chunk table", chunk_table, geometry.chunk_table, REBUILD)?;
    expect("offset of the chunks", chunks, geometry.chunks, REBUILD)?;
    expect("number of chunks", chunk_count, geometry.chunk_count, REBUILD)
}

fn expect(what: &str, found: u64, expected: u64, hint: &'static str) -> Result<()> {
    if found == expected {
        return Ok(());
    }
    Err(invalid(
        format!(
            "{what}: the region has {found:#x} ({found}), this program expects {expected:#x} ({expected})"
        ),
        hint,
    ))
}
