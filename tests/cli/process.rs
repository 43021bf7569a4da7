//! `oceanrig run --dut process:COMMAND`: a program of the host is the device.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::Duration;

use crate::rig::Rig;

/// Waits for the cloud to register its device; a client and not a daemon, so it ends.
const REGISTERS: &str = "\
name: Client
version: 1
bench: {duration: 4s}
expect:
  - name: registers
    requests: {endpoint: register, status: 200, count: 1}
  - name: says so
    serial: registered
";

/// Registers by HTTP, with bash alone.
pub(crate) const CLIENT: &str = r#"
exec 3<>"/dev/tcp/$OCEANRIG_HOST/$OCEANRIG_PORT" || { echo unreachable; exit 0; }
body="{\"token\":\"$OCEANRIG_DEVICE_REGISTRATION_TOKEN\",\"device_id\":\"$OCEANRIG_DEVICE_ID\",\"mac_address\":\"$OCEANRIG_DEVICE_MAC\",\"ip\":\"127.0.0.1\"}"
printf 'POST /api/device/register/ HTTP/1.1\r\nHost: %s\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s' \
    "$OCEANRIG_HOST" "${#body}" "$body" >&3
read -r _ status _ <&3 || status=lost
[ "$status" = 200 ] && echo registered || echo "refused $status"
"#;

fn rig(client: &str) -> Rig {
    let rig = Rig::with(&[("s.yaml", REGISTERS)]);
    rig.write("client.sh", client.as_bytes());
    rig
}

#[test]
fn a_good_client_passes_and_its_end_is_told() {
    rig(CLIENT)
        .oceanrig(&[
            "run",
            "s.yaml",
            "--dut",
            "process:bash client.sh",
            "--verbose",
            "--out",
            "out",
        ])
        .exits(0)
        .prints(&["PASS", "on process:bash client.sh"])
        .tells(&["registered"]);
    let rig = rig(CLIENT);
    rig.oceanrig(&["run", "s.yaml", "--dut", "process:bash client.sh", "--out", "out"])
        .exits(0);
    let events = rig.read("out/s/events.jsonl");
    assert!(
        events.contains(r#"{"exited":{"code":0,"signal":null}}"#),
        "{events}"
    );
}

#[test]
fn a_bad_client_is_caught() {
    let wrong = CLIENT.replace("$OCEANRIG_DEVICE_REGISTRATION_TOKEN", "a token of its own");
    rig(&wrong)
        .oceanrig(&["run", "s.yaml", "--dut", "process:bash client.sh"])
        .exits(1)
        .prints(&["FAIL", "× registers", "--dut 'process:bash client.sh'"]);
}

#[test]
fn the_server_fails_and_the_power_too() {
    let scenario = "\
name: Faults
version: 1
bench: {duration: 4s}
faults:
  - {name: busy, when: {request: {endpoint: register, nth: 1}}, do: {respond: 503}}
  - {name: dip, when: 2s, do: power-cut, for: 500ms}
expect:
  - {name: refused first, serial: refused 503}
  - {name: then registers, requests: {endpoint: register, status: 200, count: 1}}
";
    let rig = rig(CLIENT);
    rig.write("s.yaml", scenario.as_bytes());
    rig.oceanrig(&["run", "s.yaml", "--dut", "process:bash client.sh"])
        .exits(0);
}

#[test]
fn what_a_program_has_not_is_skipped() {
    let rig = rig(CLIENT);
    for (fault, why) in [
        ("{link: {loss: 5%}}, for: 1s", "`link`"),
        ("access-point-gone, for: 1s", "`access-point-gone`"),
        ("{drive-pin: {gpio: 9, level: low}}, for: 1s", "`drive-pin`"),
    ] {
        let scenario = format!("{REGISTERS}faults:\n  - {{name: a, when: 1s, do: {fault}}}\n");
        rig.write("s.yaml", scenario.as_bytes());
        rig.oceanrig(&["run", "s.yaml", "--dut", "process:bash client.sh"])
            .exits(4)
            .prints(&["SKIP", why]);
    }
}

#[test]
fn a_program_that_does_not_start_is_named() {
    let rig = rig("echo nonsense >&2\nexit 3\n");
    rig.oceanrig(&["run", "s.yaml", "--dut", "process:bash client.sh"])
        .exits(8)
        .prints(&["ended at once", "exit status: 3", "nonsense"]);
    rig.oceanrig(&["run", "s.yaml", "--dut", "process:./no-such-client"])
        .exits(8)
        .prints(&["./no-such-client", "check the path"]);
    fs::set_permissions(rig.path("client.sh"), fs::Permissions::from_mode(0o644)).unwrap();
    rig.oceanrig(&["run", "s.yaml", "--dut", "process:./client.sh"])
        .exits(8)
        .prints(&["./client.sh", "chmod +x"]);
    rig.oceanrig(&["run", "s.yaml", "--dut", "process:"])
        .exits(2)
        .tells(&["there is no command"]);
    rig.oceanrig(&["run", "s.yaml", "--dut", "process:a 'b"])
        .exits(2)
        .tells(&["is not closed"]);
}

#[expect(
    clippy::disallowed_methods,
    reason = "a process of its own lives in real time"
)]
fn pause() {
    std::thread::sleep(Duration::from_millis(50));
}

/// Writes the process ids of itself and a child to a file and stays, whatever it is told.
const STAYS: &str = "trap '' TERM\nsleep 600 &\necho $$ $! > pids\necho up\nwhile :; do sleep 1; done\n";

fn alive(pid: &str) -> bool {
    let stat = fs::read_to_string(Path::new("/proc").join(pid).join("stat"));
    stat.is_ok_and(|stat| !stat.contains(") Z "))
}

/// Waits until the processes named in `pids` are gone.
fn gone(rig: &Rig) {
    let pids = rig.read("pids");
    for _ in 0..100 {
        if pids.split_whitespace().all(|pid| !alive(pid)) {
            return;
        }
        pause();
    }
    panic!("processes are left: {pids}");
}

#[test]
fn nothing_of_a_program_is_left() {
    let rig = rig(STAYS);
    let scenario = "name: Stays\nversion: 1\nbench: {duration: 1s}\nexpect: [{serial: up}]\n";
    rig.write("s.yaml", scenario.as_bytes());
    rig.oceanrig(&["run", "s.yaml", "--dut", "process:bash client.sh"])
        .exits(0);
    gone(&rig);
}

#[test]
fn nothing_of_a_program_is_left_when_the_rig_is_killed() {
    let rig = rig(STAYS);
    let scenario = "name: Stays\nversion: 1\nbench: {duration: 10m}\nexpect: [{serial: up}]\n";
    rig.write("s.yaml", scenario.as_bytes());
    let mut child = rig
        .command(&["run", "s.yaml", "--dut", "process:bash client.sh"])
        .spawn()
        .unwrap();
    for _ in 0..200 {
        if rig.path("pids").exists() {
            break;
        }
        pause();
    }
    child.kill().unwrap();
    child.wait().unwrap();
    gone(&rig);
}
