//! Every operation of the description of the API: it works, or says in one way that it is not emulated.

use std::collections::BTreeSet;

use super::*;

/// An operation of `swagger.yaml`.
struct Described {
    method: Method,
    path: String,
}

impl Described {
    /// Reads the paths and methods of the description. There are none outside the repository.
    fn all() -> Vec<Self> {
        let Some(description) = beside_the_crates("swagger.yaml") else { return Vec::new() };
        let (_, paths) = description.split_once("\npaths:\n").unwrap();
        let (paths, _) = paths.split_once("\ncomponents:\n").unwrap();
        let mut path = String::new();
        let mut all = Vec::new();
        for line in paths.lines() {
            match line.strip_suffix(':') {
                Some(line) if line.starts_with("  /") => line.trim().clone_into(&mut path),
                Some("    get") => all.push(Self { method: Method::GET, path: path.clone() }),
                Some("    post") => all.push(Self { method: Method::POST, path: path.clone() }),
                _ => {}
            }
        }
        assert!(all.len() > 70, "{}", all.len());
        all
    }

    fn path(&self) -> String {
        format!("/gspLive_backend{}", self.path.replace("{id}", "1"))
    }

    fn name(&self) -> &'static str {
        routes::operation_name(&self.path()).unwrap_or_else(|| panic!("{} is unknown", self.path))
    }

    async fn send(&self, server: &TestServer, fields: &[(&str, &str)], file: Option<&[u8]>) -> TestResponse {
        if self.method == Method::GET {
            let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
            return server.request(Method::GET, &format!("{}?{query}", self.path()), "text/plain", "").await;
        }
        let mut parts: Vec<TestPart<'_>> = fields.iter().map(|(name, value)| (*name, None, value.as_bytes())).collect();
        parts.extend(file.map(|content| ("sqlfiles", Some("a.sql"), content)));
        server.parts(self.path().strip_prefix("/gspLive_backend").unwrap(), &parts).await
    }
}

/// Reads a file of the repository that this crate is part of. Returns `None` where the crate was unpacked from its
/// archive, which has no such file.
fn beside_the_crates(file: &str) -> Option<String> {
    let package = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    // Cargo writes this file into archives only.
    if package.join("Cargo.toml.orig").exists() {
        return None;
    }
    let path = package.join("../..").join(file);
    Some(std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display())))
}

/// Submits a job with a schedule, which all operations on jobs accept.
async fn scheduled_job(server: &TestServer, token: &str) -> String {
    let parts: [TestPart<'_>; 6] = [
        ("userId", None, b"ann"),
        ("token", None, token.as_bytes()),
        ("dbvendor", None, b"dbvoracle"),
        ("schedulable", None, b"true"),
        ("cronExpression", None, b"0 0 * * *"),
        ("sqlfiles", Some("a.sql"), INSERT.as_bytes()),
    ];
    let submitted = server.parts("/sqlflow/job/submitPersistJob", &parts).await.json();
    let id = submitted["data"]["jobId"].as_str().unwrap().to_owned();
    server.finished(&id).await;
    id
}

fn works(name: &str) -> bool {
    routes::operations().any(|(known, works)| known == name && works)
}

#[tokio::test(start_paused = true)]
async fn each_operation_works_or_says_that_it_is_not_emulated() {
    let server = server(Emulator::builder());
    let token = server.token("ann").await;
    for operation in Described::all() {
        let id = scheduled_job(&server, &token).await;
        let fields = [
            ("userId", "ann"),
            ("token", token.as_str()),
            ("secretKey", "s3cret"),
            ("jobId", id.as_str()),
            ("jobName", "nightly"),
            ("dbvendor", "dbvoracle"),
            ("sqltext", INSERT),
            ("sql", INSERT),
            ("onTop", "true"),
            ("cronExpression", "0 0 * * *"),
        ];
        let response = operation.send(&server, &fields, Some(INSERT.as_bytes())).await;
        let name = operation.name();
        assert_eq!(response.status, StatusCode::OK, "{name}");
        if works(name) {
            let is_json = response.headers[header::CONTENT_TYPE] == envelope::JSON;
            let code = if is_json { response.json()["code"].clone() } else { json!(200) };
            assert!([json!(200), json!("200"), json!(203)].contains(&code), "{name}: {}", response.body);
        } else {
            let message = format!(
                "The SQLFlow emulator does not emulate the operation '{name}'. Its page at / lists those it does."
            );
            assert_eq!(response.json(), json!({ "code": 501, "error": message }), "{name}");
        }
    }
}

