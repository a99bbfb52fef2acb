//! A disk with a cache before it: what is surely on it, what may be, and what it may look like after a power cut.
//!
//! Promised is what POSIX promises, and no more: what was written into a file is there once a sync of that file has
//! returned that was called after the write had; the names in a folder are there once a sync of that folder has. Of all
//! else each page of each file, its length, and each name made, moved or removed may be there or not, each for itself. A
//! page that is there may be as it was after any of the writes into it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::os::unix::fs::FileExt as _;
use std::path::{Component, Path};
use std::sync::Arc;

use super::recording::{Event, What};

/// What the operating system writes as a whole, and what the drive does, in bytes.
const PAGE: usize = 4096;
const SECTOR: usize = 512;

/// All files and folders below one.
#[derive(Clone)]
pub(super) struct Disk {
    nodes: Vec<Node>,
}

#[derive(Clone)]
enum Node {
    File { durable: Vec<u8>, pending: Vec<Change> },
    Folder { durable: BTreeMap<String, usize>, pending: Vec<Entry>, now: BTreeMap<String, usize> },
}

/// Something that happened to a file. Its name is the line in which it began.
#[derive(Clone)]
struct Change {
    begun: usize,
    ended: usize,
    what: To,
}

#[derive(Clone)]
enum To {
    Bytes { at: usize, bytes: Arc<[u8]> },
    Length(usize),
}

/// Something that happened to a folder.
#[derive(Clone)]
struct Entry {
    begun: usize,
    ended: usize,
    removed: Option<String>,
    made: Option<(String, usize)>,
}

/// How a disk chooses what it keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Kept {
    /// All that was written until then: what a disk leaves that writes in order.
    All,
    /// What it was asked to keep, and nothing else.
    Nothing,
    OnlyTheFirst,
    OnlyTheLast,
    AllButOne,
    /// Up to a moment before.
    Earlier,
    /// After a moment, and nothing before it.
    Later,
    /// Each page for itself.
    Pages,
    /// Each sector for itself.
    Sectors,
    /// All, and of the last write some sectors.
    TornEnd,
    /// The lengths of files, and nothing of what is in them.
    Lengths,
    /// What is in files, as far as their old lengths go.
    NoLengths,
    /// What is in files, and no names.
    NoNames,
    /// Names, and nothing of what is in files.
    Names,
    /// Everything for itself: names, pages, lengths.
    Anything,
}

impl Kept {
    pub(super) const EVERY: [Self; 15] = [
        Self::All,
        Self::Nothing,
        Self::OnlyTheFirst,
        Self::OnlyTheLast,
        Self::AllButOne,
        Self::Earlier,
        Self::Later,
        Self::Pages,
        Self::Sectors,
        Self::TornEnd,
        Self::Lengths,
        Self::NoLengths,
        Self::NoNames,
        Self::Names,
        Self::Anything,
    ];
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Name,
    Length,
    Bytes,
}

/// One choice.
struct Choice {
    kept: Kept,
    random: fastrand::Rng,
    last: usize,
    first: usize,
    /// One of those that are pending.
    some: usize,
}

impl Choice {
    fn keeps(&mut self, part: Part, begun: usize) -> bool {
        match self.kept {
            Kept::All => true,
            Kept::Nothing => false,
            Kept::OnlyTheFirst => begun == self.first,
            Kept::OnlyTheLast => begun == self.last,
            Kept::AllButOne => begun != self.some,
            Kept::Earlier => begun <= self.some,
            Kept::Later => begun >= self.some,
            Kept::Pages | Kept::Sectors | Kept::Anything => self.random.bool(),
            Kept::TornEnd => begun != self.last || part != Part::Bytes || self.random.bool(),
            Kept::Lengths => part != Part::Bytes,
            Kept::NoLengths => part != Part::Length,
            Kept::NoNames => part != Part::Name,
            Kept::Names => part == Part::Name,
        }
    }

    const fn unit(&self) -> usize {
        match self.kept {
            Kept::Sectors | Kept::TornEnd => SECTOR,
            _ => PAGE,
        }
    }
}

impl Disk {
    /// With nothing on it.
    pub(super) fn empty() -> Self {
        let root = Node::Folder { durable: BTreeMap::new(), pending: Vec::new(), now: BTreeMap::new() };
        Self { nodes: vec![root] }
    }

    /// With what is in this folder now, durably.
    pub(super) fn of(folder: &Path) -> Self {
        let mut disk = Self { nodes: Vec::new() };
        disk.take(folder);
        disk
    }

