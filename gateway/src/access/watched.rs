//! A file that is read again when it changes. A new file that cannot be read is told, and the old one stays in force.

use std::{
    fmt, fs,
    io::Read,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use arc_swap::ArcSwap;

/// The largest file, in bytes: 100,000 keys and more.
const MAX_FILE: u64 = 32 << 20;

/// Makes something of the text of a file.
type Parse<T> = Box<dyn Fn(&str) -> Result<T, String> + Send + Sync>;

/// What a file says.
pub(super) struct Watched<T> {
    path: PathBuf,
    parse: Parse<T>,
    current: ArcSwap<T>,
    /// What was last found at the path, whether it was of use or not.
    seen: Mutex<blake3::Hash>,
}

impl<T> Watched<T> {
    /// Reads the file, which must be there and be good.
    pub(super) fn open(
        path: PathBuf,
        parse: impl Fn(&str) -> Result<T, String> + Send + Sync + 'static,
    ) -> Result<Self, String> {
        let text = read(&path)?;
        let current = ArcSwap::from_pointee(parse(&text)?);
        let seen = Mutex::new(blake3::hash(text.as_bytes()));
        Ok(Self { path, parse: Box::new(parse), current, seen })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn current(&self) -> arc_swap::Guard<Arc<T>> {
        self.current.load()
    }

    /// Looks whether there is something new at the path; none if not. The whole file is read each time: neither times
    /// nor sizes tell of every change.
    pub(super) fn refresh(&self) -> Option<Result<(), String>> {
        let found = read(&self.path);
        let hash = blake3::hash(found.as_ref().map_or_else(|reason| reason.as_bytes(), |text| text.as_bytes()));
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if *seen == hash {
            return None;
        }
        *seen = hash;
        let made = found.and_then(|text| (self.parse)(&text));
        Some(made.map(|made| self.current.store(Arc::new(made))))
    }
}

impl<T> fmt::Debug for Watched<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Watched").field(&self.path).finish()
    }
}

/// Reads a file of a sane size that not everybody may write.
fn read(path: &Path) -> Result<String, String> {
    let file = fs::File::open(path).map_err(|error| error.to_string())?;
    check_mode(&file.metadata().map_err(|error| error.to_string())?)?;
    let mut text = String::new();
    let read = file.take(MAX_FILE + 1).read_to_string(&mut text).map_err(|error| error.to_string())?;
    if read as u64 > MAX_FILE {
        return Err(format!("it has more than {MAX_FILE} bytes"));
    }
    Ok(text)
}

/// Whoever may write the file decides who may ask.
#[cfg(unix)]
fn check_mode(file: &fs::Metadata) -> Result<(), String> {
    use std::os::unix::fs::PermissionsExt;

    match file.permissions().mode() & 0o002 {
        0 => Ok(()),
        _ => Err("everybody may write it: take that away with chmod o-w".to_owned()),
    }
}

#[cfg(not(unix))]
fn check_mode(_: &fs::Metadata) -> Result<(), String> {
    Ok(())
}
