//! The part of HTTP/1.1 that a fake service uses.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::thread;

/// Starts a server that calls `handle` with each connection. Returns its URL.
pub(crate) fn serve(mut handle: impl FnMut(TcpStream) + Send + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = url_of(&listener);
    thread::spawn(move || {
        for client in listener.incoming() {
            handle(client.unwrap());
        }
    });
    url
}

pub(crate) fn url_of(listener: &TcpListener) -> String {
    format!("http://{}", listener.local_addr().unwrap())
}

/// Reads one request: its head and its body.
pub(crate) fn read_request(client: &mut TcpStream) -> (String, Vec<u8>) {
    let (mut bytes, mut buffer) = (Vec::new(), [0; 4096]);
    loop {
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
            let length: usize = header(&head, "content-length").parse().unwrap();
            if bytes.len() == end + 4 + length {
                return (head, bytes.split_off(end + 4));
            }
        }
        let read = client.read(&mut buffer).unwrap();
        assert!(read > 0, "the client hung up");
        bytes.extend_from_slice(&buffer[..read]);
    }
}

/// Returns the value of a header, or an empty text.
pub(crate) fn header<'a>(head: &'a str, name: &str) -> &'a str {
    let value = |line: &'a str| {
        line.split_once(':').filter(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
    };
    head.lines().find_map(value).unwrap_or_default()
}

/// Writes a response and closes the connection.
pub(crate) fn respond(mut client: TcpStream, status: u16, body: &[u8]) {
    let head = format!(
        "HTTP/1.1 {status} -\r\ncontent-type: application/x-amz-json-1.0\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        body.len()
    );
    let _ = client.write_all(head.as_bytes()).and_then(|()| client.write_all(body));
}
