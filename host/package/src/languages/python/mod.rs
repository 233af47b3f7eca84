//! Python: dataclasses, literals, exceptions, and classes of calls.

use std::fmt::Write as _;

use anyhow::Result;
use heck::{ToSnakeCase, ToUpperCamelCase};
use wit_parser::{Enum, Record, Type, TypeDefKind, Variant};

use super::{Call, Class, Paged, Param, Shape, Usual, classes, docs, is_variant, options, own_types, shape};
use crate::contract::Contract;

/// The built-in exceptions of Python that such an error also is.
const PYTHONS_OWN: [(&str, &str); 12] = [
    ("already-exists", "FileExistsError"),
    ("invalid-argument", "ValueError"),
    ("invalid-json", "ValueError"),
    ("invalid-path", "ValueError"),
    ("is-directory", "IsADirectoryError"),
    ("locked", "BlockingIOError"),
    ("needs-recovery", "OSError"),
    ("not-committed", "OSError"),
    ("not-directory", "NotADirectoryError"),
    ("not-found", "FileNotFoundError"),
    ("outcome-unknown", "OSError"),
    ("read-only", "PermissionError"),
];
const IMPORTS: &str = "\
import ctypes
import os
import tempfile
import threading
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, is_dataclass
from pathlib import Path
from types import SimpleNamespace as record
from typing import Any, ClassVar, Literal, Self, TypeAlias, TypedDict, Unpack

from wasmtime import Store, WasiConfig, WasmtimeError
from wasmtime import _ffi as ffi
from wasmtime import component as wasm
";
/// The base classes that call the component.
const PRELUDE: &str = include_str!("prelude.py");

/// Returns the module.
pub fn module(contract: &Contract) -> Result<String> {
    let mut public = vec!["StoppedError".to_owned()];
    let types = types(contract, &mut public);
    let public = public.iter().map(|name| format!("\"{name}\"")).collect::<Vec<_>>();
    let (package, version) = (contract.name(), contract.version()?);
    let package = package.trim_end_matches(&version).trim_end_matches('@');
    let head = "\"\"\"Generated from the contract, `wit/`: its types, its errors and its calls.\"\"\"";
    let all = format!("__all__ = [\n    {},\n]", public.join(",\n    "));
    let named = format!("PACKAGE, VERSION = \"{package}\", \"{version}\"");
    let calls = calls(contract);
    Ok(format!("{head}\n\n{IMPORTS}\n{all}\n{named}\n\n\n{types}\n\n{PRELUDE}\n\n{calls}"))
}

/// Returns the types and errors, and adds their names to the public ones.
fn types(contract: &Contract, public: &mut Vec<String>) -> String {
    let mut items = Vec::new();
    let writer = Writer { contract };
    for (_, name, id) in own_types(contract) {
        let ty = &contract.resolve.types[id];
        let comment = docs(&ty.docs);
        let class = name.to_upper_camel_case();
        match &ty.kind {
            TypeDefKind::Record(record) if name == "error" => {
                // The kinds come after their base.
                items.insert(0, error(record, comment));
                public.push("OnionskinError".to_owned());
                continue;
            }
            TypeDefKind::Enum(kinds) if name == "error-kind" => {
                items.push(errors(kinds));
                public.extend(kinds.cases.iter().map(|kind| format!("{}Error", kind.name.to_upper_camel_case())));
                continue;
            }
            TypeDefKind::Record(record) => {
                items.push(writer.record(&class, record, comment, options(&contract.resolve, Type::Id(id)).is_some()));
            }
            TypeDefKind::Enum(cases) => items.push(literals(&class, cases, comment)),
            TypeDefKind::Variant(variant) => items.push(writer.variant(&class, variant, comment)),
            _ => continue,
        }
        public.push(class);
    }
    items.join("\n\n")
}

/// Returns the calls.
fn calls(contract: &Contract) -> String {
    let writer = Writer { contract };
    let options = own_types(contract).filter_map(|(_, name, id)| {
        let fields = options(&contract.resolve, Type::Id(id))?;
        Some(writer.options(name, &fields))
    });
    let classes = classes(contract);
    options.chain(classes.iter().map(|class| writer.class(class))).collect::<Vec<_>>().join("\n\n")
}

struct Writer<'a> {
    contract: &'a Contract,
}

