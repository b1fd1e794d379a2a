//! Replacing a file in one step.
//!
//! The new content is written to a file of another name in the same folder, brought to the disk, and renamed; then the
//! folder is brought to the disk. Whenever the process or the machine dies, the path names the old content or the new.
//!
//! A process that dies in between leaves its temporary file. The next save in that folder removes it: a writer holds a
//! lock on its file, which the system lets go when the writer dies, so whose lock can be had is nobody's.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

const PREFIX: &str = ".wengert-";
const SUFFIX: &str = ".tmp";

/// Replaces the content of `path` by what `write` writes. On an error, `path` is as it was.
pub(super) fn replace(path: &Path, write: impl FnOnce(&mut BufWriter<&File>) -> io::Result<()>) -> io::Result<()> {
    if path.file_name().is_none() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it names no file"));
    }
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    remove_strays(folder);
    let (file, temporary) = create(folder)?;
    let outcome = fill(&file, write).and_then(|()| fs::rename(&temporary, path));
    if outcome.is_err() {
        // The first error is the one to report.
        let _ = fs::remove_file(&temporary);
        return outcome;
    }
    sync_folder(folder);
    Ok(())
}

fn fill(file: &File, write: impl FnOnce(&mut BufWriter<&File>) -> io::Result<()>) -> io::Result<()> {
    let mut out = BufWriter::new(file);
    write(&mut out)?;
    out.flush()?;
    drop(out);
    file.sync_all()
}

/// A new file in the folder, locked.
fn create(folder: &Path) -> io::Result<(File, PathBuf)> {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    loop {
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = folder.join(format!("{PREFIX}{}-{number}{SUFFIX}", std::process::id()));
        match OpenOptions::new().write(true).create_new(true).open(&path) {
            Ok(file) => {
                // A file system without locks has no strays removed either.
                let _ = file.lock();
                // Another save may have taken it for a stray before it was locked. With the lock held it is safe.
                if path.exists() {
                    return Ok((file, path));
                }
            }
            // Left by a process of the same number, or of another machine in the same folder.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
}

/// Removes the temporary files of writers that died. What cannot be removed does no harm.
fn remove_strays(folder: &Path) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let is_temporary = name.to_str().is_some_and(|name| name.starts_with(PREFIX) && name.ends_with(SUFFIX));
        if !is_temporary || !entry.file_type().is_ok_and(|kind| kind.is_file()) {
            continue;
        }
        if let Ok(file) = OpenOptions::new().write(true).open(entry.path()) {
            match file.try_lock() {
                Ok(()) => {
                    // While the lock is held, so that a writer about to lock it notices.
                    let _ = fs::remove_file(entry.path());
                }
                Err(TryLockError::WouldBlock | TryLockError::Error(_)) => {}
            }
        }
    }
}

/// Brings the renaming to the disk, where a folder can be opened as a file.
///
/// Some file systems refuse. The path then still has the old content or the new after a loss of power, only maybe the
/// old.
fn sync_folder(folder: &Path) {
    if cfg!(unix) {
        let _ = File::open(folder).and_then(|folder| folder.sync_all());
    }
}
