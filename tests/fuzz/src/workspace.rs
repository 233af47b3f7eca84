//! Sequences of calls on a workspace, and of a program on the overlay of one.

use std::collections::BTreeMap;
use std::rc::Rc;

use arbitrary::{Result, Unstructured};
use onionskin::error::Error;
use onionskin::fs::{Fs as _, Kind};
use onionskin::lock::Ownership;
use onionskin::overlay::{Access, Handle, OpenOptions, Overlay};
use onionskin::store::{Durability, Preopens};
use onionskin::workspace::glob::Select;
use onionskin::workspace::{CommitOptions, OnConflict, Options, Quota, Workspace};
use onionskin_sim::{SimFs, Tree, tree};

use crate::scene::{content_of, die_soon, is_well_formed, path_of, plant};

fn scene() -> Tree {
    tree! {
        dir "upper";
        dir "out";
        file "lower/a/a" = "first";
        file "lower/a/b/c" = "deep";
        file "lower/b" = "a file over a directory";
        symlink "lower/l" = "a/a";
        symlink "lower/up" = "../below/f";
        file "lower/a-b/f" = "sorts between";
        same "lower/a-b/b" = "lower/a-b/f";
        file "below/a/c" = "from below";
        file "below/b/a" = "hidden by a file";
        file "below/f" = "from below";
    }
}

fn preopens(fs: &SimFs, commits: bool) -> Preopens<SimFs> {
    let open = |name: &str| fs.open_dir(&fs.root(), name).expect("the scene has it");
    let lower = if commits { open("lower") } else { open("lower").read_only() };
    let entries =
        [("/upper", open("upper")), ("/lower", lower), ("/below", open("below").read_only()), ("/out", open("out"))];
    Preopens { entries: entries.into_iter().map(|(name, dir)| (name.to_owned(), Rc::new(dir))).collect() }
}

fn options() -> Options {
    Options {
        upper: "/upper".to_owned(),
        lowers: ["/lower", "/below"].map(str::to_owned).into(),
        owner: Ownership::Host,
        quota: Quota::default(),
        moved: false,
        trace: false,
    }
}

fn create() -> (SimFs, Workspace<SimFs>) {
    let fs = plant(&scene(), &[]);
    fs.own("upper/.onionskin/workspace");
    let workspace = Workspace::create(fs.clone(), &preopens(&fs, false), &options()).expect("an empty upper");
    (fs, workspace)
}

fn open(fs: &SimFs) -> Workspace<SimFs> {
    let opened = Workspace::open(fs.clone(), &preopens(fs, true), &options());
    opened.unwrap_or_else(|error| panic!("it does not recover: {error}\n{}", fs.tree()))
}

/// The merged tree: each path with its kind and content.
type Shown = BTreeMap<String, (Kind, Vec<u8>)>;

fn shown(workspace: &mut Workspace<SimFs>) -> Shown {
    let (mut shown, mut waiting) = (Shown::new(), vec![".".to_owned()]);
    while let Some(directory) = waiting.pop() {
        for entry in workspace.list(&directory, None, 1000).expect("a directory can be listed") {
            let path = if directory == "." { entry.name } else { format!("{directory}/{}", entry.name) };
            let content = match entry.kind {
                Kind::Directory => {
                    waiting.push(path.clone());
                    Vec::new()
                }
                Kind::File => workspace.read(&path, 0, 1 << 16).expect("a file can be read"),
                Kind::Symlink => workspace.read_link(&path).expect("a link can be read").into_bytes(),
                Kind::Other => panic!("{path} is a pipe"),
            };
            shown.insert(path, (entry.kind, content));
        }
    }
    shown
}

fn is_untouched(fs: &SimFs, committed: bool) {
    let (tree, before) = (fs.tree(), scene());
    assert!(committed || tree.below("lower").without(is_ours) == before.below("lower"), "the topmost lower stays");
    assert_eq!(tree.below("below"), before.below("below"), "the lower below stays");
    assert_eq!(fs.intrusions(), [], "no file of others is written");
}

fn is_ours(path: &str) -> bool {
    path.split('/').any(|name| name.starts_with(".onionskin"))
}

/// Makes the calls that the bytes describe; then the workspace is opened again.
pub(crate) fn any_calls(bytes: &[u8]) {
    let (fs, mut workspace) = create();
    let grants = preopens(&fs, true);
    let from = &mut Unstructured::new(bytes);
    let mut committed = false;
    for _ in 0..32 {
        if from.is_empty() {
            break;
        }
        if from.ratio(1, 16) == Ok(true) && die_soon(&fs, from).is_err() {
            break;
        }
        let Ok(path) = path_of(from) else { break };
        let called = call(from, &fs, &grants, &mut workspace, &path, &mut committed);
        let died = fs.harmed() > 0;
        match called {
            Err(_) => break,
            Ok(Some(Err(error))) if !died => is_well_formed(&error, &path),
            Ok(Some(_)) if !died => {}
            // Died, or to be opened again.
            Ok(_) => {
                fs.heal();
                let before = (!died).then(|| shown(&mut workspace));
                drop(workspace);
                workspace = open(&fs);
                let after = shown(&mut workspace);
                assert!(before.is_none_or(|before| before == after), "opened again: {after:#?}");
            }
        }
    }
    fs.heal();
    drop(workspace);
    ends(&fs, committed);
}

/// Opens the workspace after the next process began, twice.
fn ends(fs: &SimFs, committed: bool) {
    is_untouched(fs, committed);
    let next = SimFs::mount(fs.disk(), fs.switches());
    next.own("upper/.onionskin/workspace");
    let first = shown(&mut open(&next));
    let second = shown(&mut open(&next));
    assert!(first == second, "a second open shows the same: {first:#?} {second:#?}");
    is_untouched(&next, committed);
}

