//! The contract in other languages: the generated part of the packages for Python and Node.
//!
//! Each resource becomes a class with a method for each call, documented as in the contract. Arguments with a usual
//! value may be left out, results that come page by page become iterators, and a path on the host is checked before its
//! name is passed to the component. The packages derive their classes from these, and write by hand what the contract
//! does not determine. Types and errors are generated for Python only; those for Node come from jco.

pub mod python;
pub mod typescript;

use wit_parser::{Field, Function, FunctionKind, Resolve, Type, TypeDefKind, TypeId, TypeOwner};

use crate::contract::Contract;

/// Calls for which the packages have a better form, or no use.
const BY_HAND: [&str; 5] = ["begin", "fork", "materialize", "steps", "writer"];

/// Types that no call of the packages takes or returns.
const INNER: [&str; 11] = [
    "action",
    "commit-options",
    "content",
    "limits",
    "open-options",
    "options",
    "ownership",
    "relocation",
    "source",
    "step",
    "tracing",
];

/// The default values of cases, by type.
const USUAL_CASES: [(&str, &str); 8] = [
    ("durability", "full"),
    ("evidence", "metadata"),
    ("identical", "rewrite"),
    ("on-conflict", "fail"),
    ("precondition", "none"),
    ("publish", "in-place"),
    ("resolution", "merge"),
    ("symlink-policy", "replace"),
];

/// A resource.
struct Class<'a> {
    interface: &'a str,
    name: &'a str,
    docs: &'a str,
    /// Whether it is opened, and has to be closed.
    is_root: bool,
    calls: Vec<Call<'a>>,
}

impl Class<'_> {
    /// Returns its base class, one of those that each language has by hand.
    fn base(&self) -> &'static str {
        let is_committed = self.calls.iter().any(|call| call.name == "commit" && call.consumes);
        match (self.is_root, is_committed) {
            (true, _) => "Root",
            (_, true) => "Uncommitted",
            _ => "Resource",
        }
    }
}

/// A call on a resource.
struct Call<'a> {
    name: &'a str,
    docs: &'a str,
    /// Whether it consumes the resource.
    consumes: bool,
    /// Whether it is repeated after the last name, until everything is listed.
    paged: Option<Paged<'a>>,
    params: Vec<Param<'a>>,
    /// Without the error, which is raised.
    result: Option<Type>,
}

/// The result of a call with the parameters `after` and `most`.
enum Paged<'a> {
    /// Items; more may follow after the name of the last.
    Items(Type),
    /// A record of items, and of the start of the next page.
    Pages { field: &'a str, of: Type },
}

struct Param<'a> {
    name: &'a str,
    ty: Type,
    /// The default value; every later parameter has one as well.
    usual: Option<Usual>,
}

#[derive(Clone, Copy)]
enum Usual {
    /// The case of an enum or a variant.
    Case(&'static str),
    /// An empty list.
    Empty,
    /// The root, for the path of a directory.
    Root,
    /// The beginning, for an offset.
    Zero,
    /// Up to the end, for a length.
    Most,
    /// A record of options, each with its default.
    Options,
}

/// The shape of a type in a language.
enum Shape<'a> {
    Bool,
    /// Of up to 32 bits.
    Number,
    /// Of 64 bits.
    Long,
    Text,
    Bytes,
    Option(Type),
    List(Type),
    Named(&'a str),
}

/// Returns the types of the contract with their interfaces, each where it is defined, in order.
fn own_types(contract: &Contract) -> impl Iterator<Item = (&str, &str, TypeId)> {
    let resolve = &contract.resolve;
    let interfaces = resolve.packages[contract.package].interfaces.iter();
    interfaces.flat_map(move |(interface, id)| {
        let types = resolve.interfaces[*id].types.iter();
        let own = types.filter(|(_, ty)| match resolve.types[**ty].kind {
            TypeDefKind::Type(Type::Id(of)) => resolve.types[of].owner == TypeOwner::Interface(*id),
            _ => true,
        });
        let used = own.filter(|(name, _)| !INNER.contains(&name.as_str()));
        used.map(move |(name, ty)| (interface.as_str(), name.as_str(), *ty))
    })
}

fn classes(contract: &Contract) -> Vec<Class<'_>> {
    let resolve = &contract.resolve;
    let resources = own_types(contract).filter(|(_, _, id)| resolve.types[*id].kind == TypeDefKind::Resource);
    resources
        .map(|(interface, name, id)| {
            let TypeOwner::Interface(owner) = resolve.types[id].owner else {
                unreachable!("a type of an interface is owned by it")
            };
            let functions = resolve.interfaces[owner].functions.values();
            let own = || functions.clone().filter(|function| function.kind.resource() == Some(id));
            let is_root = own().any(|function| function.item_name() == "open");
            let calls = own().filter_map(|function| call(resolve, function)).collect();
            Class { interface, name, docs: docs(&resolve.types[id].docs), is_root, calls }
        })
        .collect()
}

