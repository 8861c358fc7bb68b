//! As much of HTTP/1.1 as a stand-in for a service needs.

use std::io::Read as _;
use std::net::TcpStream;

/// Reads one request: its head and its body.
pub(crate) fn read_request(client: &mut TcpStream) -> (String, Vec<u8>) {
    let (mut bytes, mut buffer) = (Vec::new(), [0; 4096]);
    loop {
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            let headers = String::from_utf8(bytes[..end].to_vec()).unwrap();
            let length: usize = header(&headers, "content-length").parse().unwrap();
            if bytes.len() == end + 4 + length {
                return (headers, bytes.split_off(end + 4));
            }
        }
        let read = client.read(&mut buffer).unwrap();
        assert!(read > 0, "the client hung up");
        bytes.extend_from_slice(&buffer[..read]);
    }
}

/// A header's value, or nothing.
pub(crate) fn header<'a>(headers: &'a str, name: &str) -> &'a str {
    let of = |line: &'a str| {
        line.split_once(':').filter(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
    };
    headers.lines().find_map(of).unwrap_or_default()
}
