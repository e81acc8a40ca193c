//! A mirror's `packed-refs`: whatever a crash left there, what is read of it is whole, and is written as it is read.

use packagist_selfhosted::vcs::readers::packed_refs;

pub fn check(data: &[u8]) {
    let (text, _) = packed_refs(data);
    let (again, damaged) = packed_refs(text.as_bytes());
    assert_eq!(again, text);
    assert!(!damaged, "our own file counts as damaged: {text:?}");
    for line in text.lines().filter(|line| !line.starts_with(['#', '^'])) {
        let (id, name) = line.split_once(' ').expect("an id and a name");
        assert!(id.len() == 40 && id.bytes().all(|byte| byte.is_ascii_hexdigit()), "{line:?}");
        match name.strip_prefix("refs/kept/") {
            Some(kept) => assert_eq!(kept, id),
            None => assert!(name.starts_with("refs/heads/") || name.starts_with("refs/tags/"), "{line:?}"),
        }
    }
}
