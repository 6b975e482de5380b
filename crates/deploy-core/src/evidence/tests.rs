//! A copy is whole or is not there.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use tempfile::TempDir;

use super::*;
use crate::deployer::{Deployer, Found, Silent, StepCx};
use crate::engine::{Consent, Engine, EngineError, OnFailure, Run};
use crate::id::{DeploymentId, StepName};
use crate::plan::{Plan, Step};
use crate::record::{About, Status, TargetKind};
use crate::registry::{Memory, StateRegistry as _};

/// Some files, and what goes wrong in which pass over them.
#[derive(Default)]
struct Files {
    content: Vec<(&'static str, Vec<u8>)>,
    passes: AtomicUsize,
    wrong: Option<(usize, Wrong)>,
    rested: Mutex<bool>,
}

#[derive(Clone, Copy)]
enum Wrong {
    /// It ends in the middle.
    Fails,
    /// A byte of it is another one.
    Changes,
    /// The last file is not there.
    Lacks,
}

fn files(wrong: Option<(usize, Wrong)>) -> Files {
    let big = (0..300_000_u32).flat_map(u32::to_le_bytes).collect();
    let content = vec![("data/a", b"one".to_vec()), ("data/big", big), ("data/z", Vec::new())];
    Files { content, wrong, ..Files::default() }
}

#[async_trait]
impl Evidence for Files {
    async fn rest(&self, _: &Record) -> Result<(), StepError> {
        *self.rested.lock().unwrap() = true;
        Ok(())
    }

    async fn wake(&self, _: &Record) -> Result<(), StepError> {
        *self.rested.lock().unwrap() = false;
        Ok(())
    }

    fn holds(&self, _: &Record, file: &Path) -> bool {
        file.components().any(|part| part.as_os_str() == "inside")
    }

    async fn pour(&self, _: &Record, into: &Pipe) -> Result<(), StepError> {
        assert!(*self.rested.lock().unwrap(), "the server runs still");
        let pass = self.passes.fetch_add(1, Ordering::SeqCst) + 1;
        let wrong = self.wrong.filter(|(at, _)| *at == pass).map(|(_, wrong)| wrong);
        let mut tar = tar::Builder::new(Vec::new());
        for (name, content) in &self.content {
            let mut content = content.clone();
            match wrong {
                Some(Wrong::Lacks) if *name == "data/z" => continue,
                Some(Wrong::Changes) if *name == "data/big" => content[700_000] ^= 1,
                _ => {}
            }
            let mut header = tar::Header::new_gnu();
            header.set_size(content.len() as u64);
            header.set_mode(0o600);
            header.set_uid(1000);
            header.set_gid(1000);
            header.set_mtime(1_700_000_000);
            tar.append_data(&mut header, name, content.as_slice()).unwrap();
        }
        let bytes = tar.into_inner().unwrap();
        for (at, piece) in bytes.chunks(100_000).enumerate() {
            if at == 2 && matches!(wrong, Some(Wrong::Fails)) {
                return Err(StepError::failed("the daemon went away", "start it"));
            }
            into.send(piece.to_vec()).await?;
        }
        Ok(())
    }
}

fn record() -> Record {
    let step = Step::new(StepName::new("one").unwrap(), "makes it", &()).unwrap();
    let kind = TargetKind(String::from("toy"));
    let id = DeploymentId::generate().unwrap();
    Record::new(id, kind, About::default(), Plan::new(vec![step]).unwrap())
}

async fn copied(source: &Files, file: &Path) -> Result<Copied, StepError> {
    let cancel = CancellationToken::new();
    let say = |_: &str| {};
    Copying { source, file, cancel: &cancel, say: &say }.run(&record()).await
}

fn there(folder: &TempDir) -> Vec<String> {
    let all = fs::read_dir(folder.path()).unwrap();
    all.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

#[tokio::test]
async fn a_copy_has_all_of_it_and_says_what_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("out.tar.gz");
    let source = files(None);
    let copy = copied(&source, &file).await.unwrap();
    assert_eq!((copy.entries, copy.content), (3, 1_200_003));
    let bytes = fs::read(&file).unwrap();
    assert_eq!(copy.size, bytes.len() as u64);
    let sha256: String = <sha2::Sha256 as sha2::Digest>::digest(&bytes)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    assert_eq!(copy.sha256, sha256);
    assert_eq!(there(&folder), ["out.tar.gz"]);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    }
    let mut archive = tar::Archive::new(flate2::read::GzDecoder::new(bytes.as_slice()));
    for (entry, (name, content)) in archive.entries().unwrap().zip(&source.content) {
        let mut entry = entry.unwrap();
        let mut found = Vec::new();
        std::io::Read::read_to_end(&mut entry, &mut found).unwrap();
        assert_eq!((entry.path_bytes().as_ref(), &found), (name.as_bytes(), content));
    }
    // What is there is never written over.
    let error = copied(&files(None), &file).await.unwrap_err().to_string();
    assert!(error.contains("is there already"), "{error}");
    assert_eq!(fs::read(&file).unwrap(), bytes);
}

