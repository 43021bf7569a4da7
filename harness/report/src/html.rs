//! One self-contained HTML page for any number of runs: it opens from disk, asks the network for nothing,
//! and is drawn from the events alone.

mod data;

use std::fmt::Write as _;

use vocabulary::Kind;

use crate::{Outcome, Run};

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
    list: String,
    data: String,
    passed: usize,
    failed: usize,
    skipped: usize,
    quarantined: usize,
    all: usize,
}

/// The page about `runs` at once, whose events should be redacted. `title` stands in the window's title.
pub fn render(runs: &[&Run], title: &str) -> String {
    let mut page = Page::default();
    runs.iter().for_each(|run| page.add(run));
    page.finish(title)
}

impl Page {
    /// Adds a run, whose events should be redacted.
    pub fn add(&mut self, run: &Run) {
        let i = self.all;
        self.all += 1;
        match run.outcome {
            Outcome::Passed => self.passed += 1,
            Outcome::Failed { .. } if run.is_quarantined() => self.quarantined += 1,
            Outcome::Failed { .. } => self.failed += 1,
            Outcome::Skipped { .. } => self.skipped += 1,
            Outcome::Infrastructure { .. } => {}
        }
        let (class, word) = verdict(run);
        let mut sub = vec![run.backend.clone()];
        if run.time_scale != 1 {
            sub.push(format!("time scale {}", run.time_scale));
        }
        if let Some(Kind::ScenarioStarted { seed, .. }) = run.events.first().map(|e| &e.kind) {
            sub.push(format!("seed {seed}"));
        }
        let sub = sub.join(", ");
        let _ = write!(
            self.list,
            "<li><a href=\"#s={i}\" data-run=\"{i}\"><span class=\"verdict {class}\">{word}</span>\
             <span class=\"name\">{}</span><span class=\"sub\">{} · {}</span></a></li>",
            escape(&run.name),
            escape(&sub),
            run.ended(),
        );
        let _ = writeln!(
            self.data,
            "<script type=\"application/json\" id=\"run-{i}\">{}</script>",
            json(&data::of(run))
        );
    }

    /// The page. `title` stands in the window's title.
    pub fn finish(self, title: &str) -> String {
        let Page {
            list,
            data,
            passed,
            failed,
            skipped,
            quarantined,
            all,
        } = self;
        let broken = all - passed - failed - skipped - quarantined;
        let mut summary = format!("{passed} passed, {failed} failed");
        if broken > 0 {
            let _ = write!(
                summary,
                ", {broken} bench error{}",
                if broken == 1 { "" } else { "s" }
            );
        }
        if quarantined > 0 {
            let _ = write!(summary, ", {quarantined} quarantined");
        }
        if skipped > 0 {
            let _ = write!(summary, ", {skipped} skipped");
        }
        let body = BODY.replace("@LIST@", &list).replace("@SUMMARY@", &summary);
        format!(
            "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n\
         <meta name=\"generator\" content=\"oceanrig {version}\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; \
         style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:\">\n\
         <link rel=\"icon\" href=\"data:,\">\n<title>{title}</title>\n<style>\n{STYLE}</style>\n</head>\n\
         <body>\n{body}\n{data}<script>\n'use strict';\n(() => {{\n{scripts}}})();\n</script>\n</body>\n</html>\n",
            version = env!("CARGO_PKG_VERSION"),
            title = escape(title),
            scripts = SCRIPTS.concat(),
        )
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
}
