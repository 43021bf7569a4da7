//! Verdicts of scenarios: exit codes 0, 1, 3 and 4, and what a failure tells.

use crate::firmware_images::firmware;
use crate::rig::{FAILS, PASSES, Rig, run};

#[test]
fn a_pass_is_0_and_prints_one_line_and_the_summary() {
    let rig = Rig::with(&[("a.yaml", PASSES)]);
    let ended = rig.oceanrig(&["run", "a.yaml"]).exits(0);
    let lines: Vec<&str> = ended.stdout.lines().collect();
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert!(lines[0].starts_with("PASS  a  0:00:05.000 virtual in "));
    assert!(lines[1].starts_with("1 passed, 0 failed (0:00:05 of device time in "));
    assert_eq!(ended.stderr, "");
}

#[test]
fn a_failure_is_1_and_tells_what_was_awaited_what_came_and_how_to_repeat_it() {
    let rig = Rig::with(&[("a.yaml", FAILS), ("b.yaml", PASSES)]);
    let ended = rig.oceanrig(&["run", ".", "--seed", "9"]).exits(1).prints(&[
        "FAIL  a",
        "× registers",
        "at       ./a.yaml:5:5",
        "because  awaited serial \"[REG] Registerd\"",
        "nearest  0:00:00.",
        "[REG] Register",
        "serial | [REG] Registered, permanent token saved",
        "PASS  b",
        "1 passed, 1 failed",
    ]);
    // The command for repeating it is one that can be given to a shell.
    let repeat = ended
        .stdout
        .lines()
        .find_map(|l| l.trim().strip_prefix("repeat: "))
        .unwrap();
    assert_eq!(repeat, "oceanrig run ./a.yaml --seed 9");
    let args: Vec<&str> = repeat.split(' ').skip(1).collect();
    let again = rig.oceanrig(&args).exits(1);
    let story = |text: &str| {
        let from = text.find("× registers").unwrap();
        text[from..][..text[from..].find("repeat:").unwrap()].to_owned()
    };
    assert_eq!(story(&ended.stdout), story(&again.stdout));
}

#[test]
fn the_repeat_command_of_a_matrix_case_selects_that_case() {
    let text = FAILS.replace(
        "bench: {duration: 5s}",
        "matrix: {offset: [-1s, 1s]}\nbench: {duration: 5s, network: {ntp-offset: \"${offset}\"}}",
    );
    let rig = Rig::with(&[("my case.yaml", &text)]);
    let ended = rig.oceanrig(&["run", "my case.yaml", "-k", "*1s]"]).exits(1);
    let repeats: Vec<&str> = ended
        .stdout
        .lines()
        .filter_map(|l| l.trim().strip_prefix("repeat: "))
        .collect();
    assert_eq!(
        repeats,
        [
            "oceanrig run 'my case.yaml' -k 'my case[offset=-1s]' --seed 1",
            "oceanrig run 'my case.yaml' -k 'my case[offset=1s]' --seed 1",
        ]
    );
    let mut shell = std::process::Command::new("sh");
    let script = repeats[1].replacen("oceanrig", env!("CARGO_BIN_EXE_oceanrig"), 1);
    shell.args(["-c", &script]).current_dir(rig.path(""));
    run(&mut shell)
        .exits(1)
        .prints(&["FAIL  my case[offset=1s]", "0 passed, 1 failed"]);
}

#[test]
fn a_negative_control_passes_when_it_is_caught_and_fails_when_it_is_not() {
    let control = |text: &str| format!("{text}expect-verdict: {{fail: registers}}\n");
    let rig = Rig::with(&[
        ("caught.yaml", &control(FAILS)),
        ("missed.yaml", &control(PASSES)),
    ]);
    rig.oceanrig(&["run", "caught.yaml"])
        .exits(0)
        .prints(&["PASS  caught", "caught by `registers`"]);
    rig.oceanrig(&["run", "missed.yaml"]).exits(1).prints(&[
        "FAIL  missed",
        "`registers` held, and this scenario declares that it must fail",
    ]);
}

