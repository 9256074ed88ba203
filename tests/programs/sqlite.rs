//! `SQLite`: keeps the flows of a job in a table, and asks it with SQL.

use std::collections::BTreeSet;

use rusqlite::Connection;
use sqlflow_client::lineage::Lineage;
use sqlflow_client::{Client, Vendor};

use crate::{Outcome, SQL, emulated};

const SCHEMA: &str = "create table flow (source text, target text, primary key (source, target))";

/// Everything that feeds a column, the ultimate sources last.
const UPSTREAM: &str = "
    with recursive upstream (name, step) as (
        select source, 1 from flow where target = ?1
        union
        select source, step + 1 from flow join upstream on target = name where step < 100
    )
    select name from upstream group by name order by min(step), name";

async fn lineage(sqlflow: &Client) -> Outcome<Lineage> {
    let job = sqlflow.submit(Vendor::PostgreSql).path(SQL).send().await?;
    Ok(job.wait().await?.lineage().await?)
}

fn store(lineage: &Lineage) -> rusqlite::Result<Connection> {
    let mut database = Connection::open_in_memory()?;
    let transaction = database.transaction()?;
    transaction.execute_batch(SCHEMA)?;
    let mut insert = transaction.prepare("insert into flow values (?1, ?2)")?;
    for flow in lineage.column_flows() {
        insert.execute([flow.source.to_string(), flow.target.to_string()])?;
    }
    drop(insert);
    transaction.commit()?;
    Ok(database)
}

#[tokio::test]
async fn sql_finds_the_same_sources_as_the_model() -> Outcome {
    let (sqlflow, _emulator) = emulated(|it| it).await?;
    let lineage = lineage(&sqlflow).await?;
    let database = store(&lineage)?;
    let column = lineage.column("report.customer_revenue", "revenue")?;
    let mut query = database.prepare(UPSTREAM)?;
    let found = query.query_map([column.to_string()], |row| row.get(0))?.collect::<Result<Vec<String>, _>>()?;
    assert!(found.len() > 2, "{found:?}");
    let upstream: BTreeSet<_> = column.upstream().into_iter().map(|column| column.to_string()).collect();
    assert_eq!(BTreeSet::from_iter(found), upstream);
    Ok(())
}
