//! The catalogue of failures: complete, and the same in `docs/` as in the files.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{SystemTime, UNIX_EPOCH};

use tempfile::TempDir;

const DIRS: [&str; 2] = ["scenarios/oceanremote", "scenarios-long"];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn catalogue(at: &Path, paths: &[&str]) -> Output {
    let command = Command::new(env!("CARGO_BIN_EXE_oceanrig"))
        .arg("catalogue")
        .args(paths)
        .current_dir(at)
        .output();
    command.expect("the binary runs")
}

/// A pair of files of the catalogue in a directory of its own.
fn pair() -> (TempDir, PathBuf, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let [one, other] = ["lost-renewal-reply.yaml", "lost-renewal-reply-caught.yaml"].map(|name| {
        let to = dir.path().join(name);
        fs::copy(root().join(DIRS[0]).join(name), &to).unwrap();
        to
    });
    (dir, one, other)
}

/// What is said about a directory that is not complete.
fn complaint(dir: &TempDir) -> String {
    let output = catalogue(dir.path(), &["."]);
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    assert!(output.stdout.is_empty());
    String::from_utf8(output.stderr).unwrap()
}

/// Runs scenarios of the catalogue with another seed than their own.
fn run_with_seed(seed: u64, arguments: &[&str]) {
    let output = Command::new(env!("CARGO_BIN_EXE_oceanrig"))
        .args(["run", "--quiet", "--seed", &seed.to_string()])
        .args(arguments)
        .current_dir(root())
        .output()
        .expect("the binary runs");
    assert!(
        output.status.success(),
        "with seed {seed}:\n{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}

/// Cases that once held for the seed of their file only, with the seeds that showed it.
#[test]
fn seeds_that_were_unlucky_once_change_no_verdict() {
    for seed in [1, 19_002, 48_595, 159_461] {
        run_with_seed(
            seed,
            &[
                "scenarios/oceanremote/torn-token-write.yaml",
                "scenarios/oceanremote/torn-token-write-caught.yaml",
                "scenarios/oceanremote/token-corrupted.yaml",
                "scenarios/oceanremote/clock-skew.yaml",
                "scenarios/oceanremote/packet-loss-caught.yaml",
                "-k",
                "torn-*byte=4098]",
                "-k",
                "token-*",
                "-k",
                "clock-skew*",
                "-k",
                "packet-*",
            ],
        );
    }
}

/// Everything with a seed that nobody has tried. `OCEANRIG_SEED` repeats one that was unlucky.
#[test]
#[ignore = "takes minutes; for the night"]
#[expect(clippy::disallowed_methods, reason = "every night takes another seed")]
fn a_new_seed_changes_no_verdict() {
    let seed = match std::env::var("OCEANRIG_SEED") {
        Ok(seed) => seed.parse().expect("OCEANRIG_SEED is a whole number"),
        Err(_) => SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs(),
    };
    run_with_seed(seed, &DIRS[..1]);
}

fn replace(file: &Path, old: &str, new: &str) {
    let text = fs::read_to_string(file).unwrap();
    assert!(text.contains(old), "{} does not hold {old:?}", file.display());
    fs::write(file, text.replace(old, new)).unwrap();
}

#[test]
fn the_page_is_up_to_date() {
    let output = catalogue(root(), &DIRS);
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let wanted = String::from_utf8(output.stdout).unwrap();
    let path = root().join("docs/catalogue.md");
    if std::env::var_os("UPDATE").is_some_and(|v| v == "1") {
        fs::write(&path, &wanted).unwrap();
    }
    assert!(
        fs::read_to_string(&path).unwrap_or_default() == wanted,
        "docs/catalogue.md is not what the scenarios say; run `UPDATE=1 cargo test --test catalogue`"
    );
}

#[test]
fn every_documented_defect_is_caught() {
    let defects = fs::read_to_string(root().join("docs/defects.md")).unwrap();
    let first_cells = |text: &str| -> BTreeSet<String> {
        text.lines()
            .filter_map(|l| Some(l.strip_prefix("| `")?.split_once('`')?.0.to_owned()))
            .collect()
    };
    let documented = first_cells(&defects);
    assert!(documented.len() >= 31, "{documented:?}");
    assert_eq!(
        first_cells(&fs::read_to_string(root().join("docs/catalogue.md")).unwrap()),
        documented
    );
}

#[test]
fn a_complete_pair_is_a_row() {
    let (dir, ..) = pair();
    let output = catalogue(dir.path(), &["."]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let page = String::from_utf8(output.stdout).unwrap();
    assert!(
        page.contains("[lost-renewal-reply](.././lost-renewal-reply.yaml) (3 cases)"),
        "{page}"
    );
    assert!(
        page.contains("| `lose-session-on-lost-reply` | lost-renewal-reply: a valid session soon |"),
        "{page}"
    );
}

#[test]
fn a_missing_counterpart_is_named() {
    let (dir, _, counterpart) = pair();
    fs::remove_file(counterpart).unwrap();
    assert!(
        complaint(&dir)
            .contains("lost-renewal-reply.yaml: its counterpart ./lost-renewal-reply-caught.yaml is missing")
    );
}

#[test]
fn a_counterpart_alone_is_named() {
    let (dir, scenario, _) = pair();
    fs::remove_file(scenario).unwrap();
    assert!(
        complaint(&dir)
            .contains("lost-renewal-reply-caught.yaml: there is no scenario that it is the counterpart of")
    );
}

#[test]
fn a_header_that_lacks_something_is_named() {
    let (dir, scenario, _) = pair();
    replace(&scenario, "  guide: ", "  # guide: ");
    assert!(complaint(&dir).contains("lost-renewal-reply.yaml: its `catalogue` has no `guide`"));
}

#[test]
fn a_counterpart_without_its_defect_is_named() {
    let (dir, _, counterpart) = pair();
    replace(
        &counterpart,
        "defects: [lose-session-on-lost-reply]",
        "defects: [no-backoff]",
    );
    assert!(complaint(&dir).contains("it does not switch on `lose-session-on-lost-reply`"));
}

#[test]
fn a_counterpart_that_passes_is_named() {
    let (dir, _, counterpart) = pair();
    replace(
        &counterpart,
        "expect-verdict: { fail: a valid session soon }",
        "expect-verdict: pass",
    );
    assert!(complaint(&dir).contains("it must fail: add `expect-verdict: {fail: …}`"));
}
