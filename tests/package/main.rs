//! A release is what it says it is, and can be used by somebody who has nothing else.
//!
//! | promise | module |
//! |---|---|
//! | the files of a release: the same each time, named, stripped, accounted for | [`release`] |
//! | the lines of `docs/package.md` do what they say, in a directory of their own | [`consumers`] |

#![cfg(unix)]

mod compose;

mod consumers;
mod release;
