//! Git repositories made for a test, with the git program and nothing of this machine's configuration.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A repository with a work tree.
pub struct WorkTree {
    folder: PathBuf,
}

impl WorkTree {
    /// An empty repository at `folder` whose default branch is `main`.
    pub fn init(folder: &Path) -> Self {
        fs::create_dir_all(folder).expect("the folder can be made");
        let tree = Self { folder: folder.to_owned() };
        tree.git(&["init", "--quiet", "--initial-branch=main"]);
        tree
    }

    /// Where it is, as a package's address.
    pub fn url(&self) -> String {
        self.folder.to_str().expect("temporary paths are UTF-8").to_owned()
    }

    /// Writes files (a path and its content) and commits them; the commit's id.
    pub fn commit(&self, files: &[(&str, &str)]) -> String {
        for (path, content) in files {
            let path = self.folder.join(path);
            fs::create_dir_all(path.parent().expect("it lies in the repository")).expect("folders can be made");
            fs::write(path, content).expect("files can be written");
        }
        self.git(&["add", "--all"]);
        self.git(&["commit", "--quiet", "--allow-empty", "--message", "A change"]);
        self.git(&["rev-parse", "HEAD"]).trim().to_owned()
    }

    /// Commits a `composer.json` with this name, and a file with this content; the commit's id.
    pub fn release(&self, name: &str, content: &str) -> String {
        let manifest = format!(r#"{{"name": "{name}", "description": "A package", "license": "MIT"}}"#);
        self.commit(&[("composer.json", &manifest), ("src/code.php", content)])
    }

    /// Runs git; what it printed.
    pub fn git(&self, arguments: &[&str]) -> String {
        let output = Command::new("git")
            .current_dir(&self.folder)
            .args(arguments)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").expect("there is a PATH"))
            .envs([
                ("GIT_CONFIG_NOSYSTEM", "1"),
                ("GIT_CONFIG_GLOBAL", "/dev/null"),
                ("GIT_AUTHOR_NAME", "Ada"),
                ("GIT_AUTHOR_EMAIL", "ada@example.com"),
                ("GIT_AUTHOR_DATE", "2024-01-02T03:04:05+02:00"),
                ("GIT_COMMITTER_NAME", "Ada"),
                ("GIT_COMMITTER_EMAIL", "ada@example.com"),
                ("GIT_COMMITTER_DATE", "2024-02-03T04:05:06+00:00"),
            ])
            .output()
            .expect("the tests need git: apt-get install git");
        assert!(output.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("git prints UTF-8")
    }
}
