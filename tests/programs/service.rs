//! A service: analyzes for many users over one pool of connections, one task for each request.

use futures_util::future::try_join_all;
use sqlflow_client::{Client, Credentials, Lineage, Vendor};

use crate::{Outcome, emulated};

async fn handle(sqlflow: Client, user: String, sql: String) -> Outcome<Lineage> {
    let sqlflow = sqlflow.with_credentials(Credentials::secret_key(user, "from the session"))?;
    let job = sqlflow.submit(Vendor::PostgreSql).sql("query.sql", sql).send().await?;
    Ok(tokio::spawn(job.wait().await?.lineage()).await??)
}

#[tokio::test]
async fn each_user_gets_the_lineage_of_their_own_sql() -> Outcome {
    let (sqlflow, _emulator) = emulated(|it| it).await?;
    let requests = (0..8).map(|user| {
        let sql = format!("create table t{user} as select id from s{user}");
        handle(sqlflow.clone(), format!("user {user}"), sql)
    });
    for (user, lineage) in try_join_all(requests).await?.into_iter().enumerate() {
        let flows: Vec<_> = lineage.column_flows().iter().map(ToString::to_string).collect();
        assert_eq!(flows, [format!("s{user}.id → t{user}.id")]);
    }
    Ok(())
}
