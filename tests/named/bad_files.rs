//! Files in the folder that are not what they should be: each an error that says so, and none is removed.

use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::sync::mpsc;
use std::time::Duration;

use processing::{ErrorKind, Queue, gc_named, list_named};

use crate::program::{Name, Program};

/// Fails if `f` takes longer than anything here should.
fn soon<R: Send + 'static>(f: impl FnOnce() -> R + Send + 'static) -> R {
    let (tell, told) = mpsc::channel();
    std::thread::spawn(move || tell.send(f()));
    told.recv_timeout(Duration::from_secs(60)).expect("it did not come to an end")
}

/// No call accepts it, each says why, and it stays.
#[track_caller]
fn refused(name: &Name, kind: ErrorKind, texts: &[&str]) {
    type Call = fn(&str) -> processing::Result<Queue<u64>>;
    let calls: [Call; 3] = [
        |name| Queue::builder().capacity(16).open(name),
        |name| Queue::builder().capacity(16).create(name),
        |name| Queue::builder().capacity(16).open_or_create(name),
    ];
    for (i, call) in calls.into_iter().enumerate() {
        let own = name.to_string();
        let error = soon(move || call(&own).map(drop)).unwrap_err();
        // Something in use cannot be created, whatever it is.
        if i == 1 && error.kind() == ErrorKind::AlreadyExists {
            continue;
        }
        assert_eq!(error.kind(), kind, "call {i}: {error}");
        for text in texts.iter().chain(&[&**name]) {
            assert!(error.to_string().contains(text), "call {i}: {text:?} is not in: {error}");
        }
    }
    gc_named().unwrap();
    assert!(name.exists());
    let info = list_named().unwrap().into_iter().find(|info| info.name == **name).unwrap();
    let problem = info.problem.unwrap();
    assert!(texts.iter().all(|text| problem.contains(text)), "{problem}");
}

fn file(name: &Name, mode: u32) -> File {
    let file =
        OpenOptions::new().read(true).write(true).create_new(true).mode(mode).open(name.path()).unwrap();
    file.set_permissions(fs::Permissions::from_mode(mode)).unwrap();
    file
}

#[test]
fn what_is_not_a_file_is_refused() {
    let name = Name::new("folder");
    fs::create_dir(name.path()).unwrap();
    refused(&name, ErrorKind::InvalidRegion, &["a folder"]);

    let name = Name::new("pipe");
    let mode = rustix::fs::Mode::from_raw_mode(0o600);
    rustix::fs::mknodat(rustix::fs::CWD, name.path(), rustix::fs::FileType::Fifo, mode, 0).unwrap();
    refused(&name, ErrorKind::InvalidRegion, &["a pipe"]);

    let name = Name::new("socket");
    let _socket = std::os::unix::net::UnixListener::bind(name.path()).unwrap();
    refused(&name, ErrorKind::InvalidRegion, &["a socket"]);

    // A link to a queue that is fine, and one to nothing.
    let (real, link) = (Name::new("real"), Name::new("link"));
    let queue = Queue::<u64>::builder().capacity(16).create(&real).unwrap();
    std::os::unix::fs::symlink(real.path(), link.path()).unwrap();
    refused(&link, ErrorKind::InvalidRegion, &["a symbolic link"]);
    queue.put(&1).unwrap();
    let link = Name::new("dangling");
    std::os::unix::fs::symlink("/nowhere", link.path()).unwrap();
    refused(&link, ErrorKind::InvalidRegion, &["a symbolic link"]);
}

#[test]
fn what_is_not_a_named_queue_is_refused() {
    let name = Name::new("empty");
    file(&name, 0o600);
    refused(&name, ErrorKind::InvalidRegion, &["not a named region", "by hand"]);
    let name = Name::new("text");
    file(&name, 0o600).write_all_at(&[b'x'; 5000], 0).unwrap();
    refused(&name, ErrorKind::InvalidRegion, &["not a named region"]);
    let name = Name::new("zeros");
    file(&name, 0o600).set_len(1 << 20).unwrap();
    refused(&name, ErrorKind::InvalidRegion, &["not a named region"]);
    assert_eq!(fs::metadata(name.path()).unwrap().len(), 1 << 20);
}

