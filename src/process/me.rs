//! Who the calling process is: its name and its place in the tree.

use std::sync::{Arc, Mutex, PoisonError};

use crate::channel::domain;
use crate::sync::atomic::{AtomicU32, Ordering};

/// The calling process, as its creator named it.
#[derive(Debug)]
pub(crate) struct Me {
    name: Mutex<String>,
    /// Its number among its creator's children, after its creator's own numbers. Empty for the main process.
    path: Vec<u32>,
    daemon: bool,
    /// How many processes it has made.
    made: AtomicU32,
}

static ME: Mutex<Option<Arc<Me>>> = Mutex::new(None);

impl Me {
    pub(crate) fn new(name: String, path: Vec<u32>, daemon: bool) -> Self {
        Self { name: Mutex::new(name), path, daemon, made: AtomicU32::new(0) }
    }

    pub(crate) fn name(&self) -> String {
        self.name.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Of the calling process alone.
    pub(crate) fn set_name(&self, name: String) {
        domain::name_process(&name);
        *self.name.lock().unwrap_or_else(PoisonError::into_inner) = name;
    }

    pub(crate) fn is_daemon(&self) -> bool {
        self.daemon
    }

    /// The numbers of the next child.
    pub(crate) fn next_path(&self) -> Vec<u32> {
        let number = self.made.fetch_add(1, Ordering::Relaxed) + 1;
        self.path.iter().copied().chain([number]).collect()
    }
}

/// `Process-N1:N2:...:Nk`.
pub(crate) fn default_name(path: &[u32]) -> String {
    let numbers: Vec<String> = path.iter().map(u32::to_string).collect();
    format!("Process-{}", numbers.join(":"))
}

/// The calling process.
pub(crate) fn me() -> Arc<Me> {
    let mut me = ME.lock().unwrap_or_else(PoisonError::into_inner);
    Arc::clone(me.get_or_insert_with(|| Arc::new(Me::new("MainProcess".to_owned(), Vec::new(), false))))
}

/// In a child, first of all.
pub(crate) fn become_child(child: Me) {
    domain::name_process(&child.name());
    *ME.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(child));
}
