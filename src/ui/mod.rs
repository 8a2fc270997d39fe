//! The page: the files of `dashboards/web`, embedded as they are and served with their rules.
//!
//! There is no build step (docs/adr, no-build page). Every asset lies under `/a/{build}/...`, where
//! the build is a hash over all of them, and may be kept for ever; the page's own paths answer
//! `index.html`, which is never kept and names the build. A debug build reads the disk at each
//! request instead, so that saving a file and reloading the page is the whole edit loop.
//!
//! **Invariant:** a missing asset is a 404 and never the page; an unknown path is not the page
//! either. Nothing here knows a value: the page asks the API like any other client.
//!
//! Reading order: this file (paths and headers), [`files`] (what lies behind them).

mod files;
#[cfg(test)]
mod page_tests;
#[cfg(test)]
mod token_tests;

use axum::Router;
use axum::extract::{Path, State};
use axum::http::header::{
    ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG,
    IF_NONE_MATCH, REFERRER_POLICY, VARY, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use files::Files;
use std::sync::{Arc, LazyLock};

/// The paths the page has; `lib/nav.js` holds the same list (a test compares them).
const PAGES: [&str; 19] = [
    "/",
    "/systems/{system}",
    "/equipment/{asset}",
    "/points",
    "/points/{asset}/{quantity}",
    "/trend",
    "/alarms",
    "/alarms/{id}",
    "/work-orders",
    "/work-orders/{id}",
    "/energy",
    "/energy/{meter}",
    "/energy/{meter}/{day}",
    "/status",
    "/buses",
    "/brokers/{id}",
    "/tester",
    "/demo",
    "/gallery",
];

/// Everything from this server, no inline script or style, no frame around it. `'self'` covers the
/// WebSocket of the same origin.
const POLICY: &str = "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; \
                      object-src 'none'";

static FILES: LazyLock<Arc<Files>> =
    LazyLock::new(|| Arc::new(if cfg!(debug_assertions) { Files::on_disk() } else { Files::frozen() }));

/// Names the set of files this program serves: a hash over all of them, `dev` where they are read
/// from the disk. The live connection tells it, so that an open page notices a new one.
pub fn build_hash() -> &'static str {
    FILES.build()
}

/// The routes of the page. Reads and compresses the embedded files the first time it is called.
pub fn router<S: Clone + Send + Sync + 'static>() -> Router<S> {
    serve(Arc::clone(&FILES))
}

fn serve<S: Clone + Send + Sync + 'static>(files: Arc<Files>) -> Router<S> {
    let pages = PAGES.iter().fold(Router::new(), |router, path| router.route(path, get(page)));
    pages.route("/a/{build}/{*path}", get(asset)).with_state(files)
}

async fn page(State(files): State<Arc<Files>>) -> Response {
    let Some(text) = files.index() else { return not_found() };
    let headers = [
        (CONTENT_TYPE, "text/html; charset=utf-8"),
        (CACHE_CONTROL, "no-store"),
        (CONTENT_SECURITY_POLICY, POLICY),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (REFERRER_POLICY, "same-origin"),
    ];
    (headers, text).into_response()
}

async fn asset(
    State(files): State<Arc<Files>>,
    Path((build, path)): Path<(String, String)>,
    asked: HeaderMap,
) -> Response {
    if build != files.build() {
        return not_found(); // an open page of an older build must notice, not mix
    }
    let Some(file) = files.get(&path) else { return not_found() };
    let mut headers = HeaderMap::new();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static(files.keeping()));
    headers.insert(VARY, HeaderValue::from_static("accept-encoding"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(ETAG, file.etag.clone());
    if asked.get(IF_NONE_MATCH).is_some_and(|known| known == file.etag) {
        return (StatusCode::NOT_MODIFIED, headers).into_response();
    }
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(file.mime));
    match file.gzip {
        Some(small) if takes_gzip(&asked) => {
            headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
            (headers, small).into_response()
        }
        _ => (headers, file.plain).into_response(),
    }
}

fn not_found() -> Response {
    (StatusCode::NOT_FOUND, [(CACHE_CONTROL, "no-store")], "There is no such file.\n").into_response()
}