#[tokio::test]
async fn what_goes_wrong_in_any_pass_leaves_no_file_and_is_said() {
    for (wrong, says) in [
        ((1, Wrong::Fails), "the daemon went away"),
        ((2, Wrong::Fails), "the daemon went away"),
        ((2, Wrong::Changes), "with other content"),
        ((1, Wrong::Changes), "with other content"),
        ((2, Wrong::Lacks), "the source has 3 entries and 1200003 bytes, the copy 2 entries"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let error = copied(&files(Some(wrong)), &folder.path().join("out.tar.gz")).await;
        let error = error.unwrap_err().to_string();
        assert!(error.contains(says), "{says}: {error}");
        assert_eq!(there(&folder), Vec::<String>::new(), "{says}");
    }
}

#[cfg(unix)]
#[tokio::test]
async fn a_copy_within_the_deployment_is_refused_also_by_way_of_a_link() {
    let folder = tempfile::tempdir().unwrap();
    let inside = folder.path().join("inside");
    fs::create_dir(&inside).unwrap();
    let link = folder.path().join("link");
    std::os::unix::fs::symlink(&inside, &link).unwrap();
    for file in [inside.join("out"), link.join("out")] {
        let source = files(None);
        let error = copied(&source, &file).await.unwrap_err().to_string();
        assert!(error.contains("would go with it"), "{error}");
        assert!(!*source.rested.lock().unwrap(), "the server was stopped for nothing");
    }
}

#[tokio::test]
async fn of_two_copies_to_one_place_one_is_whole_and_the_other_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("out.tar.gz");
    let foreign = folder.path().join("out.tar.gz.part");
    fs::write(&foreign, "another program's").unwrap();
    let (one, other) = (files(None), files(None));
    let (one, other) = tokio::join!(copied(&one, &file), copied(&other, &file));
    let (whole, failed) = match (one, other) {
        (Ok(copy), Err(error)) | (Err(error), Ok(copy)) => (copy, error.to_string()),
        both => panic!("{both:?}"),
    };
    assert!(failed.contains("out.tar.gz"), "{failed}");
    assert_eq!(whole.size, fs::metadata(&file).unwrap().len());
    assert_eq!(crate::digest::sha256(fs::read(&file).unwrap()), whole.sha256);
    assert_eq!(fs::read_to_string(&foreign).unwrap(), "another program's");
    assert_eq!(there(&folder).len(), 2);
}

#[tokio::test]
async fn nothing_at_all_is_no_evidence() {
    let folder = tempfile::tempdir().unwrap();
    let none = Files::default();
    let error = copied(&none, &folder.path().join("out.tar.gz")).await.unwrap_err().to_string();
    assert!(error.contains("has nothing"), "{error}");
}