#[test]
fn what_others_may_write_to_is_refused() {
    let name = Name::new("mode");
    let mut other = Program::start();
    other.does(&format!("create {}", &*name));
    for mode in [0o644, 0o660, 0o606, 0o700, 0o400] {
        fs::set_permissions(name.path(), fs::Permissions::from_mode(mode)).unwrap();
        refused(&name, ErrorKind::InvalidRegion, &[&format!("{mode:03o}"), "600"]);
    }
    fs::set_permissions(name.path(), fs::Permissions::from_mode(0o600)).unwrap();
    assert_eq!(Queue::<u64>::builder().open(&name).unwrap().capacity(), 16);
}

#[test]
fn what_belongs_to_another_user_is_refused() {
    let name = Name::new("owner");
    file(&name, 0o600).write_all_at(b"PRCREGN1", 0).unwrap();
    if rustix::fs::chown(name.path(), Some(rustix::process::Uid::from_raw(12_345)), None).is_err() {
        eprintln!("this user cannot give files away: not tested");
        return;
    }
    refused(&name, ErrorKind::InvalidRegion, &["user 12345"]);
}

/// A copy of the file of a queue in use, with a participant's lock held on it by nobody.
fn copy_of_a_queue(name: &Name) -> Vec<u8> {
    let mut other = Program::start();
    other.does(&format!("create {}", &**name));
    let file = File::open(name.path()).unwrap();
    let len = file.metadata().unwrap().len();
    let mut bytes = vec![0; 4096];
    file.read_exact_at(&mut bytes, 0).unwrap();
    drop(other);
    gc_named().unwrap();
    bytes.extend_from_slice(&len.to_le_bytes());
    bytes
}

#[test]
fn another_version_another_layout_and_unknown_features_are_named() {
    let name = Name::new("version");
    let mut other = Program::start();
    other.does(&format!("create {}", &*name));
    let file = OpenOptions::new().read(true).write(true).open(name.path()).unwrap();
    let mut good = [0; 4096];
    file.read_exact_at(&mut good, 0).unwrap();
    let long = (1u64 << 40) | 1;
    let cases: [(u64, u64, &[&str]); 6] = [
        (8, 77, &["version", "(77)", "(1)", "same version"]),
        (16, 5, &["layout hash", "0x5", "same version"]),
        (32, long, &["unknown: 0x10000000000"]),
        (40, 0, &["region id"]),
        (48, 1 << 16, &["total size"]),
        (192, 0, &["names no object"]),
    ];
    for (at, value, texts) in cases {
        file.write_all_at(&value.to_ne_bytes(), at).unwrap();
        refused(&name, ErrorKind::InvalidRegion, texts);
        file.write_all_at(&good[at as usize..][..8], at).unwrap();
    }
    // An object that is not there, and one that lies nowhere.
    for value in [3u64, 60_000, 1 << 32 | 1, u64::MAX] {
        file.write_all_at(&value.to_ne_bytes(), 192).unwrap();
        let own = name.to_string();
        let error = soon(move || Queue::<u64>::builder().open(&own).map(drop)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidRegion, "{value:#x}: {error}");
    }
    file.write_all_at(&good[192..200], 192).unwrap();
    assert_eq!(Queue::<u64>::builder().open(&name).unwrap().capacity(), 16);
    // Nobody uses it any more: then it is removed, of whatever version.
    file.write_all_at(&77u64.to_ne_bytes(), 8).unwrap();
    other.kill();
    gc_named().unwrap();
    assert!(!name.exists());
}

/// A path that the library does not know of. Removed with the value, if something is there still.
struct Hidden(String);

