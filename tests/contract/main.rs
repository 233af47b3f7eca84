//! The contract is reliable: it is complete, documented, and stable under a version.
//!
//! | promise | test |
//! |---|---|
//! | `wit/` parses, encodes, and decodes to the same contract | [`the_encoding_decodes_to_the_same_contract`] |
//! | every item is documented, and names its first version | [`every_item_is_documented_and_versioned`] |
//! | the published surface of a version does not change | [`a_recorded_version_does_not_change`] |
//! | `docs/contract.md` agrees with the comments in `wit/` | [`the_page_is_up_to_date`] |
//! | the packages for Python and Node have every call and every error | [`other_languages_are_complete`] |

use std::fs;
use std::path::{Path, PathBuf};

use heck::{ToLowerCamelCase as _, ToSnakeCase as _, ToUpperCamelCase as _};
use onionskin_package::contract::{Contract, Kind, snapshot, surface};
use onionskin_package::{languages, pages, release};

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn read(path: &str) -> String {
    fs::read_to_string(workspace().join(path)).unwrap_or_else(|error| panic!("{path}: {error}; run `just contract`"))
}

fn contract() -> Contract {
    Contract::load(&workspace().join("wit")).unwrap_or_else(|error| panic!("{error:?}"))
}

/// Returns the contract with one text replaced by another.
fn with(file: &str, old: &str, new: &str) -> Contract {
    let changed = tempfile::tempdir().expect("a temporary directory");
    let wit = workspace().join("wit");
    fs::create_dir(changed.path().join("deps")).expect("a new directory");
    for place in ["", "deps"] {
        for entry in fs::read_dir(wit.join(place)).expect("wit/ can be listed") {
            let path = entry.expect("wit/ can be listed").path();
            if path.is_file() {
                let name = path.file_name().expect("a file has a name");
                fs::copy(&path, changed.path().join(place).join(name)).expect("it can be copied");
            }
        }
    }
    let path = changed.path().join(file);
    let text = fs::read_to_string(&path).expect("it is there");
    assert!(text.contains(old), "{file} no longer contains {old:?}");
    fs::write(&path, text.replacen(old, new, 1)).expect("it can be written");
    Contract::load(changed.path()).unwrap_or_else(|error| panic!("{error:?}"))
}

#[test]
fn the_encoding_decodes_to_the_same_contract() {
    let contract = contract();
    let file = tempfile::Builder::new().suffix(".wasm").tempfile().expect("a temporary file");
    fs::write(file.path(), contract.encode().expect("it encodes")).expect("it can be written");
    let back = Contract::load(file.path()).expect("it decodes");
    assert_eq!(back.name(), contract.name());
    assert_eq!(back.surface().expect("it prints"), contract.surface().expect("it prints"));
    assert_eq!(back.items().expect("it has items"), contract.items().expect("it has items"));
}

/// Returns the missing parts of the documentation of a contract.
fn missing(contract: &Contract) -> Vec<String> {
    let items = contract.items().expect("it has items");
    assert!(items.len() > 100, "{} items: some are missing", items.len());
    let mut missing = Vec::new();
    for item in items {
        if item.docs.is_empty() {
            missing.push(format!("{}: no `///`", item.place));
        }
        if item.kind != Kind::Part && !item.versioned {
            missing.push(format!("{}: no `@since` or `@unstable`", item.place));
        }
    }
    missing
}

#[test]
fn every_item_is_documented_and_versioned() {
    assert_eq!(missing(&contract()), [""; 0]);
}

/// The check above can fail.
#[test]
fn missing_documentation_is_found() {
    let one = with("onionskin.wit", "    /// A regular file.\n", "");
    assert_eq!(missing(&one), ["types.node-kind.file: no `///`"]);
    let other = with("onionskin.wit", "  @since(version = 0.1.0)\n  enum node-kind", "  enum node-kind");
    assert_eq!(missing(&other), ["types.node-kind: no `@since` or `@unstable`"]);
}

/// Returns the differences between a contract and the record of its version. A new part is no difference until the
/// version is released; a change of an existing part always is one.
fn differences(contract: &Contract, changelog: &str) -> Vec<String> {
    let version = contract.version().expect("it has a version");
    let path = workspace().join(format!("tests/contract/published/{version}.wit"));
    let Ok(recorded) = fs::read_to_string(&path) else {
        return vec![format!("nothing is recorded of {version}: run `just contract`")];
    };
    let recorded = surface(&recorded).expect("the record can be read");
    let now = contract.surface().expect("it prints");
    let mut found = Vec::new();
    for (part, was) in &recorded {
        match now.get(part) {
            None => found.push(format!("{part} is gone")),
            Some(is) if is != was => found.push(format!("{part} has changed: {}", first_difference(was, is))),
            Some(_) => {}
        }
    }
    for part in now.keys().filter(|part| !recorded.contains_key(*part)) {
        if release::is_unreleased(changelog, &version) {
            eprintln!("{part} is new in {version}, which is not released: `just contract` records it");
        } else {
            found.push(format!("{part} is new"));
        }
    }
    found
}

