//! Who may see the page, and what every answer carries.

use std::io::Write as _;
use std::net::{TcpListener, TcpStream};
use std::process::Command;

use trc2npy_synth::RunSpec;
use trc2npy_tests::{Cluster, usable};

use crate::common::{Watched, ask, page_of};

const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; connect-src 'self'; \
    base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
const TOKEN: &str = "a-token-of-25-characters-";

fn small() -> RunSpec {
    RunSpec::new(4, 100)
}

#[test]
fn every_answer_has_the_headers_and_only_get_is_answered() {
    let watched = Watched::new(&small());
    let kinds = [
        ("/", 200, "text/html; charset=utf-8"),
        ("/page.css", 200, "text/css; charset=utf-8"),
        ("/page.js", 200, "text/javascript; charset=utf-8"),
        ("/icon.svg", 200, "image/svg+xml; charset=utf-8"),
        ("/api/status", 200, "application/json"),
        ("/metrics", 200, "text/plain; version=0.0.4; charset=utf-8"),
        ("/nothing", 404, "text/plain; charset=utf-8"),
        ("/jobs/1/channels/0/first.svg", 404, "text/plain; charset=utf-8"),
    ];
    for (path, code, kind) in kinds {
        let answers = ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "TRACE"];
        let answers = answers.map(|method| (method, ask(&watched.page, method, path, &[])));
        for (method, answer) in &answers {
            for (name, value) in [
                ("content-security-policy", POLICY),
                ("x-content-type-options", "nosniff"),
                ("referrer-policy", "no-referrer"),
                ("cache-control", "no-store"),
            ] {
                assert_eq!(answer.header(name), Some(value), "{method} {path}: {answer:?}");
            }
        }
        // What HEAD is for: the same without its text.
        let head = &answers[1].1;
        assert_eq!((head.code, head.body.as_str()), (code, ""), "{path}");
        for (method, answer) in &answers[2..] {
            assert_eq!(
                (answer.code, answer.header("allow")),
                (405, Some("GET, HEAD")),
                "{method} {path}"
            );
        }
        let shown = &answers[0].1;
        assert_eq!(
            (shown.code, shown.header("content-type")),
            (code, Some(kind)),
            "{path}: {shown:?}"
        );
    }
    assert!(!watched.get("/").body.contains(" style="));
}

#[test]
fn a_request_to_another_name_is_refused() {
    let watched = Watched::new(&small());
    let port = watched.page.rsplit_once(':').unwrap().1;
    let code = |host: &str| ask(&watched.page, "GET", "/api/status", &[("Host", host)]).code;
    assert_eq!(code(&format!("localhost:{port}")), 200);
    assert_eq!(code(&format!("127.0.0.1:{port}")), 200);
    for other in [
        format!("evil.example:{port}"),
        "localhost".to_owned(),
        "localhost:1".to_owned(),
        String::new(),
    ] {
        assert_eq!(code(&other), 421, "{other}");
    }
    let refused = ask(&watched.page, "GET", "/", &[("Host", "evil.example")]);
    assert!(refused.body.contains("only for this machine"), "{refused:?}");
}

