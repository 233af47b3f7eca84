//! The component on a real directory and on the simulated filesystem.

use std::fs;
use std::path::Path;

use onionskin_host::{
    COMPONENT, Content, DirectoryOptions, Error, Faults, HostCall, Onionskin, OpenOptions, Outcome, Publish, Source,
    Store, StoreBuilder, WriteOptions,
};
use onionskin_lab::simulated::Disk;
use onionskin_sim::{Call, Node, SimFs, Tree, tree};

fn scene() -> Tree {
    tree! {
        file "lower/original" = "ground truth";
        file "ws/file" = "old";
        symlink "ws/link" = "file";
        file "ws/real/inner" = "inside";
        symlink "ws/linked" = "real";
        symlink "ws/other" = "real";
        file "ws/conv/one" = "1";
        file "ws/conv/two" = "2";
        file "ws/conv/notes/deep" = "unmanaged";
    }
}

/// A session of a store: every call that makes a change, in every publish mode.
fn live(session: &StoreBuilder, lower: &Path) -> Result<(), Error> {
    let store = session.open(&OpenOptions::default())?;
    let options = WriteOptions::default();
    store.replace("file", b"new", &options)?;
    store.replace("link", b"no link any more", &options)?;
    store.replace("linked/inner", b"made independent", &options)?;
    let mut writer = store.writer("written", &options)?;
    writer.append(b"truth is ")?;
    writer.append_from(lower.join("original"), 0, 6)?;
    writer.commit()?;
    store.materialize("other", &Source::LinkTarget, &Content::Keep)?;
    for publish in [Publish::InPlace, Publish::Swap, Publish::Pointer, Publish::Pointer] {
        let mut transaction = store.begin("conv", &DirectoryOptions::default().publish(publish))?;
        transaction.put("one", format!("{publish:?}").as_bytes())?;
        transaction.put("three", b"3")?;
        transaction.rename("three", "two")?;
        transaction.put_file("copy", lower.join("original"))?;
        transaction.commit()?;
    }
    let mut given_up = store.begin("conv", &DirectoryOptions::default())?;
    given_up.put("never", b"seen")?;
    drop(given_up);
    Store::close(store)?;
    session.open(&OpenOptions::default())?.close()
}

fn plant(files: &Tree, directory: &Path) {
    for (path, node) in files.iter() {
        let path = directory.join(std::str::from_utf8(path).expect("these names are UTF-8"));
        match node {
            Node::File { bytes, .. } => fs::write(path, bytes.as_slice()),
            Node::Directory => fs::create_dir(path),
            Node::Symlink(text) => std::os::unix::fs::symlink(&**text, path),
            Node::Other => unreachable!("the scene has no pipe"),
        }
        .expect("a writable directory");
    }
}

/// Formats a call so that both logs compare: the verb, its paths, and whether it succeeded.
fn of_host(call: &HostCall) -> String {
    let done = match (call.name, call.mutating) {
        ("open-at", None) => "open",
        ("open-at", Some(_)) => "create",
        ("stat" | "stat-at", _) => "stat",
        ("read-directory", _) => "list",
        ("readlink-at", _) => "read-link",
        ("create-directory-at", _) => "make-dir",
        ("remove-directory-at", _) => "remove-dir",
        ("unlink-file-at", _) => "remove",
        ("rename-at", _) => "rename",
        ("link-at", _) => "link",
        ("symlink-at", _) => "symlink",
        (name, _) => name,
    };
    let place = |path: &str| path.replacen("/lower/0", "lower", 1).replacen("/root", "ws", 1);
    // The text of a symbolic link is not a path.
    let to = call.other.as_deref().filter(|_| done != "symlink").map(|to| format!(" -> {}", place(to)));
    let failed = if call.outcome == Outcome::Done { "" } else { " failed" };
    format!("{done} {}{}{failed}", place(&call.path), to.unwrap_or_default())
}

fn of_simulated(call: &Call) -> String {
    use onionskin_sim::Verb;
    let done = match call.verb {
        Verb::OpenDir | Verb::OpenFile => "open",
        Verb::StatFile => "stat",
        Verb::SyncFile | Verb::SyncDir => "sync",
        Verb::RemoveFile => "remove",
        verb => verb.as_str(),
    };
    let to = call.to.as_ref().map(|to| format!(" -> {to}")).unwrap_or_default();
    let failed = if call.result.is_ok() { "" } else { " failed" };
    format!("{done} {}{to}{failed}", call.place)
}

/// One call on a line. A listing has no order and determines the order of the removals after it, so consecutive
/// removals are sorted.
fn printed(calls: &[String]) -> String {
    let both_remove = |a: &String, b: &String| a.starts_with("remove ") && b.starts_with("remove ");
    let runs = calls.chunk_by(both_remove).map(|run| {
        let mut run = run.to_vec();
        run.sort();
        run.join("\n")
    });
    runs.collect::<Vec<_>>().join("\n")
}

/// The same calls in the same order, with the same results, and the same files at the end.
#[test]
fn it_makes_the_same_calls_on_both() {
    // The simulated host lends no calls, so the build without them runs on both.
    let onionskin = Onionskin::builder().component(COMPONENT).build().expect("the embedded component loads");
    let directory = tempfile::tempdir().expect("a temporary directory");
    plant(&scene(), directory.path());
    let faults = Faults::default();
    let on_disk = onionskin.store(directory.path().join("ws")).lower(directory.path().join("lower"));
    live(&on_disk.faults(&faults), &directory.path().join("lower")).expect("all calls succeed");

    let fs = SimFs::holding(&scene());
    live(&onionskin.store("ws").filesystem(Disk::new(&fs)).lower("lower"), Path::new("lower"))
        .expect("all calls succeed");

    let real: Vec<String> = faults.calls().iter().map(of_host).collect();
    let simulated: Vec<String> = fs.calls().iter().map(of_simulated).collect();
    assert_eq!(printed(&real), printed(&simulated), "real on the left");
    let files = onionskin_lab::crash::files(directory.path()).expect("it can be read");
    let content = |tree: &Tree| {
        let lines = tree.iter().map(|(path, node)| match node {
            Node::File { bytes, .. } => format!("{:?} {bytes:?}", String::from_utf8_lossy(path)),
            node => format!("{:?} {node:?}", String::from_utf8_lossy(path)),
        });
        lines.collect::<Vec<_>>().join("\n")
    };
    assert_eq!(content(&files), content(&fs.tree()));
    println!("conformance: {} calls of the component, no difference", real.len());
}
