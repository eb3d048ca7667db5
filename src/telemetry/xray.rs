//! AWS X-Ray: a subsegment of the invocation's trace for each call to storage.
//!
//! A subsegment is one datagram to the daemon that Lambda runs beside the function (AWS, "X-Ray segment documents",
//! "Sending segment documents to the X-Ray daemon"), sent when the call ends or is given up. Only sampled invocations
//! send any. `lambda_runtime` puts the trace into `_X_AMZN_TRACE_ID` for each invocation, one at a time; from there the
//! SDK takes it for the header of its calls, and this module for the subsegments.

use std::env;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use aws_sdk_s3::config::interceptors::{
    BeforeSerializationInterceptorContextRef, FinalizerInterceptorContextRef,
};
use aws_sdk_s3::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_s3::error::BoxError;
use aws_smithy_runtime_api::client::orchestrator::Metadata;
use aws_smithy_types::config_bag::{Storable, StoreReplace};
use serde_json::json;
use uuid::Uuid;

/// Returns the ID of the trace that a header names: of `Root=1-…;Parent=…;Sampled=1`, what follows `Root=`.
pub(crate) fn trace_id(header: &str) -> Option<&str> {
    member(header, "Root=")
}

fn member<'a>(header: &'a str, name: &str) -> Option<&'a str> {
    header
        .split(';')
        .find_map(|member| member.trim().strip_prefix(name))
}

/// Sends a subsegment for each call of an SDK client.
#[derive(Clone, Debug)]
pub(crate) struct Subsegments {
    daemon: Option<Arc<UdpSocket>>,
}

impl Subsegments {
    /// Sends to the daemon that `AWS_XRAY_DAEMON_ADDRESS` names, if it does.
    pub(crate) fn from_env() -> Self {
        let address = env::var("AWS_XRAY_DAEMON_ADDRESS").ok();
        let daemon = address.and_then(|address| connect(address.parse().ok()?).ok());
        Self {
            daemon: daemon.map(Arc::new),
        }
    }
}

fn connect(daemon: SocketAddr) -> std::io::Result<UdpSocket> {
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?;
    socket.connect(daemon)?;
    // What the daemon can't take at once is lost: no request waits for its trace.
    socket.set_nonblocking(true)?;
    Ok(socket)
}

impl Intercept for Subsegments {
    fn name(&self) -> &'static str {
        "Subsegments"
    }

    /// Begins a subsegment in the first step that knows the call's name.
    fn read_before_serialization(
        &self,
        _: &BeforeSerializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let subsegment = || Subsegment::begin(self.daemon.as_ref()?, config.load::<Metadata>()?);
        if let Some(subsegment) = subsegment() {
            config.interceptor_state().store_put(subsegment);
        }
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

/// A call under way. It is sent when it is dropped, so that a call that is given up is in the trace, too.
#[derive(Debug)]
struct Subsegment {
    daemon: Arc<UdpSocket>,
    trace: String,
    parent: Option<String>,
    call: Metadata,
    started: SystemTime,
    /// The HTTP status of the last attempt's response; 0 if there was none.
    status: AtomicU16,
}

impl Storable for Subsegment {
    type Storer = StoreReplace<Self>;
}

impl Subsegment {
    /// Begins a subsegment; `None` if the invocation is not sampled.
    fn begin(daemon: &Arc<UdpSocket>, call: &Metadata) -> Option<Self> {
        let header = env::var("_X_AMZN_TRACE_ID").ok()?;
        if member(&header, "Sampled=") != Some("1") {
            return None;
        }
        Some(Self {
            daemon: Arc::clone(daemon),
            trace: trace_id(&header)?.to_owned(),
            parent: member(&header, "Parent=").map(str::to_owned),
            call: call.clone(),
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
        let mut document = json!({
            "type": "subsegment",
            "id": format!("{:016x}", Uuid::new_v4().as_u64_pair().0),
            "trace_id": self.trace,
            "parent_id": self.parent,
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
        let datagram = format!("{{\"format\":\"json\",\"version\":1}}\n{document}");
        let _ = self.daemon.send(datagram.as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::{member, trace_id};

    #[test]
    fn finds_the_members_of_a_header() {
        let header = "Root=1-5759e988-bd862e3fe1be46a994272793; Parent=53995c3f42cd8ad8;Sampled=1;Lineage=1:a87bd80c:0";
        assert_eq!(
            trace_id(header),
            Some("1-5759e988-bd862e3fe1be46a994272793")
        );
        assert_eq!(member(header, "Parent="), Some("53995c3f42cd8ad8"));
        assert_eq!(member(header, "Self="), None);
        assert_eq!(trace_id(""), None);
    }
}