#[test]
fn with_a_token_nobody_sees_anything_without_it() {
    let watched = Watched::with(&small(), |folder| {
        let file = folder.join("token");
        std::fs::write(&file, format!("{TOKEN}\n")).unwrap();
        vec!["--http-token-file".to_owned(), file.display().to_string()]
    });
    let page = watched.page.as_str();
    for path in [
        "/",
        "/api/status",
        "/events",
        "/metrics",
        "/page.js",
        "/jobs/1/channels/0/first.svg",
    ] {
        let refused = ask(page, "GET", path, &[]);
        assert_eq!(refused.code, 401, "{path}");
        assert!(refused.body.contains("asks for its token"), "{refused:?}");
    }
    assert_eq!(
        ask(page, "POST", "/", &[]).code,
        401,
        "nothing is told to who does not know it"
    );
    let bearer = |token: &str| {
        ask(
            page,
            "GET",
            "/metrics",
            &[("Authorization", &format!("Bearer {token}"))],
        )
        .code
    };
    assert_eq!(
        (bearer(TOKEN), bearer("a-token-of-25-characters_"), bearer("")),
        (200, 401, 401)
    );
    assert_eq!(ask(page, "GET", "/?token=wrong", &[]).code, 401);
    let first = ask(page, "GET", &format!("/?token={TOKEN}"), &[]);
    assert_eq!(first.code, 200);
    let cookie = first.header("set-cookie").unwrap();
    assert!(cookie.ends_with("; Path=/; HttpOnly; SameSite=Strict"), "{cookie}");
    let pair = cookie.split(';').next().unwrap();
    assert_eq!(ask(page, "GET", "/api/status", &[("Cookie", pair)]).code, 200);
    assert!(!watched.coordinator.stderr().contains(TOKEN));
}

#[test]
fn what_others_could_reach_needs_a_token_or_a_word() {
    let folder = trc2npy_tests::scratch();
    let root = folder.path().join("root");
    std::fs::create_dir(&root).unwrap();
    let cluster = Cluster::new(&root);
    let token = folder.path().join("token");
    let token = token.to_str().unwrap();
    let call = |args: &[&str]| cluster.coordinator().args(args);
    let open = ["--http", "0.0.0.0:0"];
    let refused = call(&open).run();
    refused.must_end_with(2).must_say(&[
        "--http 0.0.0.0:0: others than this machine could read",
        "--http-token-file FILE",
        "--insecure",
    ]);
    std::fs::write(token, "short").unwrap();
    let weak = call(&[&open[..], &["--http-token-file", token]].concat()).run();
    weak.must_end_with(2)
        .must_say(&["at least 16 letters", "found 5 characters"]);
    let missing = call(&[&open[..], &["--http-token-file", "/nowhere"]].concat()).run();
    missing
        .must_end_with(2)
        .must_say(&["--http-token-file /nowhere: No such file"]);
    call(&["--http-token-file", token])
        .run()
        .must_end_with(2)
        .must_say(&["--http <HOST:PORT>"]);
    std::fs::write(token, TOKEN).unwrap();
    for more in [&["--insecure"][..], &["--insecure", "--http-token-file", token]] {
        let mut coordinator = call(&[&open[..], more].concat()).start();
        let page = page_of(&mut coordinator);
        let port = page.rsplit_once(':').unwrap().1;
        let address = format!("127.0.0.1:{port}");
        let code = ask(&address, "GET", "/api/status", &[]).code;
        assert_eq!(code, if more.len() == 1 { 200 } else { 401 });
        coordinator.kill();
    }
    // A port in use is told before anything is begun.
    let other = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = other.local_addr().unwrap().to_string();
    let ended = call(&["--http", &address]).run();
    ended
        .must_end_with(1)
        .must_say(&["is in use: choose another one for the status page (--http)"]);
}

/// Who opens connections and asks nothing on them keeps nobody from another address out.
#[cfg(target_os = "linux")] // All of 127.0.0.0/8 is this machine.
#[test]
fn one_address_cannot_take_all_connections() {
    if !usable("curl", ["--version"]) {
        eprintln!("LEFT OUT: asking from another address needs curl");
        return;
    }
    let watched = Watched::new(&RunSpec::new(1, 100));
    let half_open: Vec<TcpStream> = (0..300)
        .map(|_| {
            let mut stream = TcpStream::connect(&watched.page).unwrap();
            // Those beyond the limit may be closed by now.
            let _ = stream.write_all(b"GET / HT");
            stream
        })
        .collect();
    let url = format!("http://{}/api/status", watched.page);
    let asked = Command::new("curl")
        .args([
            "--silent",
            "--fail",
            "--interface",
            "127.0.0.2",
            "--max-time",
            "5",
            &url,
        ])
        .output()
        .unwrap();
    assert!(asked.status.success(), "{asked:?}");
    drop(half_open);
}
