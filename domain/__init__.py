"""Rules and records: plain functions over a session, and nothing that serves or queues."""
