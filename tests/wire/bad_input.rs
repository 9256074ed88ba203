//! Bad input gets a clear error that names the fault before anything is sent.

use std::sync::Arc;
use std::time::Duration;

use sqlflow_client::api::File as Upload;
use sqlflow_client::job::{CsvFormat, Database, Polling};
use sqlflow_client::lineage::RelationType;
use sqlflow_client::{Client, Credentials, Error, ErrorKind, Vendor};

use crate::TestResult;
use crate::mock::Server;

fn invalid(error: &Error, named: &str) {
    assert_eq!(error.kind(), ErrorKind::InvalidInput, "{error:?}");
    assert!(error.to_string().contains(named), "{error}");
}

/// Makes a submission to a server that must not receive a request, and returns the error.
async fn refused(submit: impl AsyncFnOnce(Client) -> Error) -> Error {
    let server = Server::start().await;
    let error = submit(server.client_with_secret_key()).await;
    assert!(server.sent().await.is_empty(), "something was sent");
    error
}

#[tokio::test]
async fn a_missing_path_is_named() -> TestResult {
    let home = tempfile::tempdir()?;
    let path = home.path().join("no-such.sql");
    for kind in ["path", "file", "directory", "zip"] {
        let error = refused(async |client| {
            let submit = client.submit(Vendor::Oracle);
            let submit = match kind {
                "path" => submit.path(&path),
                "file" => submit.file(&path),
                "directory" => submit.directory(&path),
                _ => submit.zip(&path),
            };
            submit.await.expect_err("there is no such path")
        })
        .await;
        assert_eq!(error.kind(), ErrorKind::Io, "{kind}");
        assert!(error.to_string().contains(&path.display().to_string()), "{kind}: {error}");
    }
    Ok(())
}

#[tokio::test]
async fn one_missing_path_of_many_is_named() -> TestResult {
    let home = tempfile::tempdir()?;
    std::fs::write(home.path().join("a.sql"), "select 1")?;
    let paths = ["a.sql", "gone.sql"].map(|name| home.path().join(name));
    let error = refused(async |client| client.submit(Vendor::Oracle).paths(paths).await.expect_err("gone")).await;
    assert!(error.to_string().contains("gone.sql"), "{error}");
    Ok(())
}

#[tokio::test]
async fn a_missing_file_for_the_generated_client_is_named() -> TestResult {
    let home = tempfile::tempdir()?;
    let error = Upload::open(home.path().join("gone.sql")).expect_err("there is none");
    assert_eq!(error.kind(), ErrorKind::Io);
    assert!(error.to_string().contains("gone.sql"), "{error}");
    invalid(&Upload::open(home.path()).expect_err("a directory"), &home.path().display().to_string());
    Ok(())
}

#[tokio::test]
async fn an_empty_directory_is_named() -> TestResult {
    let home = tempfile::tempdir()?;
    let etl = home.path().join("etl");
    // Empty subdirectories and hidden files are not submitted either.
    std::fs::create_dir_all(etl.join("views"))?;
    std::fs::write(etl.join(".hidden.sql"), "select 1")?;
    let error = refused(async |client| client.submit(Vendor::Oracle).path(&etl).await.expect_err("empty")).await;
    invalid(&error, &etl.display().to_string());
    Ok(())
}

#[tokio::test]
async fn a_directory_where_a_file_is_expected_is_named() -> TestResult {
    let home = tempfile::tempdir()?;
    let error =
        refused(async |client| client.submit(Vendor::Oracle).file(home.path()).await.expect_err("no file")).await;
    invalid(&error, &home.path().display().to_string());
    Ok(())
}

#[tokio::test]
async fn a_file_where_a_directory_is_expected_is_named() -> TestResult {
    let home = tempfile::tempdir()?;
    let path = home.path().join("a.sql");
    std::fs::write(&path, "select 1")?;
    let error = refused(async |client| client.submit(Vendor::Oracle).directory(&path).await.expect_err("a file")).await;
    assert!(error.to_string().contains(&path.display().to_string()), "{error}");
    Ok(())
}

#[tokio::test]
async fn a_file_that_is_not_a_zip_is_named() -> TestResult {
    let home = tempfile::tempdir()?;
    let path = home.path().join("a.zip");
    std::fs::write(&path, "select 1")?;
    let error = refused(async |client| client.submit(Vendor::Oracle).zip(&path).await.expect_err("no zip")).await;
    invalid(&error, &path.display().to_string());
    Ok(())
}

