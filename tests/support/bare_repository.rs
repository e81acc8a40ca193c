//! Bare repositories made by the git program, the same ids in every run.

use std::cell::Cell;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A file of a commit: its mode as Git writes it, its path, its content.
pub type File<'a> = (&'a str, &'a str, &'a str);

/// A row of a tree: its mode as Git writes it, its name, its id.
pub type Row<'a> = (&'a str, &'a str, &'a str);

/// A bare repository.
pub struct BareRepository {
    /// Where it is.
    pub path: PathBuf,
    /// Seconds since 1970 of the next commit.
    clock: Cell<i64>,
}

impl BareRepository {
    /// Makes an empty one at `path`, whose default branch is `main`.
    pub fn create(path: &Path) -> Self {
        let repository = Self { path: path.to_owned(), clock: Cell::new(1_700_000_000) };
        std::fs::create_dir_all(path).expect("a directory");
        repository.git(&["init", "--quiet", "--bare", "--initial-branch=main", "."]);
        repository
    }

    /// Runs git in it and returns what it printed, without the line's end.
    pub fn git(&self, arguments: &[&str]) -> String {
        self.git_with(arguments, b"")
    }

    /// Runs git in it with input.
    pub fn git_with(&self, arguments: &[&str], input: &[u8]) -> String {
        let mut child = Command::new("git")
            .args(arguments)
            .current_dir(&self.path)
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GIT_CONFIG_COUNT", "1")
            .env("GIT_CONFIG_KEY_0", "safe.directory")
            .env("GIT_CONFIG_VALUE_0", "*")
            .env("GIT_AUTHOR_NAME", "Ada")
            .env("GIT_AUTHOR_EMAIL", "ada@example.com")
            .env("GIT_AUTHOR_DATE", "1700000000 +0000")
            .env("GIT_COMMITTER_NAME", "Ada")
            .env("GIT_COMMITTER_EMAIL", "ada@example.com")
            .env("GIT_COMMITTER_DATE", "1700000000 +0000")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("git is installed");
        child.stdin.take().expect("piped").write_all(input).expect("git reads its input");
        let output = child.wait_with_output().expect("git ends");
        assert!(output.status.success(), "git {arguments:?}");
        String::from_utf8(output.stdout).expect("UTF-8").trim_end().to_owned()
    }

    /// Commits exactly these files onto a branch (a full ref name), an hour after the last commit, and returns the id.
    pub fn commit(&self, branch: &str, files: &[File<'_>]) -> String {
        let parent = self.git(&["for-each-ref", "--format=%(objectname)", branch]);
        self.commit_onto(branch, (!parent.is_empty()).then_some(parent.as_str()), files)
    }

    /// Commits exactly these files with the given parent, whatever the branch was before.
    pub fn commit_onto(&self, branch: &str, parent: Option<&str>, files: &[File<'_>]) -> String {
        let time = self.clock.replace(self.clock.get() + 3600);
        let mut stream = format!("reset {branch}\n\ncommit {branch}\n");
        stream.push_str(&format!("author Ada <a@example.com> {time} +0100\n"));
        stream.push_str(&format!("committer Bob <b@example.com> {} +0000\ndata 1\nx\n", time + 60));
        if let Some(parent) = parent {
            stream.push_str(&format!("from {parent}\n"));
        }
        stream.push_str("deleteall\n");
        for (mode, path, content) in files {
            stream.push_str(&format!("M {mode} inline {path}\ndata {}\n{content}\n", content.len()));
        }
        self.git_with(&["fast-import", "--quiet", "--force"], stream.as_bytes());
        self.git(&["rev-parse", branch])
    }

    /// Commits a `composer.json` of this name, and returns the id.
    pub fn package(&self, branch: &str, name: &str) -> String {
        self.commit(branch, &[("100644", "composer.json", &format!("{{\"name\": \"{name}\"}}"))])
    }

    /// Points a ref somewhere.
    pub fn point(&self, name: &str, target: &str) {
        self.git(&["update-ref", name, target]);
    }

    /// Removes a ref.
    pub fn remove(&self, name: &str) {
        self.git(&["update-ref", "-d", name]);
    }

    /// Commits a tree, however malformed, to a branch.
    pub fn commit_raw_tree(&self, branch: &str, entries: &[Row<'_>]) -> String {
        let mut bytes = Vec::new();
        for (mode, name, id) in entries {
            bytes.extend(format!("{mode} {name}\0").into_bytes());
            bytes.extend((0..20).map(|at| u8::from_str_radix(&id[at * 2..at * 2 + 2], 16).expect("an id")));
        }
        let tree = self.git_with(&["hash-object", "-t", "tree", "--literally", "-w", "--stdin"], &bytes);
        let commit = self.git_with(&["commit-tree", &tree], b"raw");
        self.point(branch, &commit);
        commit
    }
}
