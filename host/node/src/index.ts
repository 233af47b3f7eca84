/**
 * Atomic writes, and copy-on-write over originals.
 *
 * The contract of the component, `wit/onionskin.wit`, documents the promises of each call and their
 * limits. Paths are relative to the root, with `/` between the components.
 */

export { OnionskinError } from "./bindings.js";
export * from "./store.js";
export type * from "./types.js";
export * from "./workspace.js";
