//! Fake services over HTTP, with the reader and writer of the benchmark.

#[path = "../../../local/benchmark/src/http.rs"]
#[expect(dead_code, reason = "only the benchmark reads the path")]
mod message;

use std::io::BufReader;
use std::net::{TcpListener, TcpStream};
use std::thread;

pub(crate) use message::Request;

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

/// Reads the first request of a connection.
pub(crate) fn read_request(client: &mut TcpStream) -> Request {
    Request::read(&mut BufReader::new(client)).unwrap().unwrap()
}

/// Writes a response and closes the connection. Ignores a client that has hung up.
pub(crate) fn respond(mut client: TcpStream, status: u16, body: &[u8]) {
    let headers = [("content-type", "application/x-amz-json-1.0"), ("connection", "close")];
    let _ = message::write_response(&mut client, status, &headers, body);
}
