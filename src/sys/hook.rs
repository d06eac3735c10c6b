//! Catches a re-executed process before `main`.
//!
//! `catch_before_main!` puts a function into the program's list of start-up functions (`.init_array`). In an
//! ordinary run it looks for one environment variable and returns. In a process that this library started, it
//! hands the descriptor over, and `main` never runs. The macro keeps the list's entry referenced from the
//! code that starts processes, so that no linker drops it.
//!
//! # Safety
//!
//! The functions of the list take the arguments that the C library gives and are called once; a child never
//! returns to the C library, so that running those after ours here does not run them twice. The environment
//! is changed before any thread can exist.
#![allow(unsafe_code)]

use core::ffi::{c_char, c_int};

use super::fdpass::Link;
use super::spawn::VARIABLE;
use crate::sync::atomic::{AtomicU32, Ordering};

/// A function of `.init_array`.
pub type Start = extern "C" fn(c_int, *mut *mut c_char, *mut *mut c_char);

/// UNCAUGHT -> CAUGHT when the hook ran, before main or by `freeze_support`. So would it in a child.
static SEEN: AtomicU32 = AtomicU32::new(0);

/// A process started from here would be caught.
pub fn would_catch() -> bool {
    SEEN.load(Ordering::Relaxed) != 0
}

/// What the entry does: `catch` if this process was started as a child.
pub fn before_main(me: Start, arguments: (c_int, *mut *mut c_char, *mut *mut c_char), catch: fn(Link) -> !) {
    #[cfg(feature = "internals")]
    if std::env::var_os("PROCESSING_TEST_NO_HOOK").is_some() {
        return;
    }
    SEEN.store(1, Ordering::Relaxed);
    if let Some(link) = inherited() {
        run_those_after(me, arguments);
        catch(link);
    }
}

/// The same, called by `main`.
pub fn in_main(catch: fn(Link) -> !) {
    SEEN.store(1, Ordering::Relaxed);
    if let Some(link) = inherited() {
        catch(link);
    }
}

/// This process was started as a child, and was not caught.
pub fn slipped_through() -> bool {
    std::env::var_os(VARIABLE).is_some()
}

/// The descriptor that this process was started with. The variable goes, so that programs started from here
/// do not take themselves for children.
fn inherited() -> Option<Link> {
    let value = std::env::var_os(VARIABLE)?;
    // SAFETY: called before `main` or first thing in it: there is no other thread.
    unsafe { std::env::remove_var(VARIABLE) };
    Link::adopt(value.to_str()?.parse().ok()?)
}

/// Runs the start-up functions that come after `me` in the executable's list: the target of a child may rely
/// on them.
#[cfg(target_env = "gnu")]
fn run_those_after(me: Start, (argc, argv, envp): (c_int, *mut *mut c_char, *mut *mut c_char)) {
    for start in super::image::start_functions_after(me as usize) {
        // SAFETY: see the module.
        let start = unsafe { core::mem::transmute::<usize, Start>(start) };
        start(argc, argv, envp);
    }
}

#[cfg(not(target_env = "gnu"))]
fn run_those_after(_: Start, _: (c_int, *mut *mut c_char, *mut *mut c_char)) {
    // Other C libraries pass no arguments to start-up functions.
}

/// Installs `$catch` (`fn(Link) -> !`) and defines `keep()`, which code that starts processes calls.
macro_rules! catch_before_main {
    ($catch:path) => {
        extern "C" fn before_main(
            argc: core::ffi::c_int,
            argv: *mut *mut core::ffi::c_char,
            envp: *mut *mut core::ffi::c_char,
        ) {
            $crate::sys::hook::before_main(before_main, (argc, argv, envp), $catch);
        }

        #[allow(unsafe_code, reason = "the section is the list of start-up functions, and the type fits")]
        #[used]
        #[unsafe(link_section = ".init_array")]
        static ENTRY: $crate::sys::hook::Start = before_main;

        /// A reference from here to the entry keeps it in the program.
        pub(crate) fn keep() {
            core::hint::black_box(&ENTRY);
        }
    };
}
pub(crate) use catch_before_main;
