//! Just enough of HTTP and of PostgreSQL's protocol to ask a question.

use std::{
    io::{Read, Write},
    net::{Ipv4Addr, TcpStream},
};

pub fn listens(port: u16) -> bool {
    TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok()
}

/// The whole HTTP answer of a JSON-RPC call without parameters.
pub fn rpc(port: u16, method: &str) -> String {
    let body = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"{method}","params":[]}}"#);
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
    let head = "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nConnection: close\r\n";
    write!(stream, "{head}Content-Length: {}\r\n\r\n{body}", body.len()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

/// Runs `sql` in the database `postgres`; the first value of the first row, or nothing.
pub fn query(port: u16, sql: &str) -> String {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
    let start = b"\0\x03\0\0user\0rollcall\0database\0postgres\0\0";
    stream.write_all(&u32::try_from(start.len() + 4).unwrap().to_be_bytes()).unwrap();
    stream.write_all(start).unwrap();
    read_until_ready(&mut stream);
    stream.write_all(b"Q").unwrap();
    stream.write_all(&u32::try_from(sql.len() + 5).unwrap().to_be_bytes()).unwrap();
    stream.write_all(sql.as_bytes()).unwrap();
    stream.write_all(b"\0").unwrap();
    read_until_ready(&mut stream)
}

fn read_until_ready(stream: &mut TcpStream) -> String {
    let mut value = None;
    loop {
        let mut head = [0; 5];
        stream.read_exact(&mut head).unwrap();
        let length = u32::from_be_bytes(head[1..].try_into().unwrap());
        let mut body = vec![0; length as usize - 4];
        stream.read_exact(&mut body).unwrap();
        match head[0] {
            b'E' => panic!("{}", String::from_utf8_lossy(&body).replace('\0', " ")),
            // Columns (2 bytes), length of the first (4 bytes), the first.
            b'D' if value.is_none() => value = Some(String::from_utf8(body[6..].to_vec()).unwrap()),
            b'Z' => return value.unwrap_or_default(),
            _ => {}
        }
    }
}
