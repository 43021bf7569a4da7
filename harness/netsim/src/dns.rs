//! A DNS server for the A records of the configuration (RFC 1035).

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use crate::DnsAnswer;

const HEADER: usize = 12;
const CLASS_IN: u16 = 1;
const CLASS_ANY: u16 = 255;
const TYPE_A: u16 = 1;
const TYPE_ANY: u16 = 255;
/// Time to live of an answer, s.
const TTL_S: u32 = 60;

/// Behaviour of the server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DnsMode {
    /// Correct answers from the records.
    #[default]
    Normal,
    /// No query is answered.
    Silent,
    /// Every name does not exist.
    NxDomain,
    /// Every query fails.
    ServFail,
    /// Every name has this address, as with a wrong record or a captive portal.
    Address(Ipv4Addr),
}

/// Result of a query.
#[derive(Debug, PartialEq, Eq)]
pub struct Outcome {
    /// The requested name, lower case; empty if the question cannot be parsed.
    pub name: String,
    /// Kind of the answer.
    pub answer: DnsAnswer,
    /// Encoded answer, if one is sent.
    pub reply: Option<Vec<u8>>,
}

struct Question {
    name: String,
    kind: u16,
    class: u16,
    /// Offset of the question's end in the message.
    end: usize,
}

/// Parses the only question of a query. The first name of a message cannot contain a pointer.
fn question(message: &[u8]) -> Option<Question> {
    let mut name = String::new();
    let mut at = HEADER;
    loop {
        let len = usize::from(*message.get(at)?);
        at += 1;
        if len == 0 {
            break;
        }
        if len > 63 || name.len() + len > 253 {
            return None;
        }
        if !name.is_empty() {
            name.push('.');
        }
        for byte in message.get(at..at + len)? {
            name.push(char::from(byte.to_ascii_lowercase()));
        }
        at += len;
    }
    let tail = message.get(at..at + 4)?;
    let kind = u16::from_be_bytes([tail[0], tail[1]]);
    Some(Question {
        name,
        kind,
        class: u16::from_be_bytes([tail[2], tail[3]]),
        end: at + 4,
    })
}

/// Answers `query` from `records`, whose names are lower case. `None` for a message that is not a query.
pub fn answer(query: &[u8], records: &BTreeMap<String, Ipv4Addr>, mode: DnsMode) -> Option<Outcome> {
    if query.len() < HEADER || query[2] & 0x80 != 0 {
        return None;
    }
    let opcode = query[2] >> 3 & 15;
    let count = u16::from_be_bytes([query[4], query[5]]);
    let question = if count == 1 { question(query) } else { None };
    let answer = match &question {
        _ if mode == DnsMode::Silent => DnsAnswer::Silent,
        _ if opcode != 0 => DnsAnswer::NotImplemented,
        None => DnsAnswer::FormErr,
        Some(q) => look_up(q, records, mode),
    };
    let name = question.as_ref().map(|q| q.name.clone()).unwrap_or_default();
    let reply = (answer != DnsAnswer::Silent).then(|| build(query, question.as_ref(), answer));
    Some(Outcome { name, answer, reply })
}

fn look_up(q: &Question, records: &BTreeMap<String, Ipv4Addr>, mode: DnsMode) -> DnsAnswer {
    let address = match mode {
        DnsMode::NxDomain => return DnsAnswer::NxDomain,
        DnsMode::ServFail => return DnsAnswer::ServFail,
        DnsMode::Address(ip) => ip,
        DnsMode::Normal | DnsMode::Silent => match records.get(&q.name) {
            Some(ip) => *ip,
            None => return DnsAnswer::NxDomain,
        },
    };
    if matches!(q.class, CLASS_IN | CLASS_ANY) && matches!(q.kind, TYPE_A | TYPE_ANY) {
        DnsAnswer::Address(address)
    } else {
        DnsAnswer::NoData
    }
}

