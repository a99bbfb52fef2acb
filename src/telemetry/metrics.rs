//! The recorder of the process: every counter, histogram and gauge of every room ends here, and is rendered for Prometheus.
//!
//! What each metric means stands in `docs/metrics.md`. No label takes a value that comes from outside, such as a client's
//! identifier or a path: whoever sends requests could fill the memory with them.

use std::sync::OnceLock;

use metrics::{counter, describe_counter, describe_gauge, describe_histogram, histogram};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};

/// The upper ends of the buckets for spans, in seconds: from what a signature takes to what a queue for passwords may.
const SECONDS: [f64; 13] = [0.000_25, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0];

/// The upper ends of the buckets for a rewriting of the store, in seconds: it may have millions of records.
const LONG_SECONDS: [f64; 10] = [0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0];

/// The upper ends of the buckets for how many steps share one commit.
const STEPS: [f64; 11] = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0, 1024.0];

/// Every counter with its help, and with those of its values that are known before they happen: they are there as 0 from
/// the start, for Prometheus sees no increase from nothing to one.
const COUNTERS: [(&str, &str, Known); 13] = [
    ("jotsmith_access_tokens_total", "Access tokens that were minted.", Known::Later),
    ("jotsmith_codes_issued_total", "Authorization codes that were given out.", Known::All),
    (
        "jotsmith_codes_replayed_total",
        "Codes that came again after their redemption; each revoked its grant.",
        Known::All,
    ),
    ("jotsmith_http_requests_total", "Requests that were answered.", Known::Later),
    (
        "jotsmith_introspections_total",
        "Questions about a token that were answered.",
        Known::Values("active", &["true", "false"]),
    ),
    (
        "jotsmith_logins_total",
        "Attempts to sign in.",
        Known::Values("outcome", &["signed_in", "wrong", "throttled", "busy", "unavailable"]),
    ),
    (
        "jotsmith_refresh_ahead_of_store_total",
        "Refresh tokens that the store had never given out: restored, rewound, or forged with a stolen key.",
        Known::All,
    ),
    (
        "jotsmith_refresh_rotations_total",
        "What became of refresh tokens that came.",
        Known::Values(
            "outcome",
            &[
                "rotated",
                "retried",
                "reused",
                "ahead_of_store",
                "revoked",
                "expired",
                "clock_behind",
                "exhausted",
                "unknown",
            ],
        ),
    ),
    (
        "jotsmith_reloads_total",
        "Attempts to make what is written live.",
        Known::Values("outcome", &["loaded", "refused"]),
    ),
    (
        "jotsmith_revocations_total",
        "What became of tokens that clients gave up.",
        Known::Values("outcome", &["revoked", "already_over", "forgotten", "no_token", "other_client", "no_grant"]),
    ),
    (
        "jotsmith_store_exports_total",
        "Backups that were asked for at the admin port.",
        Known::Values("outcome", &["done", "failed"]),
    ),
    (
        "jotsmith_store_rewrites_total",
        "Rewritings of the store's records, which give space back.",
        Known::Values("outcome", &["done", "failed"]),
    ),
    ("jotsmith_store_syncs_total", "Syncs of the store's log to the disk.", Known::All),
];

/// Every histogram, with its help and its buckets.
const HISTOGRAMS: [(&str, &str, &[f64], Known); 5] = [
    ("jotsmith_http_request_duration_seconds", "How long requests took.", &SECONDS, Known::Later),
    ("jotsmith_store_batch_steps", "How many steps shared one commit of the store.", &STEPS, Known::All),
    ("jotsmith_store_commit_seconds", "How long a commit of the store took, with its sync.", &SECONDS, Known::All),
    (
        "jotsmith_store_rewrite_pause_seconds",
        "How long requests waited for the switch to records that were written anew.",
        &SECONDS,
        Known::All,
    ),
    (
        "jotsmith_store_rewrite_seconds",
        "How long a rewriting of the store's records took, beside the requests.",
        &LONG_SECONDS,
        Known::All,
    ),
];

/// Every gauge that a room sets by itself, with its help.
const GAUGES: [(&str, &str); 3] = [
    ("jotsmith_store_disk_bytes", "Bytes of the store's database on the disk."),
    ("jotsmith_store_live_bytes", "Bytes of the store's live records."),
    ("jotsmith_store_live_records", "Live records in the store."),
];

/// Which values of its label a metric has before anything is counted.
enum Known {
    /// It has no label.
    All,
    /// These.
    Values(&'static str, &'static [&'static str]),
    /// None: whoever counts knows them.
    Later,
}

/// The recorder of this process, which is installed at the first call. Servers that share a process share it.
pub fn start() -> PrometheusHandle {
    static HANDLE: OnceLock<PrometheusHandle> = OnceLock::new();
    HANDLE.get_or_init(install).clone()
}

fn install() -> PrometheusHandle {
    let builder = HISTOGRAMS.iter().fold(PrometheusBuilder::new(), |builder, (name, _, buckets, _)| {
        let matcher = Matcher::Full((*name).to_owned());
        builder.set_buckets_for_metric(matcher, buckets).expect("there are buckets")
    });
    let recorder = builder.build_recorder();
    let handle = recorder.handle();
    if metrics::set_global_recorder(recorder).is_err() {
        tracing::warn!("something else records this process's metrics: /metrics will show none of them");
    }
    for (name, help, known) in COUNTERS {
        describe_counter!(name, help);
        match known {
            Known::All => counter!(name).increment(0),
            Known::Values(label, values) => {
                for value in values {
                    counter!(name, label => *value).increment(0);
                }
            }
            Known::Later => {}
        }
    }
    for (name, help, _, known) in HISTOGRAMS {
        describe_histogram!(name, help);
        if let Known::All = known {
            // To have it is enough: it is shown with nothing in it.
            let _ = histogram!(name);
        }
    }
    for (name, help) in GAUGES {
        describe_gauge!(name, help);
    }
    handle
}
