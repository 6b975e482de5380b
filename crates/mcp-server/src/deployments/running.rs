//! Carrying a deployment out beside the call that asked for it.

use std::path::PathBuf;
use std::sync::Arc;

use deploy_core::evidence::Evidence;
use deploy_core::server::{Rotation, Staged, staged};
use deploy_core::{
    Consent, DeploymentId, Engine, OnFailure, Progress, Record, Run, Status, TargetKind,
};
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use super::{Deployments, Platform, told, told_step};
use crate::context::ToolCx;
use crate::tool_error::{Code, ToolError};

/// What is waited for.
#[derive(Clone, Debug)]
pub enum Ended {
    /// It is to be up.
    Up,
    /// It is to be gone, on somebody's word.
    Gone {
        /// Whose.
        by: String,
        /// Its evidence is copied there first.
        copy: Option<PathBuf>,
    },
    /// Its evidence is to be in this file, and it as it was.
    Copied(PathBuf),
}

/// Progress, sent to whoever still listens.
struct Told(mpsc::UnboundedSender<(usize, usize, String)>);

impl Progress for Told {
    fn say(&self, step: usize, of: usize, what: &str) {
        // Whoever waited may have gone away: the deployment goes on.
        let _ = self.0.send((step, of, what.to_owned()));
    }
}

impl Deployments {
    /// Carries a deployment out in a task of its own, and waits for it. A caller who goes away does
    /// not stop it; [`Deployments::stop`] does, in order.
    ///
    /// # Errors
    ///
    /// Why it is not where it was to be; `cancelled` where the caller went away.
    pub async fn carry_out(
        &self,
        cx: &ToolCx<'_>,
        id: &DeploymentId,
        end: Ended,
        keep: bool,
    ) -> Result<Record, ToolError> {
        let on_failure = if keep { OnFailure::Keep } else { OnFailure::TakeBack };
        let (this, which) = (self.clone(), id.clone());
        self.beside(
            cx,
            id,
            |progress| async move { this.run(&which, end, on_failure, progress).await },
        )
        .await
    }

    /// Rotates the certificates of a deployment in a task of its own, and waits for it, as
    /// [`Deployments::carry_out`] does.
    ///
    /// # Errors
    ///
    /// Why it was not begun, why the deployment is not up, or that the new ones are not in use.
    pub async fn rotate(
        &self,
        cx: &ToolCx<'_>,
        id: &DeploymentId,
        rotation: Rotation,
    ) -> Result<(Record, Staged), ToolError> {
        let (this, which) = (self.clone(), id.clone());
        self.beside(cx, id, |progress| async move {
            let registry = this.registry()?;
            let record = this.load(&which).await?;
            let (api, vault) = (this.order(&record)?.api_at, this.vault());
            let deployer = this.deployer(&record.kind).await?;
            let engine = Engine::new(&registry, deployer.as_ref());
            let (cancel, progress) = (&this.stop, progress.as_ref());
            let run = Run { cancel, progress, on_failure: OnFailure::Keep };
            let rotated = engine.bring_up_after(&which, &run, &rotation.of(&vault, &api)).await;
            rotated.map_err(|error| told(&error))
        })
        .await
    }

