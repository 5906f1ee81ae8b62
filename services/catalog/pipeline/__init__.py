"""From a stream of NDJSON to rows that are ready for COPY; pure but for the stream itself."""
