//! What the program is told, as environment variables.

/// The variables for a device with these settings: `OCEANRIG_URL`, `OCEANRIG_HOST` and `OCEANRIG_PORT` say where its
/// cloud is, and each setting has its key: `device.registration_token` is `OCEANRIG_DEVICE_REGISTRATION_TOKEN`.
pub(crate) fn variables(settings: &[(&str, String)], mac: [u8; 6]) -> Vec<(String, String)> {
    let setting = |wanted: &str| {
        let found = settings.iter().find(|(key, _)| *key == wanted);
        found.map_or("", |(_, value)| value.as_str())
    };
    let (host, port) = (setting("server.host"), setting("server.port"));
    let mac: Vec<String> = mac.iter().map(|byte| format!("{byte:02x}")).collect();
    let mut all = vec![
        ("OCEANRIG_URL".to_owned(), format!("http://{host}:{port}")),
        ("OCEANRIG_HOST".to_owned(), host.to_owned()),
        ("OCEANRIG_PORT".to_owned(), port.to_owned()),
        ("OCEANRIG_DEVICE_MAC".to_owned(), mac.join(":")),
    ];
    all.extend(settings.iter().map(|(key, value)| (name(key), value.clone())));
    all
}

fn name(key: &str) -> String {
    let letter = |c: char| {
        if c.is_ascii_alphanumeric() {
            c.to_ascii_uppercase()
        } else {
            '_'
        }
    };
    format!("OCEANRIG_{}", key.chars().map(letter).collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_variables() {
        let settings = [
            ("server.host", "127.0.0.1".to_owned()),
            ("server.port", "8080".to_owned()),
            ("device.registration_token", "oc_reg_1".to_owned()),
        ];
        let all = variables(&settings, [2, 12, 234, 0, 0, 1]);
        for (name, value) in [
            ("OCEANRIG_URL", "http://127.0.0.1:8080"),
            ("OCEANRIG_DEVICE_MAC", "02:0c:ea:00:00:01"),
            ("OCEANRIG_DEVICE_REGISTRATION_TOKEN", "oc_reg_1"),
        ] {
            assert!(
                all.contains(&(name.to_owned(), value.to_owned())),
                "{name} in {all:?}"
            );
        }
    }
}
