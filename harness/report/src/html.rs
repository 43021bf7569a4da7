//! One self-contained HTML page for any number of runs: it opens from disk, asks the network for nothing,
//! and is drawn from the events alone.

mod data;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};

use vocabulary::Kind;

use crate::reporter::{Reporter, Session};
use crate::spool::{Spool, replace};
use crate::{Outcome, ReportError, Run};

const STYLE: &str = include_str!("html/page.css");
/// In the order in which they need each other.
const SCRIPTS: [&str; 6] = [
    include_str!("html/model.js"),
    include_str!("html/lanes.js"),
    include_str!("html/timeline.js"),
    include_str!("html/panels.js"),
    include_str!("html/compare.js"),
    include_str!("html/page.js"),
];
const BODY: &str = include_str!("html/body.html");

/// A page in the making: a run can be forgotten once it is added.
#[derive(Debug, Default)]
pub struct Page {
    /// Of each run, by place: its item in the list without its number, and where its data are.
    runs: BTreeMap<usize, (Item, Range<u64>)>,
    data: Spool,
}

/// What the list and the summary say of a run.
#[derive(Debug)]
struct Item {
    class: &'static str,
    /// What stands in the link.
    html: String,
}

/// The page about `runs` at once, whose events should be redacted. `title` stands in the window's title.
pub fn render(runs: &[&Run], title: &str) -> String {
    let mut page = Page::default();
    let mut out = Vec::new();
    for (place, run) in runs.iter().enumerate() {
        page.add(place, run).expect("memory takes every run");
    }
    page.write(title, &mut out).expect("memory takes every page");
    String::from_utf8_lossy(&out).into_owned()
}

impl Page {
    /// A page whose data wait in `data`.
    pub fn kept_in(data: Spool) -> Page {
        Page {
            data,
            ..Page::default()
        }
    }

    /// Adds the run at `place`, whose events should be redacted.
    ///
    /// # Errors
    /// Those of the file that the data wait in.
    pub fn add(&mut self, place: usize, run: &Run) -> io::Result<()> {
        let (class, word) = verdict(run);
        let mut sub = vec![run.backend.clone()];
        if run.time_scale != 1 {
            sub.push(format!("time scale {}", run.time_scale));
        }
        if let Some(Kind::ScenarioStarted { seed, .. }) = run.events.first().map(|e| &e.kind) {
            sub.push(format!("seed {seed}"));
        }
        let html = format!(
            "<span class=\"verdict {class}\">{word}</span><span class=\"name\">{}</span>\
             <span class=\"sub\">{} · {}</span>",
            escape(&run.name),
            escape(&sub.join(", ")),
            run.ended(),
        );
        let range = self.data.add(json(&data::of(run)).as_bytes())?;
        self.runs.insert(place, (Item { class, html }, range));
        Ok(())
    }

    fn count(&self, class: &str) -> usize {
        self.runs.values().filter(|(item, _)| item.class == class).count()
    }

    fn summary(&self) -> String {
        let mut summary = format!("{} passed, {} failed", self.count("pass"), self.count("fail"));
        let broken = self.count("infra");
        if broken > 0 {
            let plural = if broken == 1 { "" } else { "s" };
            let _ = write!(summary, ", {broken} bench error{plural}");
        }
        for (class, word) in [("quar", "quarantined"), ("skipped", "skipped")] {
            let count = self.count(class);
            if count > 0 {
                let _ = write!(summary, ", {count} {word}");
            }
        }
        summary
    }

    /// Writes the page. `title` stands in the window's title.
    ///
    /// # Errors
    /// Those of `out`.
    pub fn write(&mut self, title: &str, out: &mut dyn io::Write) -> io::Result<()> {
        let summary = self.summary();
        let mut list = String::new();
        // Runs that did not come to their end leave no gap.
        for (i, (item, _)) in self.runs.values().enumerate() {
            let _ = write!(
                list,
                "<li><a href=\"#s={i}\" data-run=\"{i}\">{}</a></li>",
                item.html
            );
        }
        write!(
            out,
            "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n\
         <meta name=\"generator\" content=\"oceanrig {version}\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; \
         style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:\">\n\
         <link rel=\"icon\" href=\"data:,\">\n<title>{title}</title>\n<style>\n{STYLE}</style>\n</head>\n\
         <body>\n",
            version = env!("CARGO_PKG_VERSION"),
            title = escape(title),
        )?;
        fill(BODY, &[("@LIST@", &list), ("@SUMMARY@", &summary)], out)?;
        out.write_all(b"\n")?;
        for (i, (_, range)) in self.runs.values().enumerate() {
            write!(out, "<script type=\"application/json\" id=\"run-{i}\">")?;
            self.data.copy(range.clone(), out)?;
            out.write_all(b"</script>\n")?;
        }
        write!(
            out,
            "<script>\n'use strict';\n(() => {{\n{scripts}}})();\n</script>\n</body>\n</html>\n",
            scripts = SCRIPTS.concat(),
        )
    }
}

