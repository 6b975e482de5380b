//! What is made is its owner's alone; what is not is refused.

use std::io::Read;

use super::*;

fn text(path: &Path) -> String {
    let mut text = String::new();
    open(path).unwrap().read_to_string(&mut text).unwrap();
    text
}

#[test]
fn what_is_made_passes_the_check() {
    let folder = tempfile::tempdir().unwrap();
    let own = folder.path().join("parent").join("own");
    make_folder(&own).unwrap();
    make_folder(&own).unwrap();
    check_folder(&own).unwrap();
    check_folder(own.parent().unwrap()).unwrap();
    let path = own.join("file");
    create(&path).unwrap().write_all(b"one").unwrap();
    assert_eq!(text(&path), "one");
    assert!(create(&path).unwrap_err().is_taken());
    open_or_create(&path).unwrap();
    open_or_create(&own.join("lock")).unwrap();
    assert!(open(&own.join("none")).unwrap_err().is_missing());
}

#[test]
fn files_are_written_whole_and_only_replace_replaces() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    write_new(&path, b"one").unwrap();
    assert!(write_new(&path, b"two").unwrap_err().is_taken());
    assert_eq!(text(&path), "one");
    replace(&path, b"three").unwrap();
    assert_eq!(text(&path), "three");
    let names = || fs::read_dir(folder.path()).unwrap().count();
    assert_eq!(names(), 1, "nothing unfinished stays behind");
    remove(&path).unwrap();
    remove(&path).unwrap();
    assert_eq!(names(), 0);
    assert!(replace(&folder.path().join("none").join("file"), b"").unwrap_err().is_missing());
}

#[cfg(unix)]
#[test]
fn a_loosened_mode_is_refused_with_the_cure() {
    use std::os::unix::fs::{MetadataExt, PermissionsExt};
    let folder = tempfile::tempdir().unwrap();
    let own = folder.path().join("own");
    make_folder(&own).unwrap();
    let path = own.join("file");
    // Whatever the mask of the process is.
    write_new(&path, b"x").unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().mode() & 0o777;
    assert_eq!((mode(&own), mode(&path)), (0o700, 0o600));
    let set = |path: &Path, mode| {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    };
    for loose in [0o640, 0o604, 0o620, 0o610] {
        set(&path, loose);
        let Err(Error::Exposed { found, next, .. }) = open(&path) else { panic!("{loose:o}") };
        assert!(found.contains(&format!("{loose:o}")) && next.contains("chmod 600"));
        assert!(open_or_create(&path).is_err());
    }
    set(&own, 0o750);
    let error = make_folder(&own).unwrap_err().to_string();
    assert!(error.contains("750") && error.contains("chmod 700"), "{error}");
}

#[cfg(unix)]
#[test]
fn links_and_pipes_are_not_followed() {
    let folder = tempfile::tempdir().unwrap();
    let (path, link) = (folder.path().join("file"), folder.path().join("link"));
    write_new(&path, b"x").unwrap();
    std::os::unix::fs::symlink(&path, &link).unwrap();
    assert!(open(&link).is_err());
    assert!(open_or_create(&link).is_err());
    assert!(write_new(&link, b"y").unwrap_err().is_taken());
    assert!(open(folder.path()).is_err(), "a folder is no file");
}

#[cfg(windows)]
#[test]
fn an_access_list_is_its_own_and_a_wider_one_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    write_new(&path, b"x").unwrap();
    open(&path).unwrap();
    let given = std::process::Command::new("icacls")
        .arg(&path)
        .args(["/grant", "*S-1-1-0:R"])
        .output()
        .unwrap();
    assert!(given.status.success(), "{given:?}");
    let Err(Error::Exposed { found, .. }) = open(&path) else { panic!("it is open to everybody") };
    assert!(found.contains("WD"), "{found}");
}
