//! The files that are read of every repository, whatever its system: manifests and READMEs.

/// Largest `composer.json` that is read.
pub(super) const MAX_MANIFEST: u64 = 1 << 20;
/// Largest README that is read.
pub(super) const MAX_README: u64 = 512 << 10;
/// What a README is called, whatever the case of its letters; the best first.
const READMES: [&str; 6] = ["readme.md", "readme.markdown", "readme.mdown", "readme", "readme.txt", "readme.rst"];

/// How good a name is for a README, the best first; none if it is no such name.
pub(super) fn readme_rank(name: &[u8]) -> Option<usize> {
    READMES.iter().position(|known| name.eq_ignore_ascii_case(known.as_bytes()))
}
