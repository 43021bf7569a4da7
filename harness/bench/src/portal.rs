//! A captive portal: a page that wants a login, whatever was asked for.

/// A request head longer than this is answered as it is.
const MAX_HEAD: usize = 16 * 1024;

const PAGE: &str = "<!DOCTYPE html>\n<html><head><title>Guest WiFi</title></head>\n\
                    <body><h1>Welcome</h1><p>Please log in to use the network.</p></body></html>\n";

/// One connection that the portal has caught.
#[derive(Debug, Default)]
pub(crate) struct Portal {
    head: Vec<u8>,
    over: bool,
}

impl Portal {
    /// Bytes came; what to answer, after which the connection is closed.
    pub(crate) fn receive(&mut self, bytes: &[u8]) -> Option<Vec<u8>> {
        if self.over {
            return None;
        }
        self.head.extend_from_slice(bytes);
        let whole = self.head.windows(4).any(|w| w == b"\r\n\r\n") || self.head.len() > MAX_HEAD;
        self.over = whole;
        whole.then(|| {
            let length = PAGE.len();
            let head = format!(
                "HTTP/1.1 302 Found\r\nLocation: http://login.portal.test/\r\nContent-Type: text/html\r\n\
                 Content-Length: {length}\r\nConnection: close\r\n\r\n"
            );
            [head.as_bytes(), PAGE.as_bytes()].concat()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_request_gets_one_page() {
        let mut portal = Portal::default();
        assert_eq!(portal.receive(b"GET / HTTP/1.1\r\n"), None);
        let page = portal.receive(b"Host: x\r\n\r\n").unwrap();
        assert!(page.starts_with(b"HTTP/1.1 302 Found\r\nLocation: http://login.portal.test/\r\n"));
        assert_eq!(portal.receive(b"GET / HTTP/1.1\r\n\r\n"), None);
    }
}
