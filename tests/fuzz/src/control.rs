//! Records on the disk: a control directory of any entries, and texts that are written as JSON.

use arbitrary::{Arbitrary as _, Result, Unstructured};
use onionskin::error::ErrorKind;
use onionskin::journal::Journal;
use onionskin::store::{WriteOptions, inspect};
use onionskin_sim::{SimFs, Tree, operations, tree};
use serde_json::Value;

use crate::log::sealed;
use crate::scene::{content_of, is_well_formed, plant};

fn plain() -> Tree {
    tree! {
        file "lower/original" = "ground truth";
        file "ws/f" = "old";
        file "ws/a/b" = "old";
        symlink "ws/l" = ".onionskin/directories/1/2";
    }
}

/// The entries that a control directory may have, and some that it may not.
const FILES: [&str; 21] = [
    "log",
    "log-unsynced",
    "draft-1",
    "lock",
    "lock-0011223344556677",
    "epoch-1",
    "epoch-18446744073709551615",
    "file-1",
    "file-18446744073709551615",
    "tx-1/0",
    "tx-1/intent",
    "tx-1/apply-0",
    "tx-18446744073709551615/intent",
    "directories/1/owner",
    "directories/1/2/f",
    "directories/18446744073709551615/18446744073709551615/f",
    "directories/1/3/f",
    "quarantine-2/log",
    "probe/x",
    "workspace/map",
    "unknown",
];

/// Opens a root whose control directory holds the entries that the bytes describe.
pub(crate) fn any_entries(bytes: &[u8]) {
    if let Ok((tree, logs)) = scene_of(&mut Unstructured::new(bytes)) {
        opens_or_refuses(&tree, &logs);
    }
}

fn scene_of(from: &mut Unstructured<'_>) -> Result<(Tree, Vec<Vec<u8>>)> {
    let (mut tree, mut logs) = (plain(), Vec::new());
    for _ in 0..from.int_in_range(1..=5)? {
        let name = FILES[from.choose_index(FILES.len())?];
        let length = from.int_in_range(0..=200)?;
        let mut bytes = from.bytes(length.min(from.len()))?.to_vec();
        if bool::arbitrary(from)? {
            bytes = sealed(&bytes);
        }
        logs.push(bytes.clone());
        tree = tree.file(format!("ws/.onionskin/{name}"), bytes);
    }
    for (name, is_there) in
        ["ws/.onionskin-1.new/f", "ws/.onionskin-1.old/f"].into_iter().zip(<[bool; 2]>::arbitrary(from)?)
    {
        if is_there {
            tree = tree.file(name, content_of(from)?);
        }
    }
    Ok((tree, logs))
}

fn opens_or_refuses(before: &Tree, logs: &[Vec<u8>]) {
    let fs = plant(before, &["lower"]);
    let seen = inspect(fs.clone(), &operations::preopens(&fs), "/ws");
    assert!(fs.tree() == *before, "an inspection changes nothing");
    let opened = operations::open(&fs).map(|store| store.recovered());
    let after = fs.tree();
    assert_eq!(after.below("lower"), before.below("lower"), "originals stay");
    assert_eq!(fs.intrusions(), [], "no file of others is written");
    let journals: Vec<Journal> = logs.iter().filter_map(|log| Journal::decode(log).ok()).collect();
    // What no record names stays.
    let named = |at: &str| {
        at.starts_with("ws/.onionskin")
            || journals.iter().flat_map(|log| &log.ops).any(|op| at == format!("ws/{}", op.path))
    };
    for path in ["ws/f", "ws/a/b", "ws/l"] {
        assert!(named(path) || after.get(path) == before.get(path), "{path}\n{}", before.diff(&after));
    }
    match opened {
        Err(error) => {
            is_well_formed(&error, "/ws");
            if error.kind() == ErrorKind::Corrupt && seen.is_err() {
                assert!(after == *before, "refused: {error}\n{}", before.diff(&after));
            }
        }
        Ok(_) => {
            let again = operations::open(&fs).map(|store| store.recovered());
            let again = again.unwrap_or_else(|error| panic!("it opened before: {error}"));
            assert_eq!(again, [], "a second open finds nothing");
            assert!(fs.tree() == after, "a second open changes nothing\n{}", after.diff(&fs.tree()));
        }
    }
}

/// Writes a text as JSON, over a file.
pub(crate) fn any_json(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let before = tree! { dir "lower"; file "ws/f" = "old"; };
    let fs: SimFs = plant(&before, &["lower"]);
    let store = operations::open(&fs).expect("a plain directory");
    let answer = store.replace_json("f", text, &WriteOptions::default());
    drop(store);
    let after = fs.tree();
    match answer {
        Ok(receipt) => {
            assert!(is_json(text), "{text:?}");
            assert_eq!((receipt.bytes, after.bytes("ws/f")), (text.len() as u64, Some(text.as_bytes())));
        }
        Err(error) => {
            is_well_formed(&error, "f");
            assert!(error.kind() == ErrorKind::InvalidJson && serde_json::from_str::<Value>(text).is_err(), "{text:?}");
            assert!(after == before, "refused: {error}");
        }
    }
}

/// Checks whether a text has the grammar of JSON. That permits numbers and halves of characters that no value holds.
fn is_json(text: &str) -> bool {
    match serde_json::from_str::<Value>(text) {
        Ok(_) => true,
        Err(error) => {
            let error = error.to_string();
            ["number out of range", "surrogate", "unexpected end of hex escape"].iter().any(|why| error.contains(why))
        }
    }
}

/// Returns texts with every value of JSON, and some that are cut off.
pub(crate) fn json_seeds() -> Vec<Vec<u8>> {
    let deep = "[".repeat(200);
    let texts = [
        r#"{"a":[1,-2.5e-3,true,false,null,"\u00e9\n\ud83d\ude00"],"b":{}}"#,
        "1e999",
        r#""\ud800""#,
        "[1,]",
        " \t\r\n0 ",
        "01",
        "{\"a\":1,\"a\":2}",
        "\u{feff}1",
        deep.as_str(),
    ];
    texts.map(|text| text.as_bytes().to_vec()).into()
}

/// Returns descriptions of control directories, of random bytes and of bodies of logs.
pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let mut random = fastrand::Rng::with_seed(2);
    let mut seeds = Vec::new();
    for body in crate::log::seeds() {
        // The number of entries and the name come from the end of the bytes, where numbers are taken.
        for _ in 0..4 {
            let mut bytes = vec![0];
            bytes.extend(std::iter::repeat_with(|| random.u8(..)).take(3));
            bytes.push(u8::try_from(body.len()).unwrap_or(u8::MAX));
            bytes.extend(&body);
            bytes.extend(std::iter::repeat_with(|| random.u8(..)).take(40));
            seeds.push(bytes);
        }
    }
    seeds
}