/// Name of the file.
pub const FILE: &str = "report.html";

/// Keeps a page in a directory.
#[derive(Debug)]
pub struct PageFile {
    path: PathBuf,
    page: Page,
}

impl PageFile {
    /// The page of `dir`, to be written at the end.
    ///
    /// # Errors
    /// [`ReportError::Io`] when nothing can be written there.
    pub fn in_dir(dir: &Path) -> Result<PageFile, ReportError> {
        let path = dir.join(FILE);
        let data = Spool::beside(&path).map_err(ReportError::io("write", &path))?;
        Ok(PageFile {
            path,
            page: Page::kept_in(data),
        })
    }
}

impl Reporter for PageFile {
    fn run_done(&mut self, place: usize, run: &Run) -> Result<(), ReportError> {
        self.page
            .add(place, run)
            .map_err(ReportError::io("write", &self.path))
    }

    fn run_lost(&mut self, _place: usize) -> Result<(), ReportError> {
        Ok(())
    }

    fn session_done(&mut self, _session: &Session<'_>) -> Result<(), ReportError> {
        let PageFile { path, page } = self;
        replace(path, |out| page.write("oceanrig run", out)).map_err(ReportError::io("write", &*path))
    }
}

/// Writes `template` with a value in place of each mark. Values are written as they are: a mark in one of them is text.
fn fill(template: &str, values: &[(&str, &str)], out: &mut dyn io::Write) -> io::Result<()> {
    let mut rest = template;
    loop {
        let next = values
            .iter()
            .filter_map(|(mark, value)| Some((rest.find(mark)?, *mark, *value)))
            .min();
        let Some((at, mark, value)) = next else {
            return out.write_all(rest.as_bytes());
        };
        out.write_all(&rest.as_bytes()[..at])?;
        out.write_all(value.as_bytes())?;
        rest = &rest[at + mark.len()..];
    }
}

fn verdict(run: &Run) -> (&'static str, &'static str) {
    match &run.outcome {
        Outcome::Failed { .. } if run.is_quarantined() => ("quar", "Known"),
        Outcome::Passed => ("pass", "Pass"),
        Outcome::Failed { .. } => ("fail", "Fail"),
        Outcome::Infrastructure { .. } => ("infra", "Error"),
        Outcome::Skipped { .. } => ("skipped", "Skip"),
    }
}

/// JSON that can stand in a script element: no `<` that could end it.
fn json(data: &data::Data<'_>) -> String {
    serde_json::to_string(data)
        .expect("the data are text, numbers and lists")
        .replace('<', "\\u003c")
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use vocabulary::{Event, SerialPort};

    use super::*;
    use crate::synthetic::{self, Shape};

    #[test]
    fn three_hours_stay_below_two_megabytes() {
        let run = synthetic::run(&Shape::broken());
        let page = render(&[&run], "t");
        assert!(page.len() < 1_000_000, "{} bytes", page.len());
        assert!(
            run.events.len() > 30_000,
            "the run is a long one: {}",
            run.events.len()
        );
    }

    #[test]
    fn the_page_asks_the_network_for_nothing() {
        let page = render(&[&synthetic::run(&Shape::short())], "t");
        for word in [
            "<link rel=\"stylesheet\"",
            "src=\"http",
            "fetch(",
            "XMLHttpRequest",
            "import(",
            "@import",
            "url(",
        ] {
            assert!(!page.contains(word), "{word}");
        }
    }

    #[test]
    fn what_the_firmware_prints_cannot_leave_its_place() {
        let mut run = synthetic::run(&Shape::short());
        run.name = "<img src=x onerror=alert(1)>".into();
        let text = "</script><script>alert(1)</script><!--".to_owned();
        let kind = Kind::SerialLine {
            port: SerialPort::Uart0,
            text,
        };
        let at = run.ended();
        run.events.push(Event { at, kind });
        let page = render(&[&run], "<title>");
        assert!(
            !page.contains("<img src=x")
                && !page.contains("</script><script>alert")
                && !page.contains("<!--")
        );
        assert!(page.contains("\\u003c/script>"));
        assert!(page.contains("<title>&lt;title&gt;</title>"));
    }

    #[test]
    fn a_mark_of_the_template_in_a_name_is_text() {
        let mut run = synthetic::run(&Shape::short());
        run.name = "@SUMMARY@ and @LIST@".into();
        let page = render(&[&run], "@SUMMARY@");
        assert_eq!(page.matches("1 passed, 0 failed").count(), 1);
        assert!(page.contains("<span class=\"name\">@SUMMARY@ and @LIST@</span>"));
    }
}
