//! `--stats`: the network's counters as a table.

use crate::cli::console::Console;
use crate::cli::stop::Stop;
use crate::net::stats::Stats;
use crate::report::stats::StatsRow;
use crate::report::stats::render;

pub fn show(stats: &Stats, console: &mut Console) -> Result<(), Stop> {
    let rows: Vec<StatsRow> = stats
        .snapshot()
        .into_iter()
        .map(|((host, phase), counters)| StatsRow {
            host: host.to_string(),
            phase,
            requests: counters.requests,
            sent: counters.sent,
            received: counters.received,
            logons: counters.logons,
            seconds: counters.time.as_secs_f64(),
        })
        .collect();
    let documents: Vec<_> = rows
        .iter()
        .map(|row| {
            serde_json::json!({
                "host": row.host, "phase": row.phase, "requests": row.requests, "sent": row.sent,
                "received": row.received, "logons": row.logons, "seconds": row.seconds,
            })
        })
        .collect();
    console.say(&render(&rows, console.style()))?;
    console.document(
        "stats",
        "traffic per host and phase",
        serde_json::json!({ "rows": documents }),
    )
}
