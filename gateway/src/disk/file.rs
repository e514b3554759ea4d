//! The snapshot as a file: a magic word, the version of the format, records of one row each with their lengths, and a
//! checksum of all that. Nothing in it is believed before it is checked: no length, no count, and no row before the
//! checksum at the end.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, BufReader, BufWriter, Read, Write},
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
    time::Duration,
};

use serde::{Deserialize, Serialize};
use store::{
    query::{Grants, InstanceGrants, NamespaceGrants, OwnerGrants, Snapshot},
    rows::{Checkpoint, InstanceRow, NamespaceRow, ServiceRow},
};

#[cfg(test)]
mod tests;

const MAGIC: [u8; 16] = *b"rollcall-gateway";

/// Goes up with every change of what is written, such as a new field of a row.
pub(super) const VERSION: u32 = 1;

/// The largest record, in bytes. An instance with all that the contract allows has 10 KB, what is said of one 25 KB.
const MAX_RECORD: u32 = 256 * 1024;

/// The largest file, in bytes: millions of instances.
const MAX_FILE: u64 = 4 * 1024 * 1024 * 1024;

/// A snapshot, and how old it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Kept {
    /// When it was read, by the wall clock.
    pub(super) saved_at: Duration,
    /// How long before that the indexer had last been seen at the chain's tip.
    pub(super) head_age: Duration,
    pub(super) snapshot: Snapshot,
}

