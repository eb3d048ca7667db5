//! The current time, in the format of records and log lines.

use std::num::NonZeroU8;

use time::OffsetDateTime;
use time::format_description::well_known::Iso8601;
use time::format_description::well_known::iso8601::{Config, EncodedConfig, TimePrecision};

/// Returns the time in RFC 3339, UTC, with milliseconds: `2026-11-23T08:15:30.123Z`.
pub(crate) fn now() -> String {
    const PRECISION: TimePrecision = TimePrecision::Second {
        decimal_digits: NonZeroU8::new(3),
    };
    const FORMAT: EncodedConfig = Config::DEFAULT.set_time_precision(PRECISION).encode();
    // Formatting fails only for a year that doesn't have four digits.
    OffsetDateTime::now_utc()
        .format(&Iso8601::<FORMAT>)
        .unwrap_or_default()
}
