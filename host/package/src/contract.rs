//! The contract in `wit/`, item by item.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use wit_component::WitPrinter;
use wit_parser::{
    Docs, Function, FunctionKind, InterfaceId, PackageId, Resolve, Stability, Type, TypeDefKind, TypeId, TypeOwner,
};

/// A WIT package, parsed.
pub struct Contract {
    pub(crate) resolve: Resolve,
    pub(crate) package: PackageId,
}

/// A published item, which must be documented.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// Its path: `store`, `store.session.replace`, `types.durability.full`.
    pub place: String,
    /// Its kind.
    pub kind: Kind,
    /// Its text in WIT: a name, or the signature of a function.
    pub shown: String,
    /// Its documentation; empty if there is none.
    pub docs: String,
    /// Whether it has its first version, or is marked as unstable. [`Kind::Part`] cannot.
    pub versioned: bool,
}

/// The kind of an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// An interface.
    Interface,
    /// A world.
    World,
    /// A type, by its keyword in WIT.
    Type(&'static str),
    /// A function, or a method of a resource.
    Function,
    /// A field of a record, a case of a variant or an enum, or a flag.
    Part,
}

impl Contract {
    /// Parses a directory with `deps`, or an encoded package. Items behind a feature are included.
    pub fn load(path: &Path) -> Result<Self> {
        let mut resolve = Resolve { all_features: true, ..Resolve::default() };
        let (package, _) = resolve.push_path(path)?;
        Ok(Self { resolve, package })
    }

    /// Returns the name with the version: `onionskin:fs@0.1.0`.
    #[must_use]
    pub fn name(&self) -> String {
        self.resolve.packages[self.package].name.to_string()
    }

    /// Returns the version, which a published package must have.
    pub fn version(&self) -> Result<String> {
        let name = &self.resolve.packages[self.package].name;
        Ok(name.version.as_ref().with_context(|| format!("{name} has no version"))?.to_string())
    }

    /// Encodes the package as WebAssembly, documentation and dependencies included.
    pub fn encode(&self) -> Result<Vec<u8>> {
        wit_component::encode(&self.resolve, self.package)
    }

    /// Returns everything that callers can rely on, in a normal form, by interface and world. Comments are not part of
    /// it.
    pub fn surface(&self) -> Result<BTreeMap<String, String>> {
        let mut printer = WitPrinter::default();
        printer.emit_docs(false).print(&self.resolve, self.package, &[])?;
        surface(&printer.output.to_string())
    }

    /// Returns every item, each interface and world followed by its content.
    pub fn items(&self) -> Result<Vec<Item>> {
        let package = &self.resolve.packages[self.package];
        let mut items = Vec::new();
        for (name, id) in &package.interfaces {
            let interface = &self.resolve.interfaces[*id];
            items.push(item(name, Kind::Interface, name.clone(), &interface.docs, Some(&interface.stability)));
            for (name, id) in &interface.types {
                self.type_items(*id, name, &mut items)?;
            }
            for function in interface.functions.values().filter(|function| function.kind.resource().is_none()) {
                items.push(self.function(name, function)?);
            }
        }
        for (name, id) in &package.worlds {
            let world = &self.resolve.worlds[*id];
            items.push(item(name, Kind::World, name.clone(), &world.docs, Some(&world.stability)));
        }
        Ok(items)
    }