impl Drop for Hidden {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

#[test]
fn every_truncation_is_an_error() {
    let name = Name::new("short");
    let whole = copy_of_a_queue(&name);
    let (bytes, len) = whole.split_at(4096);
    let len = u64::from_le_bytes(len.try_into().unwrap());
    for cut in [1, 7, 8, 111, 112, 191, 500, 4095, 4096, 5000, 1 << 20, len - 1] {
        let name = Name::new("cut");
        // Under a name that nobody clears away, until it is in use as far as anybody can tell.
        let hidden = Hidden(name.path().replace("/processing-", "/hidden-"));
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&hidden.0).unwrap();
        file.write_all_at(bytes, 0).unwrap();
        file.set_len(cut).unwrap();
        let mut user = Program::start();
        user.does(&format!("lock {} 5", hidden.0));
        fs::rename(&hidden.0, name.path()).unwrap();
        let text = if cut < 112 { "not a named region" } else { "size" };
        refused(&name, ErrorKind::InvalidRegion, &[text]);
    }
}

#[test]
fn a_damaged_body_is_an_error() {
    let name = Name::new("body");
    let mut other = Program::start();
    other.does(&format!("create {}", &*name));
    let file = OpenOptions::new().read(true).write(true).open(name.path()).unwrap();
    // The directory's first entry: word, count, kind, type, body, length.
    let entry = 4096 + 1024 * 256 + 64;
    let mut good = [0; 64];
    file.read_exact_at(&mut good, entry).unwrap();
    for (at, value) in
        [(0, 0), (0, 7), (16, 99), (24, 1), (32, 0), (32, 1), (32, u64::MAX), (40, 0), (40, u64::MAX)]
    {
        file.write_all_at(&u64::to_ne_bytes(value), entry + at).unwrap();
        let own = name.to_string();
        let answer = soon(move || Queue::<u64>::builder().open(&own).map(drop));
        match answer {
            // The same block by the reference of another life; a length that is cut to what the block has.
            Ok(()) => assert!([(32, 1), (40, u64::MAX)].contains(&(at, value)), "{at} {value:#x}"),
            Err(error) => {
                let kinds = [ErrorKind::InvalidRegion, ErrorKind::TypeMismatch];
                assert!(kinds.contains(&error.kind()), "{at} {value:#x}: {error:?}");
            }
        }
        file.write_all_at(&good, entry).unwrap();
    }
    assert_eq!(Queue::<u64>::builder().open(&name).unwrap().capacity(), 16);
    assert!(name.exists());
}

#[test]
fn who_stands_in_the_door_is_named_and_waited_for_in_bounded_time() {
    let name = Name::new("door");
    let mut other = Program::start();
    other.does(&format!("create {}", &*name));
    let mut holder = Program::start();
    holder.does(&format!("lock {} 0", name.path()));
    let own = name.to_string();
    let error = soon(move || Queue::<u64>::builder().open(&own).map(drop)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidState, "{error}");
    assert!(error.to_string().contains(&format!("process {}", holder.pid())), "{error}");
    // The name is left to the next look, and who leaves does not wait for ever.
    other.end();
    assert!(name.exists());
    drop(holder);
    assert!(Queue::<u64>::builder().open(&name).unwrap_err().is_not_found());
    assert!(!name.exists());
}

/// Why a name is not created by the crate `shared_memory`: a creator that is killed leaves a name behind that says nothing of
/// what it is, and a moment earlier an empty one. The library makes such a name only when all is in it.
#[test]
fn what_shared_memory_would_leave_behind() {
    let name = Name::new("crate");
    let mut segment =
        shared_memory::ShmemConf::new().os_id(format!("/processing-{}", &*name)).size(8192).create().unwrap();
    // As if its owner was killed: nobody removes the name, and nobody can tell whose it is.
    segment.set_owner(false);
    drop(segment);
    assert!(name.exists());
    refused(&name, ErrorKind::InvalidRegion, &["not a named region"]);
    assert_eq!(fs::metadata(name.path()).unwrap().blocks(), 0, "it commits nothing");
}
