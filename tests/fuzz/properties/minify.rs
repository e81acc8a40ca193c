//! Minification: nothing is lost on the way, in either direction.

use packagist_selfhosted::composer::derive::MAX_WEIGHT;
use packagist_selfhosted::composer::minify::{Version, expand, minify};
use serde_json::Value;

pub fn check(data: &[u8]) {
    let Ok(mut versions) = serde_json::from_slice::<Vec<Version>>(data) else { return };
    let Ok(expanded) = expand(&versions, MAX_WEIGHT) else { return };
    assert_eq!(expanded.len(), versions.len());
    // These two stand for "not there", in documents and so in data.
    for version in &mut versions {
        version.retain(|_, value| is_data(value));
    }
    let minified = minify(&versions);
    let restored = expand(&minified, usize::MAX).expect("there is no bound");
    assert_eq!(restored, versions, "expanding undoes minifying");
    assert_eq!(minify(&restored), minified, "minifying undoes expanding");
    let plain: Vec<Version> = expanded
        .into_iter()
        .map(|mut version| {
            version.retain(|_, value| is_data(value));
            version
        })
        .collect();
    assert_eq!(expand(&minify(&plain), MAX_WEIGHT).as_ref(), Ok(&plain), "documents of others survive, too");
}

fn is_data(value: &Value) -> bool {
    !value.is_null() && value.as_str() != Some("__unset")
}