fn call<'a>(resolve: &'a Resolve, function: &'a Function) -> Option<Call<'a>> {
    let name = function.item_name();
    let consumes = match function.kind {
        FunctionKind::Static(_) if function.params.first().is_some_and(|param| param.name == "this") => true,
        FunctionKind::Method(_) => false,
        _ => return None,
    };
    let mut params = Vec::new();
    let mut can_be_left_out = true;
    let is_paged = function.params.iter().any(|param| param.name == "after");
    let told =
        function.params.iter().skip(1).filter(|param| !is_paged || !["after", "most"].contains(&param.name.as_str()));
    for param in told.rev() {
        let usual = match (name, param.name.as_str()) {
            ("list", "path") => Some(Usual::Root),
            (_, argument) => usual(resolve, argument, param.ty),
        };
        let usual = usual.filter(|_| can_be_left_out);
        can_be_left_out = usual.is_some();
        params.push(Param { name: &param.name, ty: param.ty, usual });
    }
    params.reverse();
    // The packages supply some of these themselves.
    let has_options =
        |param: &Param| named(resolve, param.ty).is_some_and(|name| name.ends_with("options")) && param.usual.is_none();
    if BY_HAND.contains(&name) || params.iter().any(has_options) {
        return None;
    }
    let result = function.result.and_then(|ty| without_error(resolve, ty));
    let paged = result.filter(|_| is_paged).map(|ty| paged(resolve, ty));
    Some(Call { name, docs: docs(&function.docs), consumes, paged, params, result })
}

fn paged(resolve: &Resolve, ty: Type) -> Paged<'_> {
    if let Shape::List(of) = shape(resolve, ty) {
        return Paged::Items(of);
    }
    let pages = fields(resolve, ty).into_iter().flatten().find_map(|field| match shape(resolve, field.ty) {
        Shape::List(of) => Some(Paged::Pages { field: &field.name, of }),
        _ => None,
    });
    pages.expect("a page has a list")
}

/// Returns the parameter that a call only appends, so that it can be passed in parts.
fn appended<'a>(resolve: &Resolve, call: &Call<'a>) -> Option<&'a str> {
    let data = call.params.last().filter(|param| matches!(shape(resolve, param.ty), Shape::Bytes))?;
    let appends = data.name == "chunk" || call.name == "append";
    (appends && call.result.is_none()).then_some(data.name)
}

fn usual(resolve: &Resolve, name: &str, ty: Type) -> Option<Usual> {
    if let Some((_, case)) = USUAL_CASES.iter().find(|(of, _)| named(resolve, ty) == Some(of)) {
        return Some(Usual::Case(case));
    }
    match name {
        "offset" => Some(Usual::Zero),
        "length" if ty == Type::U64 => Some(Usual::Most),
        _ => options(resolve, ty).map(|_| Usual::Options),
    }
}

/// Returns the fields of a record in which each has a default.
fn options(resolve: &Resolve, ty: Type) -> Option<Vec<(&str, Type, Usual)>> {
    let usual = |field: &Field| match shape(resolve, field.ty) {
        Shape::List(_) => Some(Usual::Empty),
        _ => usual(resolve, &field.name, field.ty).filter(|usual| matches!(usual, Usual::Case(_))),
    };
    fields(resolve, ty)?.iter().map(|one| Some((one.name.as_str(), one.ty, usual(one)?))).collect()
}

fn fields(resolve: &Resolve, ty: Type) -> Option<&[Field]> {
    let Type::Id(id) = ty else { return None };
    match &resolve.types[real(resolve, id)].kind {
        TypeDefKind::Record(record) => Some(&record.fields),
        _ => None,
    }
}

fn shape(resolve: &Resolve, ty: Type) -> Shape<'_> {
    match ty {
        Type::Bool => Shape::Bool,
        Type::U8 | Type::U16 | Type::U32 => Shape::Number,
        Type::U64 => Shape::Long,
        Type::String => Shape::Text,
        Type::Id(id) => match &resolve.types[id].kind {
            TypeDefKind::List(Type::U8) => Shape::Bytes,
            TypeDefKind::List(of) => Shape::List(*of),
            TypeDefKind::Option(of) => Shape::Option(*of),
            _ => Shape::Named(named(resolve, ty).expect("other types of the contract have names")),
        },
        _ => unreachable!("the contract has no {ty:?}"),
    }
}

fn is_variant(resolve: &Resolve, ty: Type) -> bool {
    matches!(ty, Type::Id(id) if matches!(resolve.types[real(resolve, id)].kind, TypeDefKind::Variant(_)))
}

fn named(resolve: &Resolve, ty: Type) -> Option<&str> {
    let Type::Id(id) = ty else { return None };
    resolve.types[id].name.as_deref()
}

/// Follows `use` to the original type.
fn real(resolve: &Resolve, id: TypeId) -> TypeId {
    match resolve.types[id].kind {
        TypeDefKind::Type(Type::Id(of)) => real(resolve, of),
        _ => id,
    }
}

fn without_error(resolve: &Resolve, ty: Type) -> Option<Type> {
    let Type::Id(id) = ty else { return Some(ty) };
    match &resolve.types[id].kind {
        TypeDefKind::Result(result) => result.ok,
        _ => Some(ty),
    }
}

fn docs(docs: &wit_parser::Docs) -> &str {
    docs.contents.as_deref().unwrap_or_default().trim_end()
}