    async fn beside<T: Send + 'static, F>(
        &self,
        cx: &ToolCx<'_>,
        id: &DeploymentId,
        work: impl FnOnce(Arc<dyn Progress>) -> F,
    ) -> Result<T, ToolError>
    where
        F: Future<Output = Result<T, ToolError>> + Send + 'static,
    {
        let (tell, mut told) = mpsc::unbounded_channel();
        let (done, mut ended) = oneshot::channel();
        let work = work(Arc::new(Told(tell)));
        self.tracker.spawn(async move {
            let _ = done.send(work.await);
        });
        loop {
            tokio::select! {
                biased;
                Some((step, of, what)) = told.recv() => {
                    cx.progress.report(step as u64, Some(of as u64), &what);
                }
                ended = &mut ended => {
                    return ended.unwrap_or_else(|_| Err(broke_off(id)));
                }
                () = cx.cancel.cancelled() => {
                    return Err(ToolError::new(
                        Code::Cancelled,
                        format!(
                            "nobody waits for {id} any longer: it goes on while this program runs, and is \
                             stopped in order where that ends"
                        ),
                    )
                    .next(format!(
                        "megaraptor deployments show {id} (get_deployment_status) says how far it came; \
                         resume {id} carries on, destroy {id} takes it away"
                    )));
                }
            }
        }
    }

    async fn run(
        &self,
        id: &DeploymentId,
        end: Ended,
        on_failure: OnFailure,
        progress: Arc<dyn Progress>,
    ) -> Result<Record, ToolError> {
        let registry = self.registry()?;
        let record = self.load(id).await?;
        let deployer = self.deployer(&record.kind).await?;
        let engine = Engine::new(&registry, deployer.as_ref());
        let cancel: &CancellationToken = &self.stop;
        let run = Run { cancel, progress: progress.as_ref(), on_failure };
        let consent = |by| Consent::given(by, id.clone());
        let copied = match end {
            Ended::Up => return engine.bring_up(id, &run).await.map_err(|error| told(&error)),
            Ended::Gone { by, copy: None } => {
                let gone = engine.take_down(id, &run, &consent(by)).await;
                let gone = gone.map_err(|error| told(&error))?;
                self.forget_kits(id)?;
                return Ok(gone);
            }
            Ended::Gone { by, copy: Some(file) } => {
                let source = self.evidence(&record.kind).await?;
                let consent = consent(by);
                engine.take_down_copied(id, &run, &consent, source.as_ref(), &file).await
            }
            Ended::Copied(file) => {
                self.no_rotation_waits(id).await?;
                let source = self.evidence(&record.kind).await?;
                engine.copy_out(id, &run, source.as_ref(), &file).await
            }
        };
        match copied {
            Ok((gone, _)) if gone.status() == Status::Gone => {
                self.forget_kits(id)?;
                Ok(gone)
            }
            // The server was stopped for the copy, and is to serve again, whoever has gone meanwhile.
            Ok((there, copy)) if there.status() == Status::Up => {
                let run = Run { cancel: &CancellationToken::new(), ..run };
                engine.bring_up(id, &run).await.map_err(|error| {
                    let error = told(&error);
                    let whole = format!("the copy {} is whole", copy.file.display());
                    let message =
                        format!("{whole}, and {id} does not serve again: {}", error.message);
                    ToolError { message, ..error }
                })
            }
            Ok((there, _)) => Ok(there),
            Err(error) => Err(self.awake(id, told(&error)).await),
        }
    }

    /// A copy would end a rotation that was begun, by starting the server anew: that is agreed to where
    /// it is resumed.
    async fn no_rotation_waits(&self, id: &DeploymentId) -> Result<(), ToolError> {
        let staged = staged(&self.vault(), id).await.map_err(|error| told_step(&error))?;
        if staged.is_none() {
            return Ok(());
        }
        let message = format!("a rotation of {id} was begun and not ended: nothing was copied");
        let next = format!("megaraptor deployments resume {id} ends it; then copy");
        Err(ToolError::new(Code::Conflict, message).next(next))
    }

    /// After a copy that failed: a server that was up is started as it is. Nothing is made anew, so
    /// that what is missing is not replaced by what is empty.
    async fn awake(&self, id: &DeploymentId, error: ToolError) -> ToolError {
        let woken = async {
            let record = self.load(id).await?;
            if record.status() != Status::Up {
                return Ok(false);
            }
            let source = self.evidence(&record.kind).await?;
            source.wake(&record).await.map(|()| true).map_err(|error| told_step(&error))
        };
        match woken.await {
            Ok(false) => error,
            // That it serves was not waited for.
            Ok(true) => ToolError {
                message: format!(
                    "{}; its server was started again, and may need some seconds until it answers",
                    error.message
                ),
                ..error
            },
            Err(woken) => ToolError {
                message: format!(
                    "{}; and its server was not started again: {}",
                    error.message, woken.message
                ),
                ..error
            },
        }
    }

    /// What reads the evidence of deployments on a platform.
    async fn evidence(&self, kind: &TargetKind) -> Result<Box<dyn Evidence>, ToolError> {
        Ok(match self.platform(kind).await? {
            Platform::Docker(deployer) => deployer,
            Platform::Linux(deployer) => Box::new(deployer),
        })
    }

    /// Stops what is being carried out, in order, and waits for it: each can be resumed.
    pub async fn stop(&self) {
        self.stop.cancel();
        self.tracker.close();
        self.tracker.wait().await;
    }
}

fn broke_off(id: &DeploymentId) -> ToolError {
    ToolError::new(Code::Internal, format!("the work on {id} broke off"))
        .next(format!("megaraptor deployments resume {id}, or destroy {id}"))
}
