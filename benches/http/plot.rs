//! The plot of the README: a bar for each server and workload, as SVG that reads in light and dark.

use std::fmt::Write as _;

use super::report::Workload;

const WIDTH: f64 = 760.0;
const LABEL_WIDTH: f64 = 230.0;
const NUMBER_WIDTH: f64 = 70.0;
const BAR_HEIGHT: f64 = 14.0;
const GAP: f64 = 4.0;
const GROUP_GAP: f64 = 18.0;

/// Colours that differ in brightness too, by server.
fn colour(server: &str) -> &'static str {
    match server {
        "Jotsmith" => "#1a7f5a",
        "limit" => "#8fa3ad",
        // Ours too, without the store.
        "credentials" => "#8cc4ae",
        _ => "#c98a2b",
    }
}

/// Bars of these workloads, in answers a second.
pub(crate) fn svg(workloads: &[&Workload]) -> String {
    let rates = workloads.iter().flat_map(|workload| &workload.servers).map(|measured| measured.rate.median);
    let most = rates.fold(1.0, f64::max);
    let mut bars = String::new();
    let mut y = 12.0;
    for workload in workloads {
        let _ = writeln!(bars, r#"<text x="0" y="{:.0}" font-weight="600">{}</text>"#, y + 11.0, workload.name);
        for measured in &workload.servers {
            let width = (WIDTH - LABEL_WIDTH - NUMBER_WIDTH - 110.0) * measured.rate.median / most;
            let x = LABEL_WIDTH + 110.0;
            let _ = writeln!(
                bars,
                r#"<text x="{:.0}" y="{:.0}" text-anchor="end">{}</text><rect x="{x:.0}" y="{y:.0}" width="{:.1}" height="{BAR_HEIGHT:.0}" fill="{}"/><text x="{:.0}" y="{:.0}">{:.0}</text>"#,
                x - 6.0,
                y + 11.0,
                measured.server,
                width.max(1.0),
                colour(&measured.server),
                x + width + 6.0,
                y + 11.0,
                measured.rate.median,
            );
            y += BAR_HEIGHT + GAP;
        }
        y += GROUP_GAP - GAP;
    }
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH:.0} {y:.0}\" font-family=\"system-ui, sans-serif\" \
         font-size=\"12\" role=\"img\" aria-label=\"Answers a second on one core\">\n<style>text {{ fill: #222 }} @media \
         (prefers-color-scheme: dark) {{ text {{ fill: #ddd }} }}</style>\n{bars}</svg>\n"
    )
}
