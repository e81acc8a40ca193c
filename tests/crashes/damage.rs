//! What a power cut, a full disk or a careless hand may leave: files that are cut off, empty, or gone.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use crate::activity::Scene;
use crate::aftermath::{files, mirror_of};
use crate::project::Life;
use crate::random::Random;

/// Spoils something of a data directory that nobody uses; what.
pub fn spoil(scene: &Scene, random: &mut Random) -> io::Result<String> {
    let data = scene.place.data();
    if random.chance(40) {
        return archive(&data, random);
    }
    let added: Vec<_> = scene
        .projects
        .iter()
        .filter(|project| matches!(project.lock().expect("nobody panicked with it").life, Life::Added(_)))
        .collect();
    if added.is_empty() {
        return Ok("nothing: there is no package".to_owned());
    }
    let mut project = random.pick(&added).lock().expect("nobody panicked with it");
    let Life::Added(id) = project.life else { return Ok("nothing".to_owned()) };
    let mirror = mirror_of(&data, id);
    if !mirror.join("packed-refs").exists() {
        return Ok("nothing: there is no mirror".to_owned());
    }
    let what = spoil_mirror(&mirror, random)?;
    project.damaged |= !what.ends_with("left over");
    Ok(what)
}

/// A stored archive is cut off, emptied or removed: it must be built again, with the same bytes.
fn archive(data: &Path, random: &mut Random) -> io::Result<String> {
    let stored: Vec<PathBuf> = files(&data.join("dists")).iter().flat_map(|folder| files(folder)).collect();
    if stored.is_empty() {
        return Ok("nothing: there is no archive".to_owned());
    }
    let path = random.pick(&stored);
    match random.below(3) {
        0 => fs::remove_file(path)?,
        1 => cut(path, 0)?,
        _ => cut(path, fs::metadata(path)?.len() / 2)?,
    }
    Ok(format!("{} spoilt", path.display()))
}

fn spoil_mirror(mirror: &Path, random: &mut Random) -> io::Result<String> {
    let packs = mirror.join("objects/pack");
    let mut newest: Vec<PathBuf> = files(&packs)
        .into_iter()
        .filter(|path| path.extension().is_some_and(|extension| extension == "pack"))
        .collect();
    newest.sort_by_key(|path| fs::metadata(path).and_then(|metadata| metadata.modified()).ok());
    let newest = newest.pop();
    let refs = mirror.join("packed-refs");
    let shown = mirror.display();
    Ok(match (random.below(8), newest) {
        (0, Some(pack)) => {
            cut(&pack, 0)?;
            format!("{} emptied", pack.display())
        }
        (1, Some(pack)) => {
            cut(&pack, fs::metadata(&pack)?.len() / 2)?;
            format!("{} cut in half", pack.display())
        }
        (2, Some(pack)) => {
            fs::remove_file(pack.with_extension("idx"))?;
            format!("the index of {} removed", pack.display())
        }
        (3, _) => {
            cut(&refs, 0)?;
            format!("{} emptied", refs.display())
        }
        (4, _) => {
            cut(&refs, fs::metadata(&refs)?.len() * 2 / 3)?;
            format!("{} cut off", refs.display())
        }
        (5, _) => {
            fs::remove_dir_all(mirror)?;
            format!("{shown} removed")
        }
        (6, _) => {
            cut(&mirror.join("HEAD"), 0)?;
            cut(&mirror.join("config"), 3)?;
            format!("HEAD and config of {shown} spoilt")
        }
        _ => {
            for name in [".tmp-packed-refsAbCd", "objects/.tmp1", "objects/pack/.tmpXyZ", "objects/pack/tmp_pack_1"] {
                fs::write(mirror.join(name), b"half")?;
            }
            fs::write(packs.join(format!("pack-{}.pack", "0".repeat(40))), b"PACK")?;
            fs::write(packs.join(format!("pack-{}.keep", "0".repeat(40))), b"")?;
            fs::write(mirror.join("packed-refs.lock"), b"")?;
            format!("{shown}: files of a killed worker left over")
        }
    })
}

fn cut(path: &Path, length: u64) -> io::Result<()> {
    File::options().write(true).open(path)?.set_len(length)
}
