//! The keys file as `rollcall gateway key` writes it: one writer at a time, and readers see the old file or the new one.

use std::{
    fs,
    io::{self, Write},
    path::{Path, PathBuf},
    time::Duration,
};

use domain::Namespace;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};
use toml_edit::{Array, ArrayOfTables, DocumentMut, Item, Table, value};

use super::{
    AccessError,
    identity::Rate,
    key::ApiKey,
    keys::{Entry, File, check_name},
};

const HEADER: &str =
    "# Who may ask a gateway. `rollcall gateway key` writes the keys: of a key only a hash is here.\n\n";

/// A keys file.
#[derive(Debug)]
pub struct KeysFile {
    path: PathBuf,
}

/// A key that is to be made.
#[derive(Debug, Clone, Default)]
pub struct NewKey {
    /// What people call it.
    pub name: String,
    /// What it may read; empty for all.
    pub namespaces: Vec<Namespace>,
    /// How often it may ask.
    pub rate: Option<Rate>,
    /// How long it is good for.
    pub expires_in: Option<Duration>,
}

/// What is known of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyInfo {
    /// Its id: the part between `rck_` and the secret.
    pub id: String,
    /// What people call it.
    pub name: String,
    /// What it may read; none for all.
    pub namespaces: Option<Vec<String>>,
    /// How often it may ask.
    pub rate: Option<String>,
    /// When it was made.
    pub created_at: OffsetDateTime,
    /// When it ends.
    pub expires_at: Option<OffsetDateTime>,
    /// When it was revoked.
    pub revoked_at: Option<OffsetDateTime>,
}

impl KeysFile {
    /// The file at a path; it need not be there yet.
    pub fn at(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }

    /// Makes a key and keeps its hash. `now` is the time since 1970.
    ///
    /// # Errors
    /// [`AccessError::File`].
    pub fn create(&self, new: &NewKey, now: Duration) -> Result<ApiKey, AccessError> {
        let wrong = |reason| self.wrong(reason);
        check_name(&new.name).map_err(wrong)?;
        let created = moment(now).map_err(wrong)?;
        let ends = new.expires_in.map(|after| moment(now.saturating_add(after))).transpose().map_err(wrong)?;
        let key = ApiKey::random().map_err(wrong)?;
        self.edit(|document| {
            // What is written after all tables is a comment: it stays before what is added.
            let comment = document.trailing().as_str().unwrap_or_default().to_owned();
            document.set_trailing("");
            let keys = document.entry("key").or_insert(Item::ArrayOfTables(ArrayOfTables::new()));
            let keys = keys.as_array_of_tables_mut().ok_or("its keys are not written as [[key]]")?;
            let mut table = Table::new();
            table.decor_mut().set_prefix(if comment.is_empty() { "\n" } else { &comment });
            table["id"] = value(key.id());
            table["name"] = value(&new.name);
            table["hash"] = value(key.hash().to_hex().as_str());
            if !new.namespaces.is_empty() {
                table["namespaces"] = value(new.namespaces.iter().map(ToString::to_string).collect::<Array>());
            }
            if let Some(rate) = new.rate {
                table["rate"] = value(rate.to_string());
            }
            table["created_at"] = value(created);
            if let Some(ends) = ends {
                table["expires_at"] = value(ends);
            }
            keys.push(table);
            Ok(())
        })?;
        Ok(key)
    }

    /// All keys, the oldest first.
    ///
    /// # Errors
    /// [`AccessError::File`].
    pub fn list(&self) -> Result<Vec<KeyInfo>, AccessError> {
        let text = fs::read_to_string(&self.path).map_err(|error| self.wrong(error.to_string()))?;
        let file = File::parse(&text).map_err(|reason| self.wrong(reason))?;
        Ok(file.key.into_iter().map(KeyInfo::from).collect())
    }

