//! AWS X-Ray: the trace that an invocation belongs to, and a subsegment of it for each call to storage.
//!
//! A subsegment is one datagram to the daemon that Lambda runs beside the function (AWS, "X-Ray segment documents",
//! "Sending segment documents to the X-Ray daemon"), sent when the call ends or is given up. Invocations that are
//! not sampled send none. The crates that speak to the daemon read the trace from an environment variable, which
//! only unsafe code may set.

use std::env;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use aws_sdk_s3::config::interceptors::{
    BeforeSerializationInterceptorContextRef, BeforeTransmitInterceptorContextMut,
    FinalizerInterceptorContextRef,
};
use aws_sdk_s3::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_s3::error::BoxError;
use aws_smithy_runtime_api::client::orchestrator::Metadata;
use aws_smithy_types::config_bag::{Storable, StoreReplace};
use serde_json::json;
use tokio::task_local;
use uuid::Uuid;

/// Bytes of a header at the most. Lambda's has some 100, and its lineage grows with each function on the way.
const MAX_HEADER: usize = 1024;

task_local! {
    /// The trace of the invocation that the task is about.
    static CURRENT: Trace;
}

/// The trace that an invocation belongs to: `Root=1-…;Parent=…;Sampled=1` and perhaps more, or nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trace(Arc<str>);

impl Trace {
    /// A trace from the header that says it, the Runtime API's `Lambda-Runtime-Trace-Id`. A text of another form is
    /// none: a caller may have had a hand in it, and it goes into the log and to the storage.
    #[must_use]
    pub fn new(header: &str) -> Self {
        let trace = Self(header.into());
        let hex = |text: &str, digits| {
            text.len() == digits && text.bytes().all(|byte| byte.is_ascii_hexdigit())
        };
        // AWS, "Tracing header": version, time, identifier.
        let is_id = |id: &str| {
            let mut parts = id.splitn(3, '-');
            parts.next() == Some("1")
                && parts.next().is_some_and(|time| hex(time, 8))
                && parts.next().is_some_and(|identifier| hex(identifier, 24))
        };
        let is_trace = header.len() <= MAX_HEADER
            && trace.id().is_some_and(is_id)
            && trace.member("Parent=").is_none_or(|parent| hex(parent, 16));
        if is_trace { trace } else { Self::default() }
    }

    /// The trace's ID, for the log.
    #[must_use]
    pub fn id(&self) -> Option<&str> {
        self.member("Root=")
    }

    fn member(&self, name: &str) -> Option<&str> {
        self.0
            .split(';')
            .find_map(|member| member.trim().strip_prefix(name))
    }

    /// Carries out work in which each call to storage belongs to the trace.
    pub async fn scope<T>(self, work: impl Future<Output = T>) -> T {
        CURRENT.scope(self, work).await
    }
}

/// Makes each call of an SDK client a part of the current trace.
#[derive(Clone, Debug)]
pub(crate) struct Subsegments {
    daemon: Option<Arc<UdpSocket>>,
}

impl Subsegments {
    /// To the daemon that Lambda names in `AWS_XRAY_DAEMON_ADDRESS`, if it does.
    pub(crate) fn from_env() -> Self {
        let address = env::var("AWS_XRAY_DAEMON_ADDRESS").ok();
        Self {
            daemon: address
                .and_then(|address| connect(address.parse().ok()?).ok())
                .map(Arc::new),
        }
    }
}

fn connect(daemon: SocketAddr) -> std::io::Result<UdpSocket> {
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?;
    socket.connect(daemon)?;
    // What the daemon can't take at once is lost: nobody waits for a trace.
    socket.set_nonblocking(true)?;
    Ok(socket)
}