#[test]
fn room_is_looked_for_before_anything_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let (file, cancel) = (folder.path().join("out.tar.gz"), CancellationToken::new());
    let (source, say) = (files(None), |_: &str| {});
    let copying = Copying { source: &source, file: &file, cancel: &cancel, say: &say };
    copying.room(&Listing::of(1, 1)).unwrap();
    let error = copying.room(&Listing::of(1, 1 << 60)).unwrap_err().to_string();
    assert!(error.contains("MiB free") && error.contains("1099511627"), "{error}");
}

#[test]
fn a_place_is_a_new_file_in_a_folder_that_is_there() {
    let folder = tempfile::tempdir().unwrap();
    place(&folder.path().join("new")).unwrap();
    for (path, says) in [
        (PathBuf::from("out.tar.gz"), "whole path"),
        (folder.path().to_owned(), "is there already"),
        (folder.path().join("none/out"), "folder is not there"),
    ] {
        let error = place(&path).unwrap_err().to_string();
        assert!(error.contains(says), "{path:?}: {error}");
    }
}

/// Says what was taken back.
#[derive(Debug, Default)]
struct Toy(Mutex<Vec<String>>);

#[async_trait]
impl Deployer for Toy {
    fn kind(&self) -> TargetKind {
        TargetKind(String::from("toy"))
    }

    async fn look(&self, _: &StepCx<'_>, _: &Step) -> Result<Found, StepError> {
        Ok(if self.0.lock().unwrap().is_empty() { Found::Done } else { Found::Absent })
    }

    async fn apply(&self, _: &StepCx<'_>, _: &Step) -> Result<(), StepError> {
        Ok(())
    }

    async fn undo(&self, _: &StepCx<'_>, step: &Step) -> Result<(), StepError> {
        self.0.lock().unwrap().push(step.name.to_string());
        Ok(())
    }
}

#[tokio::test]
async fn nothing_is_destroyed_unless_the_copy_is_whole() {
    let folder = tempfile::tempdir().unwrap();
    let (registry, toy, cancel) = (Memory::default(), Toy::default(), CancellationToken::new());
    let record = record();
    let id = record.id.clone();
    let engine = Engine::new(&registry, &toy);
    engine.record(record).await.unwrap();
    let run = Run { cancel: &cancel, progress: &Silent, on_failure: OnFailure::Keep };
    engine.bring_up(&id, &run).await.unwrap();
    let consent = Consent::given("alice", id.clone());
    let file = folder.path().join("out.tar.gz");
    for pass in [1, 2] {
        for wrong in [Wrong::Fails, Wrong::Changes] {
            let source = files(Some((pass, wrong)));
            let error =
                engine.take_down_copied(&id, &run, &consent, &source, &file).await.unwrap_err();
            assert!(matches!(error, EngineError::NotCopied { .. }), "{error:?}");
            let kept = registry.load(&id).await.unwrap().unwrap();
            assert_eq!((kept.status(), kept.copies.len()), (Status::Up, 0));
            assert_eq!(*toy.0.lock().unwrap(), Vec::<String>::new(), "something was taken back");
            assert_eq!(there(&folder), Vec::<String>::new());
        }
    }
    let other = Consent::given("alice", DeploymentId::generate().unwrap());
    let source = files(None);
    let error = engine.take_down_copied(&id, &run, &other, &source, &file).await.unwrap_err();
    assert!(matches!(error, EngineError::OtherConsent { .. }), "{error:?}");

    let (gone, copy) = engine.take_down_copied(&id, &run, &consent, &source, &file).await.unwrap();
    assert_eq!(gone.status(), Status::Gone);
    // What was copied, and what it comes to, stays on record.
    let kept = registry.load(&id).await.unwrap().unwrap();
    assert_eq!(kept.copies, [copy]);
    assert!(file.exists());
}
