/**
 * Writes that are all or nothing, and copy-on-write over originals.
 *
 * What each call promises, and what it does not, is said item by item in the contract of the
 * component, `wit/onionskin.wit`. Paths are relative to the root, with `/` between the components.
 */

export { OnionskinError } from "./bindings.js";
export * from "./store.js";
export type * from "./types.js";
export * from "./workspace.js";
