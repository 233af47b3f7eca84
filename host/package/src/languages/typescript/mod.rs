//! TypeScript: classes of calls, over the types that jco generates.

use std::fmt::Write as _;

use heck::{ToLowerCamelCase, ToShoutySnakeCase, ToUpperCamelCase};
use wit_parser::{Type, TypeDefKind};

use super::{Call, Class, Paged, Param, Shape, Usual, appended, classes, is_variant, named, options, own_types, shape};
use crate::contract::Contract;

const IMPORTS: &str = "\
// Generated from the contract, `wit/`: its calls.

import { realpathSync } from \"node:fs\";
import { sep } from \"node:path\";

import type * as store from \"../gen/interfaces/onionskin-fs-store.js\";
import type * as types from \"../gen/interfaces/onionskin-fs-types.js\";
import type * as workspace from \"../gen/interfaces/onionskin-fs-workspace.js\";
import type { Root as Exports } from \"../gen/onionskin.js\";
";
/// The base classes that call the component.
const PRELUDE: &str = include_str!("prelude.ts");

/// Returns the module.
#[must_use]
pub fn module(contract: &Contract) -> String {
    let writer = Writer { contract };
    let mut items = vec![IMPORTS.to_owned(), PRELUDE.to_owned()];
    items.extend(own_types(contract).filter_map(|(interface, name, id)| {
        let fields = options(&contract.resolve, Type::Id(id))?;
        Some(writer.options(interface, name, &fields))
    }));
    items.extend(classes(contract).iter().map(|class| writer.class(class)));
    items.join("\n")
}

/// Returns the types of the contract in one module, re-exported from the modules of jco.
#[must_use]
pub fn types(contract: &Contract) -> String {
    let mut module = "// Generated from the contract, `wit/`: its types.\n".to_owned();
    let resolve = &contract.resolve;
    let mut items: Vec<_> = own_types(contract).collect();
    // An error is a class of the package.
    items.retain(|(_, name, id)| *name != "error" && resolve.types[*id].kind != TypeDefKind::Resource);
    for of in items.chunk_by(|one, other| one.0 == other.0) {
        let names: Vec<String> =
            of.iter().map(|(_, name, _)| format!("    {},\n", name.to_upper_camel_case())).collect();
        let from = format!("../gen/interfaces/onionskin-fs-{}.js", of[0].0);
        let _ = write!(module, "\nexport type {{\n{}}} from \"{from}\";\n", names.concat());
    }
    module
}

struct Writer<'a> {
    contract: &'a Contract,
}

