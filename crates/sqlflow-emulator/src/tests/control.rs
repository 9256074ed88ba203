//! The emulator's own paths: faults, requests, jobs and tokens over HTTP, and the page.

use super::*;

impl TestServer {
    async fn control(&self, method: Method, path: &str, body: &str) -> TestResponse {
        self.request(method, path, "application/x-www-form-urlencoded", body.to_owned()).await
    }

    async fn control_json(&self, method: Method, path: &str, body: &Value) -> TestResponse {
        self.request(method, path, "application/json", body.to_string()).await
    }
}

#[tokio::test]
async fn a_fault_that_is_set_over_http_applies_until_it_is_cleared() {
    let server = server(Emulator::builder());
    let set = server.control(Method::POST, "/emulator/faults", "502,on=generateToken\nbusy,times=2\n").await;
    assert_eq!(set.status, StatusCode::CREATED);
    let ask = async || server.form("/user/generateToken", &[("userId", "ann"), ("secretKey", "k")]).await.status;
    assert_eq!(ask().await, StatusCode::BAD_GATEWAY);
    let listed = server.control(Method::GET, "/emulator/faults", "").await.json();
    assert_eq!(
        listed,
        json!({ "faults": [
            { "fault": "502,on=generateToken", "matched": 1 },
            { "fault": "busy,times=2", "matched": 0 },
        ] })
    );
    let cleared = server.control(Method::DELETE, "/emulator/faults", "").await;
    assert_eq!((cleared.status, cleared.json()), (StatusCode::OK, json!({ "faults": [] })));
    assert_eq!(ask().await, StatusCode::OK);
}

#[tokio::test]
async fn a_single_fault_may_stand_for_an_array() {
    for body in [json!({ "fault": "502" }), json!({ "faults": "502" }), json!(["502"])] {
        let server = server(Emulator::builder());
        let set = server.control_json(Method::POST, "/emulator/faults", &body).await;
        assert_eq!(set.status, StatusCode::CREATED, "{body}");
        assert_eq!(set.json(), json!({ "faults": [{ "fault": "502", "matched": 0 }] }), "{body}");
    }
}