/// Why a file is of no use, or none could be written.
#[derive(Debug, thiserror::Error)]
pub(super) enum FileError {
    #[error("{0}")]
    Io(#[from] io::Error),
    #[error("it is no file")]
    NoFile,
    #[error("others than its owner may write to it")]
    Exposed,
    #[error("it has {0} bytes, more than any that we write")]
    TooLarge(u64),
    #[error("it is not a snapshot of a gateway")]
    Foreign,
    #[error("it has the format {0}, and this gateway reads {VERSION}")]
    Version(u32),
    #[error("it is damaged: {0}")]
    Damaged(&'static str),
    #[error("a row cannot be written: {0}")]
    Row(postcard::Error),
}

#[derive(Serialize)]
enum Written<'a> {
    Head { saved_at: Duration, head_age: Duration, checkpoint: &'a Checkpoint },
    Namespace(&'a NamespaceRow),
    Service(&'a ServiceRow),
    Instance(&'a InstanceRow),
    SaidOfInstance(&'a InstanceGrants),
    SaidOfNamespace(&'a NamespaceGrants),
    SaidByOwner(&'a OwnerGrants),
    End { records: u64 },
}

/// The same as it is read.
#[derive(Deserialize)]
enum ReadBack {
    Head { saved_at: Duration, head_age: Duration, checkpoint: Checkpoint },
    Namespace(NamespaceRow),
    Service(ServiceRow),
    Instance(InstanceRow),
    SaidOfInstance(InstanceGrants),
    SaidOfNamespace(NamespaceGrants),
    SaidByOwner(OwnerGrants),
    End { records: u64 },
}

/// Writes a snapshot in place of the one that is there. A crash leaves the old one or the new one.
pub(super) fn write(path: &Path, kept: &Kept) -> Result<(), FileError> {
    let next = beside(path);
    // What a crash left.
    match fs::remove_file(&next) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error.into()),
        _ => {}
    }
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&next)?;
    let mut out = BufWriter::new(&file);
    encode(kept, &mut out)?;
    out.flush()?;
    drop(out);
    file.sync_all()?;
    fs::rename(&next, path)?;
    // The rename itself is on disk when its folder is.
    File::open(folder(path))?.sync_all()?;
    Ok(())
}

/// Reads a snapshot; none if there is no file.
pub(super) fn read(path: &Path) -> Result<Option<Kept>, FileError> {
    let about = match fs::metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        about => about?,
    };
    if !about.is_file() {
        return Err(FileError::NoFile);
    }
    if about.mode() & 0o022 != 0 {
        return Err(FileError::Exposed);
    }
    if about.len() > MAX_FILE {
        return Err(FileError::TooLarge(about.len()));
    }
    decode(BufReader::new(File::open(path)?).take(about.len())).map(Some)
}

/// The folder that a file is in.
pub(super) fn folder(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

/// Where the next one is written.
fn beside(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    path.with_file_name(name)
}

/// Writes records, and keeps the checksum.
struct Records<W> {
    out: W,
    sum: blake3::Hasher,
    count: u64,
}

impl<W: Write> Records<W> {
    fn put(&mut self, bytes: &[u8]) -> Result<(), FileError> {
        self.sum.update(bytes);
        Ok(self.out.write_all(bytes)?)
    }

    fn record(&mut self, record: &Written<'_>) -> Result<(), FileError> {
        let bytes = postcard::to_stdvec(record).map_err(FileError::Row)?;
        let length = u32::try_from(bytes.len()).ok().filter(|length| *length <= MAX_RECORD);
        let length = length.ok_or(FileError::Row(postcard::Error::SerializeBufferFull))?;
        self.put(&length.to_le_bytes())?;
        self.count += 1;
        self.put(&bytes)
    }
}

pub(super) fn encode(kept: &Kept, out: impl Write) -> Result<(), FileError> {
    let mut records = Records { out, sum: blake3::Hasher::new(), count: 0 };
    records.put(&MAGIC)?;
    records.put(&VERSION.to_le_bytes())?;
    let Kept { saved_at, head_age, snapshot } = kept;
    let (saved_at, head_age, checkpoint) = (*saved_at, *head_age, &snapshot.checkpoint);
    records.record(&Written::Head { saved_at, head_age, checkpoint })?;
    snapshot.namespaces.iter().try_for_each(|row| records.record(&Written::Namespace(row)))?;
    snapshot.services.iter().try_for_each(|row| records.record(&Written::Service(row)))?;
    snapshot.instances.iter().try_for_each(|row| records.record(&Written::Instance(row)))?;
    let grants = &snapshot.grants;
    grants.instances.iter().try_for_each(|row| records.record(&Written::SaidOfInstance(row)))?;
    grants.namespaces.iter().try_for_each(|row| records.record(&Written::SaidOfNamespace(row)))?;
    grants.owners.iter().try_for_each(|row| records.record(&Written::SaidByOwner(row)))?;
    let count = records.count;
    records.record(&Written::End { records: count })?;
    let sum = records.sum.finalize();
    Ok(records.out.write_all(sum.as_bytes())?)
}

/// Reads what was written, and keeps the checksum.
struct Source<R> {
    from: R,
    sum: blake3::Hasher,
}

impl<R: Read> Source<R> {
    fn take<const N: usize>(&mut self) -> Result<[u8; N], FileError> {
        let mut bytes = [0; N];
        self.fill(&mut bytes)?;
        Ok(bytes)
    }

    fn fill(&mut self, bytes: &mut [u8]) -> Result<(), FileError> {
        self.from.read_exact(bytes).map_err(short)?;
        self.sum.update(bytes);
        Ok(())
    }

    fn record(&mut self) -> Result<ReadBack, FileError> {
        let length = u32::from_le_bytes(self.take()?);
        if length > MAX_RECORD {
            return Err(FileError::Damaged("a record is too long"));
        }
        let mut bytes = vec![0; length as usize];
        self.fill(&mut bytes)?;
        let unreadable = FileError::Damaged("a record cannot be read");
        match postcard::take_from_bytes(&bytes) {
            Ok((record, [])) => Ok(record),
            _ => Err(unreadable),
        }
    }
}

fn short(error: io::Error) -> FileError {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => FileError::Damaged("it ends too early"),
        _ => error.into(),
    }
}

pub(super) fn decode(from: impl Read) -> Result<Kept, FileError> {
    let mut source = Source { from, sum: blake3::Hasher::new() };
    if source.take()? != MAGIC {
        return Err(FileError::Foreign);
    }
    let version = u32::from_le_bytes(source.take()?);
    if version != VERSION {
        return Err(FileError::Version(version));
    }
    let ReadBack::Head { saved_at, head_age, checkpoint } = source.record()? else {
        return Err(FileError::Damaged("it does not begin with its checkpoint"));
    };
    let (namespaces, services, instances) = (Vec::new(), Vec::new(), Vec::new());
    let mut snapshot = Snapshot { checkpoint, namespaces, services, instances, grants: Grants::default() };
    let mut count = 1;
    loop {
        match source.record()? {
            ReadBack::Namespace(row) => snapshot.namespaces.push(row),
            ReadBack::Service(row) => snapshot.services.push(row),
            ReadBack::Instance(row) => snapshot.instances.push(row),
            ReadBack::SaidOfInstance(row) => snapshot.grants.instances.push(row),
            ReadBack::SaidOfNamespace(row) => snapshot.grants.namespaces.push(row),
            ReadBack::SaidByOwner(row) => snapshot.grants.owners.push(row),
            ReadBack::End { records } if records == count => break,
            ReadBack::End { .. } | ReadBack::Head { .. } => return Err(FileError::Damaged("records are missing")),
        }
        count += 1;
    }
    let sum = source.sum.finalize();
    let mut found = [0; blake3::OUT_LEN];
    source.from.read_exact(&mut found).map_err(short)?;
    if sum != found {
        return Err(FileError::Damaged("its checksum is wrong"));
    }
    if source.from.read(&mut [0])? != 0 {
        return Err(FileError::Damaged("it goes on after its end"));
    }
    Ok(Kept { saved_at, head_age, snapshot })
}
