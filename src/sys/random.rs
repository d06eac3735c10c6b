//! Random numbers of the kernel.
//!
//! # Safety
//!
//! The kernel writes into a local buffer of the length that it is told.
#![allow(unsafe_code)]

use std::io;

/// A random number that is not zero.
pub fn nonzero() -> io::Result<u64> {
    loop {
        let mut bytes = [0u8; 8];
        // SAFETY: see the module.
        let got = unsafe { libc::getrandom(bytes.as_mut_ptr().cast(), bytes.len(), 0) };
        if got == bytes.len() as isize {
            let number = u64::from_le_bytes(bytes);
            if number != 0 {
                return Ok(number);
            }
        } else if got < 0 {
            let error = io::Error::last_os_error();
            if error.kind() != io::ErrorKind::Interrupted {
                return Err(error);
            }
        }
    }
}