    fn type_items(&self, id: TypeId, name: &str, items: &mut Vec<Item>) -> Result<()> {
        let ty = &self.resolve.types[id];
        let TypeOwner::Interface(owner) = ty.owner else { return Ok(()) };
        // Named by `use`: documented at its origin.
        if let TypeDefKind::Type(Type::Id(of)) = ty.kind
            && self.resolve.types[of].owner != ty.owner
        {
            return Ok(());
        }
        let place = format!("{}.{name}", self.interface(owner));
        let shown = match &ty.kind {
            TypeDefKind::Type(of) | TypeDefKind::List(of) | TypeDefKind::Option(of) => {
                format!("{name} = {}", self.text(of)?)
            }
            _ => name.to_owned(),
        };
        items.push(item(&place, Kind::Type(ty.kind.as_str()), shown, &ty.docs, Some(&ty.stability)));
        let mut part = |name: &str, ty: Option<&Type>, docs: &Docs| -> Result<()> {
            let shown =
                ty.map_or(Ok(name.to_owned()), |ty| Ok::<_, anyhow::Error>(format!("{name}: {}", self.text(ty)?)));
            items.push(item(&format!("{place}.{name}"), Kind::Part, shown?, docs, None));
            Ok(())
        };
        match &ty.kind {
            TypeDefKind::Record(record) => {
                for field in &record.fields {
                    part(&field.name, Some(&field.ty), &field.docs)?;
                }
            }
            TypeDefKind::Variant(variant) => {
                for case in &variant.cases {
                    part(&case.name, case.ty.as_ref(), &case.docs)?;
                }
            }
            TypeDefKind::Enum(cases) => {
                for case in &cases.cases {
                    part(&case.name, None, &case.docs)?;
                }
            }
            TypeDefKind::Flags(flags) => {
                for flag in &flags.flags {
                    part(&flag.name, None, &flag.docs)?;
                }
            }
            TypeDefKind::Resource => {
                let of = |function: &&Function| function.kind.resource() == Some(id);
                for function in self.resolve.interfaces[owner].functions.values().filter(of) {
                    items.push(self.function(&place, function)?);
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn function(&self, place: &str, function: &Function) -> Result<Item> {
        let name = function.item_name();
        let method = matches!(function.kind, FunctionKind::Method(_) | FunctionKind::AsyncMethod(_));
        let mut params = Vec::new();
        for param in function.params.iter().skip(usize::from(method)) {
            params.push(format!("{}: {}", param.name, self.text(&param.ty)?));
        }
        let how = match function.kind {
            FunctionKind::Static(_) | FunctionKind::AsyncStatic(_) => "static func",
            _ => "func",
        };
        let result = function.result.as_ref().map(|ty| Ok::<_, anyhow::Error>(format!(" -> {}", self.text(ty)?)));
        let shown = format!("{name}: {how}({}){}", params.join(", "), result.transpose()?.unwrap_or_default());
        Ok(item(&format!("{place}.{name}"), Kind::Function, shown, &function.docs, Some(&function.stability)))
    }

    fn interface(&self, id: InterfaceId) -> &str {
        self.resolve.interfaces[id].name.as_deref().expect("an interface of a package has a name")
    }

    fn text(&self, ty: &Type) -> Result<String> {
        let mut printer = WitPrinter::default();
        printer.print_type_name(&self.resolve, ty)?;
        Ok(printer.output.to_string())
    }
}

fn item(place: &str, kind: Kind, shown: String, docs: &Docs, stability: Option<&Stability>) -> Item {
    let docs = docs.contents.as_deref().unwrap_or_default().trim_end().to_owned();
    let versioned = stability.is_some_and(|stability| *stability != Stability::Unknown);
    Item { place: place.to_owned(), kind, shown, docs, versioned }
}

/// Splits the normal form of the printer into interfaces and worlds, each of which begins and ends at the margin.
pub fn surface(text: &str) -> Result<BTreeMap<String, String>> {
    let mut parts = BTreeMap::new();
    let (mut part, mut name) = (String::new(), String::new());
    for line in text.lines().filter(|line| !line.is_empty() && !line.starts_with("package ")) {
        if line.starts_with("interface ") || line.starts_with("world ") {
            name = line.trim_end_matches(" {").to_owned();
        }
        part.push_str(line);
        part.push('\n');
        if line.starts_with('}') {
            ensure!(!name.is_empty(), "a part of the surface has no name: {part}");
            parts.insert(std::mem::take(&mut name), std::mem::take(&mut part));
        }
    }
    ensure!(part.is_empty(), "the last part of the surface has no end: {part}");
    Ok(parts)
}

/// Returns the text that [`surface`] reads.
#[must_use]
pub fn snapshot(name: &str, surface: &BTreeMap<String, String>) -> String {
    let parts: Vec<&str> = surface.values().map(String::as_str).collect();
    format!("package {name};\n\n{}", parts.join("\n"))
}
