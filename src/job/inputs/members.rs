//! Finding the files below a directory: hidden ones, links, pipes and other special files are left out.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::Packing;
use crate::wire::{name_on_server, open_regular_file, refused_type};
use crate::{Error, Result};

/// A file to pack.
#[derive(Debug)]
pub(super) struct Member {
    /// The path in the zip file, with slashes.
    pub(super) name: String,
    pub(super) path: PathBuf,
}

/// Returns the files below a directory except hidden ones, sorted by their names in the zip file.
///
/// # Errors
/// `Io` for what cannot be read, and `InvalidInput` if two files would have the same name.
pub(super) fn members(root: &Path, packing: &Packing) -> Result<Vec<Member>> {
    let canonical_root = fs::canonicalize(root).map_err(|error| Error::unreadable(root, &error))?;
    let mut walk = Walk { canonical_root, packing, found: Vec::new(), real: Vec::new(), linked: VecDeque::new() };
    walk.real.push(Directory { path: root.to_owned(), name: String::new() });
    walk.run()?;
    let mut members = walk.found;
    members.sort_by(|one, other| one.name.cmp(&other.name));
    let same = members.windows(2).find(|pair| pair[0].name == pair[1].name);
    match same {
        None => Ok(members),
        Some(pair) => {
            let (one, other) = (pair[0].path.display(), pair[1].path.display());
            let name = &pair[0].name;
            Err(Error::invalid(format!("{one} and {other} would both be sent as {name}: rename one of them")))
        }
    }
}

struct Directory {
    path: PathBuf,
    /// The path in the zip file, with a slash at the end unless it is empty.
    name: String,
}

/// A walk through the directories below the root.
struct Walk<'a> {
    canonical_root: PathBuf,
    packing: &'a Packing<'a>,
    found: Vec<Member>,
    /// The directories to read next.
    real: Vec<Directory>,
    /// The directories that links lead to. They are read last, so that a directory below the root keeps its own name.
    linked: VecDeque<Directory>,
}

impl Walk<'_> {
    fn run(&mut self) -> Result<()> {
        // A directory is packed once, however many links lead to it. Otherwise a link to a parent would never end.
        let mut seen: HashMap<PathBuf, PathBuf> = HashMap::new();
        while let Some(directory) = self.next() {
            if self.packing.follows_links {
                let unreadable = |error| Error::unreadable(&directory.path, &error);
                let canonical = fs::canonicalize(&directory.path).map_err(unreadable)?;
                if let Some(first) = seen.get(&canonical) {
                    skip(&directory.path, &format_args!("it leads to {}, which is sent already", first.display()));
                    continue;
                }
                seen.insert(canonical, directory.path.clone());
            }
            self.read(&directory)?;
        }
        Ok(())
    }

    fn next(&mut self) -> Option<Directory> {
        self.real.pop().or_else(|| self.linked.pop_front())
    }

    fn read(&mut self, directory: &Directory) -> Result<()> {
        let failed = |error| Error::unreadable(&directory.path, &error);
        let mut entries =
            fs::read_dir(&directory.path).and_then(Iterator::collect::<io::Result<Vec<_>>>).map_err(failed)?;
        // The order decides under which name a directory is packed that several links lead to.
        entries.sort_by_key(fs::DirEntry::file_name);
        for entry in entries {
            self.packing.check_cancelled().map_err(failed)?;
            let (name, path) = (entry.file_name(), entry.path());
            if name.as_encoded_bytes().starts_with(b".") {
                continue;
            }
            let name = format!("{}{}", directory.name, name_on_server(&name));
            let is_link = entry.file_type().map_err(failed)?.is_symlink();
            let metadata = match fs::metadata(&path) {
                Ok(metadata) => metadata,
                Err(error) if is_link && !self.packing.follows_links => {
                    skip(&path, &format_args!("it is a link that cannot be followed ({error})"));
                    continue;
                }
                Err(error) => return Err(Error::unreadable(&path, &error)),
            };
            if is_link && !self.may_follow(&path)? {
                skip(&path, &"it is a link out of the directory: follow_links(true) includes it");
            } else if metadata.is_dir() {
                let directory = Directory { path, name: name + "/" };
                match (is_link, self.packing.follows_links) {
                    (false, _) => self.real.push(directory),
                    (true, true) => self.linked.push_back(directory),
                    // It is below the root, and is packed under its own name.
                    (true, false) => {}
                }
            } else {
                self.add_file(Member { name, path }, &metadata)?;
            }
        }
        Ok(())
    }

    fn may_follow(&self, link: &Path) -> Result<bool> {
        if self.packing.follows_links {
            return Ok(true);
        }
        let target = fs::canonicalize(link).map_err(|error| Error::unreadable(link, &error))?;
        Ok(target.starts_with(&self.canonical_root))
    }

    fn add_file(&mut self, member: Member, metadata: &fs::Metadata) -> Result<()> {
        if let Some(reason) = refused_type(metadata.file_type()) {
            skip(&member.path, &reason);
            return Ok(());
        }
        // Of all regular files, only those of size 0 may turn out to be something else.
        if metadata.len() == 0 {
            match open_regular_file(&member.path) {
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::InvalidInput => {
                    skip(&member.path, &error);
                    return Ok(());
                }
                Err(error) => return Err(Error::unreadable(&member.path, &error)),
            }
        }
        self.found.push(member);
        Ok(())
    }
}

