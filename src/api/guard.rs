//! Keeps other web sites out of a server that trusts whoever reaches it.
//!
//! A page of another origin can send requests to a loopback address: by its own name made to
//! point there (DNS rebinding), by a form, or by a WebSocket, which no same-origin policy holds
//! back, and it can take all places for live streams without reading one. So the `Host` must be
//! ours, the `Origin` must be ours if there is one, and a body must be JSON, which no form can
//! send.

use super::error::ApiError;
use super::state::AppState;
use axum::extract::{Request, State};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, Method, StatusCode, Uri, header};
use axum::middleware::Next;
use axum::response::Response;
use std::net::{IpAddr, SocketAddr};

/// Refuses what the rules above refuse.
pub async fn guard(
    State(state): State<AppState>,
    request: Request,
    next: Next,
) -> Result<Response, ApiError> {
    check(request.method(), request.uri(), request.headers(), state.listen())?;
    Ok(next.run(request).await)
}

fn check(method: &Method, uri: &Uri, headers: &HeaderMap, listen: SocketAddr) -> Result<(), ApiError> {
    let host = own_host(uri, headers, listen)?;
    check_origin(headers, &host)?;
    if *method == Method::POST {
        check_content_type(headers)?;
    }
    Ok(())
}

/// The authority the client used, if it is ours.
fn own_host(uri: &Uri, headers: &HeaderMap, listen: SocketAddr) -> Result<Authority, ApiError> {
    let mut hosts = headers.get_all(header::HOST).iter();
    let (host, second) = (hosts.next(), hosts.next());
    let named: Option<Authority> = host.and_then(|host| host.as_bytes().try_into().ok());
    let wrong = |found: &str| {
        let hint = format!("Open http://{listen}/ or http://localhost:{}/.", listen.port());
        let found: String = found.chars().take(80).collect();
        ApiError::new(StatusCode::FORBIDDEN, "wrong_host", format!("The host {found:?} is not this server."))
            .hint(hint)
    };
    match (named, second, uri.authority()) {
        (Some(named), None, target) if target.is_none_or(|target| *target == named) => {
            if is_own(&named, listen) { Ok(named) } else { Err(wrong(named.as_str())) }
        }
        _ => Err(wrong(&host.map(|host| String::from_utf8_lossy(host.as_bytes())).unwrap_or_default())),
    }
}

/// Whatever the port: it may be a forwarded one.
fn is_own(authority: &Authority, listen: SocketAddr) -> bool {
    let host = authority.host();
    // Nothing but a host and a port: no user, no word in place of the port.
    let port = authority.as_str().strip_prefix(host);
    if !port.is_some_and(|port| port.is_empty() || authority.port_u16().is_some()) {
        return false;
    }
    if host.eq_ignore_ascii_case("localhost") {
        return true;
    }
    let bare = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(host);
    bare.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback() || ip == listen.ip())
}

/// A browser sends `Origin` with everything that writes, talks or crosses origins; other
/// programs need not.
fn check_origin(headers: &HeaderMap, host: &Authority) -> Result<(), ApiError> {
    let mut origins = headers.get_all(header::ORIGIN).iter();
    let foreign = origins.find(|origin| !is_same(origin.as_bytes(), host));
    let Some(foreign) = foreign else { return Ok(()) };
    let found: String = String::from_utf8_lossy(foreign.as_bytes()).chars().take(80).collect();
    let message = format!("The page {found:?} may not act here.");
    Err(ApiError::new(StatusCode::FORBIDDEN, "cross_origin", message)
        .hint("Act from plantroom's own page, or send no Origin."))
}

fn is_same(origin: &[u8], host: &Authority) -> bool {
    let authority =
        [b"http://".as_slice(), b"https://"].iter().find_map(|scheme| origin.strip_prefix(*scheme));
    authority.is_some_and(|authority| authority.eq_ignore_ascii_case(host.as_str().as_bytes()))
}

fn check_content_type(headers: &HeaderMap) -> Result<(), ApiError> {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let essence = kind.split(';').next().unwrap_or_default().trim();
    if essence.eq_ignore_ascii_case("application/json") {
        return Ok(());
    }
    Err(ApiError::for_status(StatusCode::UNSUPPORTED_MEDIA_TYPE).hint("Send Content-Type: application/json."))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(method: &str, uri: &str, headers: &[(&'static str, &str)]) -> Result<(), &'static str> {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, value.parse().unwrap());
        }
        let listen = "127.0.0.1:8080".parse().unwrap();
        check(&method.parse().unwrap(), &uri.parse().unwrap(), &map, listen).map_err(|error| error.code)
    }

    #[test]
    fn the_host_must_be_ours() {
        for host in
            ["localhost", "LOCALHOST:8080", "127.0.0.1:8080", "127.9.9.9", "[::1]:8080", "localhost:9"]
        {
            assert_eq!(verdict("GET", "/", &[("host", host)]), Ok(()), "{host}");
        }
        for host in [
            "evil.example",
            "127.0.0.1.evil.example",
            "localhost.evil.example",
            "192.168.0.1",
            "",
            "a@localhost",
            "localhost:x",
            "[::2]",
        ] {
            assert_eq!(verdict("GET", "/", &[("host", host)]), Err("wrong_host"), "{host}");
        }
        assert_eq!(verdict("GET", "/", &[]), Err("wrong_host"));
        assert_eq!(
            verdict("GET", "/", &[("host", "localhost"), ("host", "evil.example")]),
            Err("wrong_host")
        );
        assert_eq!(verdict("GET", "http://evil.example/", &[("host", "localhost")]), Err("wrong_host"));
        assert_eq!(verdict("GET", "http://localhost/", &[("host", "localhost")]), Ok(()));
    }

    #[test]
    fn what_has_an_origin_comes_from_our_own_page() {
        let json = ("content-type", "application/json; charset=utf-8");
        let host = ("host", "localhost:8080");
        let post = |origin| verdict("POST", "/", &[host, json, ("origin", origin)]);
        assert_eq!(verdict("POST", "/", &[host, json]), Ok(()));
        assert_eq!(post("http://localhost:8080"), Ok(()));
        assert_eq!(post("https://LOCALHOST:8080"), Ok(()));
        for origin in [
            "http://evil.example",
            "null",
            "http://localhost",
            "http://localhost:80801",
            "ftp://localhost:8080",
            "http://127.0.0.1:8080",
        ] {
            assert_eq!(post(origin), Err("cross_origin"), "{origin}");
            let upgrade = [host, ("upgrade", "websocket"), ("origin", origin)];
            assert_eq!(verdict("GET", "/", &upgrade), Err("cross_origin"), "{origin}");
            assert_eq!(verdict("DELETE", "/", &[host, ("origin", origin)]), Err("cross_origin"), "{origin}");
            assert_eq!(verdict("GET", "/", &[host, ("origin", origin)]), Err("cross_origin"), "{origin}");
        }
    }

    #[test]
    fn a_body_is_json() {
        let host = ("host", "localhost");
        for kind in [
            "text/plain",
            "application/x-www-form-urlencoded",
            "multipart/form-data",
            "application/jsonx",
            "",
        ] {
            assert_eq!(
                verdict("POST", "/", &[host, ("content-type", kind)]),
                Err("wrong_content_type"),
                "{kind}"
            );
        }
        assert_eq!(verdict("POST", "/", &[host]), Err("wrong_content_type"));
        assert_eq!(verdict("POST", "/", &[host, ("content-type", "Application/JSON")]), Ok(()));
    }
}