impl Writer<'_> {
    fn ty(&self, interface: &str, ty: Type) -> String {
        match shape(&self.contract.resolve, ty) {
            Shape::Bool => "boolean".into(),
            Shape::Number => "number".into(),
            Shape::Long => "bigint".into(),
            Shape::Text => "string".into(),
            Shape::Bytes => "Uint8Array".into(),
            Shape::Option(of) => format!("{} | undefined", self.ty(interface, of)),
            Shape::List(of) => format!("Array<{}>", self.ty(interface, of)),
            Shape::Named(name) => format!("{interface}.{}", name.to_upper_camel_case()),
        }
    }

    /// Returns the default options.
    fn options(&self, interface: &str, name: &str, fields: &[(&str, Type, Usual)]) -> String {
        let (constant, class) = (name.to_shouty_snake_case(), name.to_upper_camel_case());
        let mut text = format!("/** The defaults. */\nexport const {constant}: {interface}.{class} = {{\n");
        for (field, ty, usual) in fields {
            let usual = match usual {
                Usual::Case(case) => self.case(*ty, case),
                _ => "[]".to_owned(),
            };
            let _ = writeln!(text, "    {}: {usual},", field.to_lower_camel_case());
        }
        text + "};\n"
    }

    fn case(&self, ty: Type, case: &str) -> String {
        let is_variant = is_variant(&self.contract.resolve, ty);
        if is_variant { format!("{{ tag: \"{case}\" }}") } else { format!("\"{case}\"") }
    }

    fn class(&self, class: &Class) -> String {
        let name = class.name.to_upper_camel_case();
        let mut text = doc_comment(class.docs, 0);
        let _ = writeln!(text, "export class {name}Calls extends {} {{", class.base());
        let _ =
            writeln!(text, "    protected override readonly of = [\"{}\", \"{name}\"] as const;\n", class.interface);
        let calls: Vec<String> = class.calls.iter().map(|call| self.call(class, call)).collect();
        text + &calls.join("\n") + "}\n"
    }

    fn call(&self, class: &Class, call: &Call) -> String {
        let name = call.name.to_lower_camel_case();
        let (params, mut given): (Vec<_>, Vec<_>) =
            call.params.iter().map(|param| self.param(class.interface, param)).unzip();
        let head =
            |result: &str| format!("{}    {name}({}): {result} {{\n", doc_comment(call.docs, 4), params.join(", "));
        if let Some(paged) = &call.paged {
            let (of, field) = match paged {
                Paged::Items(of) => (of, "undefined".to_owned()),
                Paged::Pages { field, of } => (of, format!("\"{}\"", field.to_lower_camel_case())),
            };
            given.insert(0, format!("\"{name}\", {field}"));
            let result = format!("Generator<{}>", self.ty(class.interface, *of));
            return format!("{}        return this.pages({});\n    }}\n", head(&result), given.join(", "));
        }
        if let Some(data) = appended(&self.contract.resolve, call) {
            let data = data.to_lower_camel_case();
            let given = given.iter().map(|one| if *one == format!("encoded({data})") { "piece" } else { one });
            let made = format!("this.call(\"{name}\", {})", given.collect::<Vec<_>>().join(", "));
            return format!("{}        for (const piece of pieces({data})) {made};\n    }}\n", head("void"));
        }
        let result = call.result.map_or("void".into(), |ty| self.ty(class.interface, ty));
        given.insert(0, format!("\"{name}\""));
        let how = if call.consumes { "consume" } else { "call" };
        format!("{}        return this.{how}({});\n    }}\n", head(&result), given.join(", "))
    }

    fn param(&self, interface: &str, param: &Param) -> (String, String) {
        let name = match param.name {
            "new" => "new_".to_owned(),
            name => name.to_lower_camel_case(),
        };
        let ty = self.ty(interface, param.ty);
        let usual = match param.usual {
            Some(Usual::Options) => {
                let usual = named(&self.contract.resolve, param.ty).unwrap_or_default().to_shouty_snake_case();
                return (format!("{name}: Partial<{ty}> = {{}}"), format!("{{ ...{usual}, ...{name} }}"));
            }
            Some(Usual::Case(case)) => format!(" = {}", self.case(param.ty, case)),
            Some(Usual::Root) => " = \".\"".to_owned(),
            Some(Usual::Zero) => " = 0n".to_owned(),
            Some(Usual::Most) => " = 2n ** 64n - 1n".to_owned(),
            Some(Usual::Empty) | None => String::new(),
        };
        match (param.name, ty.as_str()) {
            ("origin", _) => (format!("{name}: {ty}{usual}"), format!("this.guest.granted({name})")),
            (_, "Uint8Array") => (format!("{name}: Data{usual}"), format!("encoded({name})")),
            _ => (format!("{name}: {ty}{usual}"), name),
        }
    }
}

/// Returns a documentation comment.
fn doc_comment(comment: &str, deep: usize) -> String {
    let margin = " ".repeat(deep);
    if !comment.contains('\n') {
        return format!("{margin}/** {comment} */\n");
    }
    let mut text = format!("{margin}/**\n");
    for line in comment.lines() {
        let _ = writeln!(text, "{}", format!("{margin} * {line}").trim_end());
    }
    text + &margin + " */\n"
}
