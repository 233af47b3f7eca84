//! The ratios as a picture: one bar for each row, on a scale where each step doubles.

use std::fmt::Write as _;

/// Rows of one kind.
pub(crate) struct Section {
    pub(crate) title: &'static str,
    pub(crate) bars: Vec<Bar>,
}

/// A row of the picture.
pub(crate) struct Bar {
    /// The operation, and the filesystem.
    pub(crate) label: String,
    /// The peer.
    pub(crate) peer: &'static str,
    /// Ours divided by the peer's.
    pub(crate) ratio: f64,
    /// The quartiles of the ratio.
    pub(crate) low: f64,
    pub(crate) high: f64,
}

const WIDTH: f64 = 1040.0;
/// The end of the labels, the scale, and the start of the peers.
const LABELS: f64 = 400.0;
const SCALE: [f64; 2] = [416.0, 756.0];
const PEERS: f64 = 828.0;
const ROW: f64 = 20.0;
const HEAD: f64 = 64.0;
/// The number of steps of the scale on each side of 1, each twice or half the previous one. A longer bar is cut off,
/// and its number gives the ratio.
const STEPS: i32 = 4;

/// Returns an SVG with a background of its own, so that it can be read on light and dark pages.
pub(crate) fn svg(title: &str, sections: &[Section]) -> String {
    let shown: Vec<&Section> = sections.iter().filter(|section| !section.bars.is_empty()).collect();
    let rows: usize = shown.iter().map(|section| section.bars.len() + 1).sum();
    let bottom = HEAD + ROW * rows as f64 + 6.0;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" font-family=\"sans-serif\" \
         font-size=\"12\" fill=\"#222\">\n<rect width=\"{WIDTH}\" height=\"{height}\" fill=\"#fff\"/>\n\
         <text x=\"12\" y=\"22\" font-size=\"15\" font-weight=\"bold\">{}</text>\n\
         <text x=\"{}\" y=\"40\" text-anchor=\"end\">faster</text><text x=\"{}\" y=\"40\">slower</text>\n",
        escape(title),
        at(1.0) - 12.0,
        at(1.0) + 12.0,
        height = bottom + 10.0,
    );
    for step in -STEPS..=STEPS {
        let (x, ratio) = (at(f64::from(step).exp2()), f64::from(step).exp2());
        let colour = if step == 0 { "#222" } else { "#ddd" };
        let mark = if step < 0 { format!("1/{}", 1.0 / ratio) } else { format!("{ratio}") };
        let _ = writeln!(
            svg,
            "<line x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"{HEAD}\" y2=\"{bottom}\" stroke=\"{colour}\"/>\
             <text x=\"{x:.1}\" y=\"{}\" text-anchor=\"middle\" fill=\"#555\">{mark}</text>",
            HEAD - 6.0,
        );
    }
    let mut y = HEAD;
    for section in shown {
        let _ =
            writeln!(svg, "<text x=\"12\" y=\"{:.1}\" font-weight=\"bold\">{}</text>", y + 15.0, escape(section.title));
        y += ROW;
        for bar in &section.bars {
            row(&mut svg, bar, y);
            y += ROW;
        }
    }
    svg.push_str("</svg>\n");
    svg
}

fn row(svg: &mut String, bar: &Bar, y: f64) {
    let (from, to) = (at(bar.ratio.min(1.0)), at(bar.ratio.max(1.0)));
    let colour = if bar.ratio > 1.0 { "#d0705a" } else { "#3c9a78" };
    let digits = if bar.ratio < 0.01 { 4 } else { 2 };
    let _ = writeln!(
        svg,
        "<text x=\"{LABELS}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>\
         <rect x=\"{from:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"12\" fill=\"{colour}\"/>\
         <line x1=\"{:.1}\" x2=\"{:.1}\" y1=\"{middle:.1}\" y2=\"{middle:.1}\" stroke=\"#222\"/>\
         <text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{:.digits$}</text>\
         <text x=\"{PEERS}\" y=\"{:.1}\" fill=\"#555\">{}</text>",
        y + 14.0,
        escape(&bar.label),
        y + 4.0,
        (to - from).max(1.0),
        at(bar.low),
        at(bar.high),
        PEERS - 12.0,
        y + 14.0,
        bar.ratio,
        y + 14.0,
        escape(bar.peer),
        middle = y + 10.0,
    );
}

/// Returns the position of a ratio on the scale.
fn at(ratio: f64) -> f64 {
    let steps = f64::from(STEPS);
    let part = (ratio.log2().clamp(-steps, steps) + steps) / (2.0 * steps);
    SCALE[0] + part * (SCALE[1] - SCALE[0])
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
