//! The step between a response and the next event. Lambda sends the response on as soon as it is
//! posted and lets the process run until it asks for the next event ("Building a custom runtime",
//! processing tasks), so that the caller doesn't wait for what is done here.

use std::sync::Arc;
use std::task::{Context, Poll};

use futures_util::future::BoxFuture;
use tower::{Layer, Service};

use crate::function::Function;

/// Has the function clean up after each response.
#[derive(Clone, Debug)]
pub struct CleanUp(pub Arc<Function>);

impl<S> Layer<S> for CleanUp {
    type Service = CleanUpService<S>;

    fn layer(&self, inner: S) -> CleanUpService<S> {
        CleanUpService { inner, function: Arc::clone(&self.0) }
    }
}

/// The runtime's service, and the cleaning up behind it.
#[derive(Clone, Debug)]
pub struct CleanUpService<S> {
    inner: S,
    function: Arc<Function>,
}

impl<S, Request> Service<Request> for CleanUpService<S>
where
    S: Service<Request>,
    S::Future: Send + 'static,
    S::Response: Send,
    S::Error: Send,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = BoxFuture<'static, Result<S::Response, S::Error>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request) -> Self::Future {
        let response = self.inner.call(request);
        let function = Arc::clone(&self.function);
        Box::pin(async move {
            let response = response.await;
            function.clean_up().await;
            response
        })
    }
}
