//! The limits of a configuration, each with its unit (docs/specs/limits.md).

use std::ops::RangeInclusive;

/// How often a device may be read. Milliseconds.
pub const INTERVAL_MS: RangeInclusive<u64> = 100..=DAY_MS;
/// How long a reply may take. Milliseconds.
pub const TIMEOUT_MS: RangeInclusive<u64> = 10..=60_000;
/// Pauses of a bus, after an answer and before another unit. Milliseconds.
pub const BUS_PAUSE_MS: RangeInclusive<u64> = 0..=1_000;
/// Pause a device asks for, and how long it may be expected to think. Milliseconds.
pub const DEVICE_PAUSE_MS: RangeInclusive<u64> = 0..=10_000;
/// Age at which a value may turn stale. Milliseconds.
pub const STALE_AFTER_MS: RangeInclusive<u64> = 1_000..=7 * DAY_MS;
/// How long a value may stand still before it is frozen. Milliseconds.
pub const FROZEN_AFTER_MS: RangeInclusive<u64> = 1_000..=30 * DAY_MS;
/// Least time between two changes of a point in the history. Milliseconds.
pub const MIN_INTERVAL_MS: RangeInclusive<u64> = 0..=DAY_MS;
/// Most time between two rows of a point in the history while it is read. Milliseconds.
pub const HEARTBEAT_MS: RangeInclusive<u64> = 1_000..=7 * DAY_MS;
/// How long a connected broker may say nothing. Milliseconds.
pub const SILENT_AFTER_MS: RangeInclusive<u64> = 10_000..=7 * DAY_MS;
/// How long an MQTT message may be allowed to be. Bytes.
pub const MESSAGE_BYTES: RangeInclusive<u64> = 256..=16 << 20;
/// How long a condition may have to hold before an alarm. Milliseconds.
pub const ON_DELAY_MS: RangeInclusive<u64> = 0..=DAY_MS;
/// What the files of the history may take. Bytes.
pub const HISTORY_BYTES: RangeInclusive<u64> = 256 << 20..=1 << 50;
/// How long readings may be kept. Milliseconds.
pub const KEEP_MS: RangeInclusive<u64> = DAY_MS..=36_500 * DAY_MS;
/// Most classes of points that are kept for a time of their own.
pub const KEEP_CLASSES_MAX: usize = 64;
/// Most bytes of one configuration file.
pub const FILE_BYTES_MAX: usize = 16 << 20;
/// Most files one configuration may include.
pub const FILES_MAX: usize = 1_000;

/// How often a derived point with windows or ages may be reckoned by the clock. Milliseconds.
pub const DERIVED_EVERY_MS: RangeInclusive<u64> = 1_000..=DAY_MS;
/// How often it is reckoned at least, where it says nothing. Milliseconds.
pub const DERIVED_EVERY_DEFAULT_MS: u64 = 10_000;
/// Least time between two values of a derived point; what its points say meanwhile counts
/// together. Milliseconds.
pub const DERIVED_PAUSE_MS: u64 = 500;
/// Most that all derived points together may cost, in steps of their formulas per second: some
/// hundredths of one core.
pub const DERIVED_STEPS_PER_S_MAX: u64 = 2_000_000;
/// Most readings that the windows of all derived points together hold.
pub const DERIVED_WINDOW_READINGS_MAX: u64 = 1_000_000;
/// How often a subscribed point is taken to speak, for these two. Milliseconds.
pub const DERIVED_INTERVAL_ASSUMED_MS: u64 = 1_000;

/// Most stretches of a device that must not be asked for.
pub const FORBIDDEN_MAX: usize = 256;
/// Most raw values of a register that are no measurement.
pub const SENTINELS_MAX: usize = 16;
/// Most registers a value is multiplied by, and most it is divided by.
pub const FACTORS_MAX: usize = 4;
/// Most byte orders a register can tell.
pub const ORDERS_MAX: usize = 16;
/// Most named states of a point.
pub const STATES_MAX: usize = 256;
/// Most values of a topic.
pub const TOPIC_VALUES_MAX: usize = 4_096;
/// Most texts that stand for assets in a topic.
pub const NAMES_MAX: usize = 65_536;
/// Most quantities of an asset that come first.
pub const KEY_MAX: usize = 16;
/// Most assets that supply together in one feed.
pub const FEED_FROM_MAX: usize = 64;
/// Most assets that are supplied by one feed.
pub const FEED_TO_MAX: usize = 4_096;
/// Most earlier names of a point.
pub const FORMERLY_MAX: usize = 64;
/// Most bytes of one cell of a point list; more is a quote that was not closed.
pub const CELL_BYTES_MAX: usize = 8 << 10;

/// Where a device says nothing. Milliseconds.
pub const INTERVAL_DEFAULT_MS: u64 = 10_000;
/// Where a bus says nothing. Milliseconds.
pub const TIMEOUT_DEFAULT_MS: u64 = 1_000;
/// Least default of `stale_after` for a polled point, which is three intervals. Milliseconds.
pub const STALE_AFTER_DEFAULT_MIN_MS: u64 = 5_000;
/// Default of `stale_after` for a subscribed point. Milliseconds.
pub const STALE_AFTER_DEFAULT_MQTT_MS: u64 = 300_000;
/// Heartbeat of a point that reports by exception and does not say it. Milliseconds.
pub const HEARTBEAT_DEFAULT_MS: u64 = 600_000;
/// Longest MQTT message, where a broker says nothing. Bytes.
pub const MESSAGE_BYTES_DEFAULT: u64 = 1 << 20;
/// Lines in one forwarded request, where a target says nothing.
pub const BATCH_LINES_DEFAULT: u32 = 5_000;

const DAY_MS: u64 = 86_400_000;
