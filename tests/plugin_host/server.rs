//! The server as a process, and requests to it.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;

use crate::{ground, guests};

/// A project, and a server over it.
pub(crate) struct Server {
    place: TempDir,
    process: Child,
    address: String,
}

impl Server {
    /// Starts it with these options, over a project with `text` and `other`.
    pub(crate) fn start(options: &[&str]) -> Self {
        let place = ground::scratch();
        ground::write(&place.path().join("project/text"), "one\ntwo\nthree\nfour\nfive\n");
        ground::write(&place.path().join("project/other"), "other");
        let (process, address) = start(place.path(), options);
        Self { place, process, address }
    }

    /// Kills it, and starts another one on the same directories.
    pub(crate) fn start_again(&mut self) {
        self.stop();
        (self.process, self.address) = start(self.place.path(), &[]);
    }

    fn stop(&mut self) {
        self.process.kill().expect("it is running");
        self.process.wait().expect("it ends");
    }

    pub(crate) fn project(&self, name: &str) -> PathBuf {
        self.place.path().join("project").join(name)
    }

    pub(crate) fn text(&self) -> String {
        fs::read_to_string(self.project("text")).expect("it is there")
    }

    /// Returns the directories of all runs.
    pub(crate) fn runs(&self) -> usize {
        fs::read_dir(self.place.path().join("data/runs")).expect("it is there").count()
    }

    /// Returns a field of the process, in KiB or as a number.
    pub(crate) fn status(&self, field: &str) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.process.id())).expect("it is running");
        let line = status.lines().find_map(|line| line.strip_prefix(field)).expect("the kernel has it");
        line.trim_start_matches(':').split_whitespace().next().and_then(|it| it.parse().ok()).expect("a number")
    }

    pub(crate) fn descriptors(&self) -> usize {
        fs::read_dir(format!("/proc/{}/fd", self.process.id())).expect("it is running").count()
    }

    /// Makes a request, and returns the status and the body.
    pub(crate) fn ask(&self, request: &str, body: &[u8]) -> (u16, String) {
        self.ask_with(request, &format!("Host: {}", self.address), body)
    }

    pub(crate) fn ask_with(&self, request: &str, headers: &str, body: &[u8]) -> (u16, String) {
        let mut connection = TcpStream::connect(&self.address).expect("it listens");
        let length = body.len();
        let head = format!("{request} HTTP/1.1\r\n{headers}\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n");
        connection.write_all(&[head.as_bytes(), body].concat()).expect("it reads");
        let mut answer = String::new();
        connection.read_to_string(&mut answer).expect("it answers in UTF-8");
        let (head, body) = answer.split_once("\r\n\r\n").expect("an answer has a head");
        let status = head.split(' ').nth(1).and_then(|it| it.parse().ok()).expect("an answer has a status");
        (status, body.to_owned())
    }

    pub(crate) fn json(&self, request: &str, body: &[u8]) -> (u16, Value) {
        let (status, body) = self.ask(request, body);
        (status, serde_json::from_str(&body).unwrap_or_else(|error| panic!("{request}: {error}: {body}")))
    }

    /// Uploads a guest of `tests/guests`; `None` where it cannot be built.
    pub(crate) fn upload(&self, guest: &'static str) -> Option<String> {
        let wasm = fs::read(guests::program(guest)?).expect("it was built");
        let (status, answer) = self.json("POST /plugins", &wasm);
        assert_eq!(status, 201, "{guest}: {answer}");
        Some(answer["plugin"].as_str().expect("it has a name").to_owned())
    }

    /// Runs a plugin, and returns the answer.
    pub(crate) fn run(&self, plugin: &str, arguments: &[&str]) -> Value {
        let arguments = serde_json::to_vec(arguments).expect("it is JSON");
        let (status, answer) = self.json(&format!("POST /plugins/{plugin}/runs"), &arguments);
        assert_eq!(status, 200, "{answer}");
        answer
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop();
    }
}

fn start(place: &Path, options: &[&str]) -> (Child, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_plugin_host"));
    command.arg("--project").arg(place.join("project")).arg("--data").arg(place.join("data"));
    command.args(["--listen", "127.0.0.1:0"]).args(options).stdout(Stdio::piped());
    let mut process = command.spawn().expect("it starts");
    let mut line = String::new();
    BufReader::new(process.stdout.take().expect("it is piped")).read_line(&mut line).expect("it prints");
    let address = line.trim().strip_prefix("listening on http://").expect("it says where").to_owned();
    (process, address)
}