fn first_difference(was: &str, is: &str) -> String {
    let differs = was.lines().zip(is.lines()).find(|(was, is)| was != is);
    let (was, is) = differs.unwrap_or(("the end", "more"));
    format!("`{}` is now `{}`", was.trim(), is.trim())
}

#[test]
fn a_recorded_version_does_not_change() {
    let contract = contract();
    let found = differences(&contract, &read("CHANGELOG.md"));
    assert!(
        found.is_empty(),
        "the contract differs from the record of {}: {found:#?}\n\
         Once that version is released, raise it in wit/*.wit and Cargo.toml, and give new items the `@since` of the new \
         one; then, and before a release, `just contract` records the change.",
        contract.name()
    );
}

/// The check above can fail, for every kind of change.
#[test]
fn a_change_without_a_version_is_found() {
    let (released, unreleased) = ("## 0.1.0\n", "## Unreleased: 0.1.0\n");
    let changed = with("onionskin.wit", "    visible,\n", "");
    for changelog in [released, unreleased] {
        assert_eq!(differences(&changed, changelog), ["interface types has changed: `visible,` is now `data,`"]);
    }
    let world = "@since(version = 0.1.0)\nworld onionskin";
    let added = with("world.wit", world, &format!("/// New.\n@since(version = 0.1.0)\nworld more {{\n}}\n{world}"));
    assert_eq!(differences(&added, released), ["world more is new"]);
    assert_eq!(differences(&added, unreleased), [""; 0]);
    let comment = with("onionskin.wit", "/// A regular file.", "/// A file.");
    assert_eq!(differences(&comment, released), [""; 0], "a comment is not part of the surface");
}

/// A record decodes to the parts that were written.
#[test]
fn a_record_decodes_to_its_parts() {
    let contract = contract();
    let parts = contract.surface().expect("it prints");
    assert_eq!(surface(&snapshot(&contract.name(), &parts)).expect("it can be read"), parts);
}

#[test]
fn the_page_is_up_to_date() {
    let page = pages::contract(&contract()).expect("the page is made");
    assert!(
        read("docs/contract.md") == page,
        "docs/contract.md does not agree with the comments in wit/: run `just contract`"
    );
}

/// Calls that have another name in the packages, or are implemented there.
const NAMED_OTHERWISE: [(&str, &str); 6] = [
    ("begin", "transaction"),
    ("create", "workspace"),
    ("describe", "workspace"),
    ("get-limits", "probe"),
    ("open", "open-store"),
    ("steps", "recovered"),
];

/// Calls that only the host in Rust offers: the packages hold the lock of an upper for as long as it is open.
const RUST_ALONE: [&str; 1] = ["workspace.workspace.observe"];

/// Returns the calls and kinds of errors of a contract that the packages lack.
fn lacking(contract: &Contract) -> Vec<String> {
    let package = |paths: [&str; 2]| paths.map(read).concat();
    let python = languages::python::module(contract).expect("it is written in Python")
        + &package(["host/python/src/onionskin/store.py", "host/python/src/onionskin/workspace.py"]);
    let node =
        languages::typescript::module(contract) + &package(["host/node/src/store.ts", "host/node/src/workspace.ts"]);
    let mut lacking = Vec::new();
    for item in contract.items().expect("it has items") {
        // A host provides these, and calls none of them.
        if item.place.starts_with("host-powers.") {
            continue;
        }
        let name = item.place.rsplit('.').next().expect("a place has a name");
        let name = NAMED_OTHERWISE.iter().find(|(of, _)| *of == name).map_or(name, |(_, other)| other);
        let found = match item.kind {
            Kind::Function => {
                let pythons = if name == "list" { "iterdir".to_owned() } else { name.to_snake_case() };
                let pythons = pythons.replace("export_to", "export");
                let nodes = if name == "workspace" { "openWorkspace".to_owned() } else { name.to_lower_camel_case() };
                python.contains(&format!("def {pythons}(")) && node.contains(&format!(" {nodes}("))
            }
            // For Node the kinds are in the bindings by jco.
            Kind::Part if item.place.starts_with("types.error-kind.") => {
                python.contains(&format!("class {}Error(OnionskinError", name.to_upper_camel_case()))
            }
            _ => true,
        };
        if !found && !RUST_ALONE.contains(&item.place.as_str()) {
            lacking.push(item.place);
        }
    }
    lacking
}

#[test]
fn other_languages_are_complete() {
    assert_eq!(lacking(&contract()), Vec::<String>::new());
    let with_another = with("onionskin.wit", "inspect: func", "look-around: func");
    assert_eq!(lacking(&with_another), ["store.look-around"]);
}
