//! heed: LMDB, a tree of pages in a mapped file, with snapshots for readers and one writer at a time.
//!
//! One process reads, with a transaction a get, as its documentation has it: reader slots in thread-local storage, which is
//! its default and its fastest. One other replaces entries by the schedule of [`beside`](processing_cli::measure::beside), with
//! a transaction each; nothing is synchronised to a disk. Keys and values are bytes, so that nothing is allocated for them, and the
//! entries were put in the order of their keys, which fills the pages.
//!
//! # Safety
//!
//! The file is this program's own, in a folder that nobody else knows, is opened once by each process, after it was forked, and never
//! cut while it is mapped; that it is not synchronised matters only to what outlives the machine.
#![allow(unsafe_code)]

use crate::folder::Folder;
use anyhow::Context as _;
use heed::types::Bytes;
use heed::{CommitOrAbort, Database, Env, EnvFlags, EnvOpenOptions, PutFlags};
use processing_cli::measure::contest::turns;
use processing_cli::measure::{Beside, Entry, Indices, Kind, Pad, Partner, Report, Side};
use std::path::Path;
use std::time::Duration;

/// A random entry of so many.
pub fn get<K: Kind>(name: &str, limit: u64) -> Entry {
    Entry::new(name, move |cores| {
        let (a, b) = cores.two()?;
        let folder = Folder::new("heed")?;
        let pad = Pad::new()?;
        let reader = Partner::fork(&a, reader::<K>(pad, folder.path(), limit))?;
        let writer = Partner::fork(&b, writer::<K>(pad, folder.path(), limit))?;
        for side in [&reader, &writer] {
            side.order(0)?;
            side.report(PATIENCE)?;
        }
        Ok(Beside::new(pad, reader, writer))
    })
}

/// For filling it.
const PATIENCE: Duration = Duration::from_secs(60);
/// Addresses, not memory: much more than a million entries and the pages of old snapshots take.
const SPACE: usize = 4 << 30;

/// The first order opens and fills it.
fn reader<K: Kind>(pad: &Pad, path: &Path, limit: u64) -> impl FnMut(u64) -> anyhow::Result<Report> {
    let mut indices = Indices::new(1);
    let mut opened = None;
    move |operations| {
        let Some(tree) = &opened else {
            opened = Some(Tree::create::<K>(path, limit)?);
            return Ok(Report::default());
        };
        pad.watch(|| {
            turns(operations, || {
                let index = indices.below(limit);
                Ok(tree.get::<K>(index)?.is_none_or(|value| !K::is_value(&value, index)))
            })
        })
    }
}

/// The first order opens it.
fn writer<K: Kind>(pad: &Pad, path: &Path, limit: u64) -> impl FnMut(u64) -> anyhow::Result<Report> {
    let mut indices = Indices::new(2);
    let mut opened = None;
    move |_| {
        let Some(tree) = &opened else {
            opened = Some(Tree::open(path)?);
            return Ok(Report::default());
        };
        pad.write(|number| tree.put::<K>(indices.below(limit), number))
    }
}

/// As long as its process lasts.
struct Tree {
    env: &'static Env,
    database: Database<'static, Bytes, Bytes>,
}

impl Tree {
    fn open(path: &Path) -> anyhow::Result<Self> {
        let mut options = EnvOpenOptions::new();
        options.map_size(SPACE);
        // SAFETY: see the module.
        let env = unsafe { options.flags(EnvFlags::NO_SYNC).open(path) }.context("heed: opening")?;
        let env: &'static Env = Box::leak(Box::new(env));
        let made = env.create_databases_and_commit(env.write_txn()?, |opener, transaction| {
            opener.create_database(transaction, None).map(CommitOrAbort::<_, ()>::Commit)
        });
        let database = made.context("heed: a database")?.unwrap_commit();
        Ok(Self { env, database })
    }

    fn create<K: Kind>(path: &Path, limit: u64) -> anyhow::Result<Self> {
        let tree = Self::open(path)?;
        let mut entries: Vec<_> = (0..limit).map(|index| (K::key(index), K::value(index, 0))).collect();
        entries.sort_by(|a, b| K::key_bytes(&a.0).as_ref().cmp(K::key_bytes(&b.0).as_ref()));
        let mut transaction = tree.env.write_txn()?;
        for (key, value) in &entries {
            let (key, value) = (K::key_bytes(key), K::value_bytes(value));
            tree.database
                .put_with_flags(&mut transaction, PutFlags::APPEND, key.as_ref(), value.as_ref())
                .context("heed: filling")?;
        }
        transaction.commit()?;
        Ok(tree)
    }

    #[inline(always)]
    fn get<K: Kind>(&self, index: u64) -> anyhow::Result<Option<K::Value>> {
        let transaction = self.env.read_txn()?;
        let found = self.database.get(&transaction, K::key_bytes(&K::key(index)).as_ref())?;
        Ok(found.and_then(K::value_of))
    }

    fn put<K: Kind>(&self, index: u64, number: u64) -> anyhow::Result<()> {
        let (key, value) = (K::key(index), K::value(index, number));
        let mut transaction = self.env.write_txn()?;
        self.database.put(&mut transaction, K::key_bytes(&key).as_ref(), K::value_bytes(&value).as_ref())?;
        Ok(transaction.commit()?)
    }
}
