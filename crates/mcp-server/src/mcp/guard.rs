//! A panic in a handler becomes an internal error: the process lives, and nobody waits for ever.

use std::borrow::Cow;
use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::task::Poll;

use rmcp::RoleServer;
use rmcp::model::{ErrorData, ProtocolVersion};
use rmcp::service::{NotificationContext, RequestContext, Service, ServiceRole};

/// A service that answers whatever happens.
pub(super) struct Guarded<S>(pub(super) S);

type Request = <RoleServer as ServiceRole>::PeerReq;
type Response = <RoleServer as ServiceRole>::Resp;
type Notification = <RoleServer as ServiceRole>::PeerNot;

impl<S: Service<RoleServer>> Service<RoleServer> for Guarded<S> {
    async fn handle_request(
        &self,
        request: Request,
        context: RequestContext<RoleServer>,
    ) -> Result<Response, ErrorData> {
        let mut handled = pin!(self.0.handle_request(request, context));
        poll_fn(|cx| {
            // What the handler shares with others is immutable, or behind locks that outlive a
            // panic.
            catch_unwind(AssertUnwindSafe(|| handled.as_mut().poll(cx))).unwrap_or_else(|_| {
                // The panic itself was written to standard error, with its place.
                let text = "megaraptor failed; its log says where";
                Poll::Ready(Err(ErrorData::internal_error(text, None)))
            })
        })
        .await
    }

    async fn handle_notification(
        &self,
        notification: Notification,
        context: NotificationContext<RoleServer>,
    ) -> Result<(), ErrorData> {
        self.0.handle_notification(notification, context).await
    }

    fn get_info(&self) -> <RoleServer as ServiceRole>::Info {
        self.0.get_info()
    }

    fn supported_protocol_versions(&self) -> Cow<'static, [ProtocolVersion]> {
        self.0.supported_protocol_versions()
    }
}

#[cfg(test)]
mod tests {
    use rmcp::ServerHandler;
    use rmcp::model::{ListToolsResult, PaginatedRequestParams};
    use serde_json::Value;
    use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
    use tokio_util::sync::CancellationToken;

    use super::*;

    struct Fragile;

    impl ServerHandler for Fragile {
        async fn list_tools(
            &self,
            _request: Option<PaginatedRequestParams>,
            _context: RequestContext<RoleServer>,
        ) -> Result<ListToolsResult, ErrorData> {
            tokio::task::yield_now().await;
            panic!("as a test wants it")
        }
    }

    #[tokio::test]
    async fn a_panic_is_answered_as_an_internal_error_and_the_next_call_is_served() {
        let (ours, theirs) = tokio::io::duplex(1 << 16);
        let (input, output) = tokio::io::split(theirs);
        let gone = CancellationToken::new();
        let lines = super::super::transport::Lines::new(input, output, gone.clone());
        let served = rmcp::service::serve_server_with_ct(Guarded(Fragile), lines, gone.clone());
        let served = tokio::spawn(served);
        let (read, mut write) = tokio::io::split(ours);
        let mut answers = BufReader::new(read).lines();
        let meta = r#""_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}"#;
        for id in [1, 2] {
            let line = format!(
                "{{\"jsonrpc\":\"2.0\",\"id\":{id},\"method\":\"tools/list\",\"params\":{{{meta}}}}}\n"
            );
            write.write_all(line.as_bytes()).await.unwrap();
            let answer = answers.next_line().await.unwrap().unwrap();
            let answer: Value = serde_json::from_str(&answer).unwrap();
            assert_eq!(answer["id"], id);
            assert_eq!(answer["error"]["code"], -32603, "{answer}");
        }
        gone.cancel();
        drop(served.await.unwrap());
    }
}
