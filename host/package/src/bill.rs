//! The bill of materials: the packages that are compiled into the component, in the format of CycloneDX.
//!
//! It is derived from the output of `cargo tree` for the target of the component, and from the checksums in
//! `Cargo.lock`. Packages that only run during the build, such as macros, are omitted. It contains no time and no
//! random number, so that one commit has one bill.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use cargo_lock::Lockfile;
use serde_json::{Value, json};

use crate::sections::About;

/// A package that is compiled in, and its dependencies.
#[derive(Default)]
struct Package {
    version: String,
    license: String,
    uses: BTreeSet<String>,
}

/// Returns the bill of the component with all of its features, for the workspace in this directory.
pub fn of_component(workspace: &Path, about: &About) -> Result<Value> {
    let lock = Lockfile::load(workspace.join("Cargo.lock"))?;
    let packages = packages(workspace, &about.name)?;
    let mut components = vec![standard_library(workspace)?];
    let mut dependencies = Vec::new();
    for ((name, reference), package) in &packages {
        dependencies.push(json!({ "ref": reference, "dependsOn": package.uses }));
        if name != &about.name {
            components.push(component(name, reference, package, &lock));
        }
    }
    Ok(json!({
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": { "component": {
            "type": "library",
            "bom-ref": reference(&about.name, &about.version),
            "name": about.name,
            "version": about.version,
            "description": about.description,
            "licenses": [{ "expression": about.licenses }],
            "externalReferences": [{ "type": "vcs", "url": about.source, "comment": about.revision }],
        } },
        "components": components,
        "dependencies": dependencies,
    }))
}

/// Returns every package, by its name and reference.
fn packages(workspace: &Path, root: &str) -> Result<BTreeMap<(String, String), Package>> {
    let tree = run(
        workspace,
        &std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned()),
        &["tree", "--locked", "--package", root, "--all-features", "--edges", "normal,no-proc-macro"],
        &["--target", "wasm32-wasip2", "--no-dedupe", "--prefix", "depth", "--format", "|{p}|{l}"],
    )?;
    let mut packages: BTreeMap<(String, String), Package> = BTreeMap::new();
    // The path from the root to the present line.
    let mut way: Vec<(String, String)> = Vec::new();
    for line in tree.lines() {
        let mut fields = line.split('|');
        let (depth, package, license) = (fields.next(), fields.next(), fields.next());
        let (Some(depth), Some(package), Some(license)) = (depth, package, license) else {
            anyhow::bail!("cargo tree has an unknown format: {line}");
        };
        let mut words = package.split(' ');
        let (Some(name), Some(version)) = (words.next(), words.next()) else {
            anyhow::bail!("cargo tree names no version: {line}");
        };
        let version = version.trim_start_matches('v');
        let key = (name.to_owned(), reference(name, version));
        way.truncate(depth.parse()?);
        if let Some(user) = way.last() {
            packages.entry(user.clone()).or_default().uses.insert(key.1.clone());
        }
        let found = packages.entry(key.clone()).or_default();
        version.clone_into(&mut found.version);
        // Manifests from before SPDX expressions.
        found.license = license.replace('/', " OR ");
        way.push(key);
    }
    Ok(packages)
}

fn component(name: &str, reference: &str, package: &Package, lock: &Lockfile) -> Value {
    let mut component = json!({
        "type": "library",
        "bom-ref": reference,
        "name": name,
        "version": package.version,
        "purl": reference,
        "licenses": [{ "expression": package.license }],
    });
    let same = |one: &&cargo_lock::Package| one.name.as_str() == name && one.version.to_string() == package.version;
    if let Some(checksum) = lock.packages.iter().find(same).and_then(|one| one.checksum.as_ref()) {
        component["hashes"] = json!([{ "alg": "SHA-256", "content": checksum.to_string() }]);
    }
    component
}

/// The libraries that come with the compiler: `core`, `alloc`, and the part of wasi-libc that they call.
fn standard_library(workspace: &Path) -> Result<Value> {
    let output = run(workspace, "rustc", &["--version"], &[])?;
    let version = output.split_whitespace().nth(1).context("rustc does not report its version")?;
    Ok(json!({
        "type": "library",
        "bom-ref": format!("rust-std@{version}"),
        "name": "rust-std",
        "version": version,
        "description": "core, alloc and wasi-libc, as they come with Rust for wasm32-wasip2",
        "licenses": [{ "expression": "MIT OR Apache-2.0" }],
    }))
}

fn run(place: &Path, program: &str, arguments: &[&str], more: &[&str]) -> Result<String> {
    let mut command = Command::new(program);
    command.args(arguments).args(more).current_dir(place);
    let output = command.output().with_context(|| format!("cannot run {program}"))?;
    ensure!(output.status.success(), "{program} {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    Ok(String::from_utf8(output.stdout)?)
}

fn reference(name: &str, version: &str) -> String {
    format!("pkg:cargo/{name}@{version}")
}
