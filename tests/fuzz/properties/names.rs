//! Names of packages: what is accepted is fit for addresses, files and rules.

use packagist_selfhosted::composer::name::{PackageName, Vendor, is_platform};

pub fn check(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let _ = is_platform(text);
    let strict = PackageName::parse(text);
    if let Ok(name) = &strict {
        assert_eq!(name.as_str(), text);
        assert_eq!(PackageName::parse_lenient(text).as_ref(), Ok(name));
    }
    if let Ok(name) = PackageName::parse_lenient(text) {
        let plain = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'_' | b'-' | b'/');
        assert!(name.as_str().bytes().all(plain) && !name.as_str().contains(".."), "{text:?} → {name}");
        assert_eq!(format!("{}/{}", name.vendor(), name.project()), name.as_str());
        assert!(!name.vendor().is_empty() && !name.project().is_empty() && !name.project().contains('/'));
        assert_eq!(PackageName::parse(name.as_str()).as_ref(), Ok(&name));
        assert!(Vendor::of(&name).owns(&name) && Vendor::parse(name.vendor()).is_ok(), "{name}");
    }
    if let Err(error) = strict {
        assert!(error.to_string().len() < text.len().min(300) * 12 + 400);
    }
}
