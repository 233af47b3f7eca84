//! `onionskin-package`: the release of Onionskin, and the pages and records of its contract.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use clap::{Parser, Subcommand};
use onionskin_package::contract::{Contract, snapshot};
use onionskin_package::{languages, pages, release};

/// Makes what is released of Onionskin.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Writes docs/contract.md, and what of the contract is recorded in tests/contract/published.
    ///
    /// The record of a version that was released is never replaced.
    Contract,
    /// Writes what the packages for Python and Node have of the contract: types, errors and calls.
    Languages,
    /// Puts components that were built, the contract and a bill of materials into a directory.
    Release {
        /// A component, under the name that it is released by.
        #[arg(required = true)]
        components: Vec<PathBuf>,
        /// The commit that they were built from.
        #[arg(long)]
        revision: String,
        /// Where to.
        #[arg(long)]
        out: PathBuf,
    },
    /// Writes SHA256SUMS for all that is in a directory.
    Checksums {
        /// The directory.
        out: PathBuf,
    },
}

fn main() -> Result<()> {
    // Where it was built: it is run from the checkout alone.
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    match Arguments::parse().command {
        Command::Contract => write_contract(&workspace),
        Command::Languages => write_languages(&workspace),
        Command::Release { components, revision, out } => {
            for path in release::make(&workspace, &components, &revision, &out)? {
                println!("{}", path.display());
            }
            Ok(())
        }
        Command::Checksums { out } => release::checksums(&out),
    }
}

fn write_languages(workspace: &Path) -> Result<()> {
    let contract = Contract::load(&workspace.join("wit"))?;
    write(workspace, "host/python/src/onionskin/_bindings.py", &languages::python::module(&contract)?)?;
    write(workspace, "host/node/src/bindings.ts", &languages::typescript::module(&contract))?;
    write(workspace, "host/node/src/types.ts", &languages::typescript::types(&contract))
}

fn write_contract(workspace: &Path) -> Result<()> {
    let contract = Contract::load(&workspace.join("wit"))?;
    let (name, version) = (contract.name(), contract.version()?);
    write(workspace, "docs/contract.md", &pages::contract(&contract)?)?;
    let record = format!("tests/contract/published/{version}.wit");
    let text = snapshot(&name, &contract.surface()?);
    let recorded = fs::read_to_string(workspace.join(&record)).unwrap_or_default();
    if recorded == text {
        return Ok(());
    }
    let changelog = fs::read_to_string(workspace.join("CHANGELOG.md")).context("cannot read CHANGELOG.md")?;
    ensure!(
        recorded.is_empty() || release::is_unreleased(&changelog, &version),
        "{name} was released, and what is recorded of it in {record} stays: raise the version in wit/*.wit"
    );
    write(workspace, &record, &text)
}

fn write(workspace: &Path, path: &str, text: &str) -> Result<()> {
    fs::write(workspace.join(path), text).with_context(|| format!("cannot write {path}"))?;
    println!("{path}");
    Ok(())
}