/// Whether gzip is among the encodings asked for and not refused by `q=0` (RFC 9110, 12.5.3).
fn takes_gzip(asked: &HeaderMap) -> bool {
    let lists = asked.get_all(ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
    lists.flat_map(|list| list.split(',')).any(|item| {
        let mut parts = item.split(';').map(str::trim);
        let named = parts.next().is_some_and(|name| name.eq_ignore_ascii_case("gzip"));
        let refused = parts
            .filter_map(|part| part.strip_prefix("q="))
            .any(|weight| weight.parse::<f32>().is_ok_and(|weight| weight <= 0.0));
        named && !refused
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::body::{Body, to_bytes};
    use axum::http::Request;
    use std::io::Read;
    use tower::ServiceExt;

    async fn ask(
        files: &Arc<Files>,
        path: &str,
        headers: &[(&str, &str)],
    ) -> (StatusCode, HeaderMap, Vec<u8>) {
        let mut request = Request::get(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let app: Router = serve(Arc::clone(files));
        let reply = app.oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
        let (head, body) = reply.into_parts();
        (head.status, head.headers, to_bytes(body, 1 << 20).await.unwrap().to_vec())
    }

    #[tokio::test]
    async fn every_page_path_answers_the_page_and_no_other_does() {
        let files = Arc::new(Files::frozen());
        for path in PAGES {
            let path = path.replace(['{', '}'], "");
            let (status, headers, body) = ask(&files, &path, &[]).await;
            assert_eq!(status, StatusCode::OK, "{path}");
            assert_eq!(headers[CACHE_CONTROL], "no-store");
            assert_eq!(headers[CONTENT_SECURITY_POLICY], POLICY);
            let text = String::from_utf8(body).unwrap();
            assert!(text.contains(&format!("/a/{}/app.js", files.build())) && !text.contains("__BUILD__"));
        }
        for path in
            ["/x", "/points/a", "/points/a/b/c", "/alarms/1/2", "/index.html", "/a", "/a/", "/energy/m/d/e"]
        {
            assert_eq!(ask(&files, path, &[]).await.0, StatusCode::NOT_FOUND, "{path}");
        }
    }

    #[tokio::test]
    async fn an_asset_of_this_build_is_kept_for_ever_and_any_other_is_missing() {
        let files = Arc::new(Files::frozen());
        let path = format!("/a/{}/app.js", files.build());
        let (status, headers, plain) = ask(&files, &path, &[]).await;
        assert_eq!(status, StatusCode::OK);
        assert_eq!(headers[CACHE_CONTROL], "public, max-age=31536000, immutable");
        assert_eq!(headers[CONTENT_TYPE], "text/javascript; charset=utf-8");
        assert!(!headers.contains_key(CONTENT_ENCODING));

        let (_, packed, body) = ask(&files, &path, &[("accept-encoding", "br, gzip;q=0.8")]).await;
        assert_eq!(packed[CONTENT_ENCODING], "gzip");
        let mut unpacked = Vec::new();
        flate2::read::GzDecoder::new(body.as_slice()).read_to_end(&mut unpacked).unwrap();
        assert_eq!(unpacked, plain);

        let etag = headers[ETAG].to_str().unwrap();
        let (status, _, body) = ask(&files, &path, &[("if-none-match", etag)]).await;
        assert_eq!((status, body.len()), (StatusCode::NOT_MODIFIED, 0));

        let build = files.build();
        for missing in [
            format!("/a/{build}/gone.js"),
            format!("/a/{build}/"),
            format!("/a/{build}/index.html"),
            format!("/a/{build}/lib/types.d.ts"),
            format!("/a/{build}/..%2f..%2f..%2fCargo.toml"),
            "/a/0000000000000000/app.js".to_owned(),
        ] {
            let (status, headers, _) = ask(&files, &missing, &[]).await;
            assert_eq!(status, StatusCode::NOT_FOUND, "{missing}");
            assert!(headers.get(CACHE_CONTROL).is_none_or(|keep| keep == "no-store"));
        }
    }

    #[tokio::test]
    async fn a_debug_build_reads_the_disk_and_nothing_is_kept() {
        let files = Arc::new(Files::on_disk());
        assert_eq!(files.build(), "dev");
        let (status, headers, body) = ask(&files, "/a/dev/css/tokens.css", &[]).await;
        assert_eq!(
            (status, &headers[CACHE_CONTROL]),
            (StatusCode::OK, &HeaderValue::from_static("no-cache"))
        );
        assert_eq!(headers[CONTENT_TYPE], "text/css; charset=utf-8");
        assert!(body.starts_with(b"/*"));
        let (_, packed, _) = ask(&files, "/a/dev/css/tokens.css", &[("accept-encoding", "gzip")]).await;
        assert_eq!(packed[CONTENT_ENCODING], "gzip");
        for outside in ["/a/dev/..%2f..%2fCargo.toml", "/a/dev/index.html", "/a/dev/gone.js"] {
            assert_eq!(ask(&files, outside, &[]).await.0, StatusCode::NOT_FOUND, "{outside}");
        }
    }

    #[test]
    fn gzip_is_sent_only_to_who_takes_it() {
        for (asked, taken) in [
            ("gzip", true),
            ("br, GZIP", true),
            ("gzip;q=0", false),
            ("gzip; q=0.0, br", false),
            ("br", false),
            ("", false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(ACCEPT_ENCODING, HeaderValue::from_static(asked));
            assert_eq!(takes_gzip(&headers), taken, "{asked}");
        }
    }
}
