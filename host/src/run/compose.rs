//! Composes two components into one: a program, and the component that provides its imports.

use std::collections::BTreeSet;

use wac_graph::types::{ItemKind, Package, WorldId, are_semver_compatible};
use wac_graph::{CompositionGraph, EncodeOptions, NodeId, PackageId};
use wasmtime::error::Context as _;

use crate::component::OVERLAY;

/// The version of the composition. It changes with the composition, since cached code includes its result.
pub(super) const VERSION: &str = "3";

/// The interface through which the component imports its directories.
const PREOPENS: &str = "wasi:filesystem/preopens";

/// Returns the name under which the layer of a program imports its directories.
///
/// It contains the digest of the program, which no program can contain. So no program can import the
/// directories of its layer, whatever the names of its imports.
pub(super) fn directories_of(program: &[u8]) -> String {
    format!("onionskin:layer/p{}", blake3::hash(program).to_hex())
}

/// Connects imports of a program to the exports of a component with the same names: each import that the
/// component exports, also if it is imported in several versions. All other imports of both are imported from
/// the host, once: interfaces that differ in their patch version only become one, so that a stream of the
/// component has the same type in the program.
///
/// A package that the component exports is provided by the component only: the program has no other access to
/// it. The program is refused if it imports an interface of that package that the component does not export,
/// or that has another type.
///
/// # Errors
/// If one of them is not a component, if the program imports no interface that the other exports, or if the
/// program is refused.
pub fn plug(program: Vec<u8>, component: &[u8]) -> wasmtime::Result<Vec<u8>> {
    let mut pair = Pair::read(program, component)?;
    if !pair.connect()? {
        let text = "it asks for nothing of what it is composed with, such as wasi:filesystem: run it alone";
        return Err(wasmtime::Error::msg(text));
    }
    pair.encode()
}

/// Returns a program composed with the layer, which imports its directories as `directories` instead of under
/// the usual name; `None` for a program that imports no filesystem.
///
/// # Errors
/// As [`plug`].
pub(super) fn layered(program: &[u8], directories: &str) -> wasmtime::Result<Option<Vec<u8>>> {
    let mut pair = Pair::read(program.to_vec(), OVERLAY)?;
    if !pair.connect()? {
        return Ok(None);
    }
    pair.rename_import(PREOPENS, directories)?;
    pair.encode().map(Some)
}

/// A program and a component, in one graph.
struct Pair {
    graph: CompositionGraph,
    program: (PackageId, NodeId),
    component: (PackageId, NodeId),
}

impl Pair {
    fn read(program: Vec<u8>, component: &[u8]) -> wasmtime::Result<Self> {
        let mut graph = CompositionGraph::new();
        let mut package = |name, wasm: Vec<u8>| {
            let package = Package::from_bytes(name, None, wasm, graph.types_mut());
            let package = package.map_err(as_text).with_context(|| format!("cannot read the {name}"))?;
            let package = graph.register_package(package)?;
            Ok::<_, wasmtime::Error>((package, graph.instantiate(package)))
        };
        let program = package("program", program)?;
        let component = package("component", component.to_vec())?;
        Ok(Self { graph, program, component })
    }

    fn world(&self, (package, _): (PackageId, NodeId)) -> WorldId {
        self.graph[package].ty()
    }

    /// Connects every import of the program that is in a package of the component. Returns whether there was
    /// one.
    fn connect(&mut self) -> wasmtime::Result<bool> {
        let types = self.graph.types();
        let exports: Vec<String> = types[self.world(self.component)].exports.keys().cloned().collect();
        let imports: Vec<String> = types[self.world(self.program)].imports.keys().cloned().collect();
        let packages: BTreeSet<&str> = exports.iter().filter_map(|name| package_of(name)).collect();
        let mut is_connected = false;
        for import in &imports {
            let same = exports.iter().find(|export| *export == import);
            let found = same.or_else(|| exports.iter().find(|export| are_semver_compatible(export, import)));
            let Some(export) = found else {
                if package_of(import).is_some_and(|package| packages.contains(package)) {
                    return Err(refused(import, "it is not among them"));
                }
                continue;
            };
            let given = self.graph.alias_instance_export(self.component.1, export)?;
            let connected = self.graph.set_instantiation_argument(self.program.1, import, given);
            connected.map_err(|error| refused(import, &as_text(error).to_string()))?;
            is_connected = true;
        }
        for export in types_exports(&self.graph, self.program.0) {
            let given = self.graph.alias_instance_export(self.program.1, &export)?;
            self.graph.export(given, &export)?;
        }
        Ok(is_connected)
    }

    /// Makes the component import an interface under another name, whatever the program imports.
    fn rename_import(&mut self, interface: &str, name: &str) -> wasmtime::Result<()> {
        let imports = &self.graph.types()[self.world(self.component)].imports;
        let found = imports.iter().find(|(import, _)| interface_of(import) == interface);
        let (import, kind) = found.expect("the component imports its directories");
        let ItemKind::Instance(id) = *kind else { unreachable!("an interface is imported as an instance") };
        let import = import.clone();
        // A separate interface: under its own name it would be merged with that of the program.
        let mut own = self.graph.types()[id].clone();
        own.id = Some(name.to_owned());
        let own = self.graph.types_mut().add_interface(own);
        let given = self.graph.import(name, ItemKind::Instance(own))?;
        Ok(self.graph.set_instantiation_argument(self.component.1, &import, given)?)
    }

    fn encode(self) -> wasmtime::Result<Vec<u8>> {
        // Both were valid, and the result is validated when it is compiled.
        Ok(self.graph.encode(EncodeOptions { validate: false, ..EncodeOptions::default() })?)
    }
}

fn types_exports(graph: &CompositionGraph, package: PackageId) -> Vec<String> {
    graph.types()[graph[package].ty()].exports.keys().cloned().collect()
}

/// Returns the package of an interface: `wasi:filesystem` of `wasi:filesystem/types@0.2.12`.
fn package_of(name: &str) -> Option<&str> {
    name.split_once('/').map(|(package, _)| package)
}

/// Returns the interface without its version.
fn interface_of(name: &str) -> &str {
    name.split_once('@').map_or(name, |(interface, _)| interface)
}

fn refused(import: &str, why: &str) -> wasmtime::Error {
    let text = format!(
        "it imports {import}, and all of {} is to come from what it is composed with: {why}",
        package_of(import).unwrap_or(import)
    );
    wasmtime::Error::msg(text)
}

/// Returns an error with its causes as one text.
fn as_text(error: impl std::fmt::Display) -> wasmtime::Error {
    wasmtime::Error::msg(format!("{error:#}"))
}
