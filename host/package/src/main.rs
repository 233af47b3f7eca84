//! `onionskin-package`: the release of Onionskin, and the pages and records of its contract.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use clap::{Parser, Subcommand};
use onionskin_package::contract::{Contract, snapshot};
use onionskin_package::sections::strip;
use onionskin_package::{languages, pages, release};

/// Makes the releases of Onionskin.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Writes docs/contract.md, and the record of the contract in tests/contract/published.
    ///
    /// The record of a released version is never replaced.
    Contract,
    /// Writes the generated part of the packages for Python and Node: types, errors and calls.
    Languages,
    /// Puts built components, the contract and a bill of materials into a directory.
    Release {
        /// A component, under its released name.
        #[arg(required = true)]
        components: Vec<PathBuf>,
        /// The commit that they were built from.
        #[arg(long)]
        revision: String,
        /// The directory to write to.
        #[arg(long)]
        out: PathBuf,
    },
    /// Prints the length of a component in bytes, as it is released: without its custom sections.
    Size {
        /// The component.
        component: PathBuf,
    },
    /// Writes SHA256SUMS for every file of a directory.
    Checksums {
        /// The directory.
        out: PathBuf,
    },
}

fn main() -> Result<()> {
    // The path of the build: the program is only run from the checkout.
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
        Command::Size { component } => {
            let built = fs::read(&component).with_context(|| component.display().to_string())?;
            println!("{}", strip(&built).with_context(|| component.display().to_string())?.len());
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
        "{name} was released, and its record {record} stays: raise the version in wit/*.wit"
    );
    write(workspace, &record, &text)
}

fn write(workspace: &Path, path: &str, text: &str) -> Result<()> {
    fs::write(workspace.join(path), text).with_context(|| format!("cannot write {path}"))?;
    println!("{path}");
    Ok(())
}