    fn take(&mut self, path: &Path) -> usize {
        let number = self.nodes.len();
        if !path.is_dir() {
            self.nodes.push(Node::File { durable: fs::read(path).expect("readable"), pending: Vec::new() });
            return number;
        }
        self.nodes.push(Node::Folder { durable: BTreeMap::new(), pending: Vec::new(), now: BTreeMap::new() });
        for entry in fs::read_dir(path).expect("a folder") {
            let entry = entry.expect("an entry");
            let child = self.take(&entry.path());
            let Node::Folder { durable, now, .. } = &mut self.nodes[number] else { unreachable!("it is a folder") };
            let name = entry.file_name().into_string().expect("our names are text");
            durable.insert(name.clone(), child);
            now.insert(name, child);
        }
        number
    }

    /// Something happened, to what is at a path below `root`.
    pub(super) fn apply(&mut self, root: &Path, event: &Event) {
        let &Event { begun, ended, ref what } = event;
        let inside = |path: &Path| path.strip_prefix(root).expect("below it").to_owned();
        match what {
            What::Folder(path) => {
                let new = Node::Folder { durable: BTreeMap::new(), pending: Vec::new(), now: BTreeMap::new() };
                self.make(&inside(path), new, begun, ended);
            }
            What::Open { path, creates, truncates } => match self.find(&inside(path)) {
                Some(node) if *truncates => self.change(node, Change { begun, ended, what: To::Length(0) }),
                Some(_) => {}
                None => {
                    assert!(creates, "{} is opened and not there", path.display());
                    let new = Node::File { durable: Vec::new(), pending: Vec::new() };
                    self.make(&inside(path), new, begun, ended);
                }
            },
            What::Write { path, at, bytes } => {
                let node = self.find(&inside(path)).unwrap_or_else(|| panic!("{} is not there", path.display()));
                let what = To::Bytes { at: *at, bytes: bytes.as_slice().into() };
                self.change(node, Change { begun, ended, what });
            }
            What::Length { path, length } => {
                let node = self.find(&inside(path)).unwrap_or_else(|| panic!("{} is not there", path.display()));
                self.change(node, Change { begun, ended, what: To::Length(*length) });
            }
            What::Rename(from, to) => {
                let node = self.find(&inside(from)).expect("there");
                assert_eq!(from.parent(), to.parent(), "between folders a rename is not replayed");
                let made = Some((name(to), node));
                self.enter(&inside(from), Entry { begun, ended, removed: Some(name(from)), made });
            }
            What::Remove(path) => {
                self.enter(&inside(path), Entry { begun, ended, removed: Some(name(path)), made: None });
            }
            What::Sync(path) => {
                // One whose name is gone again needs nothing.
                if let Some(node) = self.find(&inside(path)) {
                    self.nodes[node].sync(begun);
                }
            }
            What::Told(_) => {}
        }
    }

    fn make(&mut self, path: &Path, new: Node, begun: usize, ended: usize) {
        self.nodes.push(new);
        let made = Some((name(path), self.nodes.len() - 1));
        self.enter(path, Entry { begun, ended, removed: None, made });
    }

    fn enter(&mut self, path: &Path, entry: Entry) {
        let folder = self
            .find(path.parent().expect("in a folder"))
            .unwrap_or_else(|| panic!("{} is in no folder", path.display()));
        let Node::Folder { pending, now, .. } = &mut self.nodes[folder] else {
            panic!("{} is in no folder", path.display())
        };
        entry.apply(now);
        pending.push(entry);
    }

    fn change(&mut self, node: usize, change: Change) {
        let Node::File { pending, .. } = &mut self.nodes[node] else { panic!("a folder is written into") };
        pending.push(change);
    }

    fn find(&self, path: &Path) -> Option<usize> {
        path.components().try_fold(0, |node, component| {
            let (Component::Normal(name), Node::Folder { now, .. }) = (component, &self.nodes[node]) else {
                return None;
            };
            now.get(name.to_str()?).copied()
        })
    }

    pub(super) fn is_folder(&self, path: &Path) -> bool {
        self.find(path).is_some_and(|node| matches!(self.nodes[node], Node::Folder { .. }))
    }

    /// Whether there are names that the disk may keep or not.
    pub(super) fn has_pending_names(&self) -> bool {
        self.nodes.iter().any(|node| matches!(node, Node::Folder { pending, .. } if !pending.is_empty()))
    }

    /// What the disk may keep or not: the lines of all of it.
    pub(super) fn pending(&self) -> BTreeSet<usize> {
        let of = |node: &Node| match node {
            Node::File { pending, .. } => pending.iter().map(|change| change.begun).collect::<Vec<_>>(),
            Node::Folder { pending, .. } => pending.iter().map(|entry| entry.begun).collect(),
        };
        self.nodes.iter().flat_map(of).collect()
    }

