-- One row an order, with what it is worth.
create table staging.order_totals (
    order_id    integer,
    customer_id integer,
    ordered_on  date,
    total       numeric(12, 2)
);

insert into staging.order_totals (order_id, customer_id, ordered_on, total)
select o.order_id,
       o.customer_id,
       o.ordered_on,
       sum(l.quantity * l.unit_price)
from sales.orders o
join sales.order_lines l on l.order_id = o.order_id
where o.status <> 'cancelled'
group by o.order_id, o.customer_id, o.ordered_on;