#[tokio::test]
async fn a_submission_without_input_is_invalid() {
    let error = refused(async |client| client.submit(Vendor::Oracle).name("n").await.expect_err("nothing")).await;
    invalid(&error, "nothing to submit");
    let error = refused(async |client| client.submit_persist(Vendor::Oracle).await.expect_err("nothing")).await;
    invalid(&error, "nothing to submit");
}

#[tokio::test]
async fn an_empty_job_name_is_named() {
    for name in ["", " \t"] {
        let submit = async |client: Client| {
            client.submit(Vendor::Oracle).name(name).sql("a.sql", "select 1").await.expect_err("no name")
        };
        invalid(&refused(submit).await, "job name");
        let submit = async |client: Client| {
            client.submit_persist(Vendor::Oracle).name(name).sql("a.sql", "select 1").await.expect_err("no name")
        };
        invalid(&refused(submit).await, "job name");
    }
}

#[tokio::test]
async fn an_empty_file_name_is_named() {
    let submit = async |client: Client| client.submit(Vendor::Oracle).sql("", "select 1").await.expect_err("no name");
    invalid(&refused(submit).await, "file name");
}

#[tokio::test]
async fn two_files_with_the_same_name_are_named() {
    let submit = async |client: Client| {
        client.submit(Vendor::Oracle).sql("a.sql", "1").sql("a.sql", "2").await.expect_err("one name")
    };
    invalid(&refused(submit).await, "a.sql");
}

#[tokio::test]
async fn a_batch_for_a_job_without_an_id_is_refused() {
    let submit = async |client: Client| {
        client.submit_persist(Vendor::Oracle).batch_of("").sql("a.sql", "select 1").await.expect_err("no id")
    };
    invalid(&refused(submit).await, "job id");
}

#[test]
fn a_base_url_with_a_query_is_named_without_its_query() {
    let error = Client::builder("http://sqlflow.example.com/x?userId=ann").build().expect_err("a query");
    invalid(&error, "query");
    invalid(&error, "http://sqlflow.example.com/x");
}

#[test]
fn a_base_url_whose_query_holds_a_token_does_not_show_it() {
    let error = Client::builder("http://h/x?userId=ann&token=hush-hush").build().expect_err("a query");
    assert!(!format!("{error} {error:?}").contains("hush"), "{error:?}");
}

#[test]
fn a_base_url_with_a_fragment_an_odd_scheme_or_a_password_is_named() {
    for (base_url, named) in [
        ("http://h/x#top", "fragment"),
        ("ftp://h", "ftp"),
        ("file:///etc", "file"),
        ("http://ann:pass@h", "password"),
        ("", "empty"),
        ("  ", "empty"),
        ("http://", "http://"),
        ("h:notaport", "h:notaport"),
        ("http://a b", "http://a b"),
    ] {
        invalid(&Client::builder(base_url).build().expect_err(base_url), named);
    }
}

#[test]
fn a_secret_key_or_a_token_without_a_user_id_is_invalid() {
    for credentials in [Credentials::secret_key("", "key"), Credentials::token(" ", "token")] {
        let error = Client::builder("h").credentials(credentials).build().expect_err("no user");
        invalid(&error, "user id is empty");
    }
}

#[test]
fn an_empty_secret_key_or_token_is_invalid() {
    let build = |credentials| Client::builder("h").credentials(credentials).build().expect_err("no secret");
    invalid(&build(Credentials::secret_key("ann", "")), "secret key is empty");
    invalid(&build(Credentials::token("ann", "")), "token is empty");
}

#[test]
fn polling_without_a_pause_is_invalid() {
    let error = Client::builder("h").polling(Polling::every(Duration::ZERO)).build().expect_err("no pause");
    invalid(&error, "pause");
}

#[tokio::test]
async fn polling_without_a_pause_is_invalid_for_a_wait_too() {
    let wait = async |client: Client| {
        client.job("j1").wait().polling(Polling::every(Duration::ZERO)).await.expect_err("no pause")
    };
    invalid(&refused(wait).await, "pause");
}

/// A resolver that knows no name, so that no DNS server is queried.
struct EmptyResolver;

