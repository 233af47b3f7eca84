//! Files as streams of bytes.
//!
//! A simulated disk is never busy: requests are done at once, and nothing waits.

use async_trait::async_trait;
use bytes::Bytes;
use onionskin::fs::{Cause, Fs as _};
use onionskin_sim::{File, SimFs};
use send_wrapper::SendWrapper;
use wasmtime_wasi::p2::bindings::filesystem::types::ErrorCode;
use wasmtime_wasi::p2::{InputStream, OutputStream, Pollable, StreamError, StreamResult};

use super::codes::{Died, code};

/// The most bytes that one call reads or writes, as in wasmtime.
const CHUNK_BYTES_MAX: usize = 64 << 10;

/// The bytes of a file from an offset.
pub(super) struct Reader {
    pub(super) fs: SendWrapper<SimFs>,
    pub(super) file: File,
    pub(super) reads: bool,
    pub(super) position: u64,
}

#[async_trait]
impl InputStream for Reader {
    fn read(&mut self, size: usize) -> StreamResult<Bytes> {
        if size == 0 {
            return Ok(Bytes::new());
        }
        if !self.reads {
            return Err(StreamError::LastOperationFailed(ErrorCode::BadDescriptor.into()));
        }
        let read = self.fs.read(&self.file, self.position, size.min(CHUNK_BYTES_MAX));
        let bytes = stream_result(&self.fs, read)?;
        if bytes.is_empty() {
            return Err(StreamError::Closed);
        }
        self.position += bytes.len() as u64;
        Ok(bytes.into())
    }
}

#[async_trait]
impl Pollable for Reader {
    async fn ready(&mut self) {}
}

/// The position of the next bytes.
pub(super) enum Position {
    At(u64),
    End,
}

/// Bytes on their way into a file.
pub(super) struct Writer {
    pub(super) fs: SendWrapper<SimFs>,
    pub(super) file: File,
    pub(super) writes: bool,
    pub(super) position: Position,
    pub(super) closed: bool,
}

#[async_trait]
impl OutputStream for Writer {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        if self.closed {
            return Err(StreamError::Closed);
        }
        if !self.writes {
            self.closed = true;
            return Err(StreamError::LastOperationFailed(ErrorCode::BadDescriptor.into()));
        }
        let mut rest = &bytes[..];
        while !rest.is_empty() {
            let written = match self.position {
                Position::At(position) => self.fs.write(&self.file, position, rest),
                Position::End => self.fs.append(&self.file, rest),
            };
            let taken = stream_result(&self.fs, written).inspect_err(|_| self.closed = true)?;
            rest = &rest[taken..];
            if let Position::At(position) = &mut self.position {
                *position += taken as u64;
            }
        }
        Ok(())
    }

    fn flush(&mut self) -> StreamResult<()> {
        if self.closed { Err(StreamError::Closed) } else { Ok(()) }
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        if self.closed { Err(StreamError::Closed) } else { Ok(CHUNK_BYTES_MAX) }
    }
}

#[async_trait]
impl Pollable for Writer {
    async fn ready(&mut self) {}
}

/// Standard output, whose text is read as it is written: printed text stays printed.
pub(super) struct Printer {
    pub(super) fs: SendWrapper<SimFs>,
    pub(super) file: File,
    /// The copy for people.
    pub(super) copy: Box<dyn OutputStream>,
}

#[async_trait]
impl OutputStream for Printer {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        let mut rest = &bytes[..];
        while !rest.is_empty() {
            let taken = stream_result(&self.fs, self.fs.append_durably(&self.file, rest))?;
            rest = &rest[taken..];
        }
        self.copy.write(bytes)
    }

    fn flush(&mut self) -> StreamResult<()> {
        self.copy.flush()
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        self.copy.check_write().map(|most| most.min(CHUNK_BYTES_MAX))
    }
}

#[async_trait]
impl Pollable for Printer {
    async fn ready(&mut self) {}
}

/// Returns the result of a stream call; an error contains its code for `filesystem-error-code`.
fn stream_result<T>(fs: &SimFs, result: Result<T, Cause>) -> StreamResult<T> {
    if fs.is_dead() {
        return Err(StreamError::Trap(Died.into()));
    }
    result.map_err(|cause| StreamError::LastOperationFailed(code(cause).into()))
}
