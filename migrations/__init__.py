"""Steps of the database's schema; `ordersync migrate` runs them."""