impl Intercept for Subsegments {
    fn name(&self) -> &'static str {
        "Subsegments"
    }

    /// The first step that knows the call's name.
    fn read_before_serialization(
        &self,
        _: &BeforeSerializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let begun = CURRENT.try_with(|trace| {
            Subsegment::begin(self.daemon.as_ref()?, trace, config.load::<Metadata>()?)
        });
        if let Ok(Some(subsegment)) = begun {
            config.interceptor_state().store_put(subsegment);
        }
        Ok(())
    }

    /// As the SDK does in a Lambda function, for services that go on with the trace or look for endless loops.
    fn modify_before_signing(
        &self,
        context: &mut BeforeTransmitInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let _ = CURRENT.try_with(|trace| {
            if !trace.0.is_empty() {
                let _ = context
                    .request_mut()
                    .headers_mut()
                    .try_insert("x-amzn-trace-id", trace.0.to_string());
            }
        });
        Ok(())
    }

    fn read_after_execution(
        &self,
        context: &FinalizerInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        if let (Some(subsegment), Some(response)) =
            (config.load::<Subsegment>(), context.response())
        {
            subsegment
                .status
                .store(response.status().as_u16(), Ordering::Relaxed);
        }
        Ok(())
    }
}

/// A call under way. It is sent when it is dropped, so that one that is given up is in the trace, too.
#[derive(Debug)]
struct Subsegment {
    daemon: Arc<UdpSocket>,
    trace: Trace,
    call: Metadata,
    started: SystemTime,
    /// The HTTP status of the last attempt's response; 0 if there was none.
    status: AtomicU16,
}

impl Storable for Subsegment {
    type Storer = StoreReplace<Self>;
}

impl Subsegment {
    /// `None` if the trace is not sampled.
    fn begin(daemon: &Arc<UdpSocket>, trace: &Trace, call: &Metadata) -> Option<Self> {
        trace.member("Sampled=").filter(|sampled| *sampled == "1")?;
        let (daemon, trace, call) = (Arc::clone(daemon), trace.clone(), call.clone());
        Some(Self {
            daemon,
            trace,
            call,
            started: SystemTime::now(),
            status: AtomicU16::new(0),
        })
    }
}

impl Drop for Subsegment {
    fn drop(&mut self) {
        let seconds = |time: SystemTime| {
            time.duration_since(UNIX_EPOCH)
                .unwrap_or_default()
                .as_secs_f64()
        };
        let status = *self.status.get_mut();
        let id = format!("{:016x}", Uuid::new_v4().as_u64_pair().0);
        let mut document = json!({
            "type": "subsegment",
            "id": id,
            "trace_id": self.trace.id(),
            "parent_id": self.trace.member("Parent="),
            "name": self.call.service(),
            "namespace": "aws",
            "start_time": seconds(self.started),
            "end_time": seconds(SystemTime::now()),
            "aws": { "operation": self.call.name() },
            "error": (400..500).contains(&status),
            "fault": !(200..500).contains(&status),
        });
        if status != 0 {
            document["http"] = json!({ "response": { "status": status } });
        }
        let _ = self
            .daemon
            .send(format!("{{\"format\":\"json\",\"version\":1}}\n{document}").as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::Trace;

    #[test]
    fn finds_the_traces_id() {
        let header = "Root=1-5759e988-bd862e3fe1be46a994272793; Parent=53995c3f42cd8ad8;Sampled=1;Lineage=1:a87bd80c:0";
        let trace = Trace::new(header);
        assert_eq!(trace.id(), Some("1-5759e988-bd862e3fe1be46a994272793"));
        assert_eq!(trace.member("Parent="), Some("53995c3f42cd8ad8"));
        assert_eq!(trace.member("Self="), None);
    }

    #[test]
    fn takes_nothing_else_for_one() {
        let id = "Root=1-5759e988-bd862e3fe1be46a994272793";
        for header in [
            "",
            ";;;",
            "Root=secret@example.com",
            "Root=1-5759e988-bd862e3fe1be46a99427279",
            "Root=2-5759e988-bd862e3fe1be46a994272793",
            &format!("{id};Parent=nobody"),
            &format!("{id};Lineage={}", "a".repeat(1024)),
        ] {
            assert_eq!(Trace::new(header), Trace::default(), "{header}");
        }
        assert_eq!(
            Trace::new(id).id(),
            Some("1-5759e988-bd862e3fe1be46a994272793")
        );
    }
}
