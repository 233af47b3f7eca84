//! The directory of a release.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use sha2::{Digest as _, Sha256};
use toml::Table;

use crate::bill;
use crate::contract::Contract;
use crate::sections::{About, describe, strip};

/// The digests of all other files, in the format of `sha256sum --check`.
pub const CHECKSUMS: &str = "SHA256SUMS";

/// The purpose of a component, by the name of its file.
const COMPONENTS: [(&str, &str); 2] =
    [("onionskin.wasm", ""), ("onionskin-overlay.wasm", ", as a filesystem for unmodified programs")];

/// Makes the release of a workspace from `components`, whose file names say their purpose. Existing files of the same
/// names are replaced; others stay. Two runs give the same bytes.
///
/// Returns the paths of the written files.
pub fn make(workspace: &Path, components: &[PathBuf], revision: &str, out: &Path) -> Result<Vec<PathBuf>> {
    let contract = Contract::load(&workspace.join("wit"))?;
    let about = about(workspace, revision)?;
    ensure!(
        contract.version()? == about.version,
        "{} and the version {} of Cargo.toml are released together: raise the one that is behind",
        contract.name(),
        about.version
    );
    fs::create_dir_all(out).with_context(|| format!("cannot make {}", out.display()))?;
    let mut files = Vec::new();
    for built in components {
        let name = built.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let known = COMPONENTS.iter().find(|(known, _)| *known == name);
        let (_, what) = known.with_context(|| format!("{}: no component has this name", built.display()))?;
        let bytes = fs::read(built).with_context(|| format!("cannot read {}", built.display()))?;
        let about = About { description: format!("{}{what}", about.description), ..about.clone() };
        files.push((name.to_owned(), describe(&strip(&bytes)?, &about)?));
    }
    let name = contract.name();
    let file = format!("{}.wasm", name.split('@').next().unwrap_or(&name).replace(':', "-"));
    let description = "The contract of Onionskin: copy-on-write and atomic, durable writes".to_owned();
    let about_contract =
        About { name: name.split('@').next().unwrap_or(&name).to_owned(), description, ..about.clone() };
    files.push((file, describe(&contract.encode()?, &about_contract)?));
    let bill = serde_json::to_string_pretty(&bill::of_component(workspace, &about)?)?;
    files.push(("onionskin.cdx.json".to_owned(), format!("{bill}\n").into_bytes()));

    let mut written = Vec::new();
    for (name, bytes) in files {
        write(out.join(name), &bytes, &mut written)?;
    }
    Ok(written)
}

/// Writes the digests of every file of a release, whatever its origin.
pub fn checksums(out: &Path) -> Result<()> {
    let mut names = Vec::new();
    for entry in fs::read_dir(out).with_context(|| format!("cannot list {}", out.display()))? {
        let name = entry?.file_name().into_string().ok().context("a name in a release is text")?;
        if name != CHECKSUMS {
            names.push(name);
        }
    }
    names.sort();
    let mut sums = String::new();
    for name in names {
        let bytes = fs::read(out.join(&name)).with_context(|| format!("cannot read {name}"))?;
        for byte in Sha256::digest(&bytes) {
            write!(sums, "{byte:02x}")?;
        }
        writeln!(sums, "  {name}")?;
    }
    write(out.join(CHECKSUMS), sums.as_bytes(), &mut Vec::new())
}

/// Returns the metadata from the manifest of the component.
fn about(workspace: &Path, revision: &str) -> Result<About> {
    let path = workspace.join("Cargo.toml");
    let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let manifest: Table = text.parse().with_context(|| format!("{} is not valid", path.display()))?;
    let field = |table: &str, key: &str| {
        let found = table.split('.').try_fold(&manifest, |table, name| table.get(name)?.as_table());
        let text = found.and_then(|table| table.get(key)?.as_str());
        text.map(str::to_owned).with_context(|| format!("{} has no {key} in [{table}]", path.display()))
    };
    Ok(About {
        name: field("package", "name")?,
        version: field("workspace.package", "version")?,
        description: field("package", "description")?,
        licenses: field("workspace.package", "license")?,
        source: field("workspace.package", "repository")?,
        homepage: field("workspace.package", "repository")?,
        revision: revision.to_owned(),
    })
}

fn write(path: PathBuf, bytes: &[u8], written: &mut Vec<PathBuf>) -> Result<()> {
    fs::write(&path, bytes).with_context(|| format!("cannot write {}", path.display()))?;
    written.push(path);
    Ok(())
}

/// Whether the changelog has this version as the unreleased one.
#[must_use]
pub fn is_unreleased(changelog: &str, version: &str) -> bool {
    changelog.lines().any(|line| line.strip_prefix("## Unreleased: ") == Some(version))
}
