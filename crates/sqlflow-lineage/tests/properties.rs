//! Properties of every lineage, tested on random ones: each is one model, written as a flat document and as a tree.

use std::collections::{BTreeMap, BTreeSet};

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use serde_json::{Value, json};
use sqlflow_lineage::Lineage;
use sqlflow_lineage::{Column, Endpoint, Vertex};

/// The databases of objects. Servers write `DEFAULT` for no database.
const DATABASES: [&str; 3] = ["DEFAULT", "prod", "\"Old one\""];
const SCHEMAS: [&str; 3] = ["DEFAULT", "sales", "ünïcode"];
/// Types of objects, each with the array of a tree that holds it.
const KINDS: [(&str, &str); 7] = [
    ("tables", "table"),
    ("views", "view"),
    ("others", "select_list"),
    ("others", "with_cte"),
    ("others", "variable"),
    ("procedures", "procedure"),
    ("triggers", "trigger"),
];
const TYPES: [&str; 6] = ["fdd", "fdr", "frd", "join", "er", "brand-new"];

#[derive(Clone, Debug)]
struct RandomObject {
    /// The indices of its database and schema.
    location: (usize, usize),
    kind: (&'static str, &'static str),
    name: String,
    fields: BTreeMap<&'static str, String>,
    columns: Vec<(String, BTreeMap<&'static str, Value>)>,
    coordinates: Vec<(i32, i32)>,
}

#[derive(Clone, Debug)]
struct RandomRelationship {
    kind: &'static str,
    fields: BTreeMap<&'static str, String>,
    target: Index,
    sources: Vec<(Index, BTreeMap<&'static str, String>)>,
    process: Option<Index>,
}

#[derive(Clone, Debug)]
struct RandomModel {
    objects: Vec<RandomObject>,
    relationships: Vec<RandomRelationship>,
    processes: Vec<String>,
    errors: Vec<String>,
}

fn name() -> impl Strategy<Value = String> {
    prop_oneof![
        3 => select(vec!["orders", "ORDERS", "RS-1", "RESULT_OF_a.b", "*", "1", "a.b", "[x]", "`p.d.t`", "\"Q\"", ""])
            .prop_map(str::to_owned),
        1 => any::<String>(),
    ]
}

/// Generates some of these fields, with any text.
fn some_of(keys: &'static [&'static str]) -> impl Strategy<Value = BTreeMap<&'static str, String>> {
    vec(option::weighted(0.3, any::<String>()), keys.len())
        .prop_map(|texts| keys.iter().zip(texts).filter_map(|(key, text)| Some((*key, text?))).collect())
}

fn column() -> impl Strategy<Value = (String, BTreeMap<&'static str, Value>)> {
    let flags = vec(option::weighted(0.2, any::<bool>()), 3);
    (name(), some_of(&["dataType", "source", "qualifiedTable"]), flags).prop_map(|(name, texts, flags)| {
        let texts = texts.into_iter().map(|(key, text)| (key, Value::from(text)));
        let keys = ["primaryKey", "foreignKey", "unqiueKey"];
        let flags = keys.into_iter().zip(flags).filter_map(|(key, flag)| Some((key, Value::from(flag?))));
        (name, texts.chain(flags).collect())
    })
}

fn object() -> impl Strategy<Value = RandomObject> {
    let fields = some_of(&["displayName", "alias", "queryHashId", "procedureName", "uri", "location", "parent"]);
    let location = (0..DATABASES.len(), 0..SCHEMAS.len());
    let coordinates = vec((-1..2000, -1..300), 0..5);
    (location, select(KINDS.to_vec()), name(), fields, vec(column(), 0..5), coordinates).prop_map(
        |(location, kind, name, fields, columns, coordinates)| RandomObject {
            location,
            kind,
            name,
            fields,
            columns,
            coordinates,
        },
    )
}

fn relationship() -> impl Strategy<Value = RandomRelationship> {
    let fields = some_of(&["effectType", "function", "joinType", "clause", "condition", "timestampMin"]);
    let source = (any::<Index>(), some_of(&["clauseType", "columnType", "function"]));
    (select(TYPES.to_vec()), fields, any::<Index>(), vec(source, 0..4), option::of(any::<Index>())).prop_map(
        |(kind, fields, target, sources, process)| RandomRelationship { kind, fields, target, sources, process },
    )
}

fn model() -> impl Strategy<Value = RandomModel> {
    (vec(object(), 0..8), vec(relationship(), 0..12), vec(name(), 0..3), vec(any::<String>(), 0..2)).prop_map(
        |(objects, relationships, processes, errors)| RandomModel { objects, relationships, processes, errors },
    )
}

