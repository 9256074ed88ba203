-- The sources of a small warehouse.
create table sales.customers (
    customer_id integer primary key,
    full_name   text not null,
    country     text
);

create table sales.orders (
    order_id    integer primary key,
    customer_id integer references sales.customers (customer_id),
    ordered_on  date,
    status      text
);

create table sales.order_lines (
    order_id   integer references sales.orders (order_id),
    product    text,
    quantity   integer,
    unit_price numeric(10, 2)
);
