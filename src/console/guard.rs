//! The requests that the console answers: only those that read, and only for names that nobody else
//! can have.
//!
//! A web page can have a browser ask any server, and read the answer if the page's name resolves to
//! that server's address by then (DNS rebinding). Such a request has the page's name in its `Host`
//! header, so a name is answered only if it was permitted. An IP address there cannot be made to
//! resolve to another.

use std::{collections::BTreeSet, net::IpAddr, sync::Arc};

use actix_web::{
    body::{BoxBody, MessageBody},
    dev::{ServiceRequest, ServiceResponse},
    http::{header, Method},
    middleware::Next,
    Error, HttpResponse,
};

/// What of a page may be loaded and done: its own parts alone, and in no frame of another one.
const POLICY: &str =
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
                      img-src 'self' data:; base-uri 'none'; form-action 'none'; \
                      frame-ancestors 'none'";

const HEADERS: [(&str, &str); 6] = [
    ("content-security-policy", POLICY),
    ("x-content-type-options", "nosniff"),
    ("x-frame-options", "DENY"),
    ("referrer-policy", "no-referrer"),
    ("cross-origin-resource-policy", "same-origin"),
    ("cache-control", "no-store"),
];

/// Under which names the console is asked for.
#[derive(Clone, Debug, Default)]
pub(super) struct Hosts {
    permitted: BTreeSet<String>,
}

impl Hosts {
    /// Permits one more name.
    pub(super) fn permit(&mut self, name: String) {
        self.permitted.insert(name.to_ascii_lowercase());
    }

    /// Whether a request for `host`, which may have a port, is answered.
    fn admit(&self, host: &str) -> bool {
        let name = name_of(host).to_ascii_lowercase();
        let is_loopback = name == "localhost" || name.ends_with(".localhost");
        is_loopback || name.parse::<IpAddr>().is_ok() || self.permitted.contains(&name)
    }
}

/// The host without its port, and an address without its brackets.
fn name_of(host: &str) -> &str {
    if let Some((address, _)) = host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        return address;
    }
    host.rsplit_once(':').map_or(host, |(name, _)| name).trim_end_matches('.')
}

/// Answers a request, or says why not.
pub(super) async fn check(
    hosts: Arc<Hosts>,
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let mut response = match refusal(&hosts, &request) {
        Some(refusal) => request.into_response(refusal),
        None => next.call(request).await?.map_into_boxed_body(),
    };
    let headers = response.headers_mut();
    for (name, value) in HEADERS {
        let name = header::HeaderName::from_static(name);
        headers.insert(name, header::HeaderValue::from_static(value));
    }
    Ok(response)
}

fn refusal(hosts: &Hosts, request: &ServiceRequest) -> Option<HttpResponse> {
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        let refused = HttpResponse::MethodNotAllowed()
            .insert_header(("allow", "GET, HEAD"))
            .body("the console only reads\n");
        return Some(refused);
    }
    let in_header = request.headers().get(header::HOST).and_then(|host| host.to_str().ok());
    let host = request.uri().authority().map(|authority| authority.as_str()).or(in_header);
    if host.is_some_and(|host| hosts.admit(host)) {
        return None;
    }
    Some(HttpResponse::MisdirectedRequest().body(
        "the console is not asked for by this name; ask for its address, or permit the name, with \
         --console-host or Console::host\n",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_loopback_and_permitted_names_are_answered() {
        let mut hosts = Hosts::default();
        hosts.permit("Console.example.org".into());
        for host in [
            "localhost",
            "LOCALHOST:4090",
            "a.localhost:1",
            "127.0.0.1",
            "127.0.0.1:4090",
            "[::1]:4090",
            "[::1]",
            "10.0.0.1:80",
            "console.example.org",
            "console.example.org:80",
            "console.example.org.",
        ] {
            assert!(hosts.admit(host), "{host}");
        }
        for host in [
            "",
            "example.org",
            "evil.example.org:4090",
            "localhost.example.org",
            "127.0.0.1.example.org",
            "notlocalhost",
            "a.console.example.org",
            ":4090",
        ] {
            assert!(!hosts.admit(host), "{host}");
        }
    }
}
