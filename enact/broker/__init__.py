"""A real Apache Kafka (one KRaft node) for development and tests, from its published jars: no Docker, no Java, no Maven needed."""
