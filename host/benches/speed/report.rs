//! The rows, and the resulting table.

use serde_json::{Value, json};

use crate::Result;
use crate::pairs::{Pairs, Ratio};
use crate::picture::{self, Bar, Section};
use crate::place::{Place, Places};

/// The format of the output.
#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Format {
    Text,
    Json,
}

/// The target of a row.
#[derive(Clone, Copy)]
pub(crate) enum Target {
    /// The upper bound of the ratio of ours to the peer's.
    Ratio(f64),
    /// The upper bound of our time, in seconds.
    Seconds(f64),
    /// None: the row helps to understand the others.
    None,
}

/// The result of a row.
enum Measured {
    /// Two sides, and their ratio.
    Times { ours: f64, peer: f64, ratio: Ratio, pairs: usize, target: Target },
    /// The bytes that were needed, and their upper bound.
    Bytes { ours: u64, target: u64 },
    /// No result, for this reason.
    Not(String),
}

struct Row {
    section: &'static str,
    what: String,
    peer: &'static str,
    place: String,
    measured: Measured,
}

/// The results so far.
pub(crate) struct Report {
    format: Format,
    heading: String,
    section: &'static str,
    rows: Vec<Row>,
}

impl Report {
    pub(crate) fn new(format: Format, places: &Places) -> Self {
        let memory = places.memory().map_or("none", |place| place.filesystem.as_str());
        let heading = format!("memory: {memory}, disk: {}", places.disk().filesystem);
        Self { format, heading, section: "", rows: Vec::new() }
    }

    /// Begins a section, with the common property of the rows that follow.
    pub(crate) fn section(&mut self, title: &'static str) {
        self.section = title;
    }

    /// Adds a row of times, and reports it at once, since the table comes late.
    pub(crate) fn times(
        &mut self,
        (what, peer): (impl Into<String>, &'static str),
        place: Result<&Place>,
        target: Target,
        run: impl FnOnce(&Place) -> Result<Pairs>,
    ) {
        let filesystem = place.as_ref().map_or_else(|_| "-".to_owned(), |place| place.filesystem.clone());
        let measured = match place.and_then(run) {
            Ok(pairs) => Measured::Times {
                ours: pairs.ours(),
                peer: pairs.peer(),
                ratio: pairs.ratio(),
                pairs: pairs.count(),
                target,
            },
            Err(error) => Measured::Not(error.to_string()),
        };
        self.push(Row { section: self.section, what: what.into(), peer, place: filesystem, measured });
    }

    /// Adds a row of bytes of memory.
    pub(crate) fn bytes(&mut self, what: &str, target: u64, run: impl FnOnce() -> Result<u64>) {
        let measured = match run() {
            Ok(ours) => Measured::Bytes { ours, target },
            Err(error) => Measured::Not(error.to_string()),
        };
        self.push(Row { section: self.section, what: what.to_owned(), peer: "-", place: "-".to_owned(), measured });
    }

    fn push(&mut self, row: Row) {
        if self.format == Format::Text {
            eprintln!("measured: {} ({})", row.what, row.place);
        }
        self.rows.push(row);
    }

    pub(crate) fn print(&self) {
        match self.format {
            Format::Text => print!("{}", self.table()),
            Format::Json => println!("{}", self.json()),
        }
    }

    /// Returns the ratios of all rows that have one, as an SVG.
    pub(crate) fn picture(&self) -> String {
        let sections = self.rows.chunk_by(|one, next| one.section == next.section);
        let sections =
            sections.map(|rows| Section { title: rows[0].section, bars: rows.iter().filter_map(Row::bar).collect() });
        picture::svg("Time of Onionskin divided by the time of the peer", &sections.collect::<Vec<_>>())
    }

    fn table(&self) -> String {
        let titles = ["operation", "on", "ours", "peer", "", "ratio (quartiles)", "target", "met"];
        let mut lines = vec![titles.map(str::to_owned)];
        lines.extend(self.rows.iter().map(Row::cells));
        let mut widths = [0; 8];
        for line in &lines {
            for (width, cell) in widths.iter_mut().zip(line) {
                *width = cell.chars().count().max(*width);
            }
        }
        let mut text = format!("\n{}\n\n", self.heading);
        for (number, line) in lines.iter().enumerate() {
            if let Some(section) = number.checked_sub(1).and_then(|row| self.begins(row)) {
                text.push_str(&format!("\n{section}\n"));
            }
            let padded = line.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}"));
            text.push_str(padded.collect::<Vec<_>>().join("  ").trim_end());
            text.push('\n');
        }
        text.push_str(
            "\nMedians of runs in turns; a ratio is ours / peer, below 1 is faster. Times alone are noise.\n",
        );
        text
    }

