//! The interface by HTTP.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;

use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::header::{CONTENT_TYPE, HOST, ORIGIN};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use onionskin_cli::review_page;
use onionskin_host::wasmtime::{self, Result};
use onionskin_host::{Error, ErrorKind, Kind, Select};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::plugin::Ended;
use super::runs::Runs;

/// The largest plugin that is accepted, in bytes.
const PLUGIN_BYTES_MAX: usize = 64 << 20;
/// The largest list of arguments that is accepted, in bytes.
const ARGUMENTS_BYTES_MAX: usize = 64 << 10;

const HELP: &str = "\
POST   /plugins                        uploads a plugin; returns its name
POST   /plugins/NAME/runs              runs it, with the arguments of a JSON list; returns how it ended
GET    /runs                           lists the runs whose changes are neither committed nor discarded
GET    /runs/N                         the page with the changes, also while it is running
GET    /runs/N/changes                 the changes as JSON
POST   /runs/N/commit[?merge]          writes them to the project, all or nothing; 409 for a conflict
DELETE /runs/N                         discards them
";

type Answer = Response<Full<Bytes>>;

pub(crate) struct Server {
    runs: Runs,
}

impl Server {
    pub(crate) const fn new(runs: Runs) -> Self {
        Self { runs }
    }

    /// Serves until the process ends.
    pub(crate) async fn listen(self: Arc<Self>, address: SocketAddr) -> Result<()> {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        println!("listening on http://{address}");
        loop {
            // A connection that is gone before it is accepted, or too many of them: the next one may do.
            let Ok((connection, _)) = listener.accept().await else { continue };
            let server = self.clone();
            tokio::spawn(async move {
                let service = service_fn(move |request| {
                    let server = server.clone();
                    async move { Ok::<_, Infallible>(server.answer(request, address).await) }
                });
                let mut http = hyper::server::conn::http1::Builder::new();
                // A client that sends no request is disconnected.
                http.timer(TokioTimer::new());
                // A failed connection concerns its client, who sees it.
                let _ = http.serve_connection(TokioIo::new(connection), service).await;
            });
        }
    }

    async fn answer(&self, request: Request<Incoming>, address: SocketAddr) -> Answer {
        if let Some(refused) = refusal(&request, address) {
            return refused;
        }
        let (parts, body) = request.into_parts();
        let path: Vec<&str> = parts.uri.path().trim_matches('/').split('/').collect();
        let answered = match (&parts.method, &path[..]) {
            (&Method::GET, [""]) => Ok(text(StatusCode::OK, "text/plain", HELP.to_owned())),
            (&Method::POST, ["plugins"]) => self.upload(body).await,
            (&Method::POST, ["plugins", name, "runs"]) => self.run(name, body).await,
            (&Method::GET, ["runs"]) => Ok(self.list()),
            (method, ["runs", number, rest @ ..]) => match number.parse() {
                Ok(run) if self.runs.has(run) => self.of_run(method, run, rest, parts.uri.query()).await,
                _ => Ok(failure(StatusCode::NOT_FOUND, "there is no such run")),
            },
            _ => Ok(failure(StatusCode::NOT_FOUND, "GET / lists the requests that there are")),
        };
        answered.unwrap_or_else(|error| match error.downcast_ref::<Error>() {
            Some(error) => failed(error),
            None => failure(StatusCode::BAD_REQUEST, &format!("{error:#}")),
        })
    }

    async fn upload(&self, body: Incoming) -> Result<Answer> {
        let name = self.runs.add(collect(body, PLUGIN_BYTES_MAX).await?).await?;
        Ok(answer(StatusCode::CREATED, &json!({ "plugin": name })))
    }

    async fn run(&self, plugin: &str, body: Incoming) -> Result<Answer> {
        let body = collect(body, ARGUMENTS_BYTES_MAX).await?;
        let arguments: Vec<String> = if body.is_empty() { Vec::new() } else { serde_json::from_slice(&body)? };
        let Some(ran) = self.runs.run(plugin, arguments).await else {
            return Ok(failure(StatusCode::NOT_FOUND, "there is no such plugin: POST /plugins uploads one"));
        };
        let (run, ended) = ran?;
        Ok(answer(StatusCode::OK, &described(run, Some(&ended))))
    }

