"""What the results say: schema, store, tables, statistics. No torch."""