#[test]
fn a_broken_bench_is_3_and_says_so_before_anything_runs() {
    let rig = Rig::with(&[("a.yaml", PASSES)]);
    for out in ["a.yaml", "a.yaml/below"] {
        let ended = rig.oceanrig(&["run", "a.yaml", "--out", out]).exits(3);
        assert!(ended.stderr.starts_with(&format!("error: cannot write {out}: ")));
        assert_eq!(ended.stdout, "");
    }
}

#[test]
fn a_scenario_whose_files_cannot_be_written_keeps_its_verdict() {
    let rig = Rig::with(&[("a.yaml", PASSES), ("b.yaml", PASSES), ("out/a", "in the way")]);
    rig.oceanrig(&["run", "a.yaml", "b.yaml", "--out", "out"])
        .exits(3)
        .prints(&[
            "PASS  a",
            "not written: cannot create out/a",
            "PASS  b",
            "2 passed, 0 failed",
        ]);
    assert!(rig.read("out/junit.xml").contains("tests=\"2\""));
}

#[test]
fn nothing_selected_is_4_and_list_says_what_there_is() {
    let rig = Rig::with(&[("a.yaml", PASSES), ("sub/b.yaml", FAILS)]);
    rig.oceanrig(&["run", ".", "-k", "c*"])
        .exits(4)
        .tells(&["no scenario matches c*", "--list"]);
    assert_eq!(rig.oceanrig(&["run", ".", "--list"]).exits(0).stdout, "a\nb\n");
    assert_eq!(
        rig.oceanrig(&["run", ".", "--list", "-k", "Miss*"])
            .exits(0)
            .stdout,
        "b\n"
    );
    rig.oceanrig(&["run", ".", "-k", "a"])
        .exits(0)
        .prints(&["PASS  a", "1 passed"]);
}

#[test]
fn a_firmware_that_never_sleeps_spends_its_budget_and_that_is_said() {
    // j .
    let rig = Rig::with(&[(
        "a.yaml",
        "name: Hangs\nversion: 1\nbench: {firmware: hang.elf, duration: 1s, instruction-budget: 10M}\n\
         expect:\n  - serial: hello\n",
    )]);
    rig.write("hang.elf", &firmware(&[0x0000_006F]));
    rig.oceanrig(&["run", "a.yaml"]).exits(1).prints(&[
        "FAIL  a",
        "more than the budget of 10000000: it never sleeps, or the budget (bench.instruction-budget)",
    ]);
}

#[test]
fn a_panic_of_the_firmware_is_shown_with_its_functions() {
    let rig = Rig::with(&[(
        "a.yaml",
        "name: Panics\nversion: 1\n\
         bench: {duration: 10s, provisioning: {defects: [panic-on-malformed-json]}}\n\
         faults:\n  - name: garbage\n    when: {request: {endpoint: commands, nth: 2}}\n    do: malformed-json\n\
         expect:\n  - name: calm\n    no-serial: panicked\n",
    )]);
    rig.oceanrig(&["run", "a.yaml"]).exits(1).prints(&[
        "× calm",
        "awaited serial \"panicked\" exactly 0 times; it came 1 times, at 0:00:05.",
        "guest fault at 0:00:05.",
        "the firmware panicked",
        "#0 0x42",
        "rust_begin_unwind",
        "main+0x",
    ]);
}

