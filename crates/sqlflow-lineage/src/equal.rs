//! Equality of lineages: two documents that say the same about the SQL.

use super::graph::Resolution;
use super::view::{Argument, Column, Coordinate, Endpoint, Object, Process, Relationship, Transform};
use super::{Lineage, names};

impl PartialEq for Lineage {
    /// Returns `true` if both say the same about the SQL; see [`Lineage`] for what counts.
    fn eq(&self, other: &Self) -> bool {
        std::sync::Arc::ptr_eq(&self.inner, &other.inner)
            || (same(self.objects(), other.objects())
                && same(self.processes(), other.processes())
                && same(self.relationships(), other.relationships()))
    }
}

impl Eq for Lineage {}

/// A record that is paired with a record of another lineage by its id.
trait Paired {
    fn key(&self) -> &str;
    /// Returns the texts that order records with the same id, or without one.
    fn tie_breaker(&self) -> (&str, &str);
    fn says_the_same(&self, other: &Self) -> bool;
}

macro_rules! paired {
    ($($view:ident by $same:ident with $first:ident, $second:ident);+ $(;)?) => {
        $(impl Paired for $view<'_> {
            fn key(&self) -> &str {
                self.id()
            }

            fn tie_breaker(&self) -> (&str, &str) {
                (self.$first(), self.$second())
            }

            fn says_the_same(&self, other: &Self) -> bool {
                $same(self, other)
            }
        })+
    };
}

paired!(
    Object by same_object with kind_text, name;
    Column by same_column with name, id;
    Argument by same_argument with name, id;
    Process by same_process with name, id;
    Relationship by same_relationship with type_text, id;
);

/// Returns `true` if two sets of records are equal one by one, whatever their order.
fn same<T: Paired>(ours: impl ExactSizeIterator<Item = T>, others: impl ExactSizeIterator<Item = T>) -> bool {
    if ours.len() != others.len() {
        return false;
    }
    let mut ours: Vec<T> = ours.collect();
    let mut others: Vec<T> = others.collect();
    let by_id = |a: &T, b: &T| a.key().cmp(b.key()).then_with(|| a.tie_breaker().cmp(&b.tie_breaker()));
    ours.sort_by(by_id);
    others.sort_by(by_id);
    ours.iter().zip(&others).all(|(a, b)| a.says_the_same(b))
}

fn in_order<T>(
    ours: impl ExactSizeIterator<Item = T>,
    others: impl ExactSizeIterator<Item = T>,
    equal: impl Fn(T, T) -> bool,
) -> bool {
    ours.len() == others.len() && ours.zip(others).all(|(a, b)| equal(a, b))
}

fn same_coordinates<'a>(
    ours: impl ExactSizeIterator<Item = Coordinate<'a>>,
    others: impl ExactSizeIterator<Item = Coordinate<'a>>,
) -> bool {
    in_order(ours, others, |a, b| a == b)
}

/// Returns `true` if the server invented the name of an object. The type decides, so that the result is the same for both
/// lineages.
fn has_invented_name(object: &Object<'_>) -> bool {
    match object.kind_text() {
        "" => object.is_intermediate(),
        _ => object.kind().is_intermediate(),
    }
}

fn name_in_any_layout(object: &Object<'_>) -> String {
    let model = &object.inner.model;
    model.objects.get(object.at as usize).map(|raw| names::name_in_any_layout(model, raw)).unwrap_or_default()
}

fn same_object(a: &Object<'_>, b: &Object<'_>) -> bool {
    let identity = |o: &Object<'_>| {
        (
            o.id().to_owned(),
            // A flat document does not say to which schema the results inside a statement belong.
            if has_invented_name(o) { o.name().to_owned() } else { name_in_any_layout(o) },
            o.kind_text().to_owned(),
        )
    };
    let extras = |o: &Object<'_>| {
        [
            o.sub_type(),
            o.alias(),
            o.query_hash_id(),
            o.procedure_name(),
            o.uri(),
            o.location(),
            o.file_type(),
            o.parent(),
        ]
        .map(|text| text.map(str::to_owned))
    };
    identity(a) == identity(b)
        && extras(a) == extras(b)
        && a.is_target() == b.is_target()
        && same_coordinates(a.coordinates(), b.coordinates())
        && same(a.columns(), b.columns())
        && same(a.arguments(), b.arguments())
}

fn same_column(a: &Column<'_>, b: &Column<'_>) -> bool {
    let same_name = if a.is_record_set() { b.is_record_set() } else { a.name() == b.name() };
    let same_source = if a.is_system() { b.is_system() } else { a.source() == b.source() };
    let keys = |c: &Column<'_>| [c.is_primary_key(), c.is_foreign_key(), c.is_unique_key()];
    a.id() == b.id()
        && same_name
        && same_source
        && keys(a) == keys(b)
        && a.data_type() == b.data_type()
        && a.qualified_table() == b.qualified_table()
        && same_coordinates(a.coordinates(), b.coordinates())
}

fn same_argument(a: &Argument<'_>, b: &Argument<'_>) -> bool {
    (a.id(), a.name(), a.data_type(), a.inout()) == (b.id(), b.name(), b.data_type(), b.inout())
        && same_coordinates(a.coordinates(), b.coordinates())
}

