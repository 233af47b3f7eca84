//! The files of a release are reproducible, named, stripped, and accompanied by a bill of materials.

#![cfg(unix)]

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use onionskin_package::contract::Contract;
use onionskin_package::release;
use serde_json::Value;
use tempfile::TempDir;
use wasm_metadata::{AddMetadata, AddMetadataField, Metadata, Payload};

const REVISION: &str = "0123456789abcdef0123456789abcdef01234567";

fn workspace() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}

/// Encodes the contract as a stand-in for a built component, with names that the linker would set.
fn built_component() -> Vec<u8> {
    let contract = Contract::load(&workspace().join("wit")).expect("it parses");
    let mut named = AddMetadata::default();
    named.name = AddMetadataField::Set("name set by the linker".to_owned());
    named.language = vec![("Rust".to_owned(), "1".to_owned())];
    named.to_wasm(&contract.encode().expect("it encodes")).expect("it is WebAssembly")
}

/// Makes a release of components.
fn made() -> TempDir {
    let built = tempfile::tempdir().expect("a temporary directory");
    let components = ["onionskin.wasm", "onionskin-overlay.wasm"].map(|name| {
        let path = built.path().join(name);
        fs::write(&path, built_component()).expect("it can be written");
        path
    });
    let out = tempfile::tempdir().expect("a temporary directory");
    release::make(workspace(), &components, REVISION, out.path()).unwrap_or_else(|error| panic!("{error:?}"));
    release::checksums(out.path()).expect("all of it can be read");
    out
}

fn files(directory: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    for entry in fs::read_dir(directory).expect("it can be listed") {
        let path = entry.expect("it can be listed").path();
        let name = path.file_name().and_then(|name| name.to_str()).expect("a plain name").to_owned();
        files.insert(name, fs::read(path).expect("it can be read"));
    }
    files
}

fn metadata(bytes: &[u8]) -> Payload {
    Payload::from_binary(bytes).expect("it is WebAssembly")
}

fn text(value: Option<&impl ToString>) -> String {
    value.map(ToString::to_string).unwrap_or_default()
}

#[test]
fn two_releases_of_one_commit_are_the_same() {
    let (one, other) = (made(), made());
    let (one, other) = (files(one.path()), files(other.path()));
    assert_eq!(one.len(), 5, "{:?}", one.keys());
    assert!(one == other, "they differ");
}

#[test]
fn the_checksums_are_those_of_the_files() {
    let release = made();
    let check = || {
        let mut sums = Command::new("sha256sum");
        sums.args(["--check", "--quiet", release::CHECKSUMS]).current_dir(release.path());
        sums.output().expect("sha256sum runs").status.success()
    };
    assert!(check());
    fs::write(release.path().join("onionskin.wasm"), "other").expect("it can be written");
    assert!(!check(), "a changed file was not detected");
}

/// The metadata are those that a registry shows, without names that only the build set.
#[test]
fn a_component_has_its_metadata() {
    let release = made();
    let files = files(release.path());
    for (name, more) in
        [("onionskin.wasm", ""), ("onionskin-overlay.wasm", ", as a filesystem for unmodified programs")]
    {
        let Payload::Component { metadata, children, .. } = metadata(&files[name]) else { panic!("no component") };
        let Metadata { licenses, source, homepage, revision, version, description, .. } = &metadata;
        assert_eq!(metadata.name.as_deref(), Some("onionskin"));
        assert_eq!(text(version.as_ref()), env!("CARGO_PKG_VERSION"));
        assert_eq!(text(licenses.as_ref()), env!("CARGO_PKG_LICENSE"));
        assert_eq!(text(source.as_ref()), env!("CARGO_PKG_REPOSITORY"));
        assert_eq!(text(homepage.as_ref()), env!("CARGO_PKG_REPOSITORY"));
        assert_eq!(text(revision.as_ref()), REVISION);
        assert!(text(description.as_ref()).ends_with(&format!("a WASI component{more}")), "{description:?}");
        for child in &children {
            let inner = child.metadata();
            assert!(inner.name.is_none() && inner.producers.is_none(), "{name}: {inner:?}");
        }
        assert!(metadata.producers.is_none(), "{name}: {:?}", metadata.producers);
    }
}

#[test]
fn the_contract_is_read_from_its_package() {
    let release = made();
    let packed = Contract::load(&release.path().join("onionskin-fs.wasm")).expect("it decodes");
    let source = Contract::load(&workspace().join("wit")).expect("it parses");
    assert_eq!(packed.name(), source.name());
    assert_eq!(packed.items().expect("it has items"), source.items().expect("it has items"));
    let metadata = fs::read(release.path().join("onionskin-fs.wasm")).map(|bytes| metadata(&bytes));
    assert_eq!(metadata.expect("it can be read").metadata().name.as_deref(), Some("onionskin:fs"));
}

/// The bill lists every crate that is compiled in, with its origin, and no others.
#[test]
fn the_bill_lists_what_is_compiled_in() {
    let release = made();
    let bill = fs::read_to_string(release.path().join("onionskin.cdx.json")).expect("it can be read");
    let bill: Value = serde_json::from_str(&bill).expect("it is JSON");
    assert_eq!((&bill["bomFormat"], &bill["specVersion"]), (&"CycloneDX".into(), &"1.6".into()));
    let listed = bill["components"].as_array().expect("a list");
    let mut names = Vec::new();
    for one in listed {
        let name = one["name"].as_str().expect("it has a name");
        assert!(one["licenses"][0]["expression"].as_str().is_some_and(|text| !text.is_empty()), "{one}");
        let hash = one["hashes"][0]["content"].as_str();
        assert!(name == "rust-std" || hash.is_some_and(|hash| hash.len() == 64), "{one}");
        names.push(name);
    }
    for name in ["dlmalloc", "rust-std", "serde_json", "sha2", "thiserror", "wasi", "wit-bindgen"] {
        assert!(names.contains(&name), "{name} is not in {names:?}");
    }
    for name in ["proptest", "syn", "thiserror-impl", "wasmtime", "onionskin"] {
        assert!(!names.contains(&name), "{name} is in {names:?}");
    }
    let references: Vec<&Value> = listed.iter().map(|one| &one["bom-ref"]).collect();
    for one in bill["dependencies"].as_array().expect("a list") {
        for on in one["dependsOn"].as_array().expect("a list") {
            assert!(references.contains(&on), "{on} is not listed");
        }
    }
}

/// The contract and the manifest must have the same version, and a file that is no component is refused.
#[test]
fn impossible_releases_are_refused() {
    let scratch = tempfile::tempdir().expect("a temporary directory");
    let refusal = |name: &str, content: &[u8]| {
        let path = scratch.path().join(name);
        fs::write(&path, content).expect("it can be written");
        let made = release::make(workspace(), &[path], REVISION, &scratch.path().join("out"));
        format!("{:#}", made.expect_err("it is refused"))
    };
    assert!(refusal("other.wasm", &built_component()).ends_with("other.wasm: no component has this name"));
    let whole = built_component();
    let cut = refusal("onionskin.wasm", &whole[..whole.len() / 2]);
    assert!(cut.contains("unexpected end"), "{cut}");
}
