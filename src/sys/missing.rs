//! Whether the kernel refused to make something because it has nothing of the kind, or may not: an old kernel, a sandbox, a container.

use std::io;

/// Trying again, or with less, would not help.
pub fn is_missing(cause: &io::Error) -> bool {
    matches!(
        cause.raw_os_error(),
        Some(
            libc::ENOSYS
                | libc::EPERM
                | libc::EACCES
                | libc::EINVAL
                | libc::EOPNOTSUPP
                | libc::EAFNOSUPPORT
                | libc::EPROTONOSUPPORT
                | libc::ESOCKTNOSUPPORT
        )
    )
}