    /// Ends a key for good. One that is revoked already stays as it is.
    ///
    /// # Errors
    /// [`AccessError::File`], [`AccessError::NoSuchKey`].
    pub fn revoke(&self, id: &str, now: Duration) -> Result<KeyInfo, AccessError> {
        let find = |keys: Vec<KeyInfo>| keys.into_iter().find(|key| key.id == id);
        let none = || AccessError::NoSuchKey { path: self.path.display().to_string(), id: domain::text::clip(id) };
        let known = find(self.list()?).ok_or_else(none)?;
        if known.revoked_at.is_some() {
            return Ok(known);
        }
        let now = moment(now).map_err(|reason| self.wrong(reason))?;
        self.edit(|document| {
            let keys = document.get_mut("key").and_then(Item::as_array_of_tables_mut);
            let mut keys = keys.into_iter().flat_map(ArrayOfTables::iter_mut);
            let table = keys.find(|table| table.get("id").and_then(Item::as_str) == Some(id));
            table.ok_or("its keys are not written as [[key]]")?["revoked_at"] = value(now);
            Ok(())
        })?;
        find(self.list()?).ok_or_else(none)
    }

    /// Changes the file, and leaves all else in it as it is, comments too.
    fn edit(&self, change: impl FnOnce(&mut DocumentMut) -> Result<(), &'static str>) -> Result<(), AccessError> {
        self.edit_or_say(change).map_err(|reason| self.wrong(reason))
    }

    fn edit_or_say(&self, change: impl FnOnce(&mut DocumentMut) -> Result<(), &'static str>) -> Result<(), String> {
        let say = |error: io::Error| error.to_string();
        // A link stays a link: what it leads to is replaced.
        let path = fs::canonicalize(&self.path).unwrap_or_else(|_| self.path.clone());
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        // The file itself is replaced, so that the folder is what two writers have in common.
        let lock = fs::File::open(folder).map_err(say)?;
        lock.lock().map_err(say)?;
        let old = match fs::read_to_string(&path) {
            Ok(text) => Some(text),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(say(error)),
        };
        let text = old.as_deref().unwrap_or(HEADER);
        File::parse(text)?;
        let mut document: DocumentMut = text.parse().map_err(|_| "this is no TOML".to_owned())?;
        change(&mut document)?;
        // Made for its user alone, until it is given to the user of the old one.
        let mut new = tempfile::NamedTempFile::new_in(folder).map_err(say)?;
        new.write_all(document.to_string().as_bytes()).map_err(say)?;
        if old.is_some() {
            keep_owner(&path, new.as_file()).map_err(say)?;
        }
        new.as_file().sync_all().map_err(say)?;
        new.persist(&path).map_err(|error| say(error.error))?;
        lock.sync_all().map_err(say)
    }

    fn wrong(&self, reason: String) -> AccessError {
        AccessError::File { path: self.path.display().to_string(), reason }
    }
}

/// A key that an administrator makes as root must not lock out the gateway, which runs as another user.
#[cfg(unix)]
fn keep_owner(old: &Path, new: &fs::File) -> io::Result<()> {
    use std::os::unix::fs::{MetadataExt, fchown};

    let (old, made) = (fs::metadata(old)?, new.metadata()?);
    if (old.uid(), old.gid()) == (made.uid(), made.gid()) {
        return Ok(());
    }
    fchown(new, Some(old.uid()), Some(old.gid()))
}

#[cfg(not(unix))]
fn keep_owner(_: &Path, _: &fs::File) -> io::Result<()> {
    Ok(())
}

impl From<Entry> for KeyInfo {
    fn from(entry: Entry) -> Self {
        let Entry { id, name, namespaces, rate, created_at, expires_at, revoked_at, .. } = entry;
        Self { id, name, namespaces, rate, created_at, expires_at, revoked_at }
    }
}

fn moment(since_1970: Duration) -> Result<String, String> {
    let seconds = i64::try_from(since_1970.as_secs()).ok();
    let moment = seconds.and_then(|seconds| OffsetDateTime::from_unix_timestamp(seconds).ok());
    moment.and_then(|moment| moment.format(&Rfc3339).ok()).ok_or_else(|| "that is later than a date can be".to_owned())
}