impl reqwest::dns::Resolve for EmptyResolver {
    fn resolve(&self, _: reqwest::dns::Name) -> reqwest::dns::Resolving {
        Box::pin(async { Err("no such host is known".into()) })
    }
}

#[tokio::test]
async fn an_unknown_host_is_named() -> TestResult {
    let http = reqwest::Client::builder().no_proxy().dns_resolver(Arc::new(EmptyResolver));
    let http = http.tls_backend_preconfigured(no_tls()?).build()?;
    let client = Client::builder("http://sqlflow.invalid:8165").http_client(http).build()?;
    let error = client.jobs().await.expect_err("no such host");
    assert_eq!(error.kind(), ErrorKind::Connect);
    let text = error.to_string();
    assert!(text.contains("sqlflow.invalid") && text.contains("no such host is known"), "{text}");
    Ok(())
}

/// Returns a TLS configuration without root certificates. A client over plain HTTP needs one, but no certificates.
fn no_tls() -> Result<rustls::ClientConfig, rustls::Error> {
    let builder = rustls::ClientConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()));
    let roots = rustls::RootCertStore::empty();
    Ok(builder.with_safe_default_protocol_versions()?.with_root_certificates(roots).with_no_client_auth())
}

#[tokio::test]
async fn a_csv_format_without_a_column_for_the_code_is_named() {
    let error = refused(async |client| {
        let format = CsvFormat { schema: 1, object_name: 2, ..CsvFormat::default() };
        let submit = client.submit(Vendor::Oracle).sql("a.csv", "s,t,select 1").csv_format(format);
        submit.await.expect_err("there is no code")
    })
    .await;
    invalid(&error, "csv_format");
}

#[tokio::test]
async fn an_empty_host_of_a_database_is_named() {
    for host in ["", "  "] {
        let error = refused(async |client| {
            client.submit(Vendor::Oracle).name("n").database(Database::new(host)).await.expect_err("no host")
        })
        .await;
        invalid(&error, "host of the database");
        let error = refused(async |client| {
            client.submit_persist(Vendor::Oracle).name("n").database(Database::new(host)).await.expect_err("no host")
        })
        .await;
        invalid(&error, "host of the database");
    }
}

#[tokio::test]
async fn an_empty_list_of_an_option_is_not_sent_because_servers_take_it_for_their_default() {
    const NONE: [&str; 0] = [];
    let server = Server::start().await;
    let sqlflow = server.client();
    let submit = || sqlflow.submit(Vendor::Oracle).sql("a.sql", "select 1");
    let analyze = || sqlflow.analyze(Vendor::Oracle).sql("select 1");
    let job = sqlflow.job("j1");
    let blank = [RelationType::Other(String::new())];
    for (error, option) in [
        (submit().relation_types([]).await.unwrap_err(), "relation_types"),
        (submit().relation_types(blank).await.unwrap_err(), "relation_types"),
        (submit().extracted_dbs_schemas(NONE).await.unwrap_err(), "extracted_dbs_schemas"),
        (submit().excluded_dbs_schemas(NONE).await.unwrap_err(), "excluded_dbs_schemas"),
        (submit().extracted_stored_procedures(NONE).await.unwrap_err(), "extracted_stored_procedures"),
        (submit().extracted_views(NONE).await.unwrap_err(), "extracted_views"),
        (job.export_lineage_as_json().relation_types([]).await.unwrap_err(), "relation_types"),
        (job.export_full_lineage_as_json().relation_types([]).await.unwrap_err(), "relation_types"),
        (job.export_full_lineage_as_csv().relation_types([]).await.unwrap_err(), "relation_types"),
        (job.upstream_graph("t").relation_types([]).await.unwrap_err(), "relation_types"),
        (analyze().relation_types([]).await.unwrap_err(), "relation_types"),
        (analyze().relation_types([]).graph().await.unwrap_err(), "relation_types"),
        (analyze().csv().relation_types([]).await.unwrap_err(), "relation_types"),
        (analyze().relation_types([]).graphml().await.unwrap_err(), "relation_types"),
    ] {
        assert_eq!(error.kind(), ErrorKind::InvalidInput, "{error}");
        assert!(error.to_string().contains(option), "{error}");
    }
    assert!(server.sent().await.is_empty());
}
