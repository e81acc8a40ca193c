//! Archives that somebody uploads: whatever is taken has a zip in which everything was counted and nothing leads out.

use std::io::{Cursor, Read};

use packagist_selfhosted::publish::artifact::{Kind, Limits, inspect};
use zip::ZipArchive;

/// Fewer than for real archives, so that most inputs come near them.
const LIMITS: Limits = Limits { entries: 200, unpacked: 20 << 20, ratio: 200 };

/// The input is an archive.
pub fn check(data: &[u8]) {
    let folder = tempfile::tempdir().expect("there is room for a file");
    let (file, out) = (folder.path().join("in"), folder.path().join("out"));
    std::fs::write(&file, data).expect("files can be written");
    let Ok(found) = inspect(&file, None, &out, &LIMITS) else { return };
    assert!(found.unpacked <= LIMITS.unpacked, "{} bytes", found.unpacked);
    assert_eq!(found.repacked, found.kind != Kind::Zip);
    let served = if found.repacked { std::fs::read(&out).expect("it was written") } else { data.to_vec() };
    let mut zip = ZipArchive::new(Cursor::new(&served)).expect("what is served is a zip");
    assert!(zip.len() <= LIMITS.entries);
    let mut bytes = 0;
    for at in 0..zip.len() {
        let mut entry = zip.by_index(at).expect("every entry can be read");
        let inside = entry.enclosed_name().is_some_and(|path| !path.is_absolute());
        assert!(inside, "{:?} leads out", String::from_utf8_lossy(entry.name_raw()));
        bytes += std::io::copy(&mut entry.by_ref().take(LIMITS.unpacked + 1), &mut std::io::sink())
            .expect("it was read before");
    }
    assert!(bytes <= found.unpacked, "{bytes} bytes came out of what was counted as {}", found.unpacked);
    if found.repacked {
        // Looked at again, it says the same.
        let again = inspect(&out, Some("a.zip"), &folder.path().join("again"), &LIMITS).expect("our own zip");
        assert_eq!(again.manifest.ok(), found.manifest.ok());
    }
}
