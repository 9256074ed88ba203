-- What each customer was worth, and the best of each country.
create view report.customer_revenue as
with revenue as (
    select customer_id,
           count(order_id) as orders,
           sum(total)      as revenue
    from staging.order_totals
    group by customer_id
)
select c.full_name as customer,
       c.country,
       r.orders,
       r.revenue
from sales.customers c
join revenue r on r.customer_id = c.customer_id;

create view report.best_of_country as
select country,
       max(revenue) as best_revenue
from report.customer_revenue
group by country;
