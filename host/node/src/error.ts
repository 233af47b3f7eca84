import type * as wit from "../gen/interfaces/onionskin-fs-types.js";

/** The kinds of the contract, and `stopped`: as if the process had died inside the call. */
export type ErrorKind = wit.ErrorKind | "stopped";

/** A failed call. What each kind means, and what it leaves behind, is described in the contract. */
export class OnionskinError extends Error {
    override readonly name = "OnionskinError";

    constructor(
        readonly kind: ErrorKind,
        message: string,
        /** What it is about: mostly a path relative to the root. */
        readonly subject = "",
        /** What the filesystem said, for people and logs; or what stopped the component. */
        override readonly cause?: unknown,
    ) {
        super(message);
    }
}
