//! `--format json` and `github`, the files of `--out`, and `--watch`.

use serde_json::Value;

use crate::rig::{FAILS, PASSES, Rig, run};

#[test]
fn json_is_one_object_a_line_and_nothing_else() {
    let rig = Rig::with(&[("a.yaml", PASSES), ("b.yaml", FAILS)]);
    let ended = rig
        .oceanrig(&["run", ".", "--format", "json"])
        .exits(1)
        .tells(&["1 passed, 1 failed"]);
    let objects: Vec<Value> = ended
        .stdout
        .lines()
        .map(|l| serde_json::from_str(l).unwrap())
        .collect();
    assert_eq!(objects.len(), 2);
    let (a, b) = (&objects[0], &objects[1]);
    assert_eq!(
        (&a["name"], &a["verdict"], &a["seed"]),
        (&"a".into(), &"passed".into(), &1.into())
    );
    assert_eq!(a["virtual_ns"], 5_000_000_000_u64);
    assert_eq!(a["expectations"][0]["held"], true);
    assert_eq!(b["verdict"], "failed");
    assert_eq!(b["repeat"], "oceanrig run ./b.yaml --seed 1");
    assert_eq!(b["expectations"][0]["position"], "./b.yaml:5:5");
    assert!(
        b["expectations"][0]["nearest"]
            .as_str()
            .unwrap()
            .contains("[REG] Register")
    );
}

#[test]
fn github_gets_annotations_and_a_step_summary() {
    let rig = Rig::with(&[("a.yaml", PASSES), ("b.yaml", FAILS)]);
    let summary = rig.path("summary.md");
    rig.write("summary.md", b"earlier\n");
    let mut command = rig.command(&["run", "a.yaml", "b.yaml", "--format", "github"]);
    let ended = run(command.env("GITHUB_STEP_SUMMARY", &summary)).exits(1);
    let lines: Vec<&str> = ended.stdout.lines().collect();
    let annotations: Vec<&&str> = lines.iter().filter(|l| l.starts_with("::error ")).collect();
    assert_eq!(annotations.len(), 1);
    assert!(
        annotations[0].starts_with("::error file=b.yaml,line=5,col=5,title=b%3A registers::awaited serial")
    );
    assert!(
        annotations[0].contains("%0Anearest: ")
            && annotations[0].ends_with("repeat: oceanrig run b.yaml --seed 1")
    );
    // What a device prints stands where GitHub's runner looks for no commands.
    let mut open = None;
    for line in lines {
        match (&open, line.strip_prefix("::stop-commands::")) {
            (None, Some(word)) => open = Some(format!("::{word}::")),
            (None, None) => assert!(!line.contains("| #") && !line.starts_with("PASS"), "{line}"),
            (Some(_), _) => {}
        }
        if open.as_deref() == Some(line) {
            open = None;
        }
    }
    assert_eq!(open, None);
    let summary = rig.read("summary.md");
    assert!(summary.starts_with("earlier\n### oceanrig: 1 passed, 1 failed ("));
    assert!(
        summary.contains("| ✅ | a | 0:00:05.000 |  |\n| ❌ | b | 0:00:05.000 | `registers` failed |\n"),
        "{summary}"
    );
}

#[test]
fn out_holds_the_files_of_each_scenario_and_the_reports_of_all() {
    let rig = Rig::with(&[("a.yaml", PASSES), ("b.yaml", FAILS)]);
    rig.oceanrig(&["run", ".", "--out", "out"]).exits(1);
    let junit = rig.read("out/junit.xml");
    for part in [
        "tests=\"2\"",
        "failures=\"1\"",
        "errors=\"0\"",
        "<property name=\"seed\" value=\"1\"/>",
        "[REG] Registered",
    ] {
        assert!(junit.contains(part), "{part} in {junit}");
    }
    let manifest: Value = serde_json::from_str(&rig.read("out/b/manifest.json")).unwrap();
    assert_eq!(manifest["redacted"], true);
    assert_eq!(manifest["files"].as_array().unwrap().len(), 5);
    // The page that is made later says the same.
    let page = rig.read("out/report.html");
    rig.oceanrig(&["report", "out", "-o", "later.html"])
        .exits(0)
        .tells(&["later.html: 2 scenarios"]);
    let data = |page: &str| page[page.find("id=\"run-0\"").unwrap()..].to_owned();
    assert_eq!(data(&page), data(&rig.read("later.html")));
    assert!(!rig.path("out/report.unfinished").exists());
}

#[cfg(unix)]
mod watch {
    use std::io::{BufRead as _, BufReader};
    use std::process::Command;

    use crate::rig::{FAILS, PASSES, Rig};

    #[test]
    fn a_changed_file_runs_what_it_affects() {
        let rig = Rig::with(&[("a.yaml", FAILS), ("b.yaml", PASSES)]);
        let mut child = rig.command(&["run", ".", "--watch"]).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap())
            .lines()
            .map_while(Result::ok);
        let mut verdicts = |n: usize| -> Vec<String> {
            lines
                .by_ref()
                .filter(|l| l.contains(" passed, ") || l.starts_with("PASS") || l.starts_with("FAIL"))
                .map(|l| l.chars().take(8).collect())
                .take(n)
                .collect()
        };
        assert_eq!(verdicts(3), ["FAIL  a ", "PASS  b ", "1 passed"]);
        rig.write("a.yaml", PASSES.as_bytes());
        assert_eq!(verdicts(2), ["PASS  a ", "1 passed"], "b did not change");
        rig.write("c.yaml", FAILS.as_bytes());
        assert_eq!(verdicts(2), ["FAIL  c ", "0 passed"], "a file that is new");
        // A file that is not valid is waited for.
        rig.write("b.yaml", b"name: X\nnope: 1\n");
        rig.write("b.yaml", PASSES.replace("5s", "6s").as_bytes());
        assert_eq!(verdicts(2), ["PASS  b ", "1 passed"]);
        let pid = child.id().to_string();
        assert!(
            Command::new("kill")
                .args(["-INT", &pid])
                .status()
                .unwrap()
                .success()
        );
        assert_eq!(child.wait().unwrap().code(), Some(130));
    }
}