#[test]
fn the_documentation_lists_which_operations_work() {
    let Some(documentation) = beside_the_crates("docs/emulator.md") else { return };
    for (heading, emulated) in [("### Operations that work", true), ("### Operations that are not emulated", false)] {
        let (_, section) = documentation.split_once(heading).unwrap_or_else(|| panic!("no {heading}"));
        let section = section.split("\n#").next().unwrap();
        let items = section.lines().filter_map(|line| line.strip_prefix("* `")?.split('`').next());
        let listed: BTreeSet<&str> = items.collect();
        let known: BTreeSet<&str> =
            routes::operations().filter(|(_, works)| *works == emulated).map(|(name, _)| name).collect();
        assert_eq!(listed, known, "{heading}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_job_of_another_user_is_missing_from_every_operation() {
    let server = server(Emulator::builder());
    let (_, id) = server.job_on(INSERT).await;
    let session = server.service.jobs.find("ann", &id).unwrap().session;
    let token = server.token("bob").await;
    // These create what they return.
    let creating = ["generateToken", "submitUserJob"];
    for operation in Described::all().iter().filter(|operation| !creating.contains(&operation.name())) {
        let about = async |id: &str, session: &str| {
            let fields = [
                ("userId", "bob"),
                ("token", token.as_str()),
                ("jobId", id),
                ("sessionId", session),
                ("dbvendor", "dbvoracle"),
                ("onTop", "true"),
                ("cronExpression", "0 0 * * *"),
            ];
            let response = operation.send(&server, &fields, Some(INSERT.as_bytes())).await;
            response.body.replace(id, "ID").replace(session, "SESSION")
        };
        let (other, missing) = (about(&id, &session).await, about("0".repeat(32).as_str(), "none").await);
        assert_eq!(other, missing, "{}", operation.name());
        assert!(!other.contains("nightly"), "{}: {other}", operation.name());
    }
    let jobs = server.service.jobs.snapshot();
    assert_eq!(jobs.len(), 1);
    assert_eq!((jobs[0].user_id.as_str(), jobs[0].runs), ("ann", 1));
}

const CHAIN: &str = "create view v as select a from t; create view w as select a b from v; \
                     create view x as select b c from w";

/// Returns the names of drawn tables, sorted.
fn drawn(response: &Value) -> Vec<String> {
    let tables = response["data"]["graph"]["elements"]["tables"].as_array().unwrap_or_else(|| panic!("{response}"));
    let mut names: Vec<String> =
        tables.iter().map(|table| table["label"]["content"].as_str().unwrap().to_lowercase()).collect();
    names.sort();
    names
}

/// An operation, its options, and the names of the drawn tables.
type DrawingCase<'a> = (&'a str, &'a [(&'a str, &'a str)], &'a [&'a str]);

#[tokio::test(start_paused = true)]
async fn lineage_is_drawn_upstream_and_downstream_of_a_table() {
    let server = server(Emulator::builder());
    let (token, id) = server.job_on(CHAIN).await;
    let cases: [DrawingCase<'_>; 7] = [
        ("upstreamGraph", &[("tableNamePattern", "W")], &["t", "v", "w"]),
        ("downstreamGraph", &[("tableNamePattern", "W")], &["w", "x"]),
        ("upstreamGraph", &[("tableNamePattern", "x"), ("distance", "1")], &["w", "x"]),
        ("downstreamGraph", &[("tableNamePattern", "t"), ("distance", "2")], &["t", "v", "w"]),
        ("upstreamGraph", &[], &["t", "v", "w", "x"]),
        ("upstreamGraph", &[("tableNamePattern", "w"), ("tableColumn", "nothing")], &[]),
        ("downstreamGraph", &[("tableNamePattern", "[tv]"), ("distance", "1")], &["t", "v", "w"]),
    ];
    for (operation, options, expected) in cases {
        let common = [("userId", "ann"), ("token", &token), ("jobId", &id), ("simpleOutput", "true")];
        let path = format!("/sqlflow/generation/sqlflow/{operation}");
        let response = server.form(&path, &[&common[..], options].concat()).await.json();
        assert_eq!(drawn(&response), expected, "{operation} {options:?}");
    }
    for (name, value) in [("distance", "0"), ("distance", "far"), ("tableNamePattern", "(")] {
        let fields = [("userId", "ann"), ("token", token.as_str()), (name, value)];
        let refused = server.form("/sqlflow/generation/sqlflow/upstreamGraph", &fields).await.json();
        assert_eq!(refused["code"], 400, "{refused}");
        assert!(refused["error"].as_str().unwrap().contains(&format!("'{name}'")), "{refused}");
    }
}

#[tokio::test(start_paused = true)]
async fn ultimate_sources_are_drawn_as_the_sources_of_their_targets() {
    let server = server(Emulator::builder());
    let (token, id) = server.job_on(CHAIN).await;
    let who = [("userId", "ann"), ("token", token.as_str()), ("tableNamePattern", "x")];
    let latest = server.form("/sqlflow/job/displayUserLatestJobLeftMostTable", &who).await.json();
    let path = "/sqlflow/generation/sqlflow/leftMostSourceTableGraph";
    let session = server.service.jobs.find("ann", &id).unwrap().session;
    let of_job = server.form(path, &[&who[..], &[("sessionId", session.as_str())]].concat()).await.json();
    assert_eq!(latest, of_job);
    assert_eq!(drawn(&latest), ["t", "x"]);
    let [relationship] = latest["data"]["sqlflow"]["relationships"].as_array().unwrap().as_slice() else {
        panic!("{latest}")
    };
    assert_eq!((&relationship["type"], &relationship["target"]["column"]), (&json!("fdd"), &json!("C")));
    assert_eq!(relationship["sources"][0]["column"], "A");
    let tables = server.form(path, &[&who[..], &[("columnLevel", "false")]].concat()).await.json();
    assert_eq!(tables["data"]["sqlflow"]["relationships"][0]["sources"][0]["sourceName"], "T", "{tables}");
}

#[tokio::test(start_paused = true)]
async fn one_object_of_a_session_is_drawn() {
    let server = server(Emulator::builder());
    let (token, id) = server.job_on("insert into t (a) select x from s; insert into u (a) select x from w").await;
    let session = server.service.jobs.find("ann", &id).unwrap().session;
    server.job_on("insert into other (a) select x from s").await;
    let fields = [
        ("userId", "ann"),
        ("token", token.as_str()),
        ("dbvendor", "dbvoracle"),
        ("sessionId", session.as_str()),
        ("table", "u"),
        ("simpleOutput", "true"),
    ];
    let graph = server.form("/sqlflow/generation/sqlflow/selectedgraph", &fields).await.json();
    assert_eq!(drawn(&graph), ["u", "w"]);
    let tables = [&fields[..], &[("columnLevel", "false")]].concat();
    let graph = server.form("/sqlflow/generation/sqlflow/selectedgraph", &tables).await.json();
    assert_eq!(graph["data"]["sqlflow"]["relationships"][0]["sources"][0]["sourceName"], "W", "{graph}");
}

#[tokio::test(start_paused = true)]
async fn a_graph_of_calls_says_that_calls_are_not_read() {
    let server = server(Emulator::builder());
    let sql = "create procedure p as begin insert into t (a) select x from s; q(); end;";
    let (token, id) = server.job_on(sql).await;
    let path = "/sqlflow/generation/sqlflow/graph/call_lineage";
    let who = [("userId", "ann"), ("token", token.as_str()), ("dbvendor", "dbvoracle")];
    for more in [("jobId", id.as_str()), ("sqltext", sql)] {
        let calls = server.form(path, &[&who[..], &[more]].concat()).await.json();
        assert_eq!(calls["code"], 203, "{calls}");
        assert!(calls["error"].as_str().unwrap().contains("which routine calls which"), "{calls}");
        assert_eq!(calls["data"]["sqlflow"]["relationships"], json!([]));
    }
}

/// Reads the size and the pixels of an image.
fn image(png: &[u8]) -> (usize, usize, Vec<u8>) {
    use std::io::Read as _;

    let number = |bytes: &[u8]| usize::try_from(u32::from_be_bytes(bytes.try_into().unwrap())).unwrap();
    let mut rest = png.strip_prefix(b"\x89PNG\r\n\x1a\n").unwrap();
    let (mut size, mut packed) = ((0, 0), Vec::new());
    while !rest.is_empty() {
        let length = number(&rest[..4]);
        let (chunk, after) = rest[4..].split_at(4 + length);
        let mut checksum = flate2::Crc::new();
        checksum.update(chunk);
        assert_eq!(checksum.sum().to_be_bytes(), after[..4]);
        match &chunk[..4] {
            b"IHDR" => size = (number(&chunk[4..8]), number(&chunk[8..12])),
            b"IDAT" => packed.extend_from_slice(&chunk[4..]),
            _ => {}
        }
        rest = &after[4..];
    }
    let mut pixels = Vec::new();
    flate2::read::ZlibDecoder::new(packed.as_slice()).read_to_end(&mut pixels).unwrap();
    assert_eq!(pixels.len(), (size.0 + 1) * size.1);
    (size.0, size.1, pixels)
}

#[tokio::test(start_paused = true)]
async fn a_drawing_is_also_an_image() {
    let server = server(Emulator::builder());
    let (token, id) = server.job_on(CHAIN).await;
    let who = [("userId", "ann"), ("token", token.as_str()), ("dbvendor", "dbvoracle")];
    let mut images = Vec::new();
    for (operation, field) in [
        ("graph/image", ("sqltext", CHAIN)),
        ("graph/image", ("jobId", id.as_str())),
        ("upstreamGraph/image", ("tableNamePattern", "w")),
        ("leftMostSourceTableGraph/image", ("tableNamePattern", "w")),
        ("selectedgraph/image", ("table", "w")),
    ] {
        let path = format!("/sqlflow/generation/sqlflow/{operation}");
        let response = server.form(&path, &[&who[..], &[field]].concat()).await;
        assert_eq!(response.headers[header::CONTENT_TYPE], "image/png", "{}", response.body);
        images.push(image(&response.bytes));
    }
    assert_eq!(images[0], images[1]);
    let [whole, _, upstream, ultimate, _] = images.as_slice() else { unreachable!() };
    assert!(whole.0 > upstream.0 && upstream.0 > ultimate.0, "{} {} {}", whole.0, upstream.0, ultimate.0);
    // Text, headers, frames and arrows are there, each in its color.
    for color in 1..=4 {
        assert!(ultimate.2.contains(&color), "{color}");
    }
    let unread =
        server.form("/sqlflow/generation/sqlflow/graph/image", &[&who[..], &[("sqltext", "selec")]].concat()).await;
    assert_eq!(unread.json()["code"], 400);
}

#[tokio::test(start_paused = true)]
async fn a_lineage_that_is_too_large_has_no_image() {
    let server = server(Emulator::builder().relation_limit(Some(1)));
    let (token, id) = server.job_on(CHAIN).await;
    let fields = [("userId", "ann"), ("token", token.as_str()), ("jobId", id.as_str())];
    let refused = server.form("/sqlflow/generation/sqlflow/graph/image", &fields).await.json();
    assert!(refused["error"].as_str().unwrap().contains("too large"), "{refused}");
}

#[tokio::test]
async fn the_version_needs_no_credentials() {
    let server = server(Emulator::builder());
    let version = server.request(Method::GET, "/gspLive_backend/version", "text/plain", "").await.json();
    assert_eq!(version["data"]["version"], concat!("emulator ", env!("CARGO_PKG_VERSION")));
}