fn same_process(a: &Process<'_>, b: &Process<'_>) -> bool {
    (a.id(), a.name(), a.procedure_name(), a.query_hash_id())
        == (b.id(), b.name(), b.procedure_name(), b.query_hash_id())
        && same_coordinates(a.coordinates(), b.coordinates())
}

fn same_relationship(a: &Relationship<'_>, b: &Relationship<'_>) -> bool {
    fn fields<'a>(r: &Relationship<'a>) -> [Option<&'a str>; 11] {
        [
            Some(r.id()),
            Some(r.type_text()),
            r.effect_text(),
            r.process_id(),
            r.function(),
            r.timestamp_min(),
            r.timestamp_max(),
            r.join_type(),
            r.clause(),
            r.condition(),
            r.call_statement(),
        ]
    }
    fields(a) == fields(b) && same_coordinates(a.call_coordinates(), b.call_coordinates()) && same_endpoints(a, b)
}

/// Compares the endpoints in order within each role. The order of the roles does not count.
fn same_endpoints(a: &Relationship<'_>, b: &Relationship<'_>) -> bool {
    fn by_role<'a>(r: &Relationship<'a>) -> Vec<Endpoint<'a>> {
        let mut ends: Vec<Endpoint<'a>> = r.endpoints().collect();
        ends.sort_by_key(|end| end.role() as u8);
        ends
    }
    in_order(by_role(a).into_iter(), by_role(b).into_iter(), |a, b| same_endpoint(&a, &b))
}

fn same_endpoint(a: &Endpoint<'_>, b: &Endpoint<'_>) -> bool {
    fn fields<'a>(end: &Endpoint<'a>) -> [Option<&'a str>; 6] {
        [Some(end.id()), end.parent_id(), end.table_id(), end.column_type(), end.function(), end.kind()]
    }
    // An endpoint whose id resolves has the name of its column or object; for another one this name is all there is.
    fn names<'a>(end: &Endpoint<'a>) -> [Option<&'a str>; 3] {
        if end.resolution() == Resolution::Id { [None; 3] } else { [end.name(), end.parent_name(), end.table_name()] }
    }
    a.role() == b.role()
        && fields(a) == fields(b)
        && names(a) == names(b)
        && a.clause_type() == b.clause_type()
        && same_coordinates(a.coordinates(), b.coordinates())
        && in_order(a.transforms(), b.transforms(), |a, b| same_transform(&a, &b))
}

fn same_transform(a: &Transform<'_>, b: &Transform<'_>) -> bool {
    (a.kind(), a.code()) == (b.kind(), b.code()) && same_coordinates(a.coordinates(), b.coordinates())
}

#[cfg(test)]
mod tests {
    use super::super::fixtures::{LAYOUT_A, LAYOUT_A_AS_TREE, LAYOUT_B, LAYOUT_C1, LAYOUT_C2, read};

    #[test]
    fn flat_and_tree_documents_of_the_same_sql_are_equal() {
        assert_eq!(read(LAYOUT_A), read(LAYOUT_A_AS_TREE));
        assert_eq!(read(LAYOUT_B), read(LAYOUT_C1));
        assert_eq!(read(LAYOUT_C1), read(LAYOUT_C2));
        assert_eq!(read(LAYOUT_B), read(LAYOUT_C2));
    }

    #[test]
    fn documents_of_different_sql_differ() {
        assert_ne!(read(LAYOUT_A), read(LAYOUT_B));
        for (from, to) in [
            (r#""name": "orders""#, r#""name": "order_lines""#),
            (r#""name": "customer_id""#, r#""name": "cust_id""#),
            (r#""effectType": "select""#, r#""effectType": "delete""#),
            (r#""clauseType": "where""#, r#""clauseType": "orderby""#),
            (r#""code": "sum(o.amount)""#, r#""code": "avg(o.amount)""#),
            (r#""x": 2, "y": 132"#, r#""x": 2, "y": 133"#),
            (r#""name": "sales""#, r#""name": "stock""#),
            (r#""queryHashId": "a1""#, r#""queryHashId": "a2""#),
        ] {
            let changed = LAYOUT_C1.replace(from, to);
            assert_ne!(changed, LAYOUT_C1, "{from} is in the fixture");
            assert_ne!(read(LAYOUT_C1), read(&changed), "{from} → {to}");
        }
    }

    #[test]
    fn objects_without_ids_are_equal_in_any_order() {
        let [a, b] = ["a", "b"].map(|name| format!(r#"{{"name": "{name}", "type": "table"}}"#));
        let of = |first: &str, second: &str| read(&format!(r#"{{"dbobjs": [{first}, {second}]}}"#));
        assert_eq!(of(&a, &b), of(&b, &a));
        assert_ne!(of(&a, &b), of(&b, &b));
    }

    #[test]
    fn an_endpoint_that_resolves_is_compared_by_id_and_not_by_the_name_it_repeats() {
        let changed = LAYOUT_C1.replace("SALES.ORDERS", "orders");
        assert_ne!(changed, LAYOUT_C1);
        assert_eq!(read(LAYOUT_C1), read(&changed));
    }
}