    fn list(&self) -> Answer {
        let runs = self.runs.all();
        let runs: Vec<Value> = runs.iter().map(|(run, ended)| described(*run, ended.as_ref())).collect();
        answer(StatusCode::OK, &json!({ "runs": runs }))
    }

    async fn of_run(&self, method: &Method, run: u64, rest: &[&str], query: Option<&str>) -> Result<Answer> {
        Ok(match (method, rest) {
            (&Method::GET, []) => {
                let page = self.runs.look(run, review_page).await?;
                text(StatusCode::OK, "text/html; charset=utf-8", page)
            }
            (&Method::GET, ["changes"]) => {
                let changes = self.runs.look(run, |workspace, _| workspace.changes(&Select::default())).await?;
                let one = |it: &onionskin_host::Change| json!({ "path": it.path, "change": format!("{:?}", it.what) });
                answer(StatusCode::OK, &json!({ "changes": changes.iter().map(one).collect::<Vec<_>>() }))
            }
            (&Method::POST, ["commit"]) => {
                let receipt = self.runs.commit(run, query == Some("merge")).await?;
                answer(StatusCode::OK, &json!({ "applied": receipt.applied, "bytes": receipt.bytes }))
            }
            (&Method::DELETE, []) => {
                self.runs.discard(run).await?;
                answer(StatusCode::OK, &json!({ "discarded": run }))
            }
            _ => failure(StatusCode::METHOD_NOT_ALLOWED, "GET / lists the requests that there are"),
        })
    }
}

/// Refuses what a page of another site could have sent: a request with an origin, and one for another name of this
/// address.
fn refusal(request: &Request<Incoming>, address: SocketAddr) -> Option<Answer> {
    let host = request.headers().get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let names = [address.to_string(), format!("localhost:{}", address.port())];
    let is_of_a_page = *request.method() != Method::GET && request.headers().contains_key(ORIGIN);
    let is_local = !address.ip().is_loopback() || names.iter().any(|name| name == host);
    (is_of_a_page || !is_local).then(|| failure(StatusCode::FORBIDDEN, "requests of other sites are refused"))
}

async fn collect(body: Incoming, most: usize) -> Result<Vec<u8>> {
    let collected = Limited::new(body, most).collect().await;
    Ok(collected.map_err(|error| wasmtime::Error::msg(format!("the body: {error}")))?.to_bytes().to_vec())
}

fn described(run: u64, ended: Option<&Ended>) -> Value {
    match ended {
        Some(Ended { how, code, memory_was_denied, output }) => json!({
            "run": run, "ended": how, "code": code, "memory_was_denied": memory_was_denied, "output": output,
        }),
        None => json!({ "run": run, "ended": null }),
    }
}

/// Returns the answer to a request that failed: of a conflict with the paths, and the way out.
fn failed(error: &Error) -> Answer {
    let (status, way_out) = match error.kind() {
        Kind::Contract(ErrorKind::Conflicts) => (StatusCode::CONFLICT, "?merge merges texts by lines, or discard"),
        Kind::Contract(ErrorKind::Locked) => (StatusCode::CONFLICT, "it is in use: ask again"),
        _ => (StatusCode::INTERNAL_SERVER_ERROR, "its changes are kept"),
    };
    let kind = error.kind().as_str();
    answer(status, &json!({ "error": error.to_string(), "kind": kind, "way_out": way_out }))
}

fn failure(status: StatusCode, message: &str) -> Answer {
    answer(status, &json!({ "error": message }))
}

fn answer(status: StatusCode, value: &Value) -> Answer {
    text(status, "application/json", format!("{value}\n"))
}

fn text(status: StatusCode, kind: &'static str, text: String) -> Answer {
    let mut answer = Response::new(Full::new(Bytes::from(text)));
    *answer.status_mut() = status;
    answer.headers_mut().insert(CONTENT_TYPE, hyper::header::HeaderValue::from_static(kind));
    answer
}
