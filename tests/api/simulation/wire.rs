//! The wire between the function and its storage, in this process: an HTTP client for the SDK whose calls take simulated
//! time, and may be lost, late, doubled, or the last of their process.

use std::sync::Arc;
use std::time::Duration;

use aws_sdk_s3::error::ConnectorError;
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_runtime_api::http::StatusCode;
use aws_smithy_types::body::SdkBody;
use testkit::faults::Operation;
use tokio::sync::{Notify, oneshot};
use tokio::time::sleep;

use super::world::{Call, Reply, World};

tokio::task_local! {
    /// The request that calls are made for: several run in a process at the same time.
    pub static REQUEST: usize;
}

/// How a call ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fate {
    /// It gets a response.
    Fine,
    /// It gets a response after a second or so.
    Slow,
    /// It gets a refusal or a fault of the service's, and is not applied.
    Error,
    /// It is applied, and gets a fault of the service's.
    AppliedError,
    /// The connection breaks before it arrives.
    Lost,
    /// The connection breaks before its response arrives.
    AppliedLost,
    /// It never arrives, and nobody learns of that.
    Silent,
    /// It is applied, and its response never arrives.
    AppliedSilent,
    /// It arrives and is applied, seconds after everybody has given up.
    Late,
    /// The same, twice.
    LateTwice,
    /// Its process dies before it is sent.
    CrashBefore,
    /// Its process dies before its response arrives.
    CrashAfter,
}

impl Fate {
    /// All that are faults.
    pub const FAULTS: [Self; 11] = [
        Self::Slow,
        Self::Error,
        Self::AppliedError,
        Self::Lost,
        Self::AppliedLost,
        Self::Silent,
        Self::AppliedSilent,
        Self::Late,
        Self::LateTwice,
        Self::CrashBefore,
        Self::CrashAfter,
    ];
}

/// A process' wire.
#[derive(Clone, Debug)]
pub struct Wire {
    pub world: World,
    /// Tells the process that it dies.
    pub crash: Arc<Notify>,
}

impl HttpClient for Wire {
    fn http_connector(
        &self,
        _: &HttpConnectorSettings,
        _: &RuntimeComponents,
    ) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

impl HttpConnector for Wire {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let call = Call::of(&request, REQUEST.get());
        let (caller, reply) = oneshot::channel();
        // In a task of its own: what is under way goes on when whoever waits for it has given up.
        tokio::spawn(self.clone().carry(call, caller));
        HttpConnectorFuture::new(async move {
            let cut = |_| ConnectorError::io("the connection was cut".into());
            reply.await.map_err(cut).map(response)
        })
    }
}

impl Wire {
    async fn carry(self, call: Call, caller: oneshot::Sender<Reply>) {
        let (fate, there, back) = self.world.draw(&call);
        if fate == Fate::CrashBefore {
            self.crash.notify_one();
            return silence(caller).await;
        }
        sleep(there).await;
        match fate {
            Fate::Fine | Fate::Slow => {
                let reply = self.world.apply(&call);
                sleep(back).await;
                let body = reply.body.clone();
                if caller.send(reply).is_ok() {
                    self.world.hear(&call, &body);
                }
            }
            Fate::Error => {
                let reply = self.world.refuse(&call);
                sleep(back).await;
                let _ = caller.send(reply);
            }
            Fate::AppliedError => {
                self.world.apply(&call);
                sleep(back).await;
                let _ = caller.send(Reply::fault(call.operation));
            }
            Fate::Lost => drop(caller),
            Fate::AppliedLost => {
                self.world.apply(&call);
                sleep(back).await;
                drop(caller);
            }
            Fate::Silent => silence(caller).await,
            Fate::AppliedSilent => {
                self.world.apply(&call);
                silence(caller).await;
            }
            Fate::Late | Fate::LateTwice => {
                self.world.apply(&call);
                if fate == Fate::LateTwice {
                    sleep(back).await;
                    self.world.apply(&call);
                }
                silence(caller).await;
            }
            Fate::CrashAfter => {
                self.world.apply(&call);
                self.crash.notify_one();
                silence(caller).await;
            }
            Fate::CrashBefore => {}
        }
    }
}

/// Keeps a connection open without a response for longer than anybody waits.
async fn silence(caller: oneshot::Sender<Reply>) {
    sleep(Duration::from_mins(2)).await;
    drop(caller);
}

fn response(reply: Reply) -> HttpResponse {
    let status = StatusCode::try_from(reply.status).unwrap();
    let mut response = HttpResponse::new(status, SdkBody::from(reply.body));
    let content_type = match reply.operation {
        Operation::PutObject | Operation::DeleteObject => "application/xml",
        _ => "application/x-amz-json-1.0",
    };
    response.headers_mut().insert("content-type", content_type);
    response
}
