//! The plainest client there is, the same for all: one connection, one question after the other. A
//! client with a pool and a runtime would be half of what is measured.

use anyhow::{Context as _, ensure};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;

/// One connection to this machine, kept open.
pub struct Http(BufReader<TcpStream>);

impl Http {
    /// Connects.
    pub fn open(port: u16) -> anyhow::Result<Http> {
        let stream = TcpStream::connect(("127.0.0.1", port))?;
        stream.set_nodelay(true)?;
        Ok(Http(BufReader::with_capacity(1 << 16, stream)))
    }

    /// The body of the answer; an error unless it succeeds.
    pub fn get(&mut self, path: &str, accept: &str) -> anyhow::Result<Vec<u8>> {
        self.call(&format!("GET {path} HTTP/1.1\r\nhost: localhost\r\naccept: {accept}\r\n\r\n"), &[])
    }

    /// As [`Http::get`], with a body.
    pub fn post(&mut self, path: &str, kind: &str, body: &[u8]) -> anyhow::Result<Vec<u8>> {
        let length = body.len();
        let head = format!(
            "POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: {kind}\r\ncontent-length: {length}\r\n\r\n"
        );
        self.call(&head, body)
    }

    fn call(&mut self, head: &str, body: &[u8]) -> anyhow::Result<Vec<u8>> {
        // In one piece: a head alone would be a packet alone.
        self.0.get_mut().write_all(&[head.as_bytes(), body].concat())?;
        let status = self.line()?;
        let (mut length, mut chunked) = (0, false);
        loop {
            let line = self.line()?.to_ascii_lowercase();
            let Some((name, value)) = line.split_once(':') else { break };
            match name {
                "content-length" => length = value.trim().parse()?,
                "transfer-encoding" => chunked = value.trim() == "chunked",
                _ => {}
            }
        }
        let answer = if chunked { self.chunks()? } else { self.exactly(length)? };
        ensure!(status.contains(" 20"), "{head}{status}\n{}", String::from_utf8_lossy(&answer));
        Ok(answer)
    }

    fn line(&mut self) -> anyhow::Result<String> {
        let mut line = String::new();
        ensure!(self.0.read_line(&mut line).context("reading an answer")? > 0, "the server has hung up");
        line.truncate(line.trim_end().len());
        Ok(line)
    }

    fn exactly(&mut self, length: usize) -> anyhow::Result<Vec<u8>> {
        let mut body = vec![0; length];
        self.0.read_exact(&mut body)?;
        Ok(body)
    }

    fn chunks(&mut self) -> anyhow::Result<Vec<u8>> {
        let mut body = Vec::new();
        loop {
            let length = usize::from_str_radix(&self.line()?, 16)?;
            self.0.by_ref().take(length as u64).read_to_end(&mut body)?;
            self.line()?;
            if length == 0 {
                return Ok(body);
            }
        }
    }
}