    /// Makes a folder of what the disk holds after a power cut, if it chooses so.
    pub(super) fn leave(&self, kept: Kept, seed: u64, to: &Path) {
        let pending: Vec<_> = self.pending().into_iter().collect();
        let mut random = fastrand::Rng::with_seed(seed);
        let some = random.choice(&pending).copied().unwrap_or_default();
        let (first, last) = (pending.first().copied().unwrap_or_default(), pending.last().copied().unwrap_or_default());
        self.leave_node(0, &mut Choice { kept, random, last, first, some }, to);
    }

    fn leave_node(&self, node: usize, choice: &mut Choice, to: &Path) {
        match &self.nodes[node] {
            Node::File { durable, pending } => {
                write_sparse(to, &left(durable, pending, choice));
            }
            Node::Folder { durable, pending, .. } => {
                fs::create_dir(to).expect("a folder");
                let mut entries = durable.clone();
                for entry in pending.iter().filter(|entry| choice.keeps(Part::Name, entry.begun)) {
                    entry.apply(&mut entries);
                }
                for (name, node) in entries {
                    self.leave_node(node, choice, &to.join(name));
                }
            }
        }
    }
}

impl Node {
    /// A sync has returned that was called then.
    fn sync(&mut self, called: usize) {
        match self {
            Self::File { durable, pending } => {
                let synced = pending.extract_if(.., |change| change.ended < called);
                synced.for_each(|change| change.what.apply(durable));
            }
            Self::Folder { durable, pending, .. } => {
                let synced = pending.extract_if(.., |entry| entry.ended < called);
                synced.for_each(|entry| entry.apply(durable));
            }
        }
    }
}

impl Entry {
    fn apply(&self, entries: &mut BTreeMap<String, usize>) {
        if let Some(removed) = &self.removed {
            entries.remove(removed);
        }
        if let Some((name, node)) = &self.made {
            entries.insert(name.clone(), *node);
        }
    }
}

impl To {
    fn apply(&self, file: &mut Vec<u8>) {
        match self {
            Self::Length(length) => file.resize(*length, 0),
            Self::Bytes { at, bytes } => {
                let end = at + bytes.len();
                if file.len() < end {
                    file.resize(end, 0);
                }
                file[*at..end].copy_from_slice(bytes);
            }
        }
    }

    /// Which bytes it touches, of a file of that length.
    fn range(&self, length: usize) -> (usize, usize) {
        match self {
            Self::Bytes { at, bytes } => (*at, at + bytes.len()),
            Self::Length(to) => (*to, length.max(*to)),
        }
    }

    fn length(&self, before: usize) -> usize {
        match self {
            Self::Bytes { at, bytes } => before.max(at + bytes.len()),
            Self::Length(length) => *length,
        }
    }
}

/// A file after a power cut.
fn left(durable: &[u8], pending: &[Change], choice: &mut Choice) -> Vec<u8> {
    let unit = choice.unit();
    let longest = pending.iter().fold(durable.len(), |longest, change| longest.max(change.what.length(0)));
    // For each unit, the last change that has reached the disk there: a page is written as it is then.
    let mut reached: BTreeMap<usize, usize> = BTreeMap::new();
    let mut length = durable.len();
    let (mut lengths, mut all) = (length, length);
    for (number, change) in pending.iter().enumerate() {
        let (begin, end) = change.what.range(all);
        all = change.what.length(all);
        if all != lengths && choice.keeps(Part::Length, change.begun) {
            length = all;
        }
        lengths = all;
        for page in (begin / unit)..end.div_ceil(unit) {
            if choice.keeps(Part::Bytes, change.begun) {
                reached.insert(page, number + 1);
            }
        }
    }
    let mut file = durable.to_vec();
    file.resize(longest, 0);
    for (number, change) in pending.iter().enumerate() {
        let (begin, end) = change.what.range(longest);
        for page in (begin / unit)..end.div_ceil(unit) {
            if reached.get(&page).is_some_and(|reached| number < *reached) {
                let (begin, end) = (begin.max(page * unit), end.min((page + 1) * unit).min(longest));
                match &change.what {
                    To::Bytes { at, bytes } => file[begin..end].copy_from_slice(&bytes[begin - at..end - at]),
                    To::Length(_) => file[begin..end].fill(0),
                }
            }
        }
    }
    file.resize(length, 0);
    file
}

fn write_sparse(to: &Path, bytes: &[u8]) {
    let file = File::create(to).expect("created");
    file.set_len(bytes.len() as u64).expect("of that length");
    for (number, page) in bytes.chunks(16 * PAGE).enumerate() {
        if page.iter().any(|byte| *byte != 0) {
            file.write_all_at(page, (number * 16 * PAGE) as u64).expect("written");
        }
    }
}

fn name(path: &Path) -> String {
    path.file_name().and_then(|name| name.to_str()).expect("our names are text").to_owned()
}
