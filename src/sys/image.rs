//! The executable and the libraries as they are loaded: which build they are, and places in them.
//!
//! Addresses differ from process to process (they are randomised); the distance from the start of the image
//! does not, as long as the build is the same.
//!
//! # Safety
//!
//! `dl_iterate_phdr` shows the loaded images under the loader's own lock; headers and notes are mapped,
//! read-only, and stay so while the callback runs. Nothing is written.
#![allow(unsafe_code)]

use core::ffi::{c_int, c_void};
use std::sync::OnceLock;

/// A place in a loaded image: which build of which image, and the distance from its base.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    pub build: u64,
    pub offset: u64,
}

/// One loaded image, as the callback sees it.
struct Image<'a> {
    base: usize,
    headers: &'a [libc::Elf64_Phdr],
    /// The first image is the executable itself.
    main: bool,
}

impl Image<'_> {
    /// `address` lies in a segment of code of this image.
    fn has_code_at(&self, address: usize) -> bool {
        self.headers.iter().any(|h| {
            let start = self.base.wrapping_add(h.p_vaddr as usize);
            h.p_type == libc::PT_LOAD
                && h.p_flags & libc::PF_X != 0
                && address >= start
                && address - start < h.p_memsz as usize
        })
    }

    /// The addresses in `.init_array`, as the dynamic section describes it.
    #[cfg(target_env = "gnu")]
    fn start_functions(&self) -> Vec<usize> {
        const DT_INIT_ARRAY: u64 = 25;
        const DT_INIT_ARRAYSZ: u64 = 27;
        let (mut array, mut bytes) = (None, 0);
        for h in self.headers.iter().filter(|h| h.p_type == libc::PT_DYNAMIC) {
            let start = self.base.wrapping_add(h.p_vaddr as usize) as *const [u64; 2];
            // SAFETY: the dynamic section is part of a loaded segment (see the module).
            let entries = unsafe { core::slice::from_raw_parts(start, h.p_memsz as usize / 16) };
            for &[tag, value] in entries {
                match tag {
                    DT_INIT_ARRAY => array = Some(self.base.wrapping_add(value as usize) as *const usize),
                    DT_INIT_ARRAYSZ => bytes = value as usize,
                    _ => {}
                }
            }
        }
        // SAFETY: the loader itself calls what this array holds.
        array.map_or_else(Vec::new, |at| unsafe { core::slice::from_raw_parts(at, bytes / 8) }.to_vec())
    }

    /// A number that another build of the same file does not have.
    fn build(&self) -> u64 {
        let mut hash = Fnv::new();
        if !self.hash_build_id(&mut hash) {
            self.hash_shape(&mut hash);
        }
        hash.0
    }

    /// The linker's build id, if it wrote one.
    fn hash_build_id(&self, hash: &mut Fnv) -> bool {
        let mut found = false;
        for h in self.headers.iter().filter(|h| h.p_type == libc::PT_NOTE) {
            let start = self.base.wrapping_add(h.p_vaddr as usize) as *const u8;
            // SAFETY: a note segment is part of a loaded segment (see the module).
            let notes = unsafe { core::slice::from_raw_parts(start, h.p_memsz as usize) };
            found |= hash_gnu_build_id(notes, hash);
        }
        found
    }

    /// Without a build id: the program headers (sizes of code and data), and for the executable the file.
    fn hash_shape(&self, hash: &mut Fnv) {
        for h in self.headers {
            for word in [h.p_type.into(), h.p_vaddr, h.p_memsz, h.p_filesz, h.p_flags.into()] {
                hash.add(&u64::to_le_bytes(word));
            }
        }
        if !self.main {
            return;
        }
        if let Ok(file) = rustix::fs::stat("/proc/self/exe") {
            for word in [file.st_dev, file.st_ino, file.st_size as u64, file.st_mtime as u64] {
                hash.add(&word.to_le_bytes());
            }
        }
    }
}

struct Fnv(u64);

impl Fnv {
    fn new() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }

    fn add(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }
}

/// Walks a note segment; false if it has no GNU build id.
fn hash_gnu_build_id(mut notes: &[u8], hash: &mut Fnv) -> bool {
    const NT_GNU_BUILD_ID: u32 = 3;
    let word = |bytes: &[u8], at: usize| -> Option<u32> {
        Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
    };
    while let (Some(name), Some(size), Some(kind)) = (word(notes, 0), word(notes, 4), word(notes, 8)) {
        let data = 12 + (name as usize).next_multiple_of(4);
        let end = data + (size as usize).next_multiple_of(4);
        let (Some(label), Some(id)) =
            (notes.get(12..12 + name as usize), notes.get(data..data + size as usize))
        else {
            return false;
        };
        if kind == NT_GNU_BUILD_ID && label == b"GNU\0" {
            hash.add(id);
            return true;
        }
        notes = notes.get(end..).unwrap_or_default();
    }
    false
}

