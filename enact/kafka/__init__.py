"""The one door to the Kafka client library, and the stage loop built on it."""
