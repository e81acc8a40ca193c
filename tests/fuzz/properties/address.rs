//! Addresses below `/repo/`: no escape changes the structure of a path, and what is recognised is what was written.

use packagist_selfhosted::composer::name::PackageName;
use packagist_selfhosted::http::composer::address::{Address, decoded};

pub fn check(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let path = decoded(text);
    assert!(path.len() <= text.len());
    assert_eq!(path.matches('/').count(), text.matches('/').count(), "{text:?} → {path:?}");
    let controls = |text: &str| text.chars().filter(|c| c.is_control()).count();
    assert_eq!(controls(&path), controls(text), "{text:?} → {path:?}");
    if !text.contains('%') {
        assert_eq!(path, text);
    }
    let (org, address) = Address::parse(&path);
    assert!(!org.contains('/'));
    let _ = address.name();
    let file = match address {
        Address::Root => "packages.json".to_owned(),
        Address::Document { name, dev } => format!("p2/{name}{}.json", if dev { "~dev" } else { "" }),
        Address::Dist { name, reference } => {
            assert!(!reference.contains('/'));
            format!("dists/{name}/{reference}.zip")
        }
        Address::List => "list.json".to_owned(),
        Address::Search => "search.json".to_owned(),
        Address::Changes => "metadata/changes.json".to_owned(),
        Address::Downloads => "downloads".to_owned(),
        Address::Unknown => return,
    };
    assert_eq!(path.trim_end_matches(if file == "downloads" { '/' } else { '\0' }), format!("{org}/{file}"));
    if let Address::Document { name, .. } | Address::Dist { name, .. } = address
        && let Ok(name) = PackageName::parse_lenient(name)
    {
        assert!(!name.as_str().contains("..") && name.as_str().matches('/').count() == 1);
    }
}
