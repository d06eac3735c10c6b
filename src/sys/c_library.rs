//! Which C library this is: its objects have no layout that all libraries agree on.

/// `{ size of a mutex:16 | size of a semaphore:8 | library:8 }`: two builds of which this differs must not share an object of
/// the C library.
pub const LAYOUT: u32 =
    LIBRARY | (size_of::<libc::sem_t>() as u32) << 8 | (size_of::<libc::pthread_mutex_t>() as u32) << 16;

const LIBRARY: u32 = if cfg!(target_env = "gnu") {
    1
} else if cfg!(target_env = "musl") {
    2
} else {
    3
};

const _: () = assert!(size_of::<libc::sem_t>() < 1 << 8);
