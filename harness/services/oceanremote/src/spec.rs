//! The names that scenario files may use for this service, as data.

use std::time::Duration;

use vocabulary::spec::{
    EndpointSpec, ExpectationSpec, FactSpec, Nature, OperationSpec, ParamSpec, ParamType, Params,
    ServiceSpec, WindowKeys,
};

use crate::judges;

/// The length of a ban that a scenario or the configuration does not give (`docs/oceanremote-contract.md`,
/// "Limits").
pub const BAN: Duration = Duration::from_secs(BAN_S as u64);

/// The same in seconds.
pub(crate) const BAN_S: u32 = 24 * 3600;

/// Relays of a device that an operator can switch in a scenario.
const RELAYS: i64 = 8;

/// What scenario files can say about OceanRemote.
pub const SPEC: ServiceSpec = ServiceSpec {
    name: "oceanremote",
    about: "The OceanRemote cloud: devices register, renew a session, report and poll for commands.",
    endpoints: ENDPOINTS,
    operations: OPERATIONS,
    facts: FACTS,
    expectations: EXPECTATIONS,
};

const fn endpoint(name: &'static str, about: &'static str) -> EndpointSpec {
    EndpointSpec { name, about }
}

const ENDPOINTS: &[EndpointSpec] = &[
    endpoint("register", "`POST /api/device/register/`"),
    endpoint("renew-session", "`POST /api/device/<id>/renew-session/`"),
    endpoint("update", "`POST /api/device/<id>/update/`"),
    endpoint("commands", "`GET /api/device/<id>/commands/`"),
    endpoint("state", "`GET /api/device/state/`"),
    endpoint("other", "Any other path."),
];

const fn optional(
    name: &'static str,
    about: &'static str,
    example: &'static str,
    ty: ParamType,
) -> ParamSpec {
    ParamSpec {
        name,
        about,
        example,
        ty,
        required: false,
    }
}

const fn required(
    name: &'static str,
    about: &'static str,
    example: &'static str,
    ty: ParamType,
) -> ParamSpec {
    ParamSpec {
        required: true,
        ..optional(name, about, example, ty)
    }
}

/// An operation without parameters that happens once.
const fn once(name: &'static str, about: &'static str) -> OperationSpec {
    OperationSpec {
        name,
        about,
        example: "",
        nature: Nature::Once,
        once_with: &[],
        lasts: None,
        sets: &[],
        params: Params::None,
    }
}

/// A whole number as wide as the format's own counters.
const COUNT: ParamType = ParamType::Integer(0, u32::MAX as i64);

const OPERATIONS: &[OperationSpec] = &[
    OperationSpec {
        example: "{relay: 1, on: true}",
        params: Params::Keys(&[
            required(
                "relay",
                "Which relay, from 1.",
                "1",
                ParamType::Integer(1, RELAYS),
            ),
            required("on", "Whether it is to be on.", "true", ParamType::Bool),
        ]),
        ..once("command-relay", "An operator switches a relay on the dashboard.")
    },
    once(
        "revoke-permanent-token",
        "An operator revokes the device's permanent token.",
    ),
    once(
        "expire-session",
        "The device's session ends before its time: `Session expired`.",
    ),
    once(
        "invalidate-session",
        "The server forgets the device's session: `Invalid token`.",
    ),
    once(
        "renew-session",
        "An operator presses \"Renew Session\" on the dashboard.",
    ),
    once(
        "delete-device",
        "An operator deletes the device: its paths answer 404.",
    ),
    once(
        "spend-registration-token",
        "Somebody else uses the device's registration token up.",
    ),
    once(
        "regenerate-registration-token",
        "An operator draws a new registration token; the device is not told.",
    ),
    once(
        "mac-mismatch",
        "The permanent token is bound to another MAC address than the device's.",
    ),
    OperationSpec {
        nature: Nature::Lasting,
        lasts: Some(BAN),
        sets: &[("", "the ban")],
        ..once(
            "ban",
            "The device's address is banned; without `for`, for the 24 h of the contract.",
        )
    },
    OperationSpec {
        example: "{requests: 1, registrations: 1}",
        nature: Nature::Lasting,
        sets: &[("", "the limits")],
        params: Params::AtLeastOne(&[
            optional("requests", "Requests in any second.", "1", COUNT),
            optional("registrations", "Registrations in any minute.", "1", COUNT),
            optional("connections", "Connections at the same time.", "1", COUNT),
            optional(
                "ban-after",
                "Failed attempts that ban an address for 24 h.",
                "5",
                COUNT,
            ),
        ]),
        ..once(
            "limits",
            "The limits per address are these; what is left out stays.",
        )
    },
    OperationSpec {
        example: "5s",
        nature: Nature::Lasting,
        sets: &[("", "the idle timeout")],
        params: Params::One(ParamType::Duration),
        ..once(
            "idle-timeout",
            "The server closes a connection that has been idle for this long; 75 s otherwise.",
        )
    },
    OperationSpec {
        example: "60s",
        nature: Nature::Lasting,
        sets: &[("", "the grace time of a renewal")],
        params: Params::One(ParamType::Duration),
        ..once(
            "renewal-grace",
            "The session that a renewal replaces stays good for this long; otherwise it ends at once.",
        )
    },
    OperationSpec {
        example: "{offset: 301s}",
        nature: Nature::Lasting,
        once_with: &["step"],
        sets: &[
            ("offset", "the server's clock"),
            ("drift-ppm", "the drift of the server's clock"),
        ],
        params: Params::ExactlyOne(&[
            optional(
                "offset",
                "It is so far ahead of true time; negative is behind.",
                "301s",
                ParamType::Offset,
            ),
            optional(
                "step",
                "It jumps by so much, once, and goes on from there.",
                "-10m",
                ParamType::Offset,
            ),
            optional(
                "drift-ppm",
                "It gains so many parts per million from now on; at the end it is set right again.",
                "500",
                ParamType::Integer(-100_000, 100_000),
            ),
        ]),
        ..once("server-clock", "The server's clock goes wrong.")
    },
];

