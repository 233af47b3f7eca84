//! The custom sections of a component: those that are removed, and its metadata.

use std::mem;

use anyhow::{Result, bail};
use wasm_encoder::{ComponentSectionId, Encode as _, RawSection, Section as _};
use wasm_metadata::{AddMetadata, AddMetadataField};
use wasmparser::{Encoding, Parser, Payload};

/// The metadata of a component; each is a section that registries and tools read.
#[derive(Clone, Debug)]
pub struct About {
    /// The name of the package: `onionskin`.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Its description, in one line.
    pub description: String,
    /// An SPDX expression.
    pub licenses: String,
    /// The address of the source.
    pub source: String,
    /// The address of the documentation.
    pub homepage: String,
    /// The commit that it was built from.
    pub revision: String,
}

/// Removes the custom sections of a component and of everything in it: names, and the records of tools. No custom
/// section is needed to run it.
pub fn strip(input: &[u8]) -> Result<Vec<u8>> {
    let mut outer: Vec<Vec<u8>> = Vec::new();
    let mut output = Vec::new();
    for payload in Parser::new(0).parse_all(input) {
        let payload = payload?;
        match &payload {
            Payload::Version { encoding: Encoding::Component, .. } => {
                output.extend_from_slice(&wasm_encoder::Component::HEADER);
                continue;
            }
            Payload::Version { encoding: Encoding::Module, .. } => {
                output.extend_from_slice(&wasm_encoder::Module::HEADER);
                continue;
            }
            Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => {
                outer.push(mem::take(&mut output));
                continue;
            }
            Payload::End(_) => {
                let Some(mut parent) = outer.pop() else { return Ok(output) };
                let component = output.starts_with(&wasm_encoder::Component::HEADER);
                let id = if component { ComponentSectionId::Component } else { ComponentSectionId::CoreModule };
                parent.push(id as u8);
                output.encode(&mut parent);
                output = parent;
                continue;
            }
            Payload::CustomSection(_) => continue,
            _ => {}
        }
        if let Some((id, range)) = payload.as_section() {
            let (start, end) = (usize::try_from(range.start)?, usize::try_from(range.end)?);
            RawSection { id, data: &input[start..end] }.append_to(&mut output);
        }
    }
    bail!("this WebAssembly file is truncated")
}

/// Adds metadata to a component, or to a WIT package.
pub fn describe(input: &[u8], about: &About) -> Result<Vec<u8>> {
    let mut metadata = AddMetadata::default();
    metadata.name = AddMetadataField::Set(about.name.clone());
    metadata.version = AddMetadataField::Set(about.version.parse()?);
    metadata.description = AddMetadataField::Set(about.description.parse()?);
    metadata.licenses = AddMetadataField::Set(about.licenses.parse()?);
    metadata.source = AddMetadataField::Set(about.source.parse()?);
    metadata.homepage = AddMetadataField::Set(about.homepage.parse()?);
    metadata.revision = AddMetadataField::Set(about.revision.parse()?);
    metadata.to_wasm(input)
}
