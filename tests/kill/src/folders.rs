//! Folders for named objects that nobody else uses, so that what other programs make and remove there is not taken for a leak, or for its opposite.

use std::ffi::CStr;
use std::fs;
use std::path::Path;
use std::ptr;
use std::sync::atomic::{AtomicBool, Ordering};

static OWN: AtomicBool = AtomicBool::new(false);

/// Whether [`own_folders`] was allowed, so that a name that comes or goes is this program's doing.
pub fn are_own() -> bool {
    OWN.load(Ordering::Relaxed)
}

/// Gives this process, and all that it starts, folders for named objects of its own. It must have one thread. False: that takes a right that it
/// does not have.
pub fn own_folders() -> bool {
    let own = take_folders();
    OWN.store(own, Ordering::Relaxed);
    own
}

fn take_folders() -> bool {
    let mounted = |kind: &CStr, at: &CStr| {
        // SAFETY: strings that end with a zero; the mount namespace is this process's own by now.
        unsafe { libc::mount(kind.as_ptr(), at.as_ptr(), kind.as_ptr(), 0, ptr::null()) == 0 }
    };
    // SAFETY: plain calls.
    let (user, group) = unsafe { (libc::getuid(), libc::getgid()) };
    let spaces = libc::CLONE_NEWNS | libc::CLONE_NEWIPC;
    // SAFETY: this process gets new namespaces, with one thread.
    if unsafe { libc::unshare(spaces) } != 0 {
        // SAFETY: as above.
        if unsafe { libc::unshare(spaces | libc::CLONE_NEWUSER) } != 0 {
            return false;
        }
        // It stays who it is; where that is refused, so are the mounts.
        let _ = fs::write("/proc/self/setgroups", "deny");
        let _ = fs::write("/proc/self/uid_map", format!("{user} {user} 1"));
        let _ = fs::write("/proc/self/gid_map", format!("{group} {group} 1"));
    }
    // SAFETY: as above; nothing of it is seen outside.
    let private = unsafe {
        libc::mount(ptr::null(), c"/".as_ptr(), ptr::null(), libc::MS_REC | libc::MS_PRIVATE, ptr::null())
            == 0
    };
    private
        && mounted(c"tmpfs", c"/dev/shm")
        && (!Path::new("/dev/mqueue").exists() || mounted(c"mqueue", c"/dev/mqueue"))
}
