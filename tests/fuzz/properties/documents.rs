//! Metadata documents of other servers: whatever they send is read or refused.

use packagist_selfhosted::composer::document::{Half, Package, render, versions_of};
use packagist_selfhosted::composer::name::PackageName;

pub fn check(data: &[u8]) {
    let Ok(versions) = versions_of(data) else { return };
    let name = PackageName::parse("acme/lib").expect("a good name");
    let versions: Vec<_> = versions.iter().collect();
    let package =
        Package { name: &name, versions: &versions, dist_prefix: Some("https://h.example/"), abandoned: None };
    let mut count = 0;
    for half in [Half::Releases, Half::Development] {
        let bytes = render(&package, half);
        let again = versions_of(&bytes).expect("our own document");
        count += again.len();
        for version in again {
            assert!(version.get("version_normalized").is_some_and(serde_json::Value::is_string));
        }
        let mut reversed = versions.clone();
        reversed.reverse();
        let unique = package.versions.len() == reversed.len();
        assert!(unique && render(&package, half) == bytes, "rendering has one result");
    }
    assert!(count <= versions.len());
}
