//! A directory of files that change together, in place.

use std::fs;
use std::path::PathBuf;

use onionskin_host::{DirectoryOptions, OpenOptions as Opening, Store};
use onionskin_tests::sha2::{Digest as _, Sha256};

use crate::pairs::{Pairs, each};
use crate::persist::{create, refuse_directory, sync_directory};
use crate::place::Place;
use crate::report::{Report, Target};
use crate::{Bench, Result};

const FILES: usize = 100;
const CONTENT: [u8; 4 << 10] = [b'x'; 4 << 10];
const DIRECTORY: &str = "conversation";
const WHAT: &str = "100 files of 4 KiB in place, durable";
const PEER: &str = "native, same steps";

pub(crate) fn measure(bench: &Bench, report: &mut Report) {
    report.times((WHAT, PEER), Ok(bench.places.disk()), Target::Ratio(1.3), |place| {
        run(bench, place, bench.pairs(15, 4))
    });
    report.times((WHAT, PEER), bench.places.memory(), Target::None, |place| run(bench, place, bench.pairs(30, 10)));
}

fn run(bench: &Bench, place: &Place, pairs: usize) -> Result<Pairs> {
    let root = place.directory("directory-ours")?;
    fs::create_dir(root.join(DIRECTORY))?;
    let store = bench.onionskin.store(&root).open(&Opening::default())?;
    let native = Native::new(place.directory("directory-peer")?)?;
    let pairs = Pairs::run(pairs, || each(1, || persist(&store)), || each(1, || native.persist()))?;
    store.close()?;
    Ok(pairs)
}

fn names() -> impl Iterator<Item = String> {
    (0..FILES).map(|number| format!("event-{number:03}.json"))
}

fn persist(store: &Store) -> Result<()> {
    let mut transaction = store.begin(DIRECTORY, &DirectoryOptions::default())?;
    for name in names() {
        transaction.put(&name, &CONTENT)?;
    }
    transaction.commit()?;
    Ok(())
}

/// A native program with the steps of the component: stage, decide by a log, apply, clean up.
struct Native {
    directory: PathBuf,
    control: PathBuf,
}

impl Native {
    fn new(root: PathBuf) -> Result<Self> {
        let (directory, control) = (root.join(DIRECTORY), root.join(".control"));
        fs::create_dir(&directory)?;
        fs::create_dir(&control)?;
        sync_directory(&root)?;
        Ok(Self { directory, control })
    }

    fn persist(&self) -> Result<()> {
        let staging = self.control.join("tx");
        fs::create_dir(&staging)?;
        let mut log = Vec::new();
        for (number, name) in names().enumerate() {
            create(&staging.join(number.to_string()), &CONTENT, true)?;
            refuse_directory(&self.directory.join(&name))?;
            log.extend(Sha256::digest(CONTENT));
            log.extend(name.as_bytes());
        }
        log.extend(Sha256::digest(&log));
        sync_directory(&staging)?;
        let (draft, decision) = (self.control.join("draft-1"), self.control.join("log"));
        create(&draft, &log, true)?;
        sync_directory(&self.control)?;
        fs::rename(&draft, &decision)?;
        sync_directory(&self.control)?;
        for (number, name) in names().enumerate() {
            let second = staging.join(format!("apply-{number}"));
            fs::hard_link(staging.join(number.to_string()), &second)?;
            fs::rename(&second, self.directory.join(&name))?;
        }
        sync_directory(&self.directory)?;
        fs::remove_file(&decision)?;
        sync_directory(&self.control)?;
        for entry in fs::read_dir(&staging)? {
            fs::remove_file(entry?.path())?;
        }
        fs::remove_dir(&staging)?;
        Ok(())
    }
}
