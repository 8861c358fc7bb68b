//! The lines of a file, and how far they are read.

use std::fs::{File, TryLockError};
use std::io::{self, BufRead as _, BufReader, Seek as _, SeekFrom};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use aws_lc_rs::digest::{Context, SHA256};

use crate::record::MAX_BYTES;

/// The mark that some programs write at the beginning of a file.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// A file of lines. Only one import reads it, as long as this exists.
pub(super) struct Lines {
    file: BufReader<File>,
    size: u64,
    device: u64,
    inode: u64,
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
        let found = file.metadata()?;
        let (size, device, inode) = (found.len(), found.dev(), found.ino());
        Ok(Self { file: BufReader::new(file), size, device, inode, position: Position::default(), line: Vec::new() })
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

    /// Whether this is the file with these numbers of its device and its inode.
    pub(super) fn is_file(&self, device: u64, inode: u64) -> bool {
        (self.device, self.inode) == (device, inode)
    }

    /// Returns a hash of the whole file, and of these names.
    pub(super) fn fingerprint(&mut self, names: &[&[u8]]) -> io::Result<String> {
        let mut context = Context::new(&SHA256);
        for name in names {
            context.update(&(name.len() as u64).to_be_bytes());
            context.update(name);
        }
        self.file.seek(SeekFrom::Start(0))?;
        loop {
            let part = self.file.fill_buf()?;
            if part.is_empty() {
                break;
            }
            context.update(part);
            let length = part.len();
            self.file.consume(length);
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

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str) -> Vec<(String, u64)> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("users.jsonl");
        std::fs::write(&path, text).unwrap();
        let (mut lines, mut read) = (Lines::open(&path).unwrap(), Vec::new());
        while let Some(line) = lines.next().unwrap().map(|line| String::from_utf8(line.to_vec()).unwrap()) {
            read.push((line, lines.position().bytes));
        }
        read
    }

    #[test]
    fn line_ends_and_a_byte_order_mark_are_not_part_of_a_line() {
        let expected = |bytes: [u64; 3]| ["a", "", "b"].map(str::to_owned).into_iter().zip(bytes).collect::<Vec<_>>();
        assert_eq!(lines("a\n\nb\n"), expected([2, 3, 5]));
        assert_eq!(lines("\u{feff}a\r\n\r\nb"), expected([6, 8, 9]));
        assert_eq!(lines(""), []);
    }

    #[test]
    fn a_line_that_is_too_long_ends_where_it_ends() {
        let read = lines(&format!("{}\nb\n", "a".repeat(3 * MAX_BYTES)));
        assert!(read[0].0.len() > MAX_BYTES && read[0].0.len() < 2 * MAX_BYTES, "{}", read[0].0.len());
        assert_eq!(read[1], ("b".to_owned(), 3 * MAX_BYTES as u64 + 3));
    }

    #[test]
    fn only_one_import_reads_a_file() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let _first = Lines::open(file.path()).unwrap();
        assert!(Lines::open(file.path()).is_err());
    }
}
