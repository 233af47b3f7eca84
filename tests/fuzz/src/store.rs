//! Sequences of calls on a store.

use arbitrary::{Result, Unstructured};
use onionskin::error::Error;
use onionskin::limits::GENERATIONS_KEPT;
use onionskin::persist::materialize::{Content, Source};
use onionskin::persist::transaction::{DirectoryOptions, Publish, Transaction};
use onionskin::store::{Durability, Precondition, Store, Symlinks, WriteOptions};
use onionskin_sim::{SimFs, Tree, operations, tree};

use crate::scene::{content_of, die_soon, is_well_formed, path_of, plant};

fn scene() -> Tree {
    tree! {
        file "lower/f" = "ground truth";
        file "lower/a/b" = "ground truth";
        file "ws/f" = "old";
        file "ws/a/b" = "old";
        file "ws/a/f" = "old";
        same "ws/c" = "ws/a/f";
        symlink "ws/l" = "a";
        symlink "ws/up" = "../lower/f";
        symlink "ws/a/l" = "../a-b/f";
        file "ws/a-b/f" = "beside";
    }
}

/// Makes the calls that the bytes describe; then the root is opened again, twice.
pub(crate) fn any_calls(bytes: &[u8]) {
    let fs = plant(&scene(), &["lower"]);
    let mut store = operations::open(&fs).expect("a plain directory");
    let from = &mut Unstructured::new(bytes);
    for _ in 0..24 {
        if from.is_empty() {
            break;
        }
        let Ok(called) = call(from, &fs, &store) else { break };
        let died = fs.harmed() > 0;
        if let Some((path, Err(error))) = &called
            && !died
        {
            is_well_formed(error, path);
        }
        if died || called.is_none() {
            drop(store);
            fs.heal();
            store = operations::open(&fs).unwrap_or_else(|error| panic!("it does not recover: {error}\n{}", fs.tree()));
        }
    }
    drop(store);
    fs.heal();
    let fs = SimFs::mount(fs.disk(), fs.switches());
    drop(operations::open(&fs).unwrap_or_else(|error| panic!("it does not recover: {error}\n{}", fs.tree())));
    let settled = fs.tree();
    let again = operations::open(&fs).map(|store| store.recovered());
    assert_eq!(again, Ok(Vec::new()), "a second open finds nothing");
    assert!(fs.tree() == settled, "a second open changes nothing\n{}", settled.diff(&fs.tree()));
    assert_eq!(settled.below("lower"), scene().below("lower"), "originals stay");
    assert_eq!(fs.intrusions(), [], "no file of others is written");
}

/// The path of a call and its answer; `None` to open the root again.
type Called = Option<(String, std::result::Result<(), Error>)>;

fn call(from: &mut Unstructured<'_>, fs: &SimFs, store: &Store<SimFs>) -> Result<Called> {
    if from.ratio(1, 10)? {
        die_soon(fs, from)?;
    }
    let path = path_of(from)?;
    let answer = match from.int_in_range(0..=9)? {
        0 => return Ok(None),
        1 | 2 => store.replace(&path, content_of(from)?, &options_of(from)?).map(drop),
        3 => store.replace_json(&path, from.arbitrary()?, &options_of(from)?).map(drop),
        4 => written(from, store, &path)?,
        5 => {
            let content = if from.arbitrary()? { Content::Keep } else { Content::Replace(content_of(from)?) };
            let source = if from.arbitrary()? { Source::LinkTarget } else { Source::Path("/lower/f".to_owned()) };
            store.materialize(&path, &source, content).map(drop)
        }
        6 => store.fingerprint(&path, from.arbitrary()?).map(drop),
        _ => {
            let directory = if from.arbitrary()? { ".".to_owned() } else { path.clone() };
            let answer = transaction(from, store, &directory)?;
            return Ok(Some((directory, answer)));
        }
    };
    Ok(Some((path, answer)))
}

fn options_of(from: &mut Unstructured<'_>) -> Result<WriteOptions> {
    Ok(WriteOptions {
        symlinks: symlinks_of(from)?,
        durability: durability_of(from)?,
        when: match from.int_in_range(0..=5)? {
            0 => Precondition::Absent,
            1 => Precondition::SingleLink,
            _ => Precondition::None,
        },
        ..WriteOptions::default()
    })
}

fn symlinks_of(from: &mut Unstructured<'_>) -> Result<Symlinks> {
    Ok([Symlinks::Replace, Symlinks::Refuse, Symlinks::FollowWithin][from.choose_index(3)?])
}

fn durability_of(from: &mut Unstructured<'_>) -> Result<Durability> {
    Ok([Durability::Full, Durability::Visible][from.choose_index(2)?])
}

fn written(from: &mut Unstructured<'_>, store: &Store<SimFs>, path: &str) -> Result<std::result::Result<(), Error>> {
    let options = options_of(from)?;
    let pieces = from.int_in_range(0..=3)?;
    let contents = (0..pieces).map(|_| content_of(from)).collect::<Result<Vec<_>>>()?;
    let commits = from.ratio(3, 4)?;
    let write = || {
        let mut writer = store.writer(path, &options)?;
        contents.into_iter().try_for_each(|content| writer.write(content))?;
        if commits { writer.commit().map(drop) } else { Ok(()) }
    };
    Ok(write())
}

fn transaction(
    from: &mut Unstructured<'_>,
    store: &Store<SimFs>,
    directory: &str,
) -> Result<std::result::Result<(), Error>> {
    let options = DirectoryOptions {
        publish: [Publish::InPlace, Publish::Swap, Publish::Pointer][from.choose_index(3)?],
        durability: durability_of(from)?,
        symlinks: symlinks_of(from)?,
        keep_generations: GENERATIONS_KEPT,
    };
    let mut transaction = match store.begin(directory, options) {
        Ok(transaction) => transaction,
        Err(error) => return Ok(Err(error)),
    };
    for _ in 0..from.int_in_range(0..=5)? {
        let path = path_of(from)?;
        if let Err(error) = change(from, &mut transaction, &path)? {
            is_well_formed(&error, &path);
        }
    }
    Ok(if from.ratio(5, 6)? { transaction.commit().map(drop) } else { Ok(()) })
}

fn change(
    from: &mut Unstructured<'_>,
    transaction: &mut Transaction<SimFs>,
    path: &str,
) -> Result<std::result::Result<(), Error>> {
    Ok(match from.int_in_range(0..=5)? {
        0 | 1 => transaction.put(path, content_of(from)?),
        2 => transaction.put_file(path, "/lower/a/b"),
        3 => transaction.append(path, content_of(from)?),
        4 => transaction.remove(path),
        _ => transaction.rename(path, &path_of(from)?),
    })
}
