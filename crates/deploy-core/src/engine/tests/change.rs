//! Changes of what is wanted.

use super::*;

/// Wants a step more to be there, and looks who else works on it meanwhile.
struct Wish<'a> {
    bed: &'a Bed,
    begins: bool,
    comes_true: bool,
}

#[async_trait]
impl Change for Wish<'_> {
    type Wanted = &'static str;

    async fn begin(&self, record: &Record) -> Result<&'static str, StepError> {
        let claimed = self.bed.registry.claim(&record.id).await;
        assert!(matches!(claimed, Err(RegistryError::Claimed(_))), "anybody may work on it");
        self.bed.toy.log.lock().unwrap().push(String::from("begin"));
        self.bed.toy.there.lock().unwrap().remove("b");
        if self.begins { Ok("b") } else { Err(StepError::failed("no more disk", "make room")) }
    }

    async fn prove(&self, record: &Record, wanted: &&'static str) -> Result<(), StepError> {
        let claimed = self.bed.registry.claim(&record.id).await;
        assert!(matches!(claimed, Err(RegistryError::Claimed(_))), "anybody may work on it");
        assert!(self.bed.toy.there.lock().unwrap().contains(*wanted));
        if self.comes_true { Ok(()) } else { Err(StepError::failed("it is an old b", "look")) }
    }
}

async fn changed(bed: &Bed, begins: bool, comes_true: bool) -> Result<Record, EngineError> {
    let run = bed.run(OnFailure::TakeBack);
    let wish = Wish { bed, begins, comes_true };
    let done = bed.engine().bring_up_after(&bed.id, &run, &wish).await;
    done.map(|(record, wanted)| {
        assert_eq!(wanted, "b");
        record
    })
}

#[tokio::test]
async fn a_change_is_begun_carried_out_and_proved_under_one_claim() {
    let bed = Bed::of(Toy::default()).await;
    bed.up().await.unwrap();
    bed.toy.log();
    assert_eq!(changed(&bed, true, true).await.unwrap().status(), Status::Up);
    assert_eq!(bed.toy.log(), ["begin", "apply b"]);
    drop(bed.registry.claim(&bed.id).await.unwrap());
}

#[tokio::test]
async fn a_change_that_was_not_begun_is_said_so_and_no_step_is_touched() {
    let bed = Bed::of(Toy::default()).await;
    bed.up().await.unwrap();
    bed.toy.log();
    let failed = changed(&bed, false, true).await.unwrap_err();
    assert!(matches!(failed, EngineError::Unchanged { .. }), "{failed}");
    assert!(failed.to_string().ends_with("was left as it was: no more disk"), "{failed}");
    assert_eq!(bed.toy.log(), ["begin"]);
}

#[tokio::test]
async fn a_change_that_is_not_to_be_seen_is_no_success() {
    let bed = Bed::of(Toy::default()).await;
    bed.up().await.unwrap();
    let failed = changed(&bed, true, false).await.unwrap_err();
    assert!(matches!(failed, EngineError::Unproved { .. }), "{failed}");
    assert!(failed.to_string().contains("its change is not proved: it is an old b"), "{failed}");
}

#[tokio::test]
async fn a_change_that_fails_takes_nothing_back() {
    let bed = Bed::of(Toy::wrong("apply b")).await;
    let run = bed.run(OnFailure::Keep);
    bed.engine().bring_up(&bed.id, &run).await.unwrap_err();
    assert_eq!(bed.up().await.unwrap().status(), Status::Up);
    bed.toy.log();
    let failed = changed(&bed, true, true).await.unwrap_err();
    assert!(matches!(failed, EngineError::Failed { left_as_it_is: true, .. }), "{failed}");
    assert_eq!(bed.toy.log(), ["begin", "apply b"]);
    assert_eq!(bed.toy.there().len(), 3);
}

#[tokio::test]
async fn what_is_being_removed_is_not_changed() {
    let bed = Bed::of(Toy::default()).await;
    bed.up().await.unwrap();
    bed.down().await.unwrap();
    bed.toy.log();
    let failed = changed(&bed, true, true).await.unwrap_err();
    assert!(matches!(failed, EngineError::Leaving(_)), "{failed}");
    assert_eq!(bed.toy.log(), [""; 0]);
}