const DEVICE: ParamSpec = optional("device", "Only for this device id.", "oc-123456", ParamType::Text);

const FACTS: &[FactSpec] = &[
    FactSpec {
        name: "session",
        about: "A change of a session at the cloud.",
        example: "renewed",
        fields: &[
            required(
                "change",
                "What happens to the session.",
                "expired",
                ParamType::Choice(&["issued", "renewed", "recovered", "expired", "invalidated"]),
            ),
            DEVICE,
        ],
        is_state: false,
    },
    FactSpec {
        name: "status",
        about: "A change of the status that the dashboard shows.",
        example: "offline",
        fields: &[
            required(
                "status",
                "The new status.",
                "offline",
                ParamType::Choice(&["online", "away", "offline"]),
            ),
            DEVICE,
        ],
        is_state: true,
    },
    FactSpec {
        name: "ban",
        about: "An address is banned, or its ban is lifted by an operator.",
        example: "banned",
        fields: &[
            required(
                "change",
                "What happens.",
                "banned",
                ParamType::Choice(&["banned", "lifted"]),
            ),
            optional("peer", "Only for this address.", "192.168.4.2", ParamType::Text),
        ],
        is_state: false,
    },
    FactSpec {
        name: "token",
        about: "A change of a token at the cloud; sessions have a trigger of their own.",
        example: "revoked",
        fields: &[
            required(
                "change",
                "What happens to the token.",
                "revoked",
                ParamType::Choice(&["issued", "revoked", "spent", "regenerated"]),
            ),
            optional(
                "kind",
                "Only for this kind of token.",
                "permanent",
                ParamType::Choice(&["registration", "permanent"]),
            ),
            DEVICE,
        ],
        is_state: false,
    },
    FactSpec {
        name: "device",
        about: "A device is claimed by its first registration, or deleted.",
        example: "deleted",
        fields: &[
            required(
                "change",
                "What happens to the device.",
                "deleted",
                ParamType::Choice(&["claimed", "deleted"]),
            ),
            DEVICE,
        ],
        is_state: false,
    },
    FactSpec {
        name: "command",
        about: "A command to a device is queued by an operator, handed out by a poll, or acknowledged by one.",
        example: "delivered",
        fields: &[
            required(
                "change",
                "What happens to the command.",
                "acknowledged",
                ParamType::Choice(&["queued", "delivered", "acknowledged"]),
            ),
            optional(
                "id",
                "Only for this command, counted from 1 for each device.",
                "1",
                ParamType::Integer(1, i64::MAX),
            ),
            DEVICE,
        ],
        is_state: false,
    },
    FactSpec {
        name: "rate-limited",
        about: "A request is refused because its address is over a limit.",
        example: "commands",
        fields: &[
            optional(
                "endpoint",
                "Only for requests to this endpoint.",
                "commands",
                ParamType::Choice(&[
                    "register",
                    "renew-session",
                    "update",
                    "commands",
                    "state",
                    "other",
                ]),
            ),
            optional("peer", "Only from this address.", "192.168.4.2", ParamType::Text),
        ],
        is_state: false,
    },
];

const EXPECTATIONS: &[ExpectationSpec] = &[
    ExpectationSpec {
        name: "liveness",
        about: "The device has a valid session again soon after the last fault has ended: a poll or update of it is \
                answered 200.",
        title: "alive within {within}",
        example: "{within: 2m}",
        params: &[required("within", "How soon.", "2m", ParamType::Duration)],
        window: WindowKeys::After,
        judge: judges::liveness,
    },
    ExpectationSpec {
        name: "token-reuse",
        about: "A token that the cloud has refused is not sent again and again.",
        title: "a refused token is sent at most {max} times",
        example: "{max: 5}",
        params: &[required(
            "max",
            "At most this often for one token.",
            "5",
            ParamType::Integer(0, i64::MAX),
        )],
        window: WindowKeys::All,
        judge: judges::token_reuse,
    },
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn names_are_unique_and_the_last_endpoint_is_the_rest() {
        let names = |names: Vec<&'static str>| {
            let set: BTreeSet<&str> = names.iter().copied().collect();
            assert_eq!(set.len(), names.len(), "{names:?}");
        };
        names(SPEC.endpoints.iter().map(|e| e.name).collect());
        names(SPEC.operations.iter().map(|o| o.name).collect());
        names(SPEC.facts.iter().map(|f| f.name).collect());
        names(SPEC.expectations.iter().map(|e| e.name).collect());
        assert_eq!(SPEC.endpoints.last().map(|e| e.name), Some("other"));
    }
}
