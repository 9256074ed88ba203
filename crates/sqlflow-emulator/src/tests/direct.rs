//! Analysis without a job, and the syntax check.

use super::*;

#[tokio::test]
async fn sql_is_analysed_without_a_job() {
    let server = server(Emulator::builder());
    let token = server.token("ann").await;
    let fields = [("userId", "ann"), ("token", token.as_str()), ("dbvendor", "dbvoracle"), ("sqltext", INSERT)];
    let model = server.form("/sqlflow/generation/sqlflow", &fields).await.json();
    assert_eq!(model["data"]["relationships"].as_array().unwrap().len(), 5);
    let graph = server.form("/sqlflow/generation/sqlflow/graph", &fields).await.json();
    assert!(!graph["data"]["graph"]["elements"]["edges"].as_array().unwrap().is_empty());
    let full = server.form("/sqlflow/generation/sqlflow/exportFullLineageAsJson", &fields).await.json();
    assert_eq!(full["data"], model["data"]);
    let csv = server.form("/sqlflow/generation/sqlflow/exportFullLineageAsCsv", &fields).await.body;
    assert!(csv.contains("s,y,DEFAULT,DEFAULT,t,b,fdd,insert"));
    let parts: [TestPart<'_>; 4] = [
        ("userId", None, b"ann"),
        ("token", None, token.as_bytes()),
        ("dbvendor", None, b"dbvoracle"),
        ("sqlfile", Some("a.sql"), INSERT.as_bytes()),
    ];
    let from_file = server.parts("/sqlflow/generation/sqlflow", &parts).await.json();
    assert_eq!(from_file["data"]["relationships"], model["data"]["relationships"]);
    let nothing = server.form("/sqlflow/generation/sqlflow", &fields[..3]).await.json();
    assert_eq!(nothing["code"], 400);
}

#[tokio::test]
async fn a_vendor_without_schemas_keeps_tables_in_its_databases() {
    let server = server(Emulator::builder());
    let token = server.token("ann").await;
    let fields =
        [("userId", "ann"), ("token", token.as_str()), ("dbvendor", "mysql"), ("sqltext", "select a from shop.t, u")];
    let model = server.form("/sqlflow/generation/sqlflow", &fields).await.json();
    let tree = &model["data"]["dbobjs"]["servers"][0];
    assert_eq!((&tree["supportsCatalogs"], &tree["supportsSchemas"]), (&json!(true), &json!(false)));
    let databases: Vec<_> = tree["databases"].as_array().unwrap().iter().collect();
    assert!(databases.iter().all(|database| database.get("schemas").is_none()));
    let shop = databases.iter().find(|database| database["name"] == "shop").unwrap();
    assert_eq!(shop["tables"][0]["displayName"], "shop.t");
    let unnamed = databases.iter().find(|database| database["name"] == "DEFAULT").unwrap();
    assert!(unnamed["tables"].as_array().unwrap().iter().any(|table| table["name"] == "u"));
    assert_eq!(unnamed["others"][0]["name"], "RS-1");
}

#[tokio::test]
async fn a_model_without_parsed_statements_has_no_servers() {
    let server = server(Emulator::builder());
    let token = server.token("ann").await;
    let fields = [("userId", "ann"), ("token", token.as_str()), ("dbvendor", "mysql"), ("sqltext", "selec")];
    let model = server.form("/sqlflow/generation/sqlflow", &fields).await.json();
    assert_eq!(model["code"], 203);
    assert!(model["data"]["dbobjs"].get("servers").is_none());
    assert_eq!(model["data"]["errors"][0]["errorType"], "SyntaxError");
}

#[tokio::test]
async fn anonymous_calls_run_out() {
    let server = server(Emulator::builder().max_anonymous_calls_per_day(2));
    let body = json!({ "sqltext": "select a from t", "dbvendor": "dbvoracle", "showRelationType": "fdd" }).to_string();
    let call = async |path: &str| server.request(Method::POST, path, "application/json", body.clone()).await;
    assert_eq!(call("/api/anonymous/lineage").await.json()["data"]["relationships"][0]["effectType"], "select");
    assert_eq!(call("/gspLive_backend/api/anonymous/lineage").await.status, StatusCode::OK);
    let refused = call("/api/anonymous/lineage").await;
    assert_eq!(refused.status, StatusCode::TOO_MANY_REQUESTS);
    let refused = refused.json();
    assert_eq!((&refused["code"], &refused["error"]), (&json!(429), &json!("rate_limit_exceeded")));
    assert!(refused["upgrade"]["personal_key"]["url"].is_string());
}

#[tokio::test]
async fn syntax_is_checked() {
    let server = server(Emulator::builder());
    let token = server.token("ann").await;
    let check = async |sql: &str| {
        let fields = [("userId", "ann"), ("token", token.as_str()), ("dbvendor", "dbvmysql"), ("sql", sql)];
        server.form("/demo/syntax/check", &fields).await.json()
    };
    let good = check("select 1").await;
    assert_eq!((&good["code"], &good["data"]["errorInfos"]), (&json!(200), &json!([])));
    assert!(good["data"]["usedTime"].is_string() && good["data"]["gsp.version"].is_string());
    let bad = check("selec 1").await;
    assert_ne!(bad["code"], 200);
    assert!(bad["data"]["errorInfos"][0]["errorMessage"].as_str().unwrap().contains("line 1"));
}

#[tokio::test]
async fn a_csv_of_nothing_but_errors_is_a_failure() {
    let server = server(Emulator::builder());
    let token = server.token("ann").await;
    for (sql, said) in [("selec a from t", "sqltext: Expected"), ("-- nothing", "no statement")] {
        let fields = [("userId", "ann"), ("token", token.as_str()), ("sqltext", sql)];
        let response = server.form("/sqlflow/generation/sqlflow/exportFullLineageAsCsv", &fields).await.json();
        assert_eq!(response["code"], 400);
        assert!(response["error"].as_str().unwrap().contains(said), "{response}");
    }
}
