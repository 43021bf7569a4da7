//! One body of scenarios on every backend: the same verdicts, but for the differences in the table.
//!
//! The columns are exit codes: 0 passed, 1 failed, 4 skipped as impossible. `process` is a client of a few lines that
//! registers once, so it has a column only for what such a client can show.

use crate::desk::Desk;
use crate::process::CLIENT;
use crate::rig::Rig;

struct Case {
    name: &'static str,
    /// What follows name and version.
    scenario: &'static str,
    emulator: i32,
    board: i32,
    process: Option<i32>,
    /// Why the columns differ; empty where they do not.
    difference: &'static str,
}

const BODY: [Case; 11] = [
    Case {
        name: "registers at the cloud",
        scenario: "bench: {duration: 4s}\nexpect: [{requests: {endpoint: register, status: 200, count: 1}}]\n",
        emulator: 0,
        board: 0,
        process: Some(0),
        difference: "",
    },
    Case {
        name: "is caught without a valid token",
        scenario: "bench: {duration: 4s, provisioning: {device: {registration-token: spent}}}\n\
                   expect: [{requests: {endpoint: register, status: 200, count: 1}}]\n",
        emulator: 1,
        board: 1,
        process: Some(1),
        difference: "",
    },
    Case {
        name: "reaches nobody at another port",
        scenario: "bench: {duration: 4s, provisioning: {server: {port: 4711}}}\n\
                   expect: [{requests: {endpoint: register, count: 0}}]\n",
        emulator: 0,
        board: 0,
        process: Some(0),
        difference: "",
    },
    Case {
        name: "reaches nobody at an address without a host",
        scenario: "bench: {duration: 4s, provisioning: {server: {host: 127.0.0.9, port: 4711}}}\n\
                   expect: [{requests: {endpoint: register, count: 0}}]\n",
        emulator: 0,
        board: 0,
        process: Some(0),
        difference: "",
    },
    Case {
        name: "the first registration is refused",
        scenario: "bench: {duration: 4s}\n\
                   faults: [{name: busy, when: {request: {endpoint: register}}, do: {respond: 503}}]\n\
                   expect: [{requests: {endpoint: register, status: 503, count: 1}}]\n",
        emulator: 0,
        board: 0,
        process: Some(0),
        difference: "",
    },
    Case {
        name: "the reply to the registration is lost",
        scenario: "bench: {duration: 4s}\n\
                   faults: [{name: lost, when: {request: {endpoint: register, at: after-effect}}, do: {lose-reply: {then: reset}}}]\n\
                   expect: [{event: {of: {fault: {name: lost, state: fired}}, count: 1}}]\n",
        emulator: 0,
        board: 0,
        process: Some(0),
        difference: "",
    },
    Case {
        name: "new connections are refused",
        scenario: "bench: {duration: 4s}\n\
                   faults: [{name: closed, when: 0s, do: refuse}]\n\
                   expect: [{requests: {endpoint: register, count: 0}}]\n",
        emulator: 0,
        board: 0,
        process: Some(0),
        difference: "",
    },
    Case {
        name: "SNTP says nothing",
        scenario: "bench: {duration: 15s}\n\
                   faults: [{name: no time, when: 0s, do: {ntp: silent}}]\n\
                   expect: [{requests: {endpoint: register, status: 200, count: 1}}]\n",
        emulator: 0,
        board: 0,
        process: Some(0),
        difference: "",
    },
    Case {
        name: "a fault that changes nothing fails the run",
        scenario: "bench: {duration: 4s}\n\
                   faults: [{name: early, when: 0s, do: renew-session}]\n\
                   expect: [{requests: {endpoint: register, status: 200, count: 1}}]\n",
        emulator: 1,
        board: 1,
        process: Some(1),
        difference: "",
    },
    Case {
        name: "the link loses frames",
        scenario: "bench: {duration: 4s}\n\
                   faults: [{name: thin, when: 0s, do: {link: {loss: 1%}}, for: 1s}]\n\
                   expect: [{requests: {endpoint: register, status: 200, count: 1}}]\n",
        emulator: 0,
        board: 4,
        process: Some(4),
        difference: "the air of a board is its own, and a program has none",
    },
    Case {
        name: "a pin is driven",
        scenario: "bench: {duration: 4s}\n\
                   faults: [{name: stuck, when: 1s, do: {drive-pin: {gpio: 9, level: low}}, for: 1s}]\n\
                   expect: [{requests: {endpoint: register, status: 200, count: 1}}]\n",
        emulator: 0,
        board: 4,
        process: Some(4),
        difference: "nothing is wired to the pins of a board, and a program has none",
    },
];

fn scenario(case: &Case) -> String {
    format!("name: {}\nversion: 1\n{}", case.name, case.scenario)
}

#[test]
fn the_table_says_why_columns_differ() {
    for case in &BODY {
        let same = case.emulator == case.board && case.process.is_none_or(|p| p == case.board);
        assert_eq!(same, case.difference.is_empty(), "{}", case.name);
    }
}

#[test]
fn on_the_emulator() {
    for case in &BODY {
        let rig = Rig::with(&[("s.yaml", &scenario(case))]);
        let ended = rig.oceanrig(&["run", "s.yaml"]);
        assert_eq!(ended.code, Some(case.emulator), "{}: {ended:#?}", case.name);
    }
}

#[test]
#[ignore = "takes a minute of wall time"]
fn on_a_program() {
    for case in &BODY {
        let Some(expected) = case.process else { continue };
        let rig = Rig::with(&[("s.yaml", &scenario(case))]);
        rig.write("client.sh", CLIENT.as_bytes());
        let ended = rig.oceanrig(&["run", "s.yaml", "--dut", "process:bash client.sh"]);
        assert_eq!(ended.code, Some(expected), "{}: {ended:#?}", case.name);
    }
}

#[test]
#[ignore = "takes a minute of wall time"]
fn on_a_virtual_board() {
    let desk = Desk::new("");
    for case in &BODY {
        let ended = desk.run(&scenario(case), &[]);
        assert_eq!(ended.code, Some(case.board), "{}: {ended:#?}", case.name);
    }
}
