//! The proof of a quarantine, with a site's own artifact in the place of the real one: it reports
//! in the same words and changes nothing, because a real policy would cut this machine off.

use std::time::Duration;

use anyhow::{bail, ensure};
use velociraptor_api::Fault;
use velociraptor_api::clients;
use velociraptor_api::labels::{self, LabelChange};
use velociraptor_api::quarantine::{self, Action, LABEL, Options, Proof, Sent, StepState};

use super::Bench;
use crate::suite::Cases;

/// Reports success, and a failure where the message says so.
const DEFINITION: &str = r"name: Custom.Linux.Remediation.Quarantine
required_permissions: [EXECVE, NETWORK]
parameters:
  - name: MessageBox
  - name: ForbiddenTestURL
  - name: RemovePolicy
    type: bool
sources:
  - query: |
      SELECT if(condition=RemovePolicy, then='suite table removed.',
                else=if(condition=MessageBox =~ 'fail',
                        then='suite failed connection test. Removing quarantine table.',
                        else='suite connection test successful.')) AS Result
      FROM scope()
";

pub(super) async fn run(cases: &mut Cases, bench: &Bench<'_>) {
    if let Err(error) = super::define(bench.server, DEFINITION).await {
        cases.record("quarantine: a site's own artifact", Err(error));
        return;
    }
    cases.case("quarantine: proved in its steps, and released", isolate(bench)).await;
    cases.case("quarantine: a policy that took itself back is no success", failed(bench)).await;
}

async fn carried(bench: &Bench<'_>) -> anyhow::Result<bool> {
    let info = clients::info(&bench.session(), &bench.agent_id()?).await?;
    Ok(info.client.labels.iter().any(|label| label == LABEL))
}

async fn run_to_proof(
    bench: &Bench<'_>,
    action: Action,
    options: &Options,
) -> anyhow::Result<Proof> {
    let (session, id) = (bench.session(), bench.agent_id()?);
    let plan = quarantine::plan(&session, &id, action, options).await?;
    ensure!(plan.artifact().starts_with("Custom."), "{plan:?}");
    let Sent::Scheduled { flow } = quarantine::send(&session, &plan).await?.sent else {
        bail!("the client is online, and it was queued");
    };
    let patience = Duration::from_secs(60);
    Ok(quarantine::prove(&session, &plan, &flow.flow_id, patience).await?)
}

async fn isolate(bench: &Bench<'_>) -> anyhow::Result<()> {
    // It was never isolated: nobody is asked to let it back.
    let (session, id) = (bench.session(), bench.agent_id()?);
    match quarantine::plan(&session, &id, Action::Release, &Options::default()).await {
        Err(Fault::Refused { reason }) => {
            ensure!(reason.contains("is not isolated") && reason.contains("flows ran"), "{reason}");
        }
        other => bail!("{other:?}"),
    }
    let anyway = Options { anyway: true, ..Options::default() };
    quarantine::plan(&session, &id, Action::Release, &anyway).await?;
    let proof = run_to_proof(bench, Action::Isolate, &Options::default()).await?;
    ensure!(proof.holds(), "{:?}", proof.steps);
    ensure!(carried(bench).await?, "the label was not set");
    let proof = run_to_proof(bench, Action::Release, &Options::default()).await?;
    ensure!(proof.holds(), "{:?}", proof.steps);
    ensure!(!carried(bench).await?, "the label was not removed");
    let read = &proof.steps[2].seen;
    ensure!(read.contains("is not among its labels"), "{read}");
    Ok(())
}

async fn failed(bench: &Bench<'_>) -> anyhow::Result<()> {
    let options = Options { message: Some(String::from("fail")), ..Options::default() };
    let proof = run_to_proof(bench, Action::Isolate, &options).await?;
    ensure!(!proof.holds() && proof.steps.len() == 1, "{:?}", proof.steps);
    ensure!(proof.steps[0].state == StepState::Failed, "{:?}", proof.steps);
    ensure!(!carried(bench).await?, "the label stands for what is not so");
    // One that was there before stands for what is not so either.
    let change = LabelChange { add: vec![LABEL.to_owned()], remove: Vec::new() };
    labels::change(&bench.session(), &[bench.agent_id()?], &change).await?;
    let proof = run_to_proof(bench, Action::Isolate, &options).await?;
    let states: Vec<_> = proof.steps.iter().map(|step| step.state).collect();
    ensure!(states == [StepState::Failed, StepState::Proved], "{:?}", proof.steps);
    ensure!(!proof.holds() && !carried(bench).await?, "the label was left on the client");
    Ok(())
}
