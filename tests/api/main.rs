//! The contract, tested through the function against a real DynamoDB and S3 wire server: one module per
//! behavior.
//!
//! The servers are embedded. With `TEST_DYNAMODB_ENDPOINT` or `TEST_S3_ENDPOINT` set, the same tests run
//! against those; with `PROJECTS_TABLE`, `SUBMISSIONS_TABLE` and `IMAGES_BUCKET` too, on the tables and the
//! bucket of that name (a test that expects them empty fails then).

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that can't go on fails"
)]
#![allow(unreachable_pub, reason = "a test binary has no outside")]
#![allow(
    clippy::wildcard_imports,
    reason = "every module uses most of the helpers"
)]

mod binary;
mod clean_up;
mod commit;
mod concurrent;
mod deadline;
mod definition;
mod events;
mod faults;
mod form;
mod gateway;
mod helpers;
mod lenient;
mod load;
mod log;
mod metrics;
mod mistakes;
mod order;
mod overwrite;
mod places;
mod property;
mod races;
mod samples;
mod simulation;
mod strict;
mod table;
mod template;
mod tenants;
mod trace;
mod warm_up;