    /// Returns the title of the section that begins with this row.
    fn begins(&self, row: usize) -> Option<&'static str> {
        let section = self.rows[row].section;
        let before = row.checked_sub(1).map(|before| self.rows[before].section);
        (before != Some(section)).then_some(section)
    }

    fn json(&self) -> Value {
        json!({ "filesystems": self.heading, "rows": self.rows.iter().map(Row::json).collect::<Vec<_>>() })
    }
}

impl Row {
    fn met(&self) -> Option<bool> {
        match &self.measured {
            Measured::Times { ratio, target: Target::Ratio(most), .. } => Some(ratio.of_medians <= *most),
            Measured::Times { ours, target: Target::Seconds(most), .. } => Some(ours <= most),
            Measured::Bytes { ours, target } => Some(ours <= target),
            Measured::Times { target: Target::None, .. } | Measured::Not(_) => None,
        }
    }

    fn bar(&self) -> Option<Bar> {
        let Measured::Times { ratio, .. } = &self.measured else { return None };
        let label = format!("{} ({})", self.what, self.place);
        Some(Bar { label, peer: self.peer, ratio: ratio.of_medians, low: ratio.low, high: ratio.high })
    }

    fn cells(&self) -> [String; 8] {
        let none = || "-".to_owned();
        let (ours, peer, ratio, target) = match &self.measured {
            Measured::Times { ours, peer, ratio, target, .. } => {
                let target = match target {
                    Target::Ratio(most) => format!("<= {most:.2}"),
                    Target::Seconds(most) => format!("<= {}", time(*most)),
                    Target::None => none(),
                };
                let Ratio { of_medians, low, high } = ratio;
                (time(*ours), time(*peer), format!("{of_medians:.2} ({low:.2} .. {high:.2})"), target)
            }
            Measured::Bytes { ours, target } => {
                (mebibytes(*ours), none(), none(), format!("<= {}", mebibytes(*target)))
            }
            Measured::Not(why) => (format!("not measured: {why}"), none(), none(), none()),
        };
        let met = match self.met() {
            Some(true) => "yes",
            Some(false) => "NO",
            None => "-",
        };
        [self.what.clone(), self.place.clone(), ours, peer, self.peer.to_owned(), ratio, target, met.to_owned()]
    }

    fn json(&self) -> Value {
        let mut row = json!({ "section": self.section, "what": self.what, "filesystem": self.place, "peer_is": self.peer, "met": self.met() });
        let more = match &self.measured {
            Measured::Times { ours, peer, ratio, pairs, target } => {
                let (kind, most) = match target {
                    Target::Ratio(most) => ("ratio", Some(most)),
                    Target::Seconds(most) => ("seconds", Some(most)),
                    Target::None => ("none", None),
                };
                json!({
                    "unit": "seconds", "ours": ours, "peer": peer, "pairs": pairs, "ratio": ratio.of_medians,
                    "ratio_quartiles": [ratio.low, ratio.high], "target_is": kind, "target": most,
                })
            }
            Measured::Bytes { ours, target } => {
                json!({ "unit": "bytes", "ours": ours, "target_is": "bytes", "target": target })
            }
            Measured::Not(why) => json!({ "not_measured": why }),
        };
        if let (Value::Object(row), Value::Object(more)) = (&mut row, more) {
            row.extend(more);
        }
        row
    }
}

fn time(seconds: f64) -> String {
    match seconds {
        _ if seconds < 1e-3 => format!("{:.1} us", seconds * 1e6),
        _ if seconds < 1.0 => format!("{:.1} ms", seconds * 1e3),
        _ => format!("{seconds:.2} s"),
    }
}

fn mebibytes(bytes: u64) -> String {
    format!("{:.1} MiB", bytes as f64 / f64::from(1 << 20))
}
