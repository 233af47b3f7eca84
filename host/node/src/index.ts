/**
 * Writes that are all or nothing, and copy-on-write over originals.
 *
 * What each call promises, and what it does not, is said item by item in the contract of the
 * component, `wit/onionskin.wit`. Paths are relative to the root, with `/` between the components.
 */

export type { Abilities } from "../gen/interfaces/onionskin-fs-capabilities.js";
export type {
    DirectoryOptions,
    Finding,
    Fingerprint,
    Receipt,
    WriteOptions,
} from "../gen/interfaces/onionskin-fs-store.js";
export type {
    Change,
    ChangeKind,
    Entry,
    Kept,
    OnConflict,
    Quota,
    Stat,
} from "../gen/interfaces/onionskin-fs-workspace.js";
export * from "./error.js";
export * from "./store.js";
export * from "./workspace.js";
