//! Where the files of one measurement lie, so that nothing of it stays.
//!
//! What a killed process leaves behind is not removed before another one looks for it. So each measurement has a folder and a prefix
//! of its own, with the number of the process that measures; they are removed with it, and what a killed one has left by the next.

use anyhow::Context as _;
use iceoryx2::config::Config;
use iceoryx2::node::{Node, NodeBuilder};
use iceoryx2::prelude::{
    FileName, IceoryxSend, LogLevel, Path, PortFactory as _, SemanticString as _, ServiceName, ipc,
    set_log_level,
};
use iceoryx2::service::port_factory::publish_subscribe::PortFactory;
use iceoryx2::signal_handling_mode::SignalHandlingMode;
use std::fmt::Debug;
use std::fs;
use std::sync::atomic::{AtomicU32, Ordering};

/// What the names of all folders and files begin with; the number of the process follows.
const MARK: &str = "processing-peers-";
const FOLDERS: &str = "/tmp";
const SHARED: &str = "/dev/shm";

/// The files of one measurement; removed when dropped, by the process that made it.
pub struct Home {
    process: u32,
    name: String,
}

impl Home {
    pub fn new() -> anyhow::Result<Self> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        sweep();
        let process = std::process::id();
        let name = format!("{MARK}{process}-{}_", COUNT.fetch_add(1, Ordering::Relaxed));
        // Both sides would make it, and one of them fail.
        fs::create_dir_all(format!("{FOLDERS}/{name}")).context("a folder for iceoryx2")?;
        Ok(Self { process, name })
    }

    /// What both sides are told.
    pub fn name(&self) -> String {
        self.name.clone()
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        if self.process == std::process::id() {
            remove(&self.name);
        }
    }
}

/// A node at the home of this name.
pub fn node(home: &str) -> anyhow::Result<Node<ipc::Service>> {
    set_log_level(LogLevel::Error);
    let mut config = Config::default();
    let folder = Path::new(format!("{FOLDERS}/{home}").as_bytes()).context("iceoryx2: a path")?;
    config.global.set_root_path(&folder);
    config.global.prefix = FileName::new(home.as_bytes()).context("iceoryx2: a prefix")?;
    NodeBuilder::new()
        .config(&config)
        .signal_handling_mode(SignalHandlingMode::Disabled)
        .create::<ipc::Service>()
        .context("iceoryx2: a node")
}

pub fn service_name(name: &str) -> anyhow::Result<ServiceName> {
    ServiceName::new(name).context("iceoryx2: the name of a service")
}

/// Whether somebody listens.
pub fn is_heard<T: Debug + IceoryxSend + ?Sized>(service: &PortFactory<ipc::Service, T, ()>) -> bool {
    service.dynamic_config().number_of_subscribers() > 0
}

/// Removes what processes have left that are gone.
fn sweep() {
    for name in names(FOLDERS).into_iter().chain(names(SHARED)) {
        let process = name.strip_prefix(MARK).and_then(|rest| rest.split('-').next());
        let process = process.and_then(|number| number.parse::<u32>().ok());
        if process.is_some_and(|process| !fs::exists(format!("/proc/{process}")).unwrap_or(true)) {
            remove(&name);
        }
    }
}

/// Removes the folder of this name, and the shared memory whose names begin with it. Whatever is gone already is no failure.
fn remove(home: &str) {
    let _ = fs::remove_dir_all(format!("{FOLDERS}/{home}"));
    for name in names(SHARED).iter().filter(|name| name.starts_with(home)) {
        let _ = fs::remove_file(format!("{SHARED}/{name}"));
    }
}

/// Our names in a folder.
fn names(folder: &str) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
    names.filter(|name| name.starts_with(MARK)).collect()
}
