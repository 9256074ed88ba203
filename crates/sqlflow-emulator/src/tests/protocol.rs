//! Tokens, paths, methods, parameters and the record of requests.

use super::*;

#[tokio::test]
async fn a_token_comes_with_a_code_that_is_a_string() {
    let server = server(Emulator::builder());
    let response = server.form("/user/generateToken", &[("userId", "ann"), ("secretKey", "k")]).await;
    assert_eq!(response.status, StatusCode::OK);
    assert_eq!(response.headers[header::CONTENT_TYPE], "application/json;charset=utf-8");
    let body = response.json();
    assert_eq!((&body["code"], &body["userId"]), (&json!("200"), &json!("ann")));
    assert!(body.get("data").is_none());

    let refused = server.form("/user/generateToken", &[("userId", "ann"), ("secretKey", "")]).await;
    assert_eq!(refused.status, StatusCode::OK);
    assert_eq!(refused.json(), json!({ "code": "401", "error": "Invalid user or token, access deny." }));
}

#[tokio::test]
async fn a_token_of_another_user_is_refused_by_every_operation_that_takes_one() {
    let server = server(Emulator::builder());
    let token = server.token("bob").await;
    for operation in
        ["job/displayUserJobsSummary", "job/exportLineageAsJson", "generation/sqlflow", "job/generate/parquet"]
    {
        let fields = [("userId", "ann"), ("token", token.as_str())];
        let response = server.form(&format!("/sqlflow/{operation}"), &fields).await;
        assert_eq!(response.status, StatusCode::OK);
        assert_eq!(
            response.json(),
            json!({ "code": 401, "error": "Invalid user or token, access deny." }),
            "{operation}"
        );
    }
}

#[tokio::test]
async fn an_expired_or_missing_token_is_refused() {
    let server = server(Emulator::builder().token_lifetime(Duration::from_millis(1)));
    let token = server.token("ann").await;
    for token in [token.as_str(), "", "garbage"] {
        let response = server.form("/sqlflow/job/displayUserJobsSummary", &[("userId", "ann"), ("token", token)]).await;
        assert_eq!(response.json()["code"], 401);
    }
    assert_eq!(server.form("/sqlflow/job/displayUserJobsSummary", &[]).await.json()["code"], 401);
}

#[tokio::test]
async fn the_on_premise_user_calls_with_the_literal_token() {
    let server = server(Emulator::builder());
    let fields = [("userId", "gudu|0123456789"), ("token", "token")];
    assert_eq!(server.form("/sqlflow/job/displayUserJobsSummary", &fields).await.json()["data"]["total"], 0);
}

#[tokio::test]
async fn a_required_account_is_the_only_valid_one() {
    let server = server(Emulator::builder().account("ann", "right"));
    let ask = async |user, key| {
        server.form("/user/generateToken", &[("userId", user), ("secretKey", key)]).await.json()["code"].clone()
    };
    assert_eq!(ask("ann", "right").await, "200");
    assert_eq!(ask("ann", "wrong").await, "401");
    assert_eq!(ask("bob", "right").await, "401");
}

