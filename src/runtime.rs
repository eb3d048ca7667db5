//! The function in Lambda's runtime, with two steps that the runtime doesn't have.
//!
//! Before a request: the event's bytes go to the function as they came. The runtime would have `serde_json`
//! read them, which looks at each byte of a body of 6 MB three times, and fails on a damaged event, which
//! is ours to answer.
//!
//! After a response: cleaning up. Lambda sends the response on as soon as it is posted and lets the process
//! run until it asks for the next event ("Building a custom runtime", processing tasks), so that the caller
//! doesn't wait for what is done here.

use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use lambda_runtime::{Error, LambdaEvent, LambdaInvocation, Runtime, service_fn};
use serde::de::IgnoredAny;
use tower::{Layer, Service};

use crate::function::Function;

/// Has a function answer events until the process ends.
///
/// # Errors
///
/// If the Runtime API can't be reached.
pub async fn run(function: Function) -> Result<(), Error> {
    let steps = Steps { function: Arc::new(function), event: Arc::default() };
    let Steps { function, event } = steps.clone();
    // Lambda gives a process one event at a time.
    let handler = service_fn(move |invocation: LambdaEvent<IgnoredAny>| {
        let function = Arc::clone(&function);
        let event = std::mem::take(&mut *event.lock().unwrap_or_else(PoisonError::into_inner));
        async move { Ok::<_, Error>(function.handle(LambdaEvent::new(event, invocation.context)).await) }
    });
    Runtime::new(handler).layer(steps).run().await
}

/// The steps around the runtime's own.
#[derive(Clone)]
struct Steps {
    function: Arc<Function>,
    event: Arc<Mutex<Bytes>>,
}

impl<S> Layer<S> for Steps {
    type Service = WithSteps<S>;

    fn layer(&self, inner: S) -> WithSteps<S> {
        WithSteps { inner, steps: self.clone() }
    }
}

struct WithSteps<S> {
    inner: S,
    steps: Steps,
}

impl<S> Service<LambdaInvocation> for WithSteps<S>
where
    S: Service<LambdaInvocation, Future: Send + 'static, Response: Send, Error: Send>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = BoxFuture<'static, Result<S::Response, S::Error>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut invocation: LambdaInvocation) -> Self::Future {
        let event = std::mem::replace(&mut invocation.body, Bytes::from_static(b"null"));
        *self.steps.event.lock().unwrap_or_else(PoisonError::into_inner) = event;
        let response = self.inner.call(invocation);
        let function = Arc::clone(&self.steps.function);
        Box::pin(async move {
            let response = response.await;
            function.clean_up().await;
            response
        })
    }
}
