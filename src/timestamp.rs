//! The current time, in the format of records and log lines.

use time::OffsetDateTime;
use time::macros::format_description;

/// Returns the time in RFC 3339, UTC, with milliseconds: `2026-11-23T08:15:30.123Z`.
pub(crate) fn now() -> String {
    let format =
        format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]Z");
    // Formatting fails only if the time lacks one of these.
    OffsetDateTime::now_utc().format(format).unwrap_or_default()
}