fn with_fields(mut value: Value, fields: impl IntoIterator<Item = (&'static str, Value)>) -> Value {
    for (key, field) in fields {
        value[key] = field;
    }
    value
}

fn texts(fields: &BTreeMap<&'static str, String>) -> impl Iterator<Item = (&'static str, Value)> {
    fields.iter().map(|(key, text)| (*key, Value::from(text.as_str())))
}

impl RandomModel {
    /// Returns the objects as JSON. The ids of objects and columns count up through the model.
    fn objects(&self) -> Vec<Value> {
        let mut next = 0;
        let mut id = || {
            next += 1;
            next.to_string()
        };
        self.objects
            .iter()
            .map(|object| {
                let value = json!({
                    "id": id(),
                    "name": object.name,
                    "type": object.kind.1,
                    "coordinates": object.coordinates.iter().map(|(x, y)| json!({"x": x, "y": y, "hashCode": "0"}))
                        .collect::<Vec<_>>(),
                    "columns": object.columns.iter().map(|(name, fields)| with_fields(
                        json!({"id": id(), "name": name, "coordinates": []}),
                        fields.iter().map(|(key, value)| (*key, value.clone())),
                    )).collect::<Vec<_>>(),
                });
                with_fields(value, texts(&object.fields))
            })
            .collect()
    }

    fn ids(&self) -> Vec<String> {
        let count: usize = self.objects.iter().map(|object| 1 + object.columns.len()).sum();
        // The last id belongs to no record, so some endpoints are unresolved.
        (1..=count + 1).map(|id| id.to_string()).collect()
    }

    fn process_id(at: usize) -> String {
        format!("p_{at}")
    }

    fn relationships(&self) -> Vec<Value> {
        let ids = self.ids();
        let relationships = self.relationships.iter().enumerate();
        relationships
            .map(|(at, relationship)| {
                let endpoint = |index: &Index| json!({"id": index.get(&ids), "coordinates": [{"x": 1, "y": 2, "hashCode": "7"}]});
                let sources = relationship.sources.iter();
                let value = json!({
                    "id": format!("r{at}"),
                    "type": relationship.kind,
                    "target": endpoint(&relationship.target),
                    "sources": sources.map(|(index, fields)| with_fields(endpoint(index), texts(fields))).collect::<Vec<_>>(),
                });
                let process = relationship.process.as_ref().filter(|_| !self.processes.is_empty());
                let process = process.map(|index| ("processId", Self::process_id(index.index(self.processes.len())).into()));
                with_fields(value, texts(&relationship.fields).chain(process))
            })
            .collect()
    }

    fn processes(&self) -> Vec<Value> {
        let processes = self.processes.iter().enumerate();
        processes
            .map(|(at, name)| json!({"id": Self::process_id(at), "name": name, "procedureName": "batchQueries", "queryHashId": "h"}))
            .collect()
    }

    fn errors(&self) -> Vec<Value> {
        self.errors.iter().map(|message| json!({"errorMessage": message, "errorType": "SyntaxError"})).collect()
    }

    /// Writes the model as servers did until 2022.
    fn flat(&self) -> String {
        let objects = self.objects.iter().zip(self.objects()).map(|(object, value)| {
            let (database, schema) = object.location;
            with_fields(value, [("database", DATABASES[database].into()), ("schema", SCHEMAS[schema].into())])
        });
        let processes = self.processes().into_iter().map(|process| with_fields(process, [("type", "process".into())]));
        json!({
            "code": 200,
            "data": {"mode": "global", "sqlflow": {
                "dbobjs": objects.chain(processes).collect::<Vec<_>>(),
                "relationships": self.relationships(),
                "errors": self.errors(),
            }},
        })
        .to_string()
    }

    /// Writes the model as flat objects, every other one of which is on a second server.
    fn on_two_servers(&self) -> String {
        let servers = ["SRV1", "srv.two"].into_iter().cycle();
        let objects = self.objects.iter().zip(self.objects()).zip(servers).map(|((object, value), server)| {
            let schema = SCHEMAS[object.location.1];
            with_fields(value, [("server", server.into()), ("database", "prod".into()), ("schema", schema.into())])
        });
        json!({"dbobjs": objects.collect::<Vec<_>>(), "relationships": self.relationships()}).to_string()
    }

    /// Writes the model as servers have done since.
    fn tree(&self) -> String {
        let mut schemas: BTreeMap<(usize, usize), Value> = BTreeMap::new();
        for (object, value) in self.objects.iter().zip(self.objects()) {
            let schema = schemas.entry(object.location).or_insert_with(|| json!({"name": SCHEMAS[object.location.1]}));
            if schema[object.kind.0].is_null() {
                schema[object.kind.0] = json!([]);
            }
            schema[object.kind.0].as_array_mut().unwrap().push(value);
        }
        let databases: Vec<Value> = DATABASES
            .iter()
            .enumerate()
            .map(|(at, name)| {
                let own = schemas.iter().filter(|((database, _), _)| *database == at).map(|(_, schema)| schema);
                json!({"name": name, "schemas": own.collect::<Vec<_>>()})
            })
            .collect();
        let server = json!({
            "name": "DEFAULT_SERVER", "dbVendor": "dbvoracle", "supportsCatalogs": true, "supportsSchemas": true,
            "databases": databases,
        });
        json!({
            "data": {
                "processes": self.processes(),
                "relationships": self.relationships(),
                "dbobjs": {"createdBy": "sqlflow v1.0.0", "servers": [server]},
                "errors": self.errors(),
            },
            "code": 200,
        })
        .to_string()
    }
}

/// Returns properties of a lineage that `==` does not compare.
fn details(lineage: &Lineage) -> String {
    let objects: BTreeSet<_> = lineage
        .objects()
        .map(|o| format!("{o:?} {} {} {:?} {:?}", o.is_intermediate(), o.is_routine(), o.kind(), o.display_name()))
        .collect();
    let ends: BTreeSet<_> = lineage
        .relationships()
        .flat_map(|relationship| relationship.endpoints())
        .map(|end| format!("{} {:?} {} {:?}", end.id(), end.name(), end.is_resolved(), end.parent_name()))
        .collect();
    let errors: Vec<_> = lineage.errors().map(|error| error.message().to_owned()).collect();
    let flows: Vec<_> = lineage.column_flows().iter().map(ToString::to_string).collect();
    let unknown: Vec<_> = lineage.unknown_fields().collect();
    let columns: Vec<_> = lineage
        .columns()
        .map(|c| (c.id(), c.is_system(), c.ui_visible()))
        .collect::<BTreeSet<_>>()
        .into_iter()
        .collect();
    format!(
        "{:?} {:?} {objects:#?} {columns:?} {ends:?} {errors:?} {flows:?} {unknown:?}",
        lineage.mode(),
        lineage.vendor()
    )
}

/// Returns the columns that feed a column, by going over all relationships until nothing new is found. An intermediate
/// object may be joined as a whole on one side and by its columns on the other.
fn naive_upstream<'l>(lineage: &'l Lineage, id: &str) -> BTreeSet<&'l str> {
    let mut reached: BTreeSet<&str> = BTreeSet::new();
    loop {
        let before = reached.len();
        for relationship in lineage.relationships().filter(|relationship| relationship.type_text() == "fdd") {
            let is_reached = |to: &str| to == id || reached.contains(to);
            let is_near = |to: &Endpoint<'_>| {
                let intermediate = to.object().filter(|object| object.is_intermediate() || object.is_routine());
                is_reached(to.id())
                    || intermediate.is_some_and(|object| match to.column() {
                        Some(_) => is_reached(object.id()),
                        None => object.columns().any(|column| is_reached(column.id())),
                    })
            };
            if relationship.target().is_some_and(|target| is_near(&target)) {
                reached.extend(relationship.sources().filter(Endpoint::is_resolved).map(|source| source.id()));
            }
        }
        if reached.len() == before {
            break;
        }
    }
    let is_shown = |column: &Column<'_>| {
        let object = column.object();
        !object.is_intermediate() && !object.is_routine() && !column.is_record_set()
    };
    reached.into_iter().filter(|id| lineage.column_by_id(id).is_some_and(|column| is_shown(&column))).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_flat_document_and_a_tree_of_one_model_are_equal(model in model()) {
        let (flat, tree): (Lineage, Lineage) = (model.flat().parse().unwrap(), model.tree().parse().unwrap());
        prop_assert_eq!(flat.unknown_fields().count(), 0);
        prop_assert_eq!(tree.unknown_fields().count(), 0);
        prop_assert!(flat == tree, "{}\n{}", model.flat(), model.tree());
        let flows = |lineage: &Lineage| lineage.column_flows().iter().map(ToString::to_string).collect::<BTreeSet<_>>();
        prop_assert_eq!(flows(&flat), flows(&tree));
    }

    #[test]
    fn a_lineage_is_equal_after_it_was_written_and_read_again(model in model()) {
        for body in [model.flat(), model.tree()] {
            let lineage: Lineage = body.parse().unwrap();
            let mut written = Vec::new();
            lineage.write_json(&mut written).unwrap();
            let again = Lineage::from_slice(&written).unwrap();
            prop_assert!(again == lineage, "{}\n{}", body, String::from_utf8_lossy(&written));
            prop_assert_eq!(details(&again), details(&lineage));
            let mut twice = Vec::new();
            again.write_json(&mut twice).unwrap();
            prop_assert_eq!(String::from_utf8(written).unwrap(), String::from_utf8(twice).unwrap());
        }
    }

    #[test]
    fn the_lookup_name_of_every_object_and_column_finds_exactly_it(model in model()) {
        let bigquery = model.tree().replace("dbvoracle", "dbvbigquery");
        for body in [model.flat(), model.tree(), bigquery, model.on_two_servers()] {
            let lineage: Lineage = body.parse().unwrap();
            for object in lineage.objects() {
                let name = object.lookup_name();
                prop_assert_eq!(lineage.object(&name).ok(), Some(object), "{} in {}", name, body);
                prop_assert_eq!(lineage.find(&name).ok(), Some(Vertex::Object(object)), "{} in {}", name, body);
                prop_assert!(!object.qualified_name().is_empty());
            }
            for column in lineage.columns() {
                let name = column.lookup_name();
                prop_assert_eq!(lineage.find(&name).ok(), Some(Vertex::Column(column)), "{} in {}", name, body);
            }
        }
    }

    #[test]
    fn every_name_that_an_ambiguous_lookup_offers_works(model in model()) {
        for body in [model.flat(), model.on_two_servers()] {
            let lineage: Lineage = body.parse().unwrap();
            for column in lineage.columns() {
                let object = column.object();
                if let Err(error) = lineage.object(object.name()) {
                    for candidate in error.candidates() {
                        let found = lineage.object(&candidate.lookup_name);
                        prop_assert_eq!(found.map(|object| object.id().to_owned()), Ok(candidate.id.clone()));
                    }
                }
                if let Err(error) = object.column(column.name()) {
                    for candidate in error.candidates() {
                        let found = object.column(&candidate.lookup_name);
                        prop_assert_eq!(found.map(|column| column.id().to_owned()), Ok(candidate.id.clone()));
                    }
                }
            }
        }
    }

    #[test]
    fn a_difference_has_nothing_that_both_sides_have(old in model(), new in model()) {
        let (old, again, new): (Lineage, Lineage, Lineage) =
            (old.flat().parse().unwrap(), old.tree().parse().unwrap(), new.tree().parse().unwrap());
        prop_assert!(old.diff(&again).is_empty(), "{}", old.diff(&again));
        prop_assert!(old.diff_all(&again).is_empty(), "{}", old.diff_all(&again));
        let (there, back) = (old.diff(&new), new.diff(&old));
        prop_assert_eq!(there.is_empty(), back.is_empty());
        prop_assert_eq!(there.objects().added.len(), back.objects().removed.len());
        prop_assert_eq!(there.columns().added.len(), back.columns().removed.len());
        prop_assert_eq!(there.column_flows().removed.len(), back.column_flows().added.len());
        prop_assert_eq!(there.object_flows().removed.len(), back.object_flows().added.len());
        prop_assert_eq!(there.changed_kinds().len(), back.changed_kinds().len());
        // One line for each change, whatever the names.
        let text = there.to_string();
        let listed = text.lines().filter(|line| !line.starts_with("note: ")).count();
        prop_assert_eq!(listed == 0, there.is_empty(), "{}", text);
        let has_sign = |line: &str| ["+ ", "- ", "~ ", "note: "].iter().any(|sign| line.starts_with(sign));
        prop_assert!(text.lines().all(has_sign), "{}", text);
        prop_assert_eq!(text, old.diff(&new).to_string());
    }

    #[test]
    fn upstream_agrees_with_a_naive_search_and_downstream_mirrors_it(model in model()) {
        let lineage: Lineage = model.tree().parse().unwrap();
        for column in lineage.columns() {
            let upstream = column.upstream().to_vec();
            let found: BTreeSet<&str> = upstream.iter().map(Column::id).collect();
            prop_assert_eq!(&found, &naive_upstream(&lineage, column.id()));
            for source in upstream {
                let is_shown = !column.object().is_intermediate() && !column.object().is_routine() && !column.is_record_set();
                let mirrored = source.downstream().to_vec().contains(&column);
                prop_assert_eq!(mirrored, is_shown);
            }
        }
    }
}
