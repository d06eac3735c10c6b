//! A picture of ratios: horizontal bars on a logarithmic scale, with a line at 1.
//!
//! Plain SVG without scripts, which a code host shows in a document; its colours follow the reader's light or dark
//! scheme.

use std::fmt::Write as _;

use super::document::factor;
use super::goals::Goal;
use super::rows::Row;

const LABELS: f64 = 400.0;
const BARS: f64 = 460.0;
const RIGHT: f64 = 70.0;
const TOP: f64 = 46.0;
const BAR: f64 = 24.0;

const STYLE: &str = "<style>
text { font: 12px system-ui, sans-serif; fill: #24292f; }
.note { fill: #57606a; }
.grid { stroke: #d0d7de; } .one { stroke: #24292f; stroke-width: 1.5; } .range { stroke: #24292f; stroke-width: 1.2; }
.goal { stroke: #9a6700; stroke-width: 3; }
.fast { fill: #4ac26b; } .slow { fill: #ff8182; } .near { fill: #54aeff; }
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3; } .note { fill: #9198a1; }
  .grid { stroke: #3d444d; } .one { stroke: #e6edf3; } .range { stroke: #e6edf3; } .goal { stroke: #d29922; }
  .fast { fill: #238636; } .slow { fill: #da3633; } .near { fill: #1f6feb; }
}
</style>
";

/// The picture of all rows that have a ratio; none without any.
pub fn draw(title: &str, rows: &[&Row], goals: &[Goal]) -> Option<String> {
    let bars: Vec<(&Row, f64)> =
        rows.iter().filter_map(|row| Some((*row, row.ratio.filter(|r| *r > 0.0)?))).collect();
    if bars.is_empty() {
        return None;
    }
    let scale = Scale::over(&bars);
    let height = TOP + BAR * bars.len() as f64 + 30.0;
    let mut svg = head(title, height);
    grid(&mut svg, &scale, height);
    for (at, (row, ratio)) in bars.iter().enumerate() {
        let goal = goals.iter().find(|goal| goal.is_for(row));
        bar(&mut svg, &scale, TOP + BAR * at as f64, row, *ratio, goal);
    }
    line(&mut svg, "one", scale.x(1.0), TOP - 6.0, height - 24.0);
    svg.push_str("</svg>\n");
    Some(svg)
}

/// Logarithmic, over all ratios and their ranges, with 1 in it.
struct Scale {
    low: f64,
    high: f64,
}

impl Scale {
    fn over(bars: &[(&Row, f64)]) -> Self {
        let ends =
            bars.iter().flat_map(|(row, ratio)| [Some(*ratio), row.ratio_min, row.ratio_max]).flatten();
        let logs = ends.filter(|end| *end > 0.0).map(f64::log2);
        let (low, high) = logs.fold((-1.0f64, 1.0f64), |(low, high), log| (low.min(log), high.max(log)));
        // Beyond a factor of 64 a bar is cut off rather than making the others unreadable.
        Self { low: low.floor().max(-6.0), high: high.ceil().min(6.0) }
    }

    fn x(&self, ratio: f64) -> f64 {
        let log = ratio.max(f64::MIN_POSITIVE).log2().clamp(self.low, self.high);
        LABELS + BARS * (log - self.low) / (self.high - self.low)
    }
}

fn head(title: &str, height: f64) -> String {
    let width = LABELS + BARS + RIGHT;
    let title = escaped(title);
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" height=\"{height}\" role=\"img\" aria-label=\"{title}\">\n\
         {STYLE}<text x=\"8\" y=\"18\" font-weight=\"bold\">{title}</text>\n\
         <text class=\"note\" x=\"{LABELS}\" y=\"18\">ours / peer: left of the line at 1 is faster</text>\n"
    )
}

fn grid(svg: &mut String, scale: &Scale, height: f64) {
    let mut power = scale.low;
    while power <= scale.high {
        let (x, ratio) = (scale.x(power.exp2()), power.exp2());
        line(svg, "grid", x, TOP - 6.0, height - 24.0);
        let label = if ratio < 1.0 { format!("1/{}", 1.0 / ratio) } else { format!("{ratio}") };
        let _ = writeln!(
            svg,
            "<text class=\"note\" x=\"{x:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{label}</text>",
            height - 10.0
        );
        power += 1.0;
    }
}

fn line(svg: &mut String, class: &str, x: f64, from: f64, to: f64) {
    let _ = writeln!(
        svg,
        "<line class=\"{class}\" x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"{from:.1}\" y2=\"{to:.1}\"/>"
    );
}

fn bar(svg: &mut String, scale: &Scale, y: f64, row: &Row, ratio: f64, goal: Option<&Goal>) {
    let (one, end, middle) = (scale.x(1.0), scale.x(ratio), y + BAR / 2.0);
    let label = escaped(&format!("{} / {}", row.row, row.peer.as_deref().unwrap_or("")));
    let _ = writeln!(svg, "<text x=\"8\" y=\"{:.1}\">{label}</text>", middle + 4.0);
    let (x, width) = (one.min(end), (one - end).abs().max(1.0));
    let class = colour(ratio, goal);
    let _ = writeln!(
        svg,
        "<rect class=\"{class}\" x=\"{x:.1}\" y=\"{:.1}\" width=\"{width:.1}\" height=\"{:.1}\"/>",
        y + 4.0,
        BAR - 8.0
    );
    if let (Some(min), Some(max)) = (row.ratio_min, row.ratio_max) {
        let (from, to) = (scale.x(min), scale.x(max));
        let _ = writeln!(
            svg,
            "<line class=\"range\" x1=\"{from:.1}\" x2=\"{to:.1}\" y1=\"{middle:.1}\" y2=\"{middle:.1}\"/>"
        );
    }
    if let Some(goal) = goal {
        line(svg, "goal", scale.x(goal.at_most), y + 2.0, y + BAR - 2.0);
    }
    let _ = writeln!(
        svg,
        "<text x=\"{:.1}\" y=\"{:.1}\">{}</text>",
        LABELS + BARS + 8.0,
        middle + 4.0,
        factor(ratio)
    );
}

/// Faster than the peer, within the goal, or slower.
fn colour(ratio: f64, goal: Option<&Goal>) -> &'static str {
    if ratio <= 1.0 {
        "fast"
    } else if goal.is_some_and(|goal| ratio <= goal.at_most) {
        "near"
    } else {
        "slow"
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::perf::rows::{parse, tests::PAIR, tests::RAW};

    #[test]
    fn rows_with_a_ratio_become_bars() {
        let rows = parse(&format!("{PAIR}\n{RAW}")).unwrap();
        let (row, peer) = (rows[0].row.clone(), "raw.two_line".into());
        let goal = Goal { row, peer, at_most: 1.1, ..Goal::default() };
        let svg = draw("connection", &rows.iter().collect::<Vec<_>>(), &[goal]).unwrap();
        assert_eq!(svg.matches("<rect").count(), 1);
        assert!(
            svg.contains("class=\"near\"") && svg.contains("class=\"goal\"") && svg.contains("class=\"one\"")
        );
        assert!(svg.contains("prefers-color-scheme: dark") && svg.ends_with("</svg>\n"));
    }

    #[test]
    fn nothing_to_compare_is_no_picture() {
        let rows = parse(RAW).unwrap();
        assert!(draw("raw", &rows.iter().collect::<Vec<_>>(), &[]).is_none());
    }

    #[test]
    fn equal_distances_are_equal_factors() {
        let scale = Scale { low: -2.0, high: 2.0 };
        assert!((scale.x(2.0) - scale.x(1.0) - (scale.x(1.0) - scale.x(0.5))).abs() < 1e-9);
        assert!((scale.x(1e9) - scale.x(4.0)).abs() < 1e-9);
    }
}