/// Calls `f` for each loaded image until it answers true.
fn each_image(mut f: impl FnMut(&Image<'_>) -> bool) {
    struct Walk<'a> {
        f: &'a mut dyn FnMut(&Image<'_>) -> bool,
        first: bool,
    }
    unsafe extern "C" fn step(info: *mut libc::dl_phdr_info, _size: usize, data: *mut c_void) -> c_int {
        // SAFETY: `data` is the Walk below, used by nobody else during the walk; `info` is valid for the call.
        let (walk, info) = unsafe { (&mut *data.cast::<Walk<'_>>(), &*info) };
        let headers = if info.dlpi_phdr.is_null() {
            &[][..]
        } else {
            // SAFETY: the loader's own header table (see the module).
            unsafe { core::slice::from_raw_parts(info.dlpi_phdr, info.dlpi_phnum.into()) }
        };
        let image = Image { base: info.dlpi_addr as usize, headers, main: core::mem::take(&mut walk.first) };
        (walk.f)(&image).into()
    }
    let mut walk = Walk { f: &mut f, first: true };
    // SAFETY: `step` fits the signature and does not unwind past C: the closures here cannot panic.
    unsafe { libc::dl_iterate_phdr(Some(step), (&raw mut walk).cast()) };
}

/// Which image `address` is code of, and where in it.
pub fn place_of(address: usize) -> Option<Place> {
    let mut place = None;
    each_image(|image| {
        if image.has_code_at(address) {
            place = Some(Place { build: image.build(), offset: (address - image.base) as u64 });
        }
        place.is_some()
    });
    place
}

/// The executable, looked up ahead of need: in a fork server, for all its children.
static MAIN: OnceLock<Main> = OnceLock::new();

struct Main {
    build: u64,
    base: usize,
    /// Its segments of code: start, length.
    code: Vec<(usize, usize)>,
}

/// Looks the executable up, so that [`address_of`] need not. Images do not move.
pub fn remember_main() {
    each_image(|image| {
        let code = image.headers.iter().filter(|h| h.p_type == libc::PT_LOAD && h.p_flags & libc::PF_X != 0);
        let code = code.map(|h| (image.base.wrapping_add(h.p_vaddr as usize), h.p_memsz as usize)).collect();
        let _ = MAIN.set(Main { build: image.build(), base: image.base, code });
        true // the executable is the first
    });
}

fn in_main(place: Place) -> Option<usize> {
    let main = MAIN.get().filter(|main| main.build == place.build)?;
    let address = main.base.wrapping_add(place.offset as usize);
    main.code.iter().any(|&(start, len)| address >= start && address - start < len).then_some(address)
}

/// The address of `place` in this process, if an image of that build is loaded and has code there.
pub fn address_of(place: Place) -> Option<usize> {
    if let Some(address) = in_main(place) {
        return Some(address);
    }
    let mut found = None;
    each_image(|image| {
        let address = image.base.wrapping_add(place.offset as usize);
        if image.has_code_at(address) && image.build() == place.build {
            found = Some(address);
        }
        found.is_some()
    });
    found
}

/// The executable's start-up functions (`.init_array`) that come after `me`.
#[cfg(target_env = "gnu")]
pub fn start_functions_after(me: usize) -> Vec<usize> {
    let mut list = Vec::new();
    each_image(|image| {
        list = image.start_functions();
        true // the executable is the first
    });
    match list.iter().position(|&start| start == me) {
        Some(at) => {
            list.split_off(at + 1).into_iter().filter(|&start| start != 0 && start != usize::MAX).collect()
        }
        None => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_leads_back_to_its_address() {
        let address = place_of as *const () as usize;
        let place = place_of(address).expect("own code has a place");
        assert_eq!(address_of(place), Some(address));
    }

    #[test]
    fn another_build_or_a_place_without_code_is_refused() {
        let place = place_of(place_of as *const () as usize).expect("own code has a place");
        assert_eq!(address_of(Place { build: place.build ^ 1, ..place }), None);
        assert_eq!(address_of(Place { offset: u64::MAX / 2, ..place }), None);
        let data = 5u64;
        assert_eq!(place_of(&raw const data as usize), None, "the stack is not code");
    }

    #[test]
    fn notes_that_end_early_are_survived() {
        for len in 0..20 {
            assert!(!hash_gnu_build_id(&[0xff; 20][..len], &mut Fnv::new()));
            assert!(!hash_gnu_build_id(&[0; 20][..len], &mut Fnv::new()));
        }
    }
}
