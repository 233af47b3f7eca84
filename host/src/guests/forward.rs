//! Forwards the calls of a guest to the component, by the types in the component.

use std::sync::Arc;

use wasmtime::component::types::{ComponentItem, Type};
use wasmtime::component::{Linker, ResourceAny, ResourceDynamic, ResourceType, Val};
use wasmtime::{AsContextMut as _, StoreContextMut};

use super::rights::{Refusal, is_known};
use super::session::{Call, GuestRoots};
use crate::error::Kind;
use crate::{Cause, Onionskin};

/// The package of the contract.
const PACKAGE: &str = "onionskin:fs/";

/// Links the interfaces of the contract for guests of the embedder: `onionskin:fs/store`, `capabilities`, `workspace` and
/// their types, and no others. `roots` returns the roots of the guest that a store of the embedder runs.
///
/// The engine of the linker may be another than that of `onionskin`. The calls block, as those of
/// [`Store`](crate::Store), and may be made on a thread of a runtime of tokio. An absolute link is `link-unreadable`, as
/// the contract has it: this host does not resolve links for guests. A fault or a limit of the component is a trap of the
/// guest, which ends its instance of the component; the next open recovers the roots.
///
/// Not promised: a list of bytes takes 32 bytes for each of them, for the duration of its call.
///
/// # Errors
/// The linker has one of the interfaces already.
pub fn add_to_linker<T: 'static>(
    onionskin: &Onionskin,
    linker: &mut Linker<T>,
    roots: fn(&mut T) -> &mut GuestRoots,
) -> wasmtime::Result<()> {
    let (component, engine) = (onionskin.component(), onionskin.engine());
    let mut kinds = Vec::new();
    for (interface, item) in component.component_type().exports(engine) {
        let ComponentItem::ComponentInstance(instance) = item.ty else { continue };
        if !interface.starts_with(PACKAGE) {
            continue;
        }
        let mut linked = linker.instance(interface)?;
        // The resources first, which its functions return.
        for (name, item) in instance.exports(engine) {
            if let ComponentItem::Resource(kind) = item.ty {
                let number = u32::try_from(kinds.len())?;
                kinds.push(kind);
                let drop = move |mut store: StoreContextMut<'_, T>, handle| {
                    roots(store.data_mut()).session.drop_resource(handle).map_err(wasmtime::Error::new)
                };
                linked.resource(name, ResourceType::host_dynamic(number), drop)?;
            }
        }
        for (name, item) in instance.exports(engine) {
            let ComponentItem::ComponentFunc(function) = item.ty else { continue };
            if function.params().any(|(name, kind)| names_a_directory(name, &kind)) && !is_known(name) {
                // A call that is added to the contract needs a decision.
                return Err(wasmtime::Error::msg(format!("no right is known for {name} of {interface}")));
            }
            let function = Function {
                interface: interface.to_owned(),
                name: name.to_owned(),
                parameters: function.params().map(|(name, _)| name.to_owned()).collect(),
                returns: function.results().find_map(|result| returned(&result, &kinds)),
            };
            linked.func_new(name, move |store, _, params, results| function.forward(store, roots, params, results))?;
        }
    }
    Ok(())
}

/// Returns the number of the resource that a function returns.
fn returned(result: &Type, kinds: &[ResourceType]) -> Option<u32> {
    match result {
        Type::Own(kind) => kinds.iter().position(|it| it == kind).and_then(|at| u32::try_from(at).ok()),
        Type::Result(result) => result.ok().and_then(|it| returned(&it, kinds)),
        _ => None,
    }
}

/// Returns whether a parameter has the guest path of a directory.
fn names_a_directory(name: &str, kind: &Type) -> bool {
    let is_path = |name: &str| matches!(name, "at" | "upper" | "into" | "to");
    match kind {
        Type::String => is_path(name),
        Type::Record(record) => record.fields().any(|field| matches!(field.ty, Type::String) && is_path(field.name)),
        _ => false,
    }
}

/// A function of the contract.
struct Function {
    interface: String,
    name: String,
    parameters: Vec<String>,
    /// The number of the resource that it returns.
    returns: Option<u32>,
}

impl Function {
    fn forward<T>(
        &self,
        mut store: StoreContextMut<'_, T>,
        roots: fn(&mut T) -> &mut GuestRoots,
        params: &[Val],
        results: &mut [Val],
    ) -> wasmtime::Result<()> {
        let mut params = params.to_vec();
        let mut parent = Vec::new();
        for param in &mut params {
            // The contract has resources as whole parameters only.
            let Val::Resource(handle) = param else { continue };
            let handle = handle.try_into_resource_dynamic(store.as_context_mut())?;
            let session = &mut roots(store.data_mut()).session;
            parent.extend(session.locks_of(handle.rep()));
            *param = Val::Resource(session.inner(handle.rep(), handle.owned())?);
        }
        let call = Call { interface: &self.interface, name: &self.name, parameters: &self.parameters };
        let made = roots(store.data_mut()).call(&call, &mut params).map_err(wasmtime::Error::new)?;
        let mut result = made.unwrap_or_else(|refusal| Val::Result(Err(Some(Box::new(as_value(refusal))))));
        if let (Some(number), Some(inner)) = (self.returns, resource(&mut result)) {
            let handle = roots(store.data_mut()).session.hold(*inner, &parent);
            *inner = ResourceDynamic::new_own(handle, number).try_into_resource_any(store.as_context_mut())?;
        }
        // A store that was consumed kept its locks until here.
        drop::<Vec<Arc<_>>>(parent);
        if let Some(place) = results.first_mut() {
            *place = result;
        }
        Ok(())
    }
}

/// Returns the resource in a result.
fn resource(value: &mut Val) -> Option<&mut ResourceAny> {
    match value {
        Val::Resource(resource) => Some(resource),
        Val::Result(Ok(Some(value))) => resource(value),
        _ => None,
    }
}

/// Returns an error of the contract as a value.
fn as_value(refusal: Refusal) -> Val {
    let Refusal { kind, subject, text, cause } = refusal;
    let message = format!("{subject}: {text}");
    let cause = cause.map(|cause| Box::new(Val::Enum(word(cause).to_owned())));
    Val::Record(vec![
        ("kind".to_owned(), Val::Enum(Kind::Contract(kind).as_str().to_owned())),
        ("subject".to_owned(), Val::String(subject)),
        ("message".to_owned(), Val::String(message)),
        ("cause".to_owned(), Val::Option(cause)),
    ])
}

/// Returns the name of a cause in the contract, of those that a refusal has.
fn word(cause: Cause) -> &'static str {
    match cause {
        Cause::NotPermitted => "not-permitted",
        _ => "other",
    }
}
