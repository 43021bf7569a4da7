//! Who answers where: the cloud listens at its address and port, and nothing answers elsewhere.

use crate::rig::Rig;

fn scenario(server: &str, more: &str, count: &str) -> String {
    format!(
        "name: Place\nversion: 1\nbench:\n  duration: 30s\n  provisioning: {{ server: {server} }}\n{more}expect:\n  \
         - requests: {{ endpoint: register, status: 200, count: {count} }}\n"
    )
}

#[test]
fn the_cloud_answers_at_its_address_and_port_and_nowhere_else() {
    for (server, more, place) in [
        ("{ port: 4711 }", "", "203.0.113.10:4711"),
        ("{ host: pool.ntp.org, port: 443 }", "", "203.0.113.123:443"),
        ("{ host: pool.ntp.org }", "", "203.0.113.123:80"),
        ("{ host: 10.0.0.1 }", "", "10.0.0.1:80"),
        ("{ host: 192.168.4.1 }", "", "192.168.4.1:80"),
        ("{ port: 80 }", "  cloud: { port: 8080 }\n", "203.0.113.10:80"),
    ] {
        let rig = Rig::with(&[("s.yaml", &scenario(server, more, "0"))]);
        rig.oceanrig(&["run", "s.yaml", "--out", "out"]).exits(0);
        let events = rig.read("out/s/events.jsonl");
        let told = format!("the device connected to {place}, where nothing listens");
        assert_eq!(events.matches(&told).count(), 1, "{place} in {events}");
        // And a scenario that expects the cloud there fails, and says why.
        let rig = Rig::with(&[("s.yaml", &scenario(server, more, "1"))]);
        rig.oceanrig(&["run", "s.yaml"]).exits(1).prints(&[&told]);
    }
}

#[test]
fn the_cloud_answers_at_the_port_and_the_address_that_the_scenario_gives_it() {
    for (server, more) in [
        ("{ port: 8080 }", "  cloud: { port: 8080 }\n"),
        ("{}", "  cloud: { port: 8080 }\n"),
        ("{ host: 203.0.113.10 }", ""),
        ("{}", "  cloud: { host: 198.51.100.7 }\n"),
    ] {
        let rig = Rig::with(&[("s.yaml", &scenario(server, more, "1"))]);
        rig.oceanrig(&["run", "s.yaml"]).exits(0);
    }
}

#[test]
fn a_time_server_with_the_name_of_the_cloud_does_not_move_the_cloud() {
    let more = "  cloud: { host: cloud.oceanremote.test }\n";
    let text = scenario("{}, ntp: { server: cloud.oceanremote.test }", more, "0");
    let text = text.replace("count: 0", "count: { max: 1 }");
    let rig = Rig::with(&[("s.yaml", &text)]);
    rig.oceanrig(&["run", "s.yaml", "--out", "out"]).exits(0);
    let events = rig.read("out/s/events.jsonl");
    assert!(
        events.contains("the device sent a datagram to 203.0.113.10:123, where nothing listens"),
        "{events}"
    );
}
