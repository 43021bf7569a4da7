//! Actions of a service and its operator, carried out.

use http_service::{Operated, Operation, Service};
use scenario::ServiceAction;
use scenario::action::ServerClockFault;
use sim::Instant;
use vocabulary::spec::{Arg, Args};

use crate::{Done, Order, Turn};

/// Carries out an order for an action of the service or its operator.
pub fn operate(
    order: &Order,
    action: &ServiceAction,
    now: Instant,
    service: &mut dyn Service,
    device: &str,
) -> Done {
    let operation = Operation {
        name: action.name(),
        args: &arguments(action),
        subject: device,
        turn: match order.turn {
            Turn::Begin => http_service::Turn::Begin,
            Turn::Again => http_service::Turn::Again,
            Turn::End => http_service::Turn::End,
        },
        lasts: order.lasts,
    };
    match service.operate(now, &operation) {
        Ok(Operated::Changed) => Done::Changed,
        Ok(Operated::Nothing(why)) => Done::Nothing(why),
        Err(why) => Done::Refused(format!("`{}` failed for {device}: {why}", action.name())),
    }
}

/// The arguments of an action by the keys of the service's spec.
fn arguments(action: &ServiceAction) -> Args {
    let mut args = Args::default();
    let mut set = |key: &str, value: Option<Arg>| {
        if let Some(value) = value {
            args.0.insert(key.to_owned(), value);
        }
    };
    let count = |count: Option<u32>| count.map(|count| Arg::Integer(count.into()));
    match action {
        ServiceAction::CommandRelay(c) => {
            set("relay", Some(Arg::Integer(c.relay.value.into())));
            set("on", Some(Arg::Bool(c.on)));
        }
        ServiceAction::RevokePermanentToken
        | ServiceAction::ExpireSession
        | ServiceAction::InvalidateSession
        | ServiceAction::RenewSession
        | ServiceAction::DeleteDevice
        | ServiceAction::SpendRegistrationToken
        | ServiceAction::RegenerateRegistrationToken
        | ServiceAction::MacMismatch
        | ServiceAction::Ban => {}
        ServiceAction::Limits(limits) => {
            set("requests", count(limits.requests));
            set("registrations", count(limits.registrations));
            set("connections", count(limits.connections));
            set("ban-after", count(limits.ban_after));
        }
        ServiceAction::ServerClock(ServerClockFault::Offset(offset)) => {
            set("offset", Some(Arg::Offset(offset.0)));
        }
        ServiceAction::ServerClock(ServerClockFault::Step(by)) => set("step", Some(Arg::Offset(by.0))),
        ServiceAction::ServerClock(ServerClockFault::DriftPpm(ppm)) => {
            set("drift-ppm", Some(Arg::Integer(ppm.value.into())));
        }
    }
    args
}
