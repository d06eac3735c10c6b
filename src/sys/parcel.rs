//! Bytes of any size in a memory file, to travel as one descriptor.

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::{MemfdFlags, memfd_create};

use super::memfd;
use crate::sync::kill;

/// A memory file with `bytes` in it. It lives as long as somebody, or a record in flight, holds it.
pub fn pack(bytes: &[u8]) -> io::Result<OwnedFd> {
    kill::point();
    let file = memfd_create("processing-parcel", MemfdFlags::CLOEXEC)?;
    let mut at = 0;
    while at < bytes.len() {
        match rustix::io::pwrite(&file, &bytes[at..], at as u64) {
            Ok(written) => at += written,
            Err(rustix::io::Errno::INTR) => {}
            Err(errno) => return Err(errno.into()),
        }
    }
    Ok(file)
}

/// The same, which nobody changes any more.
pub fn pack_sealed(bytes: &[u8]) -> io::Result<OwnedFd> {
    kill::point();
    let file = memfd::create("processing-parcel")?;
    memfd::set_len(file.as_fd(), bytes.len() as u64)?;
    memfd::write_at(file.as_fd(), bytes, 0)?;
    memfd::seal_content(file.as_fd())?;
    Ok(file)
}

/// All bytes of a memory file.
pub fn unpack(file: &OwnedFd) -> io::Result<Vec<u8>> {
    let len = usize::try_from(rustix::fs::fstat(file)?.st_size).unwrap_or(0);
    let mut bytes = vec![0; len];
    let mut at = 0;
    while at < len {
        match rustix::io::pread(file, &mut bytes[at..], at as u64) {
            Ok(0) => bytes.truncate(at),
            Ok(read) => at += read,
            Err(rustix::io::Errno::INTR) => {}
            Err(errno) => return Err(errno.into()),
        }
        if bytes.len() == at {
            break;
        }
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    #[test]
    fn round_trip() {
        for len in [0, 1, 4095, 3 << 20] {
            let bytes: Vec<u8> = (0..len).map(|i| i as u8).collect();
            let file = super::pack(&bytes).expect("pack");
            assert!(super::unpack(&file).expect("unpack") == bytes);
        }
    }
}