fn skip(path: &Path, reason: &dyn fmt::Display) {
    tracing::warn!(
        target: "sqlflow_client::submit",
        path = %path.display(),
        %reason,
        "left out of the submission"
    );
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::symlink;

    use tokio_util::sync::CancellationToken;

    use super::*;

    fn names_in(root: &Path, follows_links: bool) -> Result<Vec<String>> {
        let packing = Packing { limit: 0, follows_links, cancellation: &CancellationToken::new() };
        Ok(members(root, &packing)?.into_iter().map(|member| member.name).collect())
    }

    /// Creates a directory `etl` with files, and files outside of it.
    fn tree() -> (tempfile::TempDir, PathBuf) {
        let home = tempfile::tempdir().unwrap();
        let etl = home.path().join("etl");
        for (directory, file) in [("etl/views", "v.sql"), ("etl/tables", "t.sql"), ("outside/deep", "secret.sql")] {
            fs::create_dir_all(home.path().join(directory)).unwrap();
            fs::write(home.path().join(directory).join(file), "select 1").unwrap();
        }
        (home, etl)
    }

    #[test]
    fn links_out_of_the_directory_are_followed_only_on_request() {
        let (_home, etl) = tree();
        symlink("../outside/deep/secret.sql", etl.join("file.sql")).unwrap();
        symlink("../outside", etl.join("directory")).unwrap();
        symlink("views/v.sql", etl.join("inside.sql")).unwrap();
        // The name of the target begins with that of the directory.
        fs::write(etl.with_file_name("etl2.sql"), "x").unwrap();
        symlink("../etl2.sql", etl.join("neighbour.sql")).unwrap();
        assert_eq!(names_in(&etl, false).unwrap(), ["inside.sql", "tables/t.sql", "views/v.sql"]);
        let all =
            ["directory/deep/secret.sql", "file.sql", "inside.sql", "neighbour.sql", "tables/t.sql", "views/v.sql"];
        assert_eq!(names_in(&etl, true).unwrap(), all);
    }

    #[test]
    fn a_directory_that_is_itself_given_as_a_link_is_packed() {
        let (home, etl) = tree();
        let link = home.path().join("link");
        symlink(&etl, &link).unwrap();
        symlink(etl.join("views/v.sql"), etl.join("inside.sql")).unwrap();
        assert_eq!(names_in(&link, false).unwrap(), ["inside.sql", "tables/t.sql", "views/v.sql"]);
    }

    #[test]
    fn circular_links_end_and_no_directory_is_packed_twice() {
        let (_home, etl) = tree();
        symlink("..", etl.join("views/up")).unwrap();
        symlink("../..", etl.join("views/further_up")).unwrap();
        symlink("../views", etl.join("tables/across")).unwrap();
        symlink("../tables", etl.join("views/back")).unwrap();
        assert_eq!(names_in(&etl, false).unwrap(), ["tables/t.sql", "views/v.sql"]);
        let all = ["tables/t.sql", "views/further_up/outside/deep/secret.sql", "views/v.sql"];
        assert_eq!(names_in(&etl, true).unwrap(), all);
    }

    #[test]
    fn links_that_multiply_at_each_level_are_packed_once() {
        let (_home, etl) = tree();
        // Following each of them would take 2^40 steps.
        for level in 0..40 {
            let directory = etl.join(format!("level{level}"));
            fs::create_dir(&directory).unwrap();
            for link in ["a", "b"] {
                symlink(format!("../level{}", level + 1), directory.join(link)).unwrap();
            }
        }
        fs::create_dir(etl.join("level40")).unwrap();
        assert_eq!(names_in(&etl, true).unwrap(), ["tables/t.sql", "views/v.sql"]);
    }

    #[test]
    fn a_link_that_leads_nowhere_is_skipped_or_on_request_to_follow_it_an_error() {
        for target in ["gone.sql", "link.sql"] {
            let (_home, etl) = tree();
            symlink(target, etl.join("link.sql")).unwrap();
            assert_eq!(names_in(&etl, false).unwrap(), ["tables/t.sql", "views/v.sql"]);
            let error = names_in(&etl, true).unwrap_err();
            assert_eq!(error.kind(), crate::ErrorKind::Io);
            assert!(error.to_string().contains("link.sql"), "{error}");
        }
    }

    #[test]
    fn special_files_are_skipped_without_blocking() {
        let (_home, etl) = tree();
        let made = std::process::Command::new("mkfifo").arg(etl.join("pipe.sql")).status().unwrap();
        assert!(made.success());
        let _listener = std::os::unix::net::UnixListener::bind(etl.join("socket.sql")).unwrap();
        symlink("/dev/zero", etl.join("device.sql")).unwrap();
        fs::write(etl.join("empty.sql"), "").unwrap();
        assert_eq!(names_in(&etl, true).unwrap(), ["empty.sql", "tables/t.sql", "views/v.sql"]);
        assert_eq!(names_in(&etl, false).unwrap(), ["empty.sql", "tables/t.sql", "views/v.sql"]);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_pseudo_file_of_size_0_is_skipped() {
        let (_home, etl) = tree();
        symlink("/proc/self/status", etl.join("status.sql")).unwrap();
        assert_eq!(names_in(&etl, true).unwrap(), ["tables/t.sql", "views/v.sql"]);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn names_that_are_not_unicode_stay_different_and_a_clash_names_both_files() {
        use std::os::unix::ffi::OsStrExt as _;
        let (_home, etl) = tree();
        let write = |name: &[u8]| fs::write(etl.join(std::ffi::OsStr::from_bytes(name)), "x").unwrap();
        write(b"a\xff.sql");
        write(b"a\xfe.sql");
        assert_eq!(names_in(&etl, false).unwrap(), ["a%FE.sql", "a%FF.sql", "tables/t.sql", "views/v.sql"]);
        write(b"a%FF.sql");
        let error = names_in(&etl, false).unwrap_err();
        assert_eq!(error.kind(), crate::ErrorKind::InvalidInput);
        assert!(error.to_string().contains("both be sent as a%FF.sql"), "{error}");
    }
}
