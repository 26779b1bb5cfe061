"""The wire contract: Avro schemas (`avro/*.avsc`) and their published forms (`avro/history`). Data only."""
