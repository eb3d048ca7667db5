//! Tracks the outcomes of a call's attempts. The SDK retries on its own and reports only the last attempt, but whether
//! a write took effect depends on all of them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use aws_sdk_s3::config::interceptors::{
    AfterDeserializationInterceptorContextRef, BeforeTransmitInterceptorContextRef,
};
use aws_sdk_s3::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_s3::error::BoxError;

/// Counts a call's attempts, those that got a response, and those that were refused.
#[derive(Clone, Debug, Default)]
pub(super) struct Attempts {
    sent: Arc<AtomicU32>,
    answered: Arc<AtomicU32>,
    refused: Arc<AtomicU32>,
}

impl Attempts {
    /// Returns how many attempts were sent, or began to be.
    pub(super) fn sent(&self) -> u32 {
        self.sent.load(Ordering::Relaxed)
    }

    /// Returns how many attempts got no response, and so may still take effect.
    pub(super) fn unanswered(&self) -> u32 {
        self.sent() - self.answered.load(Ordering::Relaxed)
    }

    /// Returns whether every attempt was refused: none took effect, and none will.
    pub(super) fn all_refused(&self) -> bool {
        self.sent() == self.refused.load(Ordering::Relaxed)
    }
}

impl Intercept for Attempts {
    fn name(&self) -> &'static str {
        "Attempts"
    }

    fn read_before_transmit(
        &self,
        _: &BeforeTransmitInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        self.sent.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    fn read_after_deserialization(
        &self,
        context: &AfterDeserializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        self.answered.fetch_add(1, Ordering::Relaxed);
        // 4xx: nothing was done. 5xx can follow the write (DynamoDB's developer guide, "Error handling").
        if context.response().status().is_client_error() {
            self.refused.fetch_add(1, Ordering::Relaxed);
        }
        Ok(())
    }
}