#[test]
fn strict_fails_what_touches_a_register_that_is_not_modelled() {
    // lui a5, 0x6002d (I2S: not modelled); lw a4, 0(a5); wfi; j -4
    let code = [0x6002_D7B7, 0x0007_A703, 0x1050_0073, 0xFFDF_F06F];
    let rig = Rig::with(&[(
        "a.yaml",
        "name: Touches\nversion: 1\nbench: {firmware: touch.elf, duration: 1s}\nexpect:\n  - no-serial: hello\n",
    )]);
    rig.write("touch.elf", &firmware(&code));
    rig.oceanrig(&["run", "a.yaml"])
        .exits(0)
        .prints(&["PASS  a", "1 unmodelled access"]);
    rig.oceanrig(&["run", "a.yaml", "--strict"]).exits(1).prints(&[
        "FAIL  a",
        "strict: the firmware touched what the chip model does not implement, 1 times",
        "repeat: oceanrig run a.yaml --seed 1 --strict",
    ]);
}

#[test]
fn a_plain_wokwi_file_runs_as_it_is() {
    let steps = "name: Wokwi's own\nversion: 1\nauthor: Somebody\n\nsteps:\n  - delay: 50ms\n  - wait-serial: 'Registered'\n";
    let rig = Rig::with(&[
        (
            "passes.yaml",
            &format!(
                "{steps}  - write-serial: 'status'\n  - write-serial: [13, 10]\n  - expect-pin:\n      part-id: esp\n      pin: GPIO4\n      value: 0\n"
            ),
        ),
        (
            "pin.yaml",
            &format!("{steps}  - expect-pin: {{part-id: esp, pin: GPIO4, value: 1}}\n"),
        ),
        (
            "serial.yaml",
            "name: Waits in vain\nversion: 1\nsteps:\n  - wait-serial: 'Never'\n",
        ),
        (
            "button.yaml",
            &format!(
                "{steps}  - set-control: {{part-id: btn1, control: pressed, value: 1}}\n  - delay: 500ms\n  - set-control: {{part-id: btn1, control: pressed, value: 0}}\nbench: {{wiring: {{btn1: {{gpio: 9, active: low}}}}}}\n"
            ),
        ),
    ]);
    rig.oceanrig(&["run", "passes.yaml"])
        .exits(0)
        .prints(&["PASS  passes  0:00:00."]);
    rig.oceanrig(&["run", "button.yaml"])
        .exits(0)
        .prints(&["PASS  button"]);
    rig.oceanrig(&["run", "pin.yaml"])
        .exits(1)
        .prints(&["FAIL  pin", "step 3: "]);
    rig.oceanrig(&["run", "serial.yaml"]).exits(1).prints(&[
        "FAIL  serial  0:00:30.000",
        "step 1: ",
        "Never",
    ]);
}

#[test]
fn a_fault_that_never_fired_fails_the_run_unless_it_is_optional() {
    let file = |rest: &str| {
        format!(
            "name: X\nversion: 1\nbench: {{duration: 5s}}\nfaults:\n  - {{name: late, when: {{serial: no such line}}, \
             do: reset{rest}}}\nexpect: [{{serial: \"[REG] Registered\"}}]\n"
        )
    };
    let rig = Rig::with(&[
        ("never.yaml", &file("")),
        ("perhaps.yaml", &file(", optional: true")),
    ]);
    rig.oceanrig(&["run", "never.yaml"])
        .exits(1)
        .prints(&["FAIL", "the fault `late` was planned and never fired"]);
    rig.oceanrig(&["run", "perhaps.yaml"]).exits(0).prints(&["PASS"]);
}

#[test]
fn events_without_end_end_their_scenario_and_no_other() {
    let budget = PASSES.replace("{duration: 5s}", "{duration: 5s, event-budget: 40}");
    let rig = Rig::with(&[("a.yaml", &budget), ("b.yaml", PASSES)]);
    rig.oceanrig(&["run", ".", "-j", "1", "--out", "out"])
        .exits(1)
        .prints(&[
            "FAIL",
            "more than the budget of 40 (bench.event-budget)",
            "1 passed, 1 failed",
        ]);
    let events = rig.read("out/a/events.jsonl");
    assert!(events.lines().count() < 200, "{events}");
}