#[tokio::test]
async fn faults_are_read_from_lines_a_form_and_json() {
    for (content_type, body) in [
        ("text/plain", "close,times=1\r\n\r\n  redirect=http://127.0.0.1:9/?a=b&c=d  \r\n"),
        (
            "application/x-www-form-urlencoded",
            "fault=close%2Ctimes%3D1&fault=redirect%3Dhttp://127.0.0.1:9/?a%3Db%26c=d",
        ),
        ("application/json", r#"{"faults": ["close,times=1", "redirect=http://127.0.0.1:9/?a=b&c=d"]}"#),
        ("application/json", r#"["close,times=1", "redirect=http://127.0.0.1:9/?a=b&c=d"]"#),
        ("application/json", r#"{"fault": ["close,times=1", "redirect=http://127.0.0.1:9/?a=b&c=d"]}"#),
        ("application/x-www-form-urlencoded", r#" ["close,times=1", "redirect=http://127.0.0.1:9/?a=b&c=d"]"#),
        ("application/json", r#"{"fault": "close,times=1", "faults": "redirect=http://127.0.0.1:9/?a=b&c=d"}"#),
        ("application/json", r#"{"fault": "close,times=1", "faults": ["redirect=http://127.0.0.1:9/?a=b&c=d"]}"#),
    ] {
        let server = server(Emulator::builder());
        let set = server.request(Method::POST, "/emulator/faults", content_type, body).await.json();
        let texts: Vec<_> = set["faults"].as_array().unwrap().iter().map(|fault| &fault["fault"]).collect();
        assert_eq!(texts, ["close,times=1", "redirect=http://127.0.0.1:9/?a=b&c=d"], "{body}");
    }
}

#[tokio::test]
async fn an_invalid_fault_is_named_and_sets_none() {
    let server = server(Emulator::builder());
    for (body, named) in [("busy\nexplode", "'explode'"), ("502,on=nothing", "'nothing'"), ("", "no fault")] {
        let refused = server.control(Method::POST, "/emulator/faults", body).await;
        assert_eq!(refused.status, StatusCode::BAD_REQUEST, "{body}");
        assert!(refused.json()["error"].as_str().unwrap().contains(named), "{}", refused.body);
    }
    let refused = server.control_json(Method::POST, "/emulator/faults", &json!({ "falt": "busy" })).await;
    assert_eq!(refused.status, StatusCode::BAD_REQUEST);
    assert!(refused.body.contains("falt"), "{}", refused.body);
    for wrong in [json!({ "faults": 502 }), json!([502]), json!("busy"), json!({ "faults": [["busy"]] })] {
        let refused = server.control_json(Method::POST, "/emulator/faults", &wrong).await;
        assert_eq!(refused.status, StatusCode::BAD_REQUEST, "{wrong}");
        assert!(refused.json()["error"].as_str().unwrap().contains(r#"{"faults": ["502,times=1""#), "{}", refused.body);
    }
    assert_eq!(server.control(Method::GET, "/emulator/faults", "").await.json()["faults"], json!([]));
}

#[tokio::test]
async fn faults_do_not_affect_the_paths_that_control_them() {
    let builder = Emulator::builder().fault(Fault::page(503));
    let server = server(builder.fault(Fault::close()));
    for path in ["/", "/emulator", "/emulator/faults", "/emulator/requests", "/emulator/jobs", "/emulator/times"] {
        let response = server.control(Method::GET, path, "").await;
        assert_eq!(response.status, StatusCode::OK, "{path}");
        assert_eq!(response.headers[header::CACHE_CONTROL], "no-store");
    }
    assert_eq!(server.control(Method::DELETE, "/emulator/faults/", "").await.status, StatusCode::OK);
    assert!(server.service.requests.snapshot().is_empty());
}

#[tokio::test]
async fn the_response_to_refuse_connections_still_arrives() {
    let emulator = Emulator::start().await.unwrap();
    let request = "POST /emulator/faults HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\nrefuse=1h";
    let response = super::lifecycle::raw(emulator.addr(), request).await.unwrap();
    assert!(response.starts_with("HTTP/1.1 201 Created"), "{response}");
    let refused = tokio::net::TcpStream::connect(emulator.addr()).await;
    assert_eq!(refused.unwrap_err().kind(), std::io::ErrorKind::ConnectionRefused);
    emulator.clear_faults();
    assert!(tokio::net::TcpStream::connect(emulator.addr()).await.is_ok());
}

#[tokio::test]
async fn requests_are_listed_without_the_values_of_their_fields() {
    let server = server(Emulator::builder());
    server.token("ann").await;
    let listed = server.control(Method::GET, "/emulator/requests", "").await;
    let request = &listed.json()["requests"][0];
    assert_eq!(request["operation"], "generateToken");
    assert_eq!(request["fields"], json!(["userId", "secretKey"]));
    assert_eq!((&request["status"], &request["code"], &request["fault"]), (&json!(200), &json!(200), &Value::Null));
    assert!(!listed.body.contains("s3cret"));
    assert_eq!(server.control(Method::DELETE, "/emulator/requests", "").await.json(), json!({ "requests": [] }));
}

#[tokio::test(start_paused = true)]
async fn a_job_is_listed_with_exports_that_a_browser_can_get() {
    let server = server(Emulator::builder());
    let (token, id) = server.job_on(INSERT).await;
    let listed = server.control(Method::GET, "/emulator/jobs", "").await.json();
    let job = &listed["jobs"][0];
    assert_eq!((&job["id"], &job["userId"], &job["status"]), (&json!(id), &json!("ann"), &json!("success")));
    assert_eq!(server.control(Method::GET, &format!("/emulator/jobs/{id}"), "").await.json(), *job);
    let operations = ["exportFullLineageAsJson", "exportFullLineageAsCsv", "exportLineageAsGraphml"];
    for (path, operation) in job["exports"].as_array().unwrap().iter().zip(operations) {
        let got = server.control(Method::GET, path.as_str().unwrap(), "").await;
        assert_eq!(got.status, StatusCode::OK, "{path}");
        assert_eq!(got.body, server.export(operation, &token, &id, &[]).await.body, "{path}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_job_without_lineage_has_no_exports() {
    let server = server(Emulator::builder());
    let token = server.token("ann").await;
    let id = server.submit(&token, &[("a.sql", b"selec")]).await;
    let path = format!("/emulator/jobs/{id}/lineage.csv");
    assert_eq!(server.control(Method::GET, &path, "").await.status, StatusCode::CONFLICT);
    server.finished(&id).await;
    let failed = server.control(Method::GET, &path, "").await;
    assert_eq!(failed.status, StatusCode::CONFLICT);
    assert!(failed.json()["error"].as_str().unwrap().contains("failed"), "{}", failed.body);
    assert!(server.control(Method::GET, "/emulator/jobs", "").await.json()["jobs"][0].get("exports").is_none());
    for missing in ["/emulator/jobs/0", "/emulator/jobs/0/lineage.csv", "/emulator/nothing", "/emulator/jobs/0/x.csv"] {
        assert_eq!(server.control(Method::GET, missing, "").await.status, StatusCode::NOT_FOUND, "{missing}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_job_can_be_given_a_time_of_creation_and_a_running_time() {
    let server = server(Emulator::builder());
    let (token, id) = server.job_on(INSERT).await;
    let path = format!("/emulator/jobs/{id}");
    let times = json!({ "created": "2020-02-29T03:04:05Z", "executeTime": "2h 10s" });
    let changed = server.control_json(Method::PATCH, &path, &times).await;
    assert_eq!(changed.json()["created"], "2020-02-29T03:04:05.000Z");
    let described = server.export("displayUserJobSummary", &token, &id, &[]).await.json()["data"].clone();
    assert_eq!(described["createTime"], "2020-02-29 03:04:05");
    assert_eq!(described["executeTime"], "120min 10sec");
    assert_eq!(described["executeTimeMillis"], 7_210_000);
    for (wrong, named) in [
        (json!({ "created": "yesterday" }), "'created'"),
        (json!({ "executeTime": "5" }), "'executeTime'"),
        (json!({ "age": 3 }), "age"),
    ] {
        let refused = server.control_json(Method::PATCH, &path, &wrong).await;
        assert_eq!(refused.status, StatusCode::BAD_REQUEST, "{wrong}");
        assert!(refused.body.contains(named), "{}", refused.body);
    }
}

#[tokio::test(start_paused = true)]
async fn the_times_of_the_jobs_to_come_can_be_changed() {
    let server = server(Emulator::builder());
    let times = json!({ "inProcess": "1h", "created": "2020-02-29T03:04:05Z" });
    let changed = server.control_json(Method::PATCH, "/emulator/times", &times).await.json();
    assert_eq!(changed, json!({ "inCreate": "100ms", "inProcess": "1h", "created": "2020-02-29T03:04:05.000Z" }));
    let begun = tokio::time::Instant::now();
    let (token, id) = server.job_on(INSERT).await;
    assert!(begun.elapsed() >= Duration::from_secs(3600));
    let described = server.export("displayUserJobSummary", &token, &id, &[]).await.json();
    assert_eq!(described["data"]["createTime"], "2020-02-29 03:04:05");
    let now = server.control_json(Method::PATCH, "/emulator/times", &json!({ "created": null })).await.json();
    assert_eq!((&now["created"], &now["inProcess"]), (&Value::Null, &json!("1h")));
}

#[tokio::test(start_paused = true)]
async fn jobs_to_come_get_the_times_of_the_start_again_and_jobs_that_have_begun_keep_theirs() {
    let server = server(Emulator::builder().time_in_create(Duration::from_secs(2)));
    let times = json!({ "inCreate": "1h", "inProcess": "1h", "created": "2020-02-29T03:04:05Z" });
    server.control_json(Method::PATCH, "/emulator/times", &times).await;
    let token = server.token("ann").await;
    let begun = tokio::time::Instant::now();
    let slow = server.submit(&token, &[("a.sql", INSERT.as_bytes())]).await;
    let reset = server.control(Method::DELETE, "/emulator/times", "").await;
    let start = json!({ "inCreate": "2s", "inProcess": "300ms", "created": null });
    assert_eq!((reset.status, reset.json()), (StatusCode::OK, start.clone()));
    assert_eq!(server.control(Method::GET, "/emulator/times", "").await.json(), start);
    let quick = server.submit(&token, &[("a.sql", INSERT.as_bytes())]).await;
    server.finished(&quick).await;
    assert!(begun.elapsed() < Duration::from_secs(60));
    server.finished(&slow).await;
    assert!(begun.elapsed() >= Duration::from_secs(7200));
}

#[tokio::test(start_paused = true)]
async fn a_duration_beyond_a_year_is_refused() {
    let server = server(Emulator::builder());
    let (_, id) = server.job_on(INSERT).await;
    let job = format!("/emulator/jobs/{id}");
    for (path, field) in
        [("/emulator/times", "inCreate"), ("/emulator/times", "inProcess"), (job.as_str(), "executeTime")]
    {
        for absurd in ["1y 1s", "5000years"] {
            let refused = server.control_json(Method::PATCH, path, &json!({ field: absurd })).await;
            assert_eq!(refused.status, StatusCode::BAD_REQUEST, "{field}");
            let error = refused.json()["error"].as_str().unwrap().to_owned();
            assert!(error.contains(field) && error.contains(absurd) && error.contains("longer than a year"), "{error}");
        }
        let accepted = server.control_json(Method::PATCH, path, &json!({ field: "1y" })).await;
        assert_eq!(accepted.status, StatusCode::OK, "{field}: {}", accepted.body);
    }
    let refused = server.control_json(Method::PATCH, "/emulator/times", &json!(["1s"])).await;
    assert_eq!(refused.status, StatusCode::BAD_REQUEST);
    assert!(refused.body.contains("array"), "{}", refused.body);
}

#[tokio::test(start_paused = true)]
async fn a_suite_removes_the_jobs_of_all_users() {
    let server = server(Emulator::builder().lag(Duration::from_secs(3600)));
    let submit = async |user: &str| {
        let token = server.token(user).await;
        let parts: [TestPart<'_>; 5] = [
            ("userId", None, user.as_bytes()),
            ("token", None, token.as_bytes()),
            ("jobName", None, b"nightly"),
            ("dbvendor", None, b"dbvoracle"),
            ("sqlfiles", Some("a.sql"), INSERT.as_bytes()),
        ];
        let submitted = server.parts("/sqlflow/job/submitUserJob", &parts).await.json();
        submitted["data"]["jobId"].as_str().unwrap().to_owned()
    };
    let [first, second, third] = [submit("ann").await, submit("bob").await, submit("bob").await];
    let path = format!("/emulator/jobs/{second}");
    let left = server.control(Method::DELETE, &path, "").await;
    assert_eq!(left.status, StatusCode::OK);
    let left = left.json();
    let ids: Vec<_> = left["jobs"].as_array().unwrap().iter().map(|job| job["id"].as_str().unwrap()).collect();
    assert_eq!(ids, [first.as_str(), third.as_str()]);
    for method in [Method::DELETE, Method::GET] {
        assert_eq!(server.control(method, &path, "").await.status, StatusCode::NOT_FOUND);
    }
    let left = server.control(Method::DELETE, "/emulator/jobs", "").await;
    assert_eq!((left.status, left.json()), (StatusCode::OK, json!({ "jobs": [] })));
    for id in [first, third] {
        let path = format!("/emulator/jobs/{id}");
        assert_eq!(server.control(Method::GET, &path, "").await.status, StatusCode::NOT_FOUND);
    }
    // The runs that were under way do not bring their jobs back. The clock is paused and jumps.
    tokio::time::sleep(Duration::from_secs(3600)).await;
    assert_eq!(server.control(Method::GET, "/emulator/jobs", "").await.json(), json!({ "jobs": [] }));
}

#[tokio::test]
async fn tokens_can_be_expired_over_http() {
    let server = server(Emulator::builder());
    let token = server.token("ann").await;
    let list = async || {
        let fields = [("userId", "ann"), ("token", token.as_str())];
        server.form("/sqlflow/job/displayUserJobsSummary", &fields).await.json()["code"].clone()
    };
    assert_eq!(list().await, 200);
    assert_eq!(server.control(Method::DELETE, "/emulator/tokens", "").await.status, StatusCode::OK);
    assert_eq!(list().await, 401);
}

#[tokio::test]
async fn another_method_is_told_which_there_are() {
    let server = server(Emulator::builder());
    for (path, allowed) in
        [("/", "GET, HEAD"), ("/emulator/tokens", "DELETE"), ("/emulator/jobs/1", "GET, HEAD, PATCH, DELETE")]
    {
        let refused = server.control(Method::PUT, path, "").await;
        assert_eq!(refused.status, StatusCode::METHOD_NOT_ALLOWED, "{path}");
        assert_eq!(refused.headers[header::ALLOW], allowed);
        assert!(refused.json()["error"].as_str().unwrap().contains(allowed));
        assert_eq!(server.control(Method::HEAD, "/", "").await.status, StatusCode::OK);
    }
}

#[tokio::test]
async fn a_page_of_another_site_cannot_set_faults() {
    let server = server(Emulator::builder());
    for (name, value, status) in [
        ("sec-fetch-site", "cross-site", StatusCode::FORBIDDEN),
        ("sec-fetch-site", "same-origin", StatusCode::CREATED),
        ("origin", "http://elsewhere", StatusCode::FORBIDDEN),
        ("origin", "null", StatusCode::FORBIDDEN),
        ("origin", "http://127.0.0.1:8165", StatusCode::CREATED),
    ] {
        let request = Request::builder().method(Method::POST).uri("/emulator/faults").header(name, value);
        let request = request.header(header::HOST, "127.0.0.1:8165").body("busy".into()).unwrap();
        assert_eq!(server.send(request).await.status, status, "{name}: {value}");
    }
}

#[tokio::test]
async fn a_site_whose_name_leads_to_this_computer_is_refused() {
    let server = server(Emulator::builder());
    let ask = async |method: Method, path: &str, host: Option<&str>| {
        let mut request = Request::builder().method(method).uri(path);
        if let Some(host) = host {
            request = request.header(header::HOST, host).header("origin", format!("http://{host}"));
        }
        server.send(request.body("busy".into()).unwrap()).await
    };
    let foreign = [
        "evil.example",
        "evil.example:8165",
        "localhost.evil.example",
        "127.0.0.1.evil.example",
        "10.0.0.1",
        "localhost:x",
        "evil.example:localhost",
        "[::2]:8165",
    ];
    for host in foreign {
        for path in ["/", "/emulator", "/emulator/jobs", "/emulator/requests", "/emulator/nothing"] {
            let refused = ask(Method::GET, path, Some(host)).await;
            assert_eq!(refused.status, StatusCode::FORBIDDEN, "{host}{path}");
            let error = refused.json()["error"].as_str().unwrap().to_owned();
            assert!(error.contains(&format!("'{host}'")) && error.contains("Use localhost"), "{error}");
        }
        assert_eq!(ask(Method::POST, "/emulator/faults", Some(host)).await.status, StatusCode::FORBIDDEN, "{host}");
    }
    let absolute = ask(Method::GET, "http://evil.example/emulator/jobs", None).await;
    assert_eq!(absolute.status, StatusCode::FORBIDDEN);
    assert!(server.service.faults.active().is_empty());
    for host in ["localhost", "LocalHost:1", "localhost:8165", "127.0.0.1", "127.0.0.1:8165", "[::1]", "[::1]:8165"] {
        assert_eq!(ask(Method::GET, "/", Some(host)).await.status, StatusCode::OK, "{host}");
        assert_eq!(ask(Method::POST, "/emulator/faults", Some(host)).await.status, StatusCode::CREATED, "{host}");
    }
    assert_eq!(ask(Method::GET, "/emulator/jobs", None).await.status, StatusCode::OK);
}

#[tokio::test]
async fn operations_answer_under_every_name() {
    let server = server(Emulator::builder());
    let uri = "/gspLive_backend/user/generateToken?userId=ann&secretKey=k";
    let request = Request::builder().method(Method::POST).uri(uri).header(header::HOST, "sqlflow.example");
    let response = server.send(request.body(String::new().into()).unwrap()).await;
    assert_eq!(response.json()["code"], "200", "{}", response.body);
}

#[tokio::test(start_paused = true)]
async fn the_page_shows_jobs_and_operations_and_escapes_names() {
    let server = server(Emulator::builder());
    let token = server.token("ann").await;
    let parts: [TestPart<'_>; 5] = [
        ("userId", None, b"ann"),
        ("token", None, token.as_bytes()),
        ("jobName", None, b"<script>alert('1')</script> & \"x\""),
        ("dbvendor", None, b"dbvoracle"),
        ("sqlfiles", Some("a.sql"), INSERT.as_bytes()),
    ];
    let submitted = server.parts("/sqlflow/job/submitUserJob", &parts).await.json();
    let id = submitted["data"]["jobId"].as_str().unwrap();
    server.finished(id).await;
    let page = server.control(Method::GET, "/", "").await;
    assert_eq!(page.headers[header::CONTENT_TYPE], "text/html;charset=utf-8");
    let policy = page.headers[header::CONTENT_SECURITY_POLICY].to_str().unwrap();
    assert!(policy.starts_with("default-src 'none'; style-src 'sha256-") && !policy.contains("unsafe"), "{policy}");
    assert!(page.body.contains("&lt;script&gt;alert(&#39;1&#39;)&lt;/script&gt; &amp; &quot;x&quot;"), "{}", page.body);
    assert!(!page.body.contains("<script"));
    let links: Vec<&str> = page.body.split("href=\"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
    assert_eq!(links.len(), 3);
    for link in links {
        assert_eq!(server.control(Method::GET, link, "").await.status, StatusCode::OK, "{link}");
    }
    let (works, missing) = page.body.split_once("not emulated").unwrap();
    assert!(works.contains("<code>submitUserJob</code>") && missing.contains("<code>generate/parquet</code>"));
}