type Answer = std::result::Result<(), Error>;

/// Makes a call; `None` to open the workspace again.
fn call(
    from: &mut Unstructured<'_>,
    fs: &SimFs,
    grants: &Preopens<SimFs>,
    workspace: &mut Workspace<SimFs>,
    path: &str,
    committed: &mut bool,
) -> Result<Option<Answer>> {
    Ok(Some(match from.int_in_range(0..=27)? {
        0 => return Ok(None),
        1..=3 => workspace.write(path, from.int_in_range(0..=12)?, content_of(from)?),
        4 => workspace.append(path, content_of(from)?).map(drop),
        5 | 6 => workspace.put(path, content_of(from)?),
        7 => workspace.set_size(path, from.int_in_range(0..=12)?),
        8 | 9 => workspace.make_directory(path),
        10 => workspace.make_symlink(&path_of(from)?, path),
        11 | 12 => workspace.remove(path),
        13 => workspace.remove_tree(path).map(drop),
        14..=17 => workspace.rename(path, &path_of(from)?),
        18 => workspace.sync(),
        19 => workspace.stat(path).map(drop),
        20 => workspace.list(path, from.arbitrary()?, 2).map(drop),
        21 => workspace.checkpoint(from.arbitrary()?).map(drop),
        22 => workspace.restore(from.int_in_range(0..=4)?).map(drop),
        23 => workspace.drop_checkpoint(from.int_in_range(0..=4)?),
        24 => workspace.changes(&select_of(from)?, None, 100).map(drop),
        25 => workspace.conflicts(&select_of(from)?).map(drop),
        _ => {
            *committed = true;
            let options = CommitOptions {
                into: "/lower".to_owned(),
                paths: select_of(from)?,
                durability: Durability::Full,
                conflicts: [OnConflict::Fail, OnConflict::Ours, OnConflict::Theirs][from.choose_index(3)?],
            };
            workspace.commit(fs.clone(), grants, &options).map(drop)
        }
    }))
}

fn select_of(from: &mut Unstructured<'_>) -> Result<Select> {
    let mut select = Select::default();
    for list in [&mut select.only, &mut select.except] {
        if from.ratio(1, 3)? {
            list.push(path_of(from)?);
        }
    }
    Ok(select)
}

/// Makes the calls of a program; then the workspace is opened again, and shows what the program saw.
pub(crate) fn any_program(bytes: &[u8]) {
    let (fs, workspace) = create();
    let mut overlay = Overlay::new(workspace);
    let mut handles = vec![overlay.root()];
    let from = &mut Unstructured::new(bytes);
    for _ in 0..48 {
        if from.is_empty() || program_call(from, &mut overlay, &mut handles).is_err() {
            break;
        }
    }
    let root = overlay.root();
    let names = |overlay: &mut Overlay<SimFs>| overlay.list(&root).map(|entries| entries.len()).expect("the root");
    let count = names(&mut overlay);
    drop((handles, root.clone(), overlay));
    assert_eq!(open(&fs).list(".", None, 1000).map(|entries| entries.len()).ok(), Some(count));
    ends(&fs, false);
}

fn program_call(
    from: &mut Unstructured<'_>,
    overlay: &mut Overlay<SimFs>,
    handles: &mut Vec<Rc<Handle<SimFs>>>,
) -> Result<()> {
    let handle = Rc::clone(&handles[from.choose_index(handles.len())?]);
    let to = Rc::clone(&handles[from.choose_index(handles.len())?]);
    let (path, follow) = (path_of(from)?, from.arbitrary()?);
    // Errors are codes here; that the overlay lives is the law.
    match from.int_in_range(0..=17)? {
        0..=4 => {
            let options = OpenOptions {
                follow,
                create: from.arbitrary()?,
                exclusive: from.ratio(1, 4)?,
                directory: from.ratio(1, 4)?,
                truncate: from.ratio(1, 4)?,
                access: Access { read: from.arbitrary()?, write: from.arbitrary()? },
            };
            if let Ok(opened) = overlay.open_at(&handle, &path, options) {
                handles.push(opened);
            }
        }
        5 | 6 => drop(overlay.write(&handle, from.int_in_range(0..=12)?, &content_of(from)?)),
        7 => drop(overlay.set_size(&handle, from.int_in_range(0..=12)?)),
        8 => drop(overlay.sync(&handle)),
        9 => drop(overlay.make_directory_at(&handle, &path)),
        10 => drop(overlay.symlink_at(&path_of(from)?, &handle, &path)),
        11 => drop(overlay.remove_directory_at(&handle, &path)),
        12 => drop(overlay.unlink_file_at(&handle, &path)),
        13 | 14 => drop(overlay.rename_at(&handle, &path, &to, &path_of(from)?)),
        15 => drop(overlay.link_at(&handle, &path, &to, &path_of(from)?)),
        16 => {
            let stat = overlay.stat(&handle).is_ok();
            assert_eq!(overlay.identity(&handle).is_ok(), stat, "a handle has an identity if it has a state");
            let _codes = (overlay.stat_at(&handle, &path, follow), overlay.identity_at(&handle, &path, follow));
            drop((overlay.list(&handle), overlay.read(&handle, 0, 9), overlay.read_link_at(&handle, &path)));
        }
        _ if handles.len() > 1 => drop(handles.swap_remove(1 + from.choose_index(handles.len() - 1)?)),
        _ => {}
    }
    Ok(())
}