#[tokio::test(start_paused = true)]
async fn parameters_are_read_from_the_query_and_the_body() {
    let server = server(Emulator::builder());
    let (token, id) = server.job_on(INSERT).await;
    let query = form_urlencoded::Serializer::new(String::new())
        .extend_pairs([("userId", "ann"), ("token", token.as_str()), ("jobId", id.as_str())])
        .finish();
    for prefix in ["/gspLive_backend", "/api/gspLive_backend"] {
        let path = format!("{prefix}/sqlflow/job/displayUserJobSummary?{query}");
        let response = server.request(Method::POST, &path, "text/plain", "").await;
        assert_eq!(response.json()["data"]["jobId"], id.as_str());
    }
    let parts: [TestPart<'_>; 3] =
        [("userId", None, b"ann"), ("token", None, token.as_bytes()), ("jobId", None, id.as_bytes())];
    let response = server.parts("/sqlflow/job/displayUserJobSummary", &parts).await;
    assert_eq!(response.json()["data"]["jobId"], id.as_str());
}

#[tokio::test]
async fn unknown_paths_and_missing_operations_are_reported() {
    let server = server(Emulator::builder());
    let token = server.token("ann").await;
    let unknown = server.form("/sqlflow/job/noSuchThing", &[]).await;
    assert_eq!((unknown.status, &unknown.json()["code"]), (StatusCode::NOT_FOUND, &json!(404)));
    let outside = server.request(Method::GET, "/elsewhere", "text/plain", "").await;
    assert_eq!(outside.status, StatusCode::NOT_FOUND);
    let absent = server.form("/sqlflow/job/generate/parquet", &[("userId", "ann"), ("token", &token)]).await.json();
    assert_eq!(absent["code"], 501);
    assert!(absent["error"].as_str().unwrap().contains("'generate/parquet'"));
    let wrong_method = server.request(Method::GET, "/gspLive_backend/user/generateToken", "text/plain", "").await;
    assert_eq!(wrong_method.status, StatusCode::METHOD_NOT_ALLOWED);
    let path = format!("/gspLive_backend/sqlflow/job/download/parquet?userId=ann&token={token}");
    assert_eq!(server.request(Method::GET, &path, "text/plain", "").await.json()["code"], 501);
}

#[tokio::test]
async fn malformed_bodies_are_refused() {
    let server = server(Emulator::builder());
    let cut = multipart(&[("userId", None, b"ann"), ("sqlfiles", Some("a.sql"), b"select 1")]);
    let content_type = format!("multipart/form-data; boundary={BOUNDARY}");
    let path = "/gspLive_backend/sqlflow/job/submitUserJob";
    let response = server.request(Method::POST, path, &content_type, cut[..cut.len() - 20].to_vec()).await.json();
    assert_eq!(response["code"], 400);
    let response = server.request(Method::POST, path, "multipart/form-data", "x").await.json();
    assert_eq!(response["code"], 400);
    let response = server.request(Method::POST, "/api/anonymous/lineage", "application/json", "{").await.json();
    assert_eq!(response["code"], 400);
}

#[tokio::test(start_paused = true)]
async fn requests_are_recorded_without_their_values() {
    let server = server(Emulator::builder());
    let token = server.token("ann").await;
    server.submit(&token, &[("a.sql", b"select 1")]).await;
    server.form("/nowhere", &[("x", "y")]).await;
    let requests = server.service.requests.snapshot();
    let operations: Vec<_> = requests.iter().map(|request| (request.operation, request.status, request.code)).collect();
    assert_eq!(
        operations,
        [
            (Some("generateToken"), Some(200), Some(200)),
            (Some("submitUserJob"), Some(200), Some(200)),
            (None, Some(404), Some(404))
        ]
    );
    assert_eq!(requests[1].fields, ["userId", "token", "jobName", "dbvendor", "sqlfiles"]);
    assert_eq!(requests[1].content_type.as_deref(), Some("multipart/form-data"));
    let printed = format!("{requests:?}");
    assert!(!printed.contains(&token) && !printed.contains("s3cret") && !printed.contains("nightly"));
}

#[tokio::test]
async fn equivalent_spellings_of_a_path_are_accepted() {
    let server = server(Emulator::builder());
    let ask = "userId=ann&secretKey=k";
    for path in [
        "/gspLive_backend//user/generateToken",
        "/gspLive_backend/user/generateToken/",
        "/api/gspLive%5Fbackend/user/generate%54oken",
    ] {
        let response = server.request(Method::POST, &format!("{path}?{ask}"), "text/plain", "").await;
        assert_eq!(response.json()["code"], "200", "{path}");
    }
    assert_eq!(server.service.requests.snapshot()[2].operation, Some("generateToken"));
}

#[tokio::test]
async fn the_allow_header_lists_the_methods_of_an_operation() {
    let server = server(Emulator::builder());
    let path = "/gspLive_backend/user/generateToken";
    let refused = server.request(Method::GET, path, "text/plain", "").await;
    assert_eq!(refused.status, StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(refused.headers[header::ALLOW], "POST, OPTIONS");
    let told = server.request(Method::OPTIONS, path, "text/plain", "").await;
    assert_eq!((told.status, &told.headers[header::ALLOW]), (StatusCode::OK, &refused.headers[header::ALLOW]));
    let both = "/gspLive_backend/sqlflow/generation/sqlflow/upstreamGraph";
    assert_eq!(
        server.request(Method::OPTIONS, both, "text/plain", "").await.headers[header::ALLOW],
        "GET, POST, OPTIONS"
    );
}
