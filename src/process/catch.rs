//! A re-executed process, before `main`: a child or a fork server, as the private socket says.

use std::os::fd::AsFd;
use std::panic::catch_unwind;

use super::boot::{self, Boot, Order};
use super::me::Me;
use super::run::{self, Ending};
use super::{outcome, panic_text, server};
use crate::sys::fdpass::Link;
use crate::sys::lifeline::Held;
use crate::sys::trampoline::Address;
use crate::sys::{exit, hook, signal};

hook::catch_before_main!(caught);

/// Lets a program be started again as a child process of itself.
///
/// Children started by [`StartMethod::Spawn`](crate::StartMethod::Spawn) and the fork server are this same
/// executable, caught before `main`. Nothing needs to be called for that in an ordinary program, an example
/// or a `#[test]`. Where the program is put together in a way that drops functions which run before
/// `main`, starting a process is an error that says so, and this call in the first line of `main` is the way
/// out: in a child it never returns.
#[doc(alias = "freezeSupport")]
pub fn freeze_support() {
    hook::in_main(caught);
}

/// Does what the creator says; never returns.
fn caught(link: Link) -> ! {
    // This runs where no panic may pass.
    let _ = catch_unwind(|| {
        signal::ignore_broken_pipes();
        match boot::receive(&link) {
            Ok(Some(Order::Serve { lifeline, keeps_exit_info })) => {
                server::serve(link, lifeline, keeps_exit_info)
            }
            Ok(Some(Order::Child { boot, lifeline: Some(lifeline) })) => {
                let held = run::hold_lifeline(lifeline.as_fd(), &link);
                drop(lifeline);
                start(boot, link, held)
            }
            Ok(Some(Order::Child { lifeline: None, .. })) => {
                refuse(&link, "a boot record without a lifeline")
            }
            Ok(None) => exit::now(0), // the creator is gone
            Err(error) => refuse(&link, &format!("the arguments did not arrive: {error}")),
        }
    });
    exit::now(101)
}

/// Becomes the child that `boot` describes.
pub(crate) fn start(boot: Boot, link: Link, lifeline: Held) -> ! {
    let me = Me::new(boot.name, boot.path, boot.daemon);
    let address = Address::locate(boot.place);
    run::run(me, address, boot.payload, link, lifeline, Ending::Whole)
}

/// Does what every child will need, ahead of it: what a fork server has, its children need not make.
pub(crate) fn prepare() {
    thread_local!(static DROPPED: Bound = const { Bound });
    struct Bound;
    impl Drop for Bound {
        fn drop(&mut self) {}
    }
    // The C library binds what a thread's destructors need at the first of them: a search through all its symbols.
    DROPPED.with(|_| ());
    crate::sys::image::remember_main();
    panic_text::install(false);
}

pub(crate) fn refuse(link: &Link, why: &str) -> ! {
    outcome::send_text(link, why);
    exit::now(1)
}
