//! The lines of a file, and how far they are read.

use std::fs::{File, TryLockError};
use std::io::{self, BufRead as _, BufReader, Read as _, Seek as _, SeekFrom};
use std::path::Path;

use aws_lc_rs::digest::{Context, SHA256};

use crate::record::MAX_BYTES;

/// The bytes of a file by which an import that continues recognizes it.
const BEGINNING: u64 = 64 * 1024;
/// The mark that some programs write at the beginning of a file.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// A file of lines. Only one import reads it, as long as this exists.
pub(super) struct Lines {
    file: BufReader<File>,
    size: u64,
    position: Position,
    line: Vec<u8>,
}

/// How far a file is read.
#[derive(Clone, Copy, Default)]
pub(super) struct Position {
    pub(super) lines: u64,
    pub(super) bytes: u64,
}

impl Lines {
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let file = File::open(path)?;
        file.try_lock().map_err(|error| match error {
            TryLockError::WouldBlock => io::Error::other("another import reads this file"),
            TryLockError::Error(error) => error,
        })?;
        let size = file.metadata()?.len();
        Ok(Self { file: BufReader::new(file), size, position: Position::default(), line: Vec::new() })
    }

    pub(super) fn size(&self) -> u64 {
        self.size
    }

    pub(super) fn position(&self) -> Position {
        self.position
    }

    /// Returns the number of lines that were read.
    pub(super) fn read(&self) -> u64 {
        self.position.lines
    }

    /// Returns a hash of the beginning of the file, and of these names.
    pub(super) fn fingerprint(&mut self, names: &[&[u8]]) -> io::Result<String> {
        let mut beginning = Vec::new();
        self.file.seek(SeekFrom::Start(0))?;
        self.file.by_ref().take(BEGINNING).read_to_end(&mut beginning)?;
        let mut context = Context::new(&SHA256);
        for part in names.iter().copied().chain([beginning.as_slice()]) {
            context.update(&(part.len() as u64).to_be_bytes());
            context.update(part);
        }
        Ok(context.finish().as_ref().iter().map(|byte| format!("{byte:02x}")).collect())
    }

    pub(super) fn start_at(&mut self, lines: u64, bytes: u64) -> io::Result<()> {
        self.return_to(Position { lines, bytes })
    }

    /// Continues with the line at `position`.
    pub(super) fn return_to(&mut self, position: Position) -> io::Result<()> {
        self.position = position;
        self.file.seek(SeekFrom::Start(position.bytes)).map(|_| ())
    }

    /// Returns the next line, without its end; of a line that is too long, only a part that is too long.
    pub(super) fn next(&mut self) -> io::Result<Option<&[u8]>> {
        self.line.clear();
        let mut bytes = 0;
        loop {
            let buffer = self.file.fill_buf()?;
            if buffer.is_empty() {
                break;
            }
            let end = buffer.iter().position(|byte| *byte == b'\n');
            let part = buffer.get(..end.unwrap_or(buffer.len())).unwrap_or_default();
            if self.line.len() <= MAX_BYTES {
                self.line.extend_from_slice(part);
            }
            let consumed = part.len() + usize::from(end.is_some());
            self.file.consume(consumed);
            bytes += consumed as u64;
            if end.is_some() {
                break;
            }
        }
        if bytes == 0 {
            return Ok(None);
        }
        let is_first = self.position.bytes == 0;
        self.position = Position { lines: self.position.lines + 1, bytes: self.position.bytes + bytes };
        let line = self.line.as_slice();
        let line = if is_first { line.strip_prefix(BYTE_ORDER_MARK).unwrap_or(line) } else { line };
        Ok(Some(line.strip_suffix(b"\r").unwrap_or(line)))
    }
}
