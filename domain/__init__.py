"""Rules and records: plain functions over a session, nothing that serves."""