impl Writer<'_> {
    fn ty(&self, ty: Type) -> String {
        match shape(&self.contract.resolve, ty) {
            Shape::Bool => "bool".into(),
            Shape::Number | Shape::Long => "int".into(),
            Shape::Text => "str".into(),
            Shape::Bytes => "bytes".into(),
            Shape::Option(of) => format!("{} | None", self.ty(of)),
            Shape::List(of) => format!("list[{}]", self.ty(of)),
            Shape::Named(name) => name.to_upper_camel_case(),
        }
    }

    fn record(&self, name: &str, record: &Record, comment: &str, can_be_left_out: bool) -> String {
        let head = if can_be_left_out {
            format!("class {name}(TypedDict, total=False):\n")
        } else {
            format!("@dataclass(frozen=True)\nclass {name}:\n")
        };
        let mut text = head + &docstring(comment, 4) + "\n";
        for field in &record.fields {
            let ty = match shape(&self.contract.resolve, field.ty) {
                Shape::List(of) if can_be_left_out => format!("Iterable[{}]", self.ty(of)),
                _ => self.ty(field.ty),
            };
            let _ = writeln!(text, "    {}: {ty}", own_name(&field.name));
            text.push_str(&docstring(docs(&field.docs), 4));
        }
        text
    }

    fn variant(&self, name: &str, variant: &Variant, comment: &str) -> String {
        let (full, plain): (Vec<_>, Vec<_>) = variant.cases.iter().partition(|case| case.ty.is_some());
        let plain = plain.iter().map(|case| format!("\"{}\"", case.name)).collect::<Vec<_>>();
        let mut kinds = vec![format!("Literal[{}]", plain.join(", "))];
        for (name, ty) in full.iter().filter_map(|case| Some((&case.name, case.ty?))) {
            kinds.push(format!("tuple[Literal[\"{name}\"], {}]", self.ty(ty)));
        }
        let parts = variant.cases.iter().map(|case| (case.name.as_str(), docs(&case.docs)));
        alias(name, &kinds.join(" | "), comment, parts)
    }

    /// Returns the function that fills in the defaults of options for the component.
    fn options(&self, name: &str, fields: &[(&str, Type, Usual)]) -> String {
        let (class, function) = (name.to_upper_camel_case(), name.to_snake_case());
        let mut text = format!("def {function}(how: {class}) -> Any:\n    given: dict[str, Any] = {{\n");
        for (field, ty, usual) in fields {
            let name = own_name(field);
            let given = match usual {
                Usual::Case(case) => format!("how.get(\"{name}\", \"{case}\")"),
                _ => format!("[*how.get(\"{name}\", ())]"),
            };
            let given = if is_variant(&self.contract.resolve, *ty) { format!("tagged({given})") } else { given };
            let _ = writeln!(text, "        \"{field}\": {given},");
        }
        text + "    }\n    return record(**given)\n"
    }

    fn class(&self, class: &Class) -> String {
        let mut text = format!("class {}Calls({}):\n", class.name.to_upper_camel_case(), class.base());
        text.push_str(&docstring(class.docs, 4));
        let _ = writeln!(text, "\n    _interface, _name = \"{}\", \"{}\"", class.interface, class.name);
        for call in &class.calls {
            text.push_str(&self.call(call));
        }
        text
    }

    fn call(&self, call: &Call) -> String {
        let (mut params, mut given) = (vec!["self".to_owned()], vec![format!("\"{}\"", call.name)]);
        for param in &call.params {
            let (taken, passed) = self.param(param);
            params.push(taken);
            given.push(passed);
        }
        let head = |result: &str| {
            let (name, docs) = (own_name(call.name), docstring(call.docs, 8));
            format!("\n    def {name}({}) -> {result}:\n{docs}", ordered(&params).join(", "))
        };
        if let Some(paged) = &call.paged {
            let (of, next) = match paged {
                Paged::Items(of) => (of, "each=None".to_owned()),
                Paged::Pages { field, of } => (of, format!("each=\"{field}\"")),
            };
            let made = format!("self._pages({}, {next})", given.join(", "));
            return format!("{}        yield from {made}\n", head(&format!("Iterator[{}]", self.ty(*of))));
        }
        let result = call.result.map_or("None".into(), |ty| self.ty(ty));
        let how = if call.consumes { "_consume" } else { "_call" };
        let made = format!("self.{how}({})", given.join(", "));
        let body = match call.result {
            Some(_) => format!("answer: {result} = {made}\n        return answer"),
            None => made,
        };
        format!("{}        {body}\n", head(&result))
    }

    fn param(&self, param: &Param) -> (String, String) {
        let name = param.name.to_snake_case();
        let ty = self.ty(param.ty);
        let usual = match param.usual {
            Some(Usual::Options) => {
                return (format!("**{name}: Unpack[{ty}]"), format!("{}({name})", ty.to_snake_case()));
            }
            Some(Usual::Case(case)) => format!(" = \"{case}\""),
            Some(Usual::Root) => " = \".\"".to_owned(),
            Some(Usual::Zero) => " = 0".to_owned(),
            Some(Usual::Most) => " = 2**64 - 1".to_owned(),
            Some(Usual::Empty) | None => String::new(),
        };
        match param.name {
            "origin" => (format!("{name}: AnyPath{usual}"), format!("self._guest.granted({name})")),
            _ if is_variant(&self.contract.resolve, param.ty) => {
                (format!("{name}: {ty}{usual}"), format!("tagged({name})"))
            }
            _ => (format!("{name}: {ty}{usual}"), name),
        }
    }
}

