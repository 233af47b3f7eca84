//! The custom sections of a component: what is taken out, and what it says of itself.

use std::mem;

use anyhow::{Result, bail};
use wasm_encoder::{ComponentSectionId, Encode as _, RawSection, Section as _};
use wasm_metadata::{AddMetadata, AddMetadataField};
use wasmparser::{Encoding, Parser, Payload};

/// What a component says of itself; each is a section that registries and tools read.
#[derive(Clone, Debug)]
pub struct About {
    /// The name of the package: `onionskin`.
    pub name: String,
    /// Its version.
    pub version: String,
    /// What it is, in one line.
    pub description: String,
    /// An SPDX expression.
    pub licenses: String,
    /// Where the source is.
    pub source: String,
    /// Where to read on.
    pub homepage: String,
    /// The commit that it was built from.
    pub revision: String,
}

/// Without the custom sections of it and of all that is in it: names, and what tools note of themselves.
/// No section that is needed to run is a custom one.
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
    bail!("this is no whole WebAssembly file: it ends before it is done")
}

/// Says of a component, or of a WIT package, what it is.
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
