//! A disk on which nothing fits any more, without the right to mount one: a library that is put before the C library has every
//! write to files below a folder fail as a full disk has it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

const SOURCE: &str = r#"
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

static int is_full(int descriptor) {
    const char *disk = getenv("FULL_DISK"), *flag = getenv("FULL_DISK_FLAG");
    char link[64], path[4096];
    if (!disk || !flag || access(flag, F_OK) != 0) return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length <= 0) return 0;
    path[length] = 0;
    return strncmp(path, disk, strlen(disk)) == 0;
}

#define GUARDED(result, name, arguments, values)                              \
    result name arguments {                                                   \
        static result (*real) arguments;                                      \
        if (!real) real = (result (*) arguments) dlsym(RTLD_NEXT, #name);     \
        int before = errno;                                                   \
        if (is_full(descriptor)) { errno = ENOSPC; return -1; }               \
        errno = before;                                                       \
        return real values;                                                   \
    }

GUARDED(ssize_t, write, (int descriptor, const void *from, size_t count), (descriptor, from, count))
GUARDED(ssize_t, writev, (int descriptor, const struct iovec *from, int count), (descriptor, from, count))
GUARDED(ssize_t, pwrite, (int descriptor, const void *from, size_t count, off_t at), (descriptor, from, count, at))
GUARDED(ssize_t, pwrite64, (int descriptor, const void *from, size_t count, off64_t at), (descriptor, from, count, at))
"#;

/// A disk that can be full.
pub struct FullDisk {
    folder: PathBuf,
    library: PathBuf,
    flag: PathBuf,
}

impl FullDisk {
    /// One that has a folder; `work` is a folder beside it.
    pub fn at(folder: &Path, work: &Path) -> Self {
        fs::create_dir_all(work).expect("a directory");
        let (source, library) = (work.join("full.c"), work.join("full.so"));
        fs::write(&source, SOURCE).expect("files can be written");
        let mut compiler = Command::new("cc");
        compiler.args(["-shared", "-fPIC", "-o"]).arg(&library).arg(&source).arg("-ldl").stdin(Stdio::null());
        assert!(compiler.status().expect("gcc is installed").success());
        Self { folder: folder.to_owned(), library, flag: work.join("is-full") }
    }

    /// Is full from now on, or has room again.
    pub fn set(&self, full: bool) {
        if full {
            fs::write(&self.flag, "").expect("files can be written");
        } else {
            fs::remove_file(&self.flag).expect("it was full");
        }
    }

    /// What stands in a shell before a program that writes to it.
    pub fn words(&self) -> String {
        let Self { folder, library, flag } = self;
        let [folder, library, flag] = [folder, library, flag].map(|path| path.display());
        format!("LD_PRELOAD={library} FULL_DISK={folder} FULL_DISK_FLAG={flag}")
    }
}
