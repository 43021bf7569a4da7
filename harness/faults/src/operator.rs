//! Actions of a service and its operator, carried out.

use http_service::{Operated, Operation, Service};
use sim::Instant;

use crate::{Done, Order, Turn};

/// Carries out an order for an action of the service or its operator.
pub fn operate(
    order: &Order,
    action: &scenario::Operation,
    now: Instant,
    service: &mut dyn Service,
    device: &str,
) -> Done {
    let operation = Operation {
        name: action.name(),
        args: &action.args,
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