fn build(query: &[u8], question: Option<&Question>, answer: DnsAnswer) -> Vec<u8> {
    let rcode = match answer {
        DnsAnswer::FormErr => 1,
        DnsAnswer::ServFail => 2,
        DnsAnswer::NxDomain => 3,
        DnsAnswer::NotImplemented => 4,
        DnsAnswer::Address(_) | DnsAnswer::NoData | DnsAnswer::Silent => 0,
    };
    let mut reply = query[..2].to_vec();
    // QR, the query's opcode and RD; RA and the response code (RFC 1035, 4.1.1).
    reply.extend([0x80 | query[2] & 0x79, 0x80 | rcode]);
    let answers = u8::from(matches!(answer, DnsAnswer::Address(_)));
    reply.extend([0, u8::from(question.is_some()), 0, answers, 0, 0, 0, 0]);
    if let Some(q) = question {
        reply.extend_from_slice(&query[HEADER..q.end]);
    }
    if let DnsAnswer::Address(ip) = answer {
        // The name is a pointer to the question (RFC 1035, 4.1.4).
        reply.extend([0xc0, HEADER as u8, 0, TYPE_A as u8, 0, CLASS_IN as u8]);
        reply.extend(TTL_S.to_be_bytes());
        reply.extend([0, 4]);
        reply.extend(ip.octets());
    }
    reply
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUERY: &[u8] =
        b"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x05CLOUD\x04test\x00\x00\x01\x00\x01";

    fn ask(query: &[u8], mode: DnsMode) -> Option<Outcome> {
        let records = BTreeMap::from([("cloud.test".to_owned(), Ipv4Addr::new(203, 0, 113, 10))]);
        answer(query, &records, mode)
    }

    fn of_type(kind: u8) -> Vec<u8> {
        let mut query = QUERY.to_vec();
        query[25] = kind;
        query
    }

    #[test]
    fn an_address_is_answered_with_these_bytes() {
        let outcome = ask(QUERY, DnsMode::Normal).unwrap();
        assert_eq!(outcome.name, "cloud.test");
        let expected =
            b"\x12\x34\x81\x80\x00\x01\x00\x01\x00\x00\x00\x00\x05CLOUD\x04test\x00\x00\x01\x00\x01\
            \xc0\x0c\x00\x01\x00\x01\x00\x00\x00\x3c\x00\x04\xcb\x00\x71\x0a";
        assert_eq!(outcome.reply.unwrap(), expected);
    }

    #[test]
    fn another_type_of_a_known_name_is_empty_and_an_unknown_name_does_not_exist() {
        let aaaa = ask(&of_type(28), DnsMode::Normal).unwrap();
        assert_eq!(
            (aaaa.answer, &aaaa.reply.unwrap()[2..8]),
            (DnsAnswer::NoData, &[0x81, 0x80, 0, 1, 0, 0][..])
        );
        let mut other = QUERY.to_vec();
        other[13] = b'k';
        let other = ask(&other, DnsMode::Normal).unwrap();
        assert_eq!(
            (other.answer, other.reply.unwrap()[3]),
            (DnsAnswer::NxDomain, 0x83)
        );
    }

    #[test]
    fn nonsense_is_a_format_error_and_noise_is_ignored() {
        let cut = ask(&QUERY[..20], DnsMode::Normal).unwrap();
        assert_eq!(
            (cut.answer, cut.reply.unwrap()[2..6].to_vec()),
            (DnsAnswer::FormErr, vec![0x81, 0x81, 0, 0])
        );
        let mut pointer = QUERY.to_vec();
        pointer[12] = 0xc0;
        assert_eq!(ask(&pointer, DnsMode::Normal).unwrap().answer, DnsAnswer::FormErr);
        let mut two = QUERY.to_vec();
        two[5] = 2;
        assert_eq!(ask(&two, DnsMode::Normal).unwrap().answer, DnsAnswer::FormErr);
        let mut response = QUERY.to_vec();
        response[2] |= 0x80;
        assert_eq!(ask(&response, DnsMode::Normal), None);
        assert_eq!(ask(&QUERY[..11], DnsMode::Normal), None);
        let mut status = QUERY.to_vec();
        status[2] = 2 << 3;
        assert_eq!(
            ask(&status, DnsMode::Normal).unwrap().answer,
            DnsAnswer::NotImplemented
        );
    }

    #[test]
    fn modes_override_the_records() {
        let told = |mode| ask(QUERY, mode).unwrap().answer;
        assert_eq!(told(DnsMode::NxDomain), DnsAnswer::NxDomain);
        assert_eq!(told(DnsMode::ServFail), DnsAnswer::ServFail);
        let portal = Ipv4Addr::new(192, 168, 4, 1);
        assert_eq!(told(DnsMode::Address(portal)), DnsAnswer::Address(portal));
        assert_eq!(ask(QUERY, DnsMode::Silent).unwrap().reply, None);
    }
}
