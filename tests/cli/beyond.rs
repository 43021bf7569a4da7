//! What is wrong although the file is right: a firmware that is not there, defects that no firmware has, pins that the
//! chip does not have; and files for Wokwi's runner.

use crate::rig::Rig;

/// A scenario with this bench.
fn with_bench(bench: &str) -> String {
    format!(
        "name: X\nversion: 1\nbench: {{duration: 5s, {bench}}}\nexpect: [{{serial: '[REG] Registered'}}]\n"
    )
}

#[test]
fn a_misspelt_defect_is_a_mistake_for_the_shipped_firmware_and_a_warning_for_another() {
    let misspelt = with_bench("provisioning: {defects: [no-auto-renewl]}");
    let rig = Rig::with(&[("a.yaml", &misspelt)]);
    for command in ["check", "run"] {
        rig.oceanrig(&[command, "a.yaml"]).exits(2).tells(&[
            "a.yaml has 1 mistake",
            "the shipped firmware has no defect `no-auto-renewl`",
            "a.yaml:3:48",
            "did you mean `no-auto-renewal`?",
        ]);
    }
    rig.oceanrig(&["run", "--firmware", "other.elf", "a.yaml"])
        .exits(2)
        .tells(&[
            "⚠ the shipped firmware has no defect `no-auto-renewl`",
            "other.elf",
        ]);
    let right = with_bench("provisioning: {defects: [no-auto-renewal]}");
    let ended = Rig::with(&[("a.yaml", &right)])
        .oceanrig(&["check", "a.yaml"])
        .exits(0);
    assert_eq!(ended.stderr, "");
}

#[test]
fn a_firmware_that_is_not_there_is_told_by_check() {
    let rig = Rig::with(&[("a.yaml", &with_bench("firmware: nowhere.elf"))]);
    rig.oceanrig(&["check", "a.yaml"])
        .exits(2)
        .tells(&["there is no firmware nowhere.elf", "a.yaml:3:33"]);
}

#[test]
fn a_pin_that_the_chip_does_not_have_is_told() {
    let rig = Rig::with(&[("a.yaml", &with_bench("wiring: {b: {gpio: 22}}"))]);
    for command in ["check", "run"] {
        rig.oceanrig(&[command, "a.yaml"]).exits(2).tells(&[
            "GPIO22 does not exist: the ESP32-C3 has GPIO0 to GPIO21",
            "a.yaml:3:42",
        ]);
    }
}

#[test]
fn what_a_value_would_do_to_the_bench_is_told_before_it_runs() {
    let rig = Rig::with(&[("a.yaml", &with_bench(r#"network: {ssid: "a\nb"}"#))]);
    for command in ["check", "run"] {
        rig.oceanrig(&[command, "a.yaml"])
            .exits(2)
            .tells(&["a setting is one line", "a.yaml:3:39"]);
    }
}

#[test]
fn a_file_of_wokwis_runs_with_a_warning_and_with_the_time_that_it_is_given() {
    let file = "name: long\nversion: 1\ndiagram: one.json\nsteps:\n  - wait-serial: '[REG] Registered'\n  - delay: 40s\n";
    let rig = Rig::with(&[("a.yaml", file)]);
    let short = [
        "⚠ the key `diagram` is ignored",
        "⚠ the steps take at least 40s, the run ends after 30s",
        "--timeout",
    ];
    rig.oceanrig(&["check", "a.yaml"]).exits(0).tells(&short);
    rig.oceanrig(&["run", "a.yaml"]).exits(1).tells(&short);
    let ended = rig.oceanrig(&["run", "--timeout", "90s", "a.yaml"]).exits(0);
    assert!(!ended.stderr.contains("the steps take"), "{}", ended.stderr);
    rig.oceanrig(&["run", "--timeout", "90", "a.yaml"])
        .exits(2)
        .tells(&["the unit is missing"]);
}