/// Returns parameters in an order that Python takes: keywords of any name come last.
fn ordered(params: &[String]) -> Vec<String> {
    let (keywords, others): (Vec<_>, Vec<_>) = params.iter().cloned().partition(|param| param.starts_with("**"));
    [others, keywords].concat()
}

/// Returns a name, changed where Python reserves it.
fn own_name(name: &str) -> String {
    match name {
        "except" => "exclude".to_owned(),
        "list" => "iterdir".to_owned(),
        name => name.to_snake_case(),
    }
}

fn literals(name: &str, cases: &Enum, comment: &str) -> String {
    let names = cases.cases.iter().map(|case| format!("\"{}\"", case.name)).collect::<Vec<_>>();
    let parts = cases.cases.iter().map(|case| (case.name.as_str(), docs(&case.docs)));
    alias(name, &format!("Literal[{}]", names.join(", ")), comment, parts)
}

fn alias<'a>(name: &str, kinds: &str, comment: &str, parts: impl Iterator<Item = (&'a str, &'a str)>) -> String {
    let parts = parts.map(|(name, comment)| format!("\n\n{name}: {comment}")).collect::<String>();
    format!("{name}: TypeAlias = {kinds}\n{}", docstring(&format!("{comment}{parts}"), 0))
}

/// Returns the base of all errors. Subject and cause are attributes beside the message.
fn error(record: &Record, comment: &str) -> String {
    let field =
        |name: &str| record.fields.iter().find(|field| field.name == name).map_or("", |field| docs(&field.docs));
    format!(
        r#"class OnionskinError(Exception):
{}
    kind: ClassVar[str]
{}
    def __init__(self, message: str, subject: str = "", cause: str | None = None) -> None:
        super().__init__(message)
        self.subject = subject
{}        self.cause = cause
{}"#,
        docstring(comment, 4),
        docstring(field("kind"), 4),
        docstring(field("subject"), 8),
        docstring(field("cause"), 8),
    )
}

fn errors(kinds: &Enum) -> String {
    let classes = kinds.cases.iter().map(|kind| {
        let own = PYTHONS_OWN.iter().find(|(of, _)| *of == kind.name);
        let bases = own.map_or("OnionskinError".to_owned(), |(_, base)| format!("OnionskinError, {base}"));
        let class = kind.name.to_upper_camel_case();
        format!("class {class}Error({bases}):\n{}\n    kind = \"{}\"\n", docstring(docs(&kind.docs), 4), kind.name)
    });
    classes.collect::<Vec<_>>().join("\n\n")
}

/// Returns a docstring.
fn docstring(comment: &str, deep: usize) -> String {
    let margin = " ".repeat(deep);
    let mut text = String::new();
    let end = if comment.contains('\n') { "\n\"\"\"" } else { "\"\"\"" };
    for line in format!("\"\"\"{comment}{end}").lines() {
        if !line.is_empty() {
            text.push_str(&margin);
        }
        text.push_str(line);
        text.push('\n');
    }
    text
}
